//! What of a spec only shows in the light of what has run before. Pure; everything else is checked by
//! [`crate::compile`].

use tidemill_model::Incarnation;
use tidemill_model::job::JobSpec;

use crate::compile::{CompiledJob, Rejection, RejectionReason};

/// A job that has run keeps its storage: elsewhere it would find no state, and refuse to start.
pub(super) fn validate(
    compiled: Result<CompiledJob, Vec<Rejection>>,
    stored: Option<&JobSpec>,
    incarnation: Incarnation,
) -> Result<CompiledJob, Vec<Rejection>> {
    let compiled = compiled?;
    let before = stored.map(|stored| &stored.storage.uri).filter(|_| incarnation > Incarnation(0));
    match before {
        Some(before) if *before != compiled.job.storage.uri => Err(vec![moved(before, &compiled.job.storage.uri)]),
        Some(_) | None => Ok(compiled),
    }
}

fn moved(before: &str, after: &str) -> Rejection {
    Rejection::new(
        RejectionReason::InvalidSetting,
        format!(
            "the storage cannot move from {before} to {after}, since the state would stay behind; \
             set it back, or delete the Application and create it anew"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixture::job;
    use super::*;

    fn check(uri: &str, stored: Option<&JobSpec>, incarnation: u64) -> bool {
        let mut wanted = job("v2", 1);
        wanted.storage.uri = uri.into();
        validate(Ok(CompiledJob { job: wanted, warnings: vec![], growing: vec![] }), stored, Incarnation(incarnation))
            .is_ok()
    }

    #[test]
    fn storage_moves_only_before_the_first_start() {
        let stored = job("v1", 1);
        assert!(check("s3://elsewhere", None, 0));
        assert!(check("s3://elsewhere", Some(&stored), 0));
        assert!(check(&stored.storage.uri, Some(&stored), 3));
        assert!(!check("s3://elsewhere", Some(&stored), 3));
    }
}

//! Does the store keep the promise that everything rests on: that an object can be created once only? Some servers
//! accept `If-None-Match` and ignore it. Finding that out must happen before the first record is claimed.

use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions};
use tidemill_model::status::{Problem, ProblemKind};

use crate::application::json;
use crate::open::without_timing;
use crate::{ApplicationStore, problem};

impl ApplicationStore {
    /// Creates a probe object twice; the second attempt must be refused. Nobody else may use `name` at the same time; one
    /// that is left over from an attempt whose end was not heard of is removed first.
    pub async fn probe_conditional_create(&self, name: &str) -> Result<(), Problem> {
        let path = self.paths.probe(name);
        self.delete(&path).await?;
        if let Err(error) = self.create_probe(&path).await {
            return Err(match is_unimplemented(&error) {
                true => unsupported(self.paths.root(), &error.to_string()),
                false => problem(self.paths.root(), "failed to create a probe object", &error),
            });
        }
        let second = self.create_probe(&path).await;
        // left behind if this fails, which costs a few bytes: the verdict matters more
        let _ = self.delete(&path).await;
        match second {
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(problem(self.paths.root(), "failed to create a probe object a second time", &error)),
            Ok(()) => Err(unsupported(
                self.paths.root(),
                "it created the same object twice although asked to create it only if absent",
            )),
        }
    }

    async fn create_probe(&self, path: &str) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(&Path::from(path), json(&"probe"), options).await.map(drop)
    }
}

/// Some servers refuse the header. The client has no kind of error for that, only the answer's text.
fn is_unimplemented(error: &object_store::Error) -> bool {
    use object_store::Error::{NotImplemented, NotSupported};
    matches!(error, NotSupported { .. } | NotImplemented { .. }) || error.to_string().contains("501 Not Implemented")
}

fn unsupported(path: &str, detail: &str) -> Problem {
    Problem {
        kind: ProblemKind::StorageUnsupported,
        object: path.to_string(),
        message: format!("the store has no conditional create: {}", without_timing(detail)),
        remedy: "use a store with conditional create (If-None-Match on PUT), such as Amazon S3 or a recent \
                 S3-compatible server"
            .to_string(),
    }
}

//! Names of objects. The only place that knows how they are built.

use crate::job::ApplicationId;
use crate::{CheckpointId, Incarnation};

/// Names objects of one application, relative to the storage root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationPaths {
    root: String,
}

impl ApplicationPaths {
    pub fn new(application: &ApplicationId) -> Self {
        Self { root: format!("{}/{}/{}", application.namespace, application.name, application.uid) }
    }

    /// The folder of everything that belongs to the application.
    pub fn root(&self) -> &str {
        &self.root
    }

    pub fn log_folder(&self) -> String {
        format!("{}/log", self.root)
    }

    /// Twenty digits, so that names sort as numbers do.
    pub fn log_record(&self, sequence: u64) -> String {
        format!("{}/log/{sequence:020}.json", self.root)
    }

    /// The sequence number in a log record's name.
    pub fn parse_log_record(&self, path: &str) -> Option<u64> {
        path.strip_prefix(&self.log_folder())?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
    }

    pub fn committed(&self, sequence: u64) -> String {
        format!("{}/committed/{sequence:020}.json", self.root)
    }

    pub fn committed_folder(&self) -> String {
        format!("{}/committed", self.root)
    }

    /// The sequence number in the name of a `committed` marker.
    pub fn parse_committed(&self, path: &str) -> Option<u64> {
        path.strip_prefix(&self.committed_folder())?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
    }

    /// The folder of all incarnations' data folders.
    pub fn data_root(&self) -> String {
        format!("{}/data", self.root)
    }

    pub fn data_folder(&self, incarnation: Incarnation) -> String {
        format!("{}/{:010}", self.data_root(), incarnation.0)
    }

    /// The incarnation whose data folder this is.
    pub fn parse_data_folder(&self, path: &str) -> Option<Incarnation> {
        path.strip_prefix(&self.data_root())?.strip_prefix('/')?.parse().ok().map(Incarnation)
    }

    /// An object that a coordinator creates to try the store out, and removes again.
    pub fn probe(&self, name: &str) -> String {
        format!("{}/probe/{name}.json", self.root)
    }

    pub fn manifest(&self, incarnation: Incarnation, checkpoint: CheckpointId) -> String {
        format!("{}/manifest-{:010}.json", self.data_folder(incarnation), checkpoint.0)
    }

    /// Says that a user keeps the checkpoint under this name: its files stay until the pin is removed.
    pub fn pin(&self, name: &str) -> String {
        format!("{}/{name}.json", self.pin_folder())
    }

    pub fn pin_folder(&self) -> String {
        format!("{}/snapshots", self.root)
    }

    /// A state file. `part` tells files of one checkpoint apart.
    pub fn state(&self, incarnation: Incarnation, checkpoint: CheckpointId, part: &str) -> String {
        format!("{}/state-{:010}-{part}.arrow", self.data_folder(incarnation), checkpoint.0)
    }

    /// A chunk of staged output. `part` tells chunks of one incarnation apart.
    pub fn staged(&self, incarnation: Incarnation, part: &str) -> String {
        format!("{}/staged-{part}", self.data_folder(incarnation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_names_sort_as_numbers_and_can_be_read_back() {
        let paths = ApplicationPaths::new(&ApplicationId {
            namespace: "shop".into(),
            name: "page-views".into(),
            uid: "u1".into(),
        });
        assert_eq!(paths.log_record(7), "shop/page-views/u1/log/00000000000000000007.json");
        assert!(paths.log_record(9) < paths.log_record(10));
        assert_eq!(paths.parse_log_record(&paths.log_record(42)), Some(42));
        assert_eq!(paths.parse_log_record("shop/page-views/u1/log/x.json"), None);
        assert_eq!(paths.parse_log_record("elsewhere/42.json"), None);
        assert_eq!(paths.parse_committed(&paths.committed(42)), Some(42));
        assert_eq!(paths.parse_data_folder(&paths.data_folder(Incarnation(3))), Some(Incarnation(3)));
        assert_eq!(paths.parse_data_folder("shop/page-views/u1/log"), None);
    }
}

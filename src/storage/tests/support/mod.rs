//! Small protocol values.

use tidemill_model::job::ApplicationId;
use tidemill_model::snapshot::LogRecord;
use tidemill_model::{CheckpointId, Incarnation};

pub fn application() -> ApplicationId {
    ApplicationId { namespace: "shop".into(), name: "page-views".into(), uid: "u1".into() }
}

pub fn start(incarnation: u64, restore: Option<&str>) -> LogRecord {
    LogRecord::Start {
        incarnation: Incarnation(incarnation),
        version: "v1".into(),
        restore: restore.map(str::to_string),
        restore_number: 0,
        last_checkpoint: CheckpointId(0),
        at_ms: 7,
    }
}

pub fn checkpoint(incarnation: u64, id: u64, manifest: &str) -> LogRecord {
    LogRecord::Checkpoint {
        incarnation: Incarnation(incarnation),
        checkpoint: CheckpointId(id),
        manifest: manifest.to_string(),
        restore_number: 0,
        at_ms: 7,
    }
}

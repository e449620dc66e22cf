//! Tables of files in a folder of this machine, written and read.

mod looking_up;
mod partitioned;
mod reading;
mod writing;

use std::path::Path;
use std::sync::Arc;

use tidemill_engine::connector::{Connector, SinkWriter, TaskContext};
use tidemill_plan::Table;

fn table(options: &[(&str, &str)]) -> Table {
    let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Table { name: "out".into(), connector: "filesystem".into(), options, ..Default::default() }
}

fn context() -> TaskContext {
    TaskContext {
        application: "a/b".into(),
        application_uid: "u1".into(),
        operator: "sink-0".into(),
        parallelism: 2,
        changelog: Default::default(),
    }
}

/// Puts files below a folder.
fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

//! `tidemill explain`: the plan as text.

use std::process::ExitCode;

use tidemill_model::job::StorageSpec;
use tidemill_sql::Compiled;

use crate::application::{self, ApplicationError};
use crate::{Files, REJECTED, report};

#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error("failed to read the plan back")]
    Decode(#[source] serde_json::Error),
}

pub fn main(files: &Files) -> ExitCode {
    match explain(files) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => report(&error, REJECTED),
    }
}

fn explain(files: &Files) -> Result<String, ExplainError> {
    let documents = application::load(files)?;
    let app = application::choose(&documents, files)?;
    let compiled = application::compile(&app, &documents, nowhere())?;
    for warning in &compiled.warnings {
        eprintln!("warning: {warning}");
    }
    let plan = serde_json::from_value(compiled.job.plan).map_err(ExplainError::Decode)?;
    Ok(tidemill_sql::explain(&Compiled {
        plan,
        warnings: Vec::new(),
        tables_read: Default::default(),
        tables_written: Default::default(),
    }))
}

/// Compiling wants to know where checkpoints would go; nothing is written.
pub fn nowhere() -> StorageSpec {
    StorageSpec { uri: "file:///nonexistent".to_string(), options: Default::default() }
}

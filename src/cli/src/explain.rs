//! `tidemill explain`: the plan as text, and what EXPLAIN, DESCRIBE and SHOW CREATE in it ask for.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tidemill_model::job::StorageSpec;

use crate::application::{self, ApplicationError};
use crate::{Files, REJECTED, report};

/// What to explain, and how far.
#[derive(Clone, Debug, Args)]
pub struct ExplainOptions {
    #[command(flatten)]
    pub files: Files,
    /// What to show of the plan: what the SQL says, the same with less work, or what runs; may be given several times.
    /// By default what runs, and everything for EXPLAIN.
    #[arg(long, value_enum, value_name = "STAGE")]
    pub stage: Vec<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    Logical,
    Optimised,
    Physical,
}

impl From<Stage> for tidemill_sql::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Logical => Self::Logical,
            Stage::Optimised => Self::Optimised,
            Stage::Physical => Self::Physical,
        }
    }
}

pub fn main(options: &ExplainOptions) -> ExitCode {
    match explain(options) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => report(&error, REJECTED),
    }
}

fn explain(options: &ExplainOptions) -> Result<String, ApplicationError> {
    let documents = application::load(&options.files)?;
    let app = application::choose(&documents, &options.files)?;
    let stages: Vec<tidemill_sql::Stage> = options.stage.iter().copied().map(Into::into).collect();
    let text = application::text(&app, &documents)?;
    let looked = tidemill_sql::look(&text.sql, text.catalog(), &stages);
    looked.map_err(|error| application::refused(&app, &error))
}

/// Compiling wants to know where checkpoints would go; nothing is written.
pub fn nowhere() -> StorageSpec {
    StorageSpec { uri: "file:///nonexistent".to_string(), options: Default::default() }
}

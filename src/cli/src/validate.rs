//! `tidemill validate`: everything that is wrong, of all objects at once.

use std::process::ExitCode;

use tidemill_operator::compile;

use crate::application::{self, ApplicationError, describe, name_of};
use crate::explain::nowhere;
use crate::{Files, REJECTED, report};

pub fn main(files: &Files) -> ExitCode {
    match validate(files) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(REJECTED),
        Err(error) => report(&error, REJECTED),
    }
}

/// Prints a line for each object, and below it what is wrong. Says whether all is well.
fn validate(files: &Files) -> Result<bool, ApplicationError> {
    let documents = application::load(files)?;
    let mut well = true;
    for stream in &documents.streams {
        let object = format!("Stream {}", stream.metadata.name.as_deref().unwrap_or("without a name"));
        let faults: Vec<String> = compile::check_stream(stream).err().iter().map(describe).collect();
        well &= print(&object, &faults, &[]);
    }
    let wanted = |name: &Option<String>| files.application.is_none() || files.application == *name;
    for app in documents.applications.iter().filter(|app| wanted(&app.metadata.name)) {
        well &= match application::compile(app, &documents, nowhere()) {
            Ok(compiled) => print(&name_of(app), &[], &compiled.warnings),
            Err(ApplicationError::Rejected(rejected)) => {
                let faults: Vec<String> = rejected.rejections.iter().map(describe).collect();
                print(&name_of(app), &faults, &[])
            }
            Err(error) => return Err(error),
        };
    }
    for object in &documents.ignored {
        println!("{object}: not looked at");
    }
    if documents.applications.is_empty() && documents.streams.is_empty() {
        return Err(ApplicationError::NoApplication);
    }
    Ok(well)
}

fn print(object: &str, faults: &[String], warnings: &[String]) -> bool {
    println!("{object}: {}", if faults.is_empty() { "valid" } else { "invalid" });
    faults.iter().for_each(|fault| println!("  {fault}"));
    warnings.iter().for_each(|warning| println!("  warning: {warning}"));
    faults.is_empty()
}

//! The modules of user functions that an Application may create functions from: read, checked, and put into the job.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tidemill_functions::{MAX_MODULE_BYTES, Module};
use tidemill_sql::{Compiled, FunctionModule};

use super::references::References;
use super::rejection::{Rejection, RejectionReason};
use crate::resources::{Application, FunctionSource};

/// A module that is given beside the Application's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenModule {
    /// What the SQL calls it: a class after AS, or a file after USING.
    pub name: String,
    /// The function that is meant by a class; none for the module's only one.
    pub function: Option<String>,
    pub bytes: Vec<u8>,
}

/// The modules that there are.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pub catalog: Vec<FunctionModule>,
    /// Their bytes, by digest.
    bytes: BTreeMap<String, Vec<u8>>,
}

/// Reads all modules; those that are given beside the Application go before its own of the same name.
pub(super) fn modules(app: &Application, references: &References) -> Result<Modules, Vec<Rejection>> {
    let mut modules = Modules::default();
    let mut rejections = Vec::new();
    let own = app.spec.functions.iter().map(|function| named(function, references));
    for given in references.modules.iter().cloned().map(Ok).chain(own) {
        if let Err(rejection) = given.and_then(|given| modules.add(given)) {
            rejections.push(rejection);
        }
    }
    if rejections.is_empty() { Ok(modules) } else { Err(rejections) }
}

fn named(function: &FunctionSource, references: &References) -> Result<GivenModule, Rejection> {
    let bytes = references.binary(&function.config_map_key_ref)?.to_vec();
    Ok(GivenModule { name: function.name.clone(), function: function.function.clone(), bytes })
}

impl Modules {
    fn add(&mut self, given: GivenModule) -> Result<(), Rejection> {
        if self.catalog.iter().any(|other| other.name == given.name) {
            return Ok(());
        }
        let GivenModule { name, function, bytes } = given;
        let module = Module::read(&bytes)
            .map_err(|error| refused(format!("the module for `{name}` cannot be used: {error}")))?;
        self.bytes.insert(module.digest.clone(), bytes);
        self.catalog.push(FunctionModule { name, function, module });
        Ok(())
    }

    /// The modules that a plan calls functions of, as a job carries them.
    pub fn of_job(&self, compiled: &Compiled) -> Result<BTreeMap<String, String>, Rejection> {
        let used = || self.bytes.iter().filter(|(digest, _)| compiled.modules.contains(*digest));
        let size: usize = used().map(|(_, bytes)| bytes.len()).sum();
        if size > MAX_MODULE_BYTES {
            return Err(refused(format!(
                "the modules of all functions have {size} bytes, and {MAX_MODULE_BYTES} are allowed, for they travel in \
                 a Secret; build them for size and strip them, or use fewer"
            )));
        }
        Ok(used().map(|(digest, bytes)| (digest.clone(), BASE64_STANDARD.encode(bytes))).collect())
    }

    /// What of the modules decides what an application computes.
    pub fn digests(&self) -> BTreeSet<(&str, Option<&str>, &str)> {
        let modules = self.catalog.iter();
        modules.map(|given| (given.name.as_str(), given.function.as_deref(), given.module.digest.as_str())).collect()
    }
}

fn refused(message: String) -> Rejection {
    Rejection::new(RejectionReason::InvalidFunction, message)
}

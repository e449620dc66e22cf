//! Modules of user functions that are given on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use tidemill_operator::compile::GivenModule;

use crate::application::ApplicationError;

/// A module as it is written: `NAME=FILE[#FUNCTION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    name: String,
    file: PathBuf,
    function: Option<String>,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not written as NAME=FILE or NAME=FILE#FUNCTION");
        let (name, file) = text.split_once('=').ok_or_else(wrong)?;
        let (file, function) = match file.rsplit_once('#') {
            Some((file, function)) => (file, Some(function.to_string())),
            None => (file, None),
        };
        match name.is_empty() || file.is_empty() || function.as_deref() == Some("") {
            true => Err(wrong()),
            false => Ok(Self { name: name.to_string(), file: file.into(), function }),
        }
    }
}

impl Given {
    pub fn read(&self) -> Result<GivenModule, ApplicationError> {
        let bytes =
            std::fs::read(&self.file).map_err(|source| ApplicationError::Read { path: self.file.clone(), source })?;
        Ok(GivenModule { name: self.name.clone(), function: self.function.clone(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_has_a_name_a_file_and_perhaps_a_function() {
        let given = |name: &str, file: &str, function: Option<&str>| {
            Ok(Given { name: name.into(), file: file.into(), function: function.map(str::to_string) })
        };
        assert_eq!("a.B=x/b.wasm".parse(), given("a.B", "x/b.wasm", None));
        assert_eq!("b.wasm=b.wasm#f".parse(), given("b.wasm", "b.wasm", Some("f")));
        for wrong in ["b.wasm", "=b.wasm", "a=", "a=b.wasm#"] {
            assert!(wrong.parse::<Given>().unwrap_err().contains("is not written as NAME=FILE"));
        }
    }
}

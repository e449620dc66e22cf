//! A table's options, read and checked once. The same table may be read, written and looked up in, so all are always
//! allowed.

use std::collections::BTreeMap;

use tidemill_engine::connector::Result;
use tidemill_model::job::StorageSpec;
use tidemill_plan::Table;

use crate::formats::csv::CsvOptions;
use crate::formats::json::JsonOptions;
use crate::formats::raw;
use crate::lookup::LookupOptions;
use crate::options::Options;

#[derive(Clone, Debug, PartialEq)]
pub struct FilesystemOptions {
    pub storage: StorageSpec,
    pub format: FileFormat,
    pub lookup: LookupOptions,
}

/// How rows stand in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum FileFormat {
    /// An object on each line.
    Json(JsonOptions),
    Csv(CsvOptions),
    /// Each line is the only column's value.
    Raw,
}

impl FileFormat {
    /// The end of a file's name.
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Csv(_) => "csv",
            Self::Raw => "txt",
        }
    }
}

#[derive(Clone, Copy)]
enum Named {
    Json,
    Csv,
    Raw,
}

impl FilesystemOptions {
    pub fn read(table: &Table) -> Result<Self> {
        let options = Options::new(table);
        let storage = storage(&options)?;
        options.required("format")?;
        let formats = [("json", Named::Json), ("csv", Named::Csv), ("raw", Named::Raw)];
        let format = match options.choice("format", &formats)?.unwrap_or(Named::Json) {
            Named::Json => FileFormat::Json(JsonOptions::read(&options)?),
            Named::Csv => FileFormat::Csv(CsvOptions::read(&options)?),
            Named::Raw => {
                raw::read_options(&options)?;
                FileFormat::Raw
            }
        };
        let lookup = LookupOptions::read(&options)?;
        options.finish()?;
        Ok(Self { storage, format, lookup })
    }
}

/// Flink's names for S3's settings, in the words of the object store client.
fn storage(options: &Options<'_>) -> Result<StorageSpec> {
    let uri = uri(options.required("path")?);
    let mut settings = BTreeMap::new();
    let names = [
        ("s3.endpoint", "endpoint"),
        ("s3.region", "region"),
        ("s3.access-key", "access_key_id"),
        ("s3.secret-key", "secret_access_key"),
        ("s3.session-token", "session_token"),
    ];
    for (name, setting) in names {
        if let Some(value) = options.optional(name) {
            settings.insert(setting.to_string(), value.to_string());
        }
    }
    if settings.get("endpoint").is_some_and(|endpoint| endpoint.starts_with("http://")) {
        settings.insert("allow_http".into(), "true".into());
    }
    if let Some(path_style) = options.parsed::<bool>("s3.path.style.access", "`true` or `false`")? {
        settings.insert("virtual_hosted_style_request".into(), (!path_style).to_string());
    }
    Ok(StorageSpec { uri, options: settings })
}

/// The path in the one form that storage takes: Flink's names for S3's clients are the same place, and a path without a
/// scheme is of this machine.
fn uri(path: &str) -> String {
    let local = path.strip_prefix("file:").unwrap_or(path);
    if local.starts_with('/') {
        return format!("file:///{}", local.trim_start_matches('/'));
    }
    match path.strip_prefix("s3a://").or(path.strip_prefix("s3p://")) {
        Some(rest) => format!("s3://{rest}"),
        None => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_in_several_ways() {
        for path in ["/a/b", "file:/a/b", "file:///a/b"] {
            assert_eq!(uri(path), "file:///a/b");
        }
        for path in ["s3://a/b", "s3a://a/b", "s3p://a/b"] {
            assert_eq!(uri(path), "s3://a/b");
        }
        assert_eq!(uri("hdfs://a/b"), "hdfs://a/b");
    }
}

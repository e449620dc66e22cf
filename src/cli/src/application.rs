//! From paths to one compiled Application. What is wrong is told all at once, each with its object and place.

use std::fmt;
use std::path::{Path, PathBuf};

use tidemill_model::job::StorageSpec;
use tidemill_operator::compile::{self, CompiledJob, Documents, LoadError, Rejection, Text};
use tidemill_operator::resources::Application;
use tidemill_sql::SqlError;

use crate::Files;

#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    #[error("failed to read `{}`", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}", .path.display())]
    Load {
        path: PathBuf,
        #[source]
        source: LoadError,
    },
    #[error("`{}` holds no YAML files", .path.display())]
    EmptyFolder { path: PathBuf },
    #[error("a .sql file stands alone: it cannot be combined with other files")]
    SqlNotAlone,
    #[error("the files hold no Application; add one of kind Application, apiVersion tidemill.dev/v1alpha1")]
    NoApplication,
    #[error("the files hold no Application `{name}`; they hold {}", .found.join(", "))]
    NoSuchApplication { name: String, found: Vec<String> },
    #[error("the files hold several Applications ({}); choose one with --application", .found.join(", "))]
    SeveralApplications { found: Vec<String> },
    #[error("{0}")]
    Rejected(Rejections),
}

/// Everything that is wrong with one object.
#[derive(Debug)]
pub struct Rejections {
    pub object: String,
    pub rejections: Vec<Rejection>,
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be run:", self.object)?;
        for rejection in &self.rejections {
            write!(f, "\n  {}", describe(rejection))?;
        }
        Ok(())
    }
}

/// A rejection on one line, with its place in the SQL unless the message has it.
pub fn describe(rejection: &Rejection) -> String {
    let reason = rejection.reason.name();
    match rejection.place {
        Some((line, column)) if !rejection.message.contains(&format!("line {line}")) => {
            format!("{reason}: line {line}, column {column}: {}", rejection.message)
        }
        Some(_) | None => format!("{reason}: {}", rejection.message),
    }
}

/// Reads all files.
pub fn load(files: &Files) -> Result<Documents, ApplicationError> {
    let mut documents = Documents::default();
    for given in &files.functions {
        documents.modules.push(given.read()?);
    }
    if let Some(sql) = files.paths.iter().find(|path| has_extension(path, &["sql"])) {
        if files.paths.len() > 1 {
            return Err(ApplicationError::SqlNotAlone);
        }
        let text = read(sql)?;
        return load_text(sql, &application_of_sql(sql, &text), documents);
    }
    for path in expand(&files.paths)? {
        let text = read(&path)?;
        documents = load_text(&path, &text, documents)?;
    }
    Ok(documents)
}

fn load_text(path: &Path, text: &str, mut documents: Documents) -> Result<Documents, ApplicationError> {
    compile::load(text, &mut documents)
        .map_err(|source| ApplicationError::Load { path: path.to_path_buf(), source })?;
    Ok(documents)
}

/// The Application that was asked for, or the only one.
pub fn choose(documents: &Documents, files: &Files) -> Result<Application, ApplicationError> {
    let found: Vec<String> = documents.applications.iter().filter_map(|app| app.metadata.name.clone()).collect();
    match (&files.application, &documents.applications[..]) {
        (_, []) => Err(ApplicationError::NoApplication),
        (None, [app]) => Ok(app.clone()),
        (None, _) => Err(ApplicationError::SeveralApplications { found }),
        (Some(name), applications) => {
            let named = applications.iter().find(|app| app.metadata.name.as_ref() == Some(name));
            named.cloned().ok_or(ApplicationError::NoSuchApplication { name: name.clone(), found })
        }
    }
}

/// Compiles an Application for this machine: checkpoints go to `storage`, whatever the Application says.
pub fn compile(
    app: &Application,
    documents: &Documents,
    storage: StorageSpec,
) -> Result<CompiledJob, ApplicationError> {
    let mut local = app.clone();
    local.spec.checkpoint.storage = None;
    let mut references = documents.references();
    references.default_storage = Some(storage);
    compile::job(&local, &documents.streams, &references)
        .map_err(|rejections| ApplicationError::Rejected(Rejections { object: name_of(app), rejections }))
}

/// The SQL of an Application, and what it may use.
pub fn text(app: &Application, documents: &Documents) -> Result<Text, ApplicationError> {
    compile::text(app, &documents.streams, &documents.references())
        .map_err(|rejections| ApplicationError::Rejected(Rejections { object: name_of(app), rejections }))
}

/// An error in an Application's SQL.
pub fn refused(app: &Application, error: &SqlError) -> ApplicationError {
    let rejections = vec![compile::sql_rejection(error)];
    ApplicationError::Rejected(Rejections { object: name_of(app), rejections })
}

pub fn name_of(app: &Application) -> String {
    format!("Application {}", app.metadata.name.as_deref().unwrap_or("without a name"))
}

fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ApplicationError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |source| ApplicationError::Read { path: path.clone(), source };
        let entries: Vec<_> = std::fs::read_dir(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
        let mut inside: Vec<PathBuf> = entries
            .into_iter()
            .map(|entry| entry.path())
            .filter(|path| has_extension(path, &["yaml", "yml"]))
            .collect();
        if inside.is_empty() {
            return Err(ApplicationError::EmptyFolder { path: path.clone() });
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| extensions.contains(&extension))
}

fn read(path: &Path) -> Result<String, ApplicationError> {
    std::fs::read_to_string(path).map_err(|source| ApplicationError::Read { path: path.to_path_buf(), source })
}

/// An Application around a bare SQL text, named after the file.
fn application_of_sql(path: &Path, text: &str) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("sql");
    let name: String =
        stem.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    serde_json::json!({
        "apiVersion": "tidemill.dev/v1alpha1",
        "kind": "Application",
        "metadata": { "name": name },
        "spec": { "code": { "sql": text } },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_operator::compile::RejectionReason;

    fn load_all(texts: &[&str]) -> Documents {
        texts
            .iter()
            .fold(Documents::default(), |documents, text| load_text(Path::new("a.yaml"), text, documents).unwrap())
    }

    fn files(application: Option<&str>) -> Files {
        Files { paths: vec![], application: application.map(str::to_string), functions: vec![] }
    }

    fn app(name: &str) -> String {
        application_of_sql(Path::new(&format!("{name}.sql")), "SELECT 1")
    }

    #[test]
    fn the_only_application_needs_no_name_and_several_do() {
        assert!(matches!(choose(&load_all(&[]), &files(None)), Err(ApplicationError::NoApplication)));
        let one = load_all(&[&app("one")]);
        assert_eq!(name_of(&choose(&one, &files(None)).unwrap()), "Application one");
        let two = load_all(&[&app("one"), &app("Two_x")]);
        let error = choose(&two, &files(None)).unwrap_err().to_string();
        assert_eq!(error, "the files hold several Applications (one, two-x); choose one with --application");
        assert_eq!(name_of(&choose(&two, &files(Some("two-x"))).unwrap()), "Application two-x");
        assert!(matches!(choose(&two, &files(Some("three"))), Err(ApplicationError::NoSuchApplication { .. })));
    }

    #[test]
    fn a_rejection_says_its_place_once() {
        let mut rejection = Rejection::new(RejectionReason::InvalidSql, "no table `x`");
        rejection.place = Some((3, 7));
        assert_eq!(describe(&rejection), "InvalidSql: line 3, column 7: no table `x`");
        rejection.message = "line 3, column 7: no table `x`".into();
        assert_eq!(describe(&rejection), "InvalidSql: line 3, column 7: no table `x`");
    }
}

//! Errors and warnings that point into the user's text.

use std::fmt;

/// Why a text cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}; {remedy}")]
pub struct SqlError {
    pub place: Place,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What to do about it, lower case, no full stop.
    pub remedy: String,
}

/// Where in the input something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the user's text; line and column count from 1.
    Text { line: u64, column: u64 },
    /// In the definition of a catalog table, such as its `column viewed_at`.
    Table { table: String, part: String },
}

/// What a user should know about a text that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub place: Place,
    pub message: String,
}

impl SqlError {
    pub fn at(line: u64, column: u64, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: Place::Text { line, column }, message: message.into(), remedy: remedy.into() }
    }

    /// The line in the user's text, unless the error is in a catalog table.
    pub fn line(&self) -> Option<u64> {
        match self.place {
            Place::Text { line, .. } => Some(line),
            Place::Table { .. } => None,
        }
    }

    /// The column in the user's text, unless the error is in a catalog table.
    pub fn column(&self) -> Option<u64> {
        match self.place {
            Place::Text { column, .. } => Some(column),
            Place::Table { .. } => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { line, column } => write!(f, "line {line}, column {column}"),
            Self::Table { table, part } => write!(f, "table {table}, {part}"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

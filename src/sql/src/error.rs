//! Errors and warnings that point into the user's text.

use std::fmt;

use sqlparser::tokenizer::{Location, Span};

pub(crate) type Result<T> = std::result::Result<T, SqlError>;

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

    pub(crate) fn at_location(location: Location, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::at(location.line, location.column, message, remedy)
    }

    pub(crate) fn new(span: Span, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::at_location(span.start, message, remedy)
    }

    /// Gives a place to an error whose part of the syntax has none.
    pub(crate) fn or_at(self, location: Location) -> Self {
        match self.place {
            Place::Text { line: 0, .. } => Self { place: Place::from(location), ..self },
            Place::Text { .. } | Place::Table { .. } => self,
        }
    }

    /// Moves an error from a piece of text to the catalog table that has it.
    pub(crate) fn in_table(self, table: &str, part: impl Into<String>) -> Self {
        Self { place: Place::Table { table: table.to_string(), part: part.into() }, ..self }
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

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self::Text { line: location.line, column: location.column }
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

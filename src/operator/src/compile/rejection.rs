//! Why a resource cannot be run as it is.

use std::fmt;

/// What about a resource is wrong. Each is the reason of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectionReason {
    InvalidSql,
    /// A Stream that is named does not exist.
    UnknownStream,
    /// A Stream that is named cannot be used as it is.
    InvalidStream,
    MissingSecret,
    MissingConfigMap,
    /// The snapshot to restore from does not exist or is not complete.
    UnknownSnapshot,
    NoStorage,
    /// A module of user functions cannot be used.
    InvalidFunction,
    InvalidSetting,
    /// A fault of ours.
    Internal,
}

impl RejectionReason {
    /// The condition reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidSql => "InvalidSql",
            Self::UnknownStream => "UnknownStream",
            Self::InvalidStream => "InvalidStream",
            Self::MissingSecret => "MissingSecret",
            Self::MissingConfigMap => "MissingConfigMap",
            Self::UnknownSnapshot => "UnknownSnapshot",
            Self::NoStorage => "NoStorage",
            Self::InvalidFunction => "InvalidFunction",
            Self::InvalidSetting => "InvalidSetting",
            Self::Internal => "Internal",
        }
    }
}

/// One thing that is wrong with a resource, with the remedy in the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    pub reason: RejectionReason,
    pub message: String,
    /// Line and column in the SQL text, from 1.
    pub place: Option<(u64, u64)>,
}

impl Rejection {
    pub fn new(reason: RejectionReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), place: None }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

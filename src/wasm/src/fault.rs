//! What can go wrong with a call, and what it is to the user.

use std::ops::Range;

use tidemill_model::status::{Problem, ProblemKind};
use wasmtime::Trap;

use crate::limits;

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It executed more than [`limits::fuel`].
    Fuel,
    /// It asked for more memory than there is and then gave up.
    Memory,
    Stack,
    /// It gave up for another reason.
    Trap(String),
    /// `tidemill_alloc` gave no place for so many bytes of arguments.
    NoPlace(usize),
    /// The result, or a part of it, is not in the module's memory.
    Outside(&'static str),
    /// A scalar function gave another number of rows than it got.
    Rows {
        expected: usize,
        found: usize,
    },
    /// Values end before they begin.
    Offsets,
    /// A STRING is not UTF-8.
    NotText,
    /// A table function's row belongs to no argument row, or rows are out of order.
    Order,
    /// The results of several calls are too much for one batch.
    TooMuch,
}

impl Fault {
    /// What an error of the runtime means. `denied_memory` says whether the call was refused more memory before.
    pub fn of(error: &wasmtime::Error, denied_memory: bool) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::Fuel,
            Some(Trap::StackOverflow) => Self::Stack,
            _ if denied_memory => Self::Memory,
            Some(trap) => Self::Trap(trap.to_string()),
            None => Self::Trap(format!("{error:#}")),
        }
    }

    /// The fault as a job's problem. `rows` are those of the batch that were handed over.
    pub fn problem(&self, function: &str, rows: &Range<usize>) -> Problem {
        let count = rows.len();
        let message = match self {
            Self::Fuel => format!("it executed more than {} instructions", limits::fuel(count)),
            Self::Memory => format!("it needed more than {} MiB of memory", limits::MEMORY_BYTES >> 20),
            Self::Stack => format!("it needed more than {} KiB of stack", limits::STACK_BYTES >> 10),
            Self::Trap(reason) => format!("it gave up: {reason}"),
            Self::NoPlace(bytes) => format!("its module gave no memory for {bytes} bytes of arguments"),
            Self::Outside(what) => format!("it gave {what} outside of its memory"),
            Self::Rows { expected, found } => format!("it gave {found} values for {expected} rows"),
            Self::Offsets => "it gave offsets that do not ascend".to_string(),
            Self::NotText => "it gave a STRING that is not UTF-8".to_string(),
            Self::Order => "it gave rows that belong to no argument row, or that are out of order".to_string(),
            Self::TooMuch => "it gave more than 2 GiB for one batch".to_string(),
        };
        let remedy = match self {
            Self::Fuel | Self::Memory | Self::Stack => "let it do less, or guard it in SQL with CASE or WHERE",
            Self::Trap(_) => "correct it so that it gives NULL instead, or guard it in SQL with CASE or WHERE",
            _ => "correct it: a module's side of batches is described in src/functions/ABI.md",
        };
        let last = rows.end.saturating_sub(1);
        Problem {
            kind: ProblemKind::ExpressionFailed,
            object: function.to_string(),
            message: format!("the function `{function}` failed on rows {} to {last} of a batch: {message}", rows.start),
            remedy: remedy.to_string(),
        }
    }
}

/// A module that cannot be run in this process.
pub fn unusable(digest: &str, reason: impl std::fmt::Display) -> Problem {
    Problem {
        kind: ProblemKind::InvalidOption,
        object: format!("module {}", digest.get(..12).unwrap_or(digest)),
        message: format!("the module of user functions cannot be run: {reason}"),
        remedy: "correct the module and update the application".to_string(),
    }
}

/// A function that a plan has and its module has not: planner and worker saw different modules.
pub fn unknown(export: &str, reason: impl std::fmt::Display) -> Problem {
    Problem {
        kind: ProblemKind::Internal,
        object: export.to_string(),
        message: format!("the function `{export}` cannot be called: {reason}"),
        remedy: "please report this with the application's SQL".to_string(),
    }
}

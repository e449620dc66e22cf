//! MATCH_RECOGNIZE: patterns in the order of time.

use serde::{Deserialize, Serialize};

use crate::{AggregateFunction, Clock, Expression, SortKey};

/// Finds the matches of a pattern in each partition's rows and puts out one row for each. Its schema is: the
/// partition's columns, then the measures. The input has no changes, and so has the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchRecognize {
    pub partition: Vec<usize>,
    /// By [`Clock::Event`] rows wait for the watermark and are taken in the order of this column; those that come later
    /// are dropped and counted. By [`Clock::Processing`] they are taken as they come.
    pub time_column: usize,
    pub clock: Clock,
    /// The order of rows of the same time.
    pub then: Vec<SortKey>,
    pub variables: Vec<Variable>,
    pub pattern: Pattern,
    pub measures: Vec<Measure>,
    pub after_match: AfterMatch,
    /// The time from a match's first row to its last is less than this. Partial matches that are older are forgotten.
    pub within_ms: Option<i64>,
}

/// A pattern's variable, in the order of the pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    /// What a row must be to be taken for it; none for any row.
    pub condition: Option<PatternExpression>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub name: String,
    pub value: PatternExpression,
}

/// Which rows follow each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pattern {
    /// One row, by the variable's place.
    Variable(usize),
    Sequence(Vec<Pattern>),
    /// `least` to `most` times; greedy takes as many as it can, reluctant as few.
    Repeat {
        pattern: Box<Pattern>,
        least: u32,
        most: Option<u32>,
        greedy: bool,
    },
}

/// Where the search goes on after a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterMatch {
    PastLastRow,
    /// The row after the match's first.
    ToNextRow,
    /// The first (last) row taken for this variable.
    ToFirst(usize),
    ToLast(usize),
}

/// An expression about the rows of a match so far. `Column(i)` in `expression` is the value of `references[i]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatternExpression {
    pub expression: Expression,
    pub references: Vec<Reference>,
}

/// A value that an expression of a pattern reads. In a condition, the row being looked at counts as taken for the
/// variable that the condition belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reference {
    /// An expression over the input's columns, in one row of those taken for `variable` (none: for any). NULL where
    /// there is no such row.
    Row { variable: Option<usize>, position: Position, value: Expression },
    /// An aggregate over all rows taken for `variable` so far. `argument` is over the input's columns; none for
    /// `COUNT(*)`.
    Aggregate { variable: Option<usize>, function: AggregateFunction, argument: Option<Expression>, distinct: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// `FIRST(A.x, n)`: the n-th after the first.
    First(u64),
    /// `LAST(A.x, n)`, and `A.x` alone with 0: the n-th before the last.
    Last(u64),
    /// `PREV(A.x, n)`: the n-th row of the partition before the last row taken for the variable.
    Before(u64),
}

impl MatchRecognize {
    fn expressions(&self) -> impl Iterator<Item = &PatternExpression> {
        let conditions = self.variables.iter().filter_map(|variable| variable.condition.as_ref());
        conditions.chain(self.measures.iter().map(|measure| &measure.value))
    }

    /// All expressions over the input's columns.
    pub fn values(&self) -> Vec<&Expression> {
        self.expressions().flat_map(|expression| &expression.references).filter_map(Reference::value).collect()
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> Vec<&mut Expression> {
        let conditions = self.variables.iter_mut().filter_map(|variable| variable.condition.as_mut());
        let expressions = conditions.chain(self.measures.iter_mut().map(|measure| &mut measure.value));
        let references = expressions.flat_map(|expression| &mut expression.references);
        references
            .filter_map(|reference| match reference {
                Reference::Row { value, .. } => Some(value),
                Reference::Aggregate { argument, .. } => argument.as_mut(),
            })
            .collect()
    }
}

impl Reference {
    /// What is read of a row; none if only the row counts.
    pub fn value(&self) -> Option<&Expression> {
        match self {
            Self::Row { value, .. } => Some(value),
            Self::Aggregate { argument, .. } => argument.as_ref(),
        }
    }
}

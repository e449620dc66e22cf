//! Conditions and measures: what they read of a match's rows, for many matches at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_plan::{Expression, PatternExpression, Position, Reference};

use super::aggregate::RowsAggregate;
use super::log::Log;
use super::nfa::Nfa;
use super::path::{RowNumber, View};
use crate::expression::{BuildError, Evaluator};
use crate::operator::Result;
use crate::rows::{RowId, RowStore};

/// A match, or a partial one, in its partition.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    pub log: &'a Log,
    pub view: View<'a>,
}

/// Why an expression cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum FormulaError {
    #[error("an expression of the pattern cannot be built")]
    Expression(#[from] BuildError),
    #[error("an expression of the pattern has no type: {0}")]
    Untyped(String),
    #[error("the aggregate {0} is not supported in patterns")]
    Aggregate(String),
}

/// A condition or measure, ready to be evaluated.
pub struct Formula {
    uid: String,
    reads: Vec<Read>,
    /// Of the values read.
    schema: SchemaRef,
    evaluator: Evaluator,
    data_type: DataType,
}

enum Read {
    Row { rows: Rows, position: Position, value: Value },
    Aggregate { rows: Rows, aggregate: RowsAggregate },
}

/// Which rows of a match are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    All,
    Of(usize),
    /// Those of a variable that the pattern does not have.
    None,
}

/// A value over the input's columns.
pub enum Value {
    Column(usize),
    Computed(Evaluator),
}

impl Value {
    pub fn new(expression: &Expression, input: &Schema) -> std::result::Result<Self, BuildError> {
        match expression {
            Expression::Column(place) if *place < input.fields().len() => Ok(Self::Column(*place)),
            expression => Ok(Self::Computed(Evaluator::new(expression, input)?)),
        }
    }

    pub fn of_batch(&self, rows: &RecordBatch, uid: &str) -> Result<ArrayRef> {
        match self {
            Self::Column(place) => Ok(rows.column(*place).clone()),
            Self::Computed(evaluator) => Ok(evaluator.evaluate(rows, uid)?),
        }
    }

    pub fn of_stored(&self, store: &RowStore, ids: &[RowId], uid: &str) -> Result<ArrayRef> {
        match self {
            Self::Column(place) => Ok(store.column(*place, ids)?),
            Self::Computed(evaluator) => {
                let rows = store.batch(ids)?;
                Ok(evaluator.evaluate(&rows, uid)?)
            }
        }
    }
}

impl Formula {
    pub fn new(
        uid: &str,
        expression: &PatternExpression,
        nfa: &Nfa,
        input: &SchemaRef,
    ) -> std::result::Result<Self, FormulaError> {
        let empty = RecordBatch::new_empty(Arc::clone(input));
        let mut reads = Vec::with_capacity(expression.references.len());
        let mut fields = Vec::with_capacity(expression.references.len());
        for (number, reference) in expression.references.iter().enumerate() {
            let (read, data_type) = Read::new(uid, reference, nfa, &empty)?;
            fields.push(Field::new(format!("r{number}"), data_type, true));
            reads.push(read);
        }
        let schema = Arc::new(Schema::new(fields));
        let evaluator = Evaluator::new(&expression.expression, &schema)?;
        let none = evaluator
            .evaluate(&RecordBatch::new_empty(Arc::clone(&schema)), uid)
            .map_err(|problem| FormulaError::Untyped(problem.message))?;
        Ok(Self { uid: uid.to_string(), reads, schema, evaluator, data_type: none.data_type().clone() })
    }

    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether nothing is read but the row that is looked at for `element`.
    pub fn reads_only_candidate(&self, element: usize) -> bool {
        self.reads.iter().all(|read| {
            matches!(read, Read::Row { rows, position: Position::Last(0), .. }
                if *rows == Rows::All || *rows == Rows::Of(element))
        })
    }

    /// How many rows before a match's may be read.
    pub fn reads_before(&self) -> u64 {
        let before = |read: &Read| match read {
            Read::Row { position: Position::Before(count), .. } => *count,
            Read::Row { .. } | Read::Aggregate { .. } => 0,
        };
        self.reads.iter().map(before).max().unwrap_or_default()
    }

    /// The value for each of `rows` as the row looked at. Only if [`Formula::reads_only_candidate`].
    pub fn of_candidates(&self, rows: &RecordBatch) -> Result<ArrayRef> {
        let mut columns = Vec::with_capacity(self.reads.len());
        for read in &self.reads {
            let Read::Row { value, .. } = read else { unreachable!("the condition reads no more than the row") };
            columns.push(value.of_batch(rows, &self.uid)?);
        }
        self.evaluate(columns, rows.num_rows())
    }

    /// The value for each of `sites`.
    pub fn of_sites(&self, sites: &[Site<'_>], store: &RowStore) -> Result<ArrayRef> {
        let mut columns = Vec::with_capacity(self.reads.len());
        for read in &self.reads {
            columns.push(read.of_sites(sites, store, &self.uid)?);
        }
        self.evaluate(columns, sites.len())
    }

    fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(self.evaluator.evaluate(&batch, &self.uid)?)
    }
}

impl Read {
    /// With the type of what is read; `empty` is a batch of the input without rows.
    fn new(
        uid: &str,
        reference: &Reference,
        nfa: &Nfa,
        empty: &RecordBatch,
    ) -> std::result::Result<(Self, DataType), FormulaError> {
        let rows = |variable: &Option<usize>| match variable {
            None => Rows::All,
            Some(variable) => nfa.element(*variable).map_or(Rows::None, Rows::Of),
        };
        let typed = |expression: &Expression| -> std::result::Result<(Value, DataType), FormulaError> {
            let value = Value::new(expression, empty.schema_ref())?;
            let none = value.of_batch(empty, uid).map_err(|fault| FormulaError::Untyped(fault.of(uid).message))?;
            Ok((value, none.data_type().clone()))
        };
        match reference {
            Reference::Row { variable, position, value } => {
                let (value, data_type) = typed(value)?;
                Ok((Self::Row { rows: rows(variable), position: *position, value }, data_type))
            }
            Reference::Aggregate { variable, function, argument, distinct } => {
                let argument = argument.as_ref().map(typed).transpose()?;
                let aggregate = RowsAggregate::new(function, argument, *distinct)
                    .ok_or_else(|| FormulaError::Aggregate(format!("{function:?}")))?;
                let data_type = aggregate.data_type().clone();
                Ok((Self::Aggregate { rows: rows(variable), aggregate }, data_type))
            }
        }
    }

    fn of_sites(&self, sites: &[Site<'_>], store: &RowStore, uid: &str) -> Result<ArrayRef> {
        match self {
            Self::Row { rows, position, value } => {
                let mut ids = Vec::with_capacity(sites.len());
                let places = sites.iter().map(|site| {
                    let row = located(rows.of(&site.view), *position)?;
                    ids.push(site.log.id(row)?);
                    Some(ids.len() as u32 - 1)
                });
                let places: UInt32Array = places.collect();
                let values = value.of_stored(store, &ids, uid)?;
                if places.null_count() == 0 {
                    return Ok(values);
                }
                Ok(take(&values, &places, None)?)
            }
            Self::Aggregate { rows, aggregate } => {
                let (mut ids, mut groups) = (Vec::new(), Vec::new());
                for (group, site) in sites.iter().enumerate() {
                    let taken = rows.of(&site.view).filter_map(|row| site.log.id(row));
                    ids.extend(taken);
                    groups.resize(ids.len(), group as u32);
                }
                aggregate.evaluate(store, &ids, &groups, sites.len(), uid)
            }
        }
    }
}

impl Rows {
    fn of(self, view: &View<'_>) -> std::ops::Range<RowNumber> {
        match self {
            Self::All => view.rows(None),
            Self::Of(element) => view.rows(Some(element)),
            Self::None => 0..0,
        }
    }
}

/// The row at a position among those taken, if there is one.
fn located(taken: std::ops::Range<RowNumber>, position: Position) -> Option<RowNumber> {
    let last = taken.clone().last()?;
    match position {
        Position::First(count) => taken.start.checked_add(count).filter(|row| *row < taken.end),
        Position::Last(count) => last.checked_sub(count).filter(|row| *row >= taken.start),
        Position::Before(count) => last.checked_sub(count),
    }
}

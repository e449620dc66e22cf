//! Rows that are put into sessions in FROM are aggregated in these sessions: the aggregation finds them itself. Nothing
//! else may be done with such rows before, for it is not known which session they are in until it is over.

use std::collections::BTreeSet;

use sqlparser::tokenizer::Span;
use tidemill_plan::{Expression, Window};

use crate::error::{Result, SqlError};
use crate::expressions::columns;
use crate::relation::{Field, Node, Pending, Relation};

/// Rows as they are, without sessions, and where the columns of their sessions were: now they have the rows' time.
pub(in crate::query) struct InSessions {
    pub relation: Relation,
    pub window: Window,
    /// Places of what is known of the session only when it is over.
    pub unknown: BTreeSet<usize>,
    /// Places of the keys that it has. A key that is no column any more has none.
    pub keys: Vec<Option<usize>>,
    time: Field,
    pub span: Span,
}

/// The rows below calculations if they are in sessions.
pub(in crate::query) fn in_sessions(relation: &Relation) -> Result<Option<InSessions>> {
    match &relation.node {
        Node::Pending { pending: Pending::Session { gap_ms, time_column, keys }, input, span } => {
            let width = input.fields.len();
            let time = input.fields[*time_column].clone();
            let projection = (0..width).chain([*time_column; 3]).map(Expression::Column).collect::<Vec<_>>();
            let mut fields = relation.fields.clone();
            fields[width..].iter_mut().for_each(|field| field.data_type = time.data_type.clone());
            Ok(Some(InSessions {
                relation: (**input).clone().calc(None, projection, fields),
                window: Window::Session { gap_ms: *gap_ms },
                unknown: (width..width + 3).collect(),
                keys: keys.iter().copied().map(Some).collect(),
                time,
                span: *span,
            }))
        }
        Node::Calc { input, filter, projection } => match in_sessions(input)? {
            Some(below) => below.through(filter.as_ref(), projection, &relation.fields).map(Some),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

impl InSessions {
    fn through(self, filter: Option<&Expression>, projection: &[Expression], fields: &[Field]) -> Result<Self> {
        if let Some(filter) = filter {
            let is_key = |place: &usize| self.keys.contains(&Some(*place));
            if !columns(filter).iter().all(is_key) {
                let message = "a condition between SESSION and its aggregation would tear sessions apart";
                let remedy = "put the condition into a view, and make the sessions of its rows";
                return Err(SqlError::new(self.span, message, remedy));
            }
        }
        let mut fields = fields.to_vec();
        let mut unknown = BTreeSet::new();
        for (place, expression) in projection.iter().enumerate() {
            match expression {
                Expression::Column(column) if self.unknown.contains(column) => {
                    fields[place].data_type = self.time.data_type.clone();
                    unknown.insert(place);
                }
                computed if columns(computed).is_disjoint(&self.unknown) => {}
                _ => return Err(self.used_early()),
            }
        }
        let moved = |key: &Option<usize>| {
            key.and_then(|key| projection.iter().position(|column| *column == Expression::Column(key)))
        };
        let keys = self.keys.iter().map(moved).collect();
        let relation = self.relation.calc(filter.cloned(), projection.to_vec(), fields);
        Ok(Self { relation, unknown, keys, ..self })
    }

    pub(in crate::query) fn used_early(&self) -> SqlError {
        let message = "the bounds of a session are not known before it is over";
        SqlError::new(self.span, message, "GROUP BY window_start, window_end first, and compute with the result")
    }
}

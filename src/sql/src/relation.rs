//! Relations: what a query is made of once names and types are settled, before it is laid out as a plan. Columns are
//! places; expressions and operators are the plan's own.

use std::rc::Rc;

use arrow_schema::DataType;
use sqlparser::tokenizer::Span;
use tidemill_plan::functions::CURRENT_WATERMARK;
use tidemill_plan::{BinaryOperator, Clock, Expression, JoinKind, NodeKind, SortKey};

use crate::table::Table;

#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub node: Node,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// The physical columns of a table at these places.
    Scan {
        table: Rc<Table>,
        columns: Vec<usize>,
    },
    Calc {
        input: Box<Relation>,
        filter: Option<Expression>,
        projection: Vec<Expression>,
    },
    /// A join whose kind of execution is settled only when all conditions on it are known. The conditions, all of which
    /// must hold, are over the columns of both sides.
    Joined {
        kind: JoinKind,
        left: Box<Relation>,
        right: Box<Relation>,
        conditions: Vec<Expression>,
    },
    /// What has no plan until the query around it says more. `span` is where it is written.
    Pending {
        pending: Pending,
        input: Box<Relation>,
        span: Span,
    },
    /// Any other operator of the plan.
    Operator {
        kind: Box<NodeKind>,
        inputs: Vec<Relation>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pending {
    /// The input's rows, each with the bounds and the time of the session that it is in. They are known only when the
    /// session is over, so rows have to be aggregated in it.
    Session { gap_ms: i64, time_column: usize, keys: Vec<usize> },
    /// The input's rows, each with its number (BIGINT) in the order of its partition. A condition has to bound it: else
    /// every row that comes would renumber all behind it.
    Ranking { partition: Vec<usize>, order: Vec<SortKey> },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
    pub role: Role,
}

/// What a column means for time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    /// The watermark speaks of it: windows can be built on it.
    Rowtime,
    /// The machine's time at which the row is handled.
    Proctime,
    /// The bounds of the window that the row is in.
    WindowStart(Clock),
    WindowEnd(Clock),
}

impl Role {
    /// The clock of a time attribute.
    pub(crate) fn clock(self) -> Option<Clock> {
        match self {
            Self::Rowtime => Some(Clock::Event),
            Self::Proctime => Some(Clock::Processing),
            Self::Plain | Self::WindowStart(_) | Self::WindowEnd(_) => None,
        }
    }
}

impl Field {
    pub(crate) fn plain(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Self { name: name.into(), data_type, nullable, role: Role::Plain }
    }

    pub(crate) fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// The same column where it no longer means anything for time.
    pub(crate) fn timeless(&self) -> Self {
        Self { role: Role::Plain, ..self.clone() }
    }

    pub(crate) fn nullable(&self) -> Self {
        Self { nullable: true, ..self.clone() }
    }
}

impl Relation {
    pub(crate) fn operator(kind: NodeKind, inputs: Vec<Relation>, fields: Vec<Field>) -> Self {
        Self { node: Node::Operator { kind: Box::new(kind), inputs }, fields }
    }

    pub(crate) fn calc(self, filter: Option<Expression>, projection: Vec<Expression>, fields: Vec<Field>) -> Self {
        Self { node: Node::Calc { input: Box::new(self), filter, projection }, fields }
    }

    /// Keeps the rows for which the condition holds. Parts of it that can fail on data are tested after those that
    /// cannot, on the rows that are left: `s <> '' AND CAST(s AS INT) > 0` never casts an empty string.
    pub(crate) fn filtered(self, condition: Expression) -> Self {
        let (fallible, safe) = conjuncts(condition).into_iter().partition::<Vec<_>, _>(is_fallible);
        [safe, fallible].into_iter().filter_map(conjunction).fold(self, |relation, condition| {
            let fields = relation.fields.clone();
            let projection = (0..fields.len()).map(Expression::Column).collect();
            relation.calc(Some(condition), projection, fields)
        })
    }

    /// These columns, in this order.
    pub(crate) fn picked(self, columns: &[usize]) -> Self {
        let fields = columns.iter().map(|place| self.fields[*place].clone()).collect();
        self.calc(None, columns.iter().copied().map(Expression::Column).collect(), fields)
    }

    /// The same rows under other names.
    pub(crate) fn renamed(mut self, names: &[String]) -> Self {
        for (field, name) in self.fields.iter_mut().zip(names) {
            field.name = name.clone();
        }
        self
    }

    /// The columns behind an operator that keeps rows until the watermark has passed what stands at `time`: of their
    /// other times it says nothing then. Windows last if that is their end, or their time.
    pub(crate) fn having_waited(&self, time: usize) -> Vec<Field> {
        let is_for_windows = self.is_window_end(time) || self.is_window_time(time);
        let stays = |place: usize, role: Role| match role {
            Role::Rowtime => place == time || is_for_windows && self.is_window_time(place),
            Role::WindowStart(Clock::Event) | Role::WindowEnd(Clock::Event) => is_for_windows,
            Role::WindowStart(Clock::Processing) | Role::WindowEnd(Clock::Processing) => true,
            Role::Plain | Role::Proctime => true,
        };
        let fields = self.fields.iter().enumerate();
        fields.map(|(place, field)| if stays(place, field.role) { field.clone() } else { field.timeless() }).collect()
    }

    fn is_window_end(&self, place: usize) -> bool {
        matches!(self.fields[place].role, Role::WindowEnd(_))
    }

    /// Whether it is the time of the rows' windows: the column behind their bounds.
    pub(crate) fn is_window_time(&self, place: usize) -> bool {
        place.checked_sub(1).is_some_and(|before| self.is_window_end(before))
    }

    /// Whether rows that have come are never taken back.
    pub(crate) fn only_grows(&self) -> bool {
        match &self.node {
            Node::Scan { table, .. } => !crate::changelog::reads_changes(&table.table),
            Node::Calc { input, .. } | Node::Pending { input, .. } => input.only_grows(),
            Node::Joined { kind, left, right, .. } => {
                matches!(kind, JoinKind::Inner | JoinKind::Semi) && left.only_grows() && right.only_grows()
            }
            Node::Operator { kind, inputs } => crate::changelog::only_grows(kind, inputs.iter().all(Self::only_grows)),
        }
    }
}

pub(crate) fn conjuncts(condition: Expression) -> Vec<Expression> {
    match condition {
        Expression::Binary { left, operator: BinaryOperator::And, right } => {
            conjuncts(*left).into_iter().chain(conjuncts(*right)).collect()
        }
        other => vec![other],
    }
}

pub(crate) fn conjunction(conditions: Vec<Expression>) -> Option<Expression> {
    conditions.into_iter().reduce(|left, right| Expression::Binary {
        left: Box::new(left),
        operator: BinaryOperator::And,
        right: Box::new(right),
    })
}

/// Whether evaluating it can fail the job for some values, or somewhere else gives another value.
pub(crate) fn is_fallible(expression: &Expression) -> bool {
    let here = match expression {
        Expression::Cast { or_null, .. } => !or_null,
        Expression::Required { .. } | Expression::UserCall { .. } => true,
        Expression::Call { function, .. } => function == CURRENT_WATERMARK,
        Expression::Binary { operator, .. } => matches!(operator, BinaryOperator::Divide | BinaryOperator::Modulo),
        _ => false,
    };
    here || expression.children().into_iter().any(is_fallible)
}

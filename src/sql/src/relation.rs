//! Relations: what a query is made of once names and types are settled, before it is laid out as a plan. Columns are
//! places; expressions are the plan's own.

use std::rc::Rc;

use arrow_schema::DataType;
use tidemill_plan::{AggregateFunction, BinaryOperator, Expression, Window, WindowOutput};

use crate::table::Table;

#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub node: Node,
    pub fields: Vec<Field>,
    /// Windows that the rows are assigned to but not yet aggregated in. The columns with a window's role then hold the
    /// row's time, and nothing may compute with them.
    pub window: Option<Window>,
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
    WindowAggregate {
        input: Box<Relation>,
        aggregate: Aggregate,
    },
}

/// Puts out the keys, the calls' results, then what is asked of the window.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub window: Window,
    pub time_column: usize,
    pub keys: Vec<usize>,
    pub calls: Vec<Call>,
    pub output: Vec<WindowOutput>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub function: AggregateFunction,
    pub argument: Option<usize>,
    pub filter: Option<usize>,
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
    /// Of windows that are not yet aggregated.
    Window(WindowOutput),
}

impl Field {
    pub(crate) fn plain(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Self { name: name.into(), data_type, nullable, role: Role::Plain }
    }

    pub(crate) fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }
}

impl Relation {
    pub(crate) fn calc(self, filter: Option<Expression>, projection: Vec<Expression>, fields: Vec<Field>) -> Self {
        let window = self.window;
        Self { node: Node::Calc { input: Box::new(self), filter, projection }, fields, window }
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

    /// The same rows under other names.
    pub(crate) fn renamed(mut self, names: &[String]) -> Self {
        for (field, name) in self.fields.iter_mut().zip(names) {
            field.name = name.clone();
        }
        self
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

/// Whether evaluating it can fail the job for some values.
pub(crate) fn is_fallible(expression: &Expression) -> bool {
    let here = match expression {
        Expression::Cast { or_null, .. } => !or_null,
        Expression::Binary { operator, .. } => matches!(operator, BinaryOperator::Divide | BinaryOperator::Modulo),
        _ => false,
    };
    here || crate::expressions::children(expression).into_iter().any(is_fallible)
}

//! `JOIN t FOR SYSTEM_TIME AS OF l.time`: by a rowtime with the version of that time, by a proctime with what the
//! table holds when it is asked.

use std::rc::Rc;
use std::sync::Arc;

use arrow_schema::Schema;
use sqlparser::ast::{Expr, Spanned, TableFactor, TableVersion};
use sqlparser::tokenizer::Span;
use tidemill_plan::{
    Clock, Deduplicate, Expression, JoinKey, JoinKind, JoinOn, Keep, Literal, LookupJoin, NodeKind, TemporalJoin,
};

use super::from::Source;
use super::join::{Computed, equality, placed};
use crate::bind::Binder;
use crate::changelog::can_be_looked_up;
use crate::error::{Result, SqlError};
use crate::expressions::substitute;
use crate::relation::{Field, Node, Relation, Role, conjunction};
use crate::table::Table;

/// The time that a table is asked for.
pub(super) struct AsOf {
    /// The place among the left columns.
    time: usize,
    clock: Clock,
    span: Span,
}

/// The time that is written for a table.
pub(super) fn written(factor: &TableFactor) -> Option<&Expr> {
    match factor {
        TableFactor::Table { version: Some(TableVersion::ForSystemTimeAsOf(time)), .. } => Some(time),
        _ => None,
    }
}

/// The same table without the time.
pub(super) fn timeless(factor: &TableFactor) -> TableFactor {
    let mut factor = factor.clone();
    if let TableFactor::Table { version, .. } = &mut factor {
        *version = None;
    }
    factor
}

impl AsOf {
    pub(super) fn of(time: &Expr, left: &Source) -> Result<Self> {
        let span = time.span();
        let (typed, role) = Binder::over(&left.scope).bind_column(time)?;
        match (typed.expression, role.clock()) {
            (Expression::Column(time), Some(clock)) => Ok(Self { time, clock, span }),
            _ => {
                let message = format!("`{time}` is no time attribute of the tables before it");
                let remedy = "use the column that the left table's WATERMARK is for, unchanged by the query";
                Err(SqlError::new(span, message, remedy))
            }
        }
    }
}

impl AsOf {
    /// What the user should know of looking up for these rows. Flink does it in the same way, and says nothing.
    pub(super) fn warning(&self, left: &Relation) -> Option<String> {
        (self.clock == Clock::Processing && !left.only_grows()).then(|| {
            "rows that are taken back are looked up again: if the table has changed in between, something else is \
             taken back than was put out"
                .to_string()
        })
    }
}

/// The conditions, all of which must hold, are over the columns of both.
pub(super) fn joined(
    kind: JoinKind,
    left: Relation,
    right: Relation,
    conditions: Vec<Expression>,
    as_of: &AsOf,
) -> Result<Relation> {
    if !matches!(kind, JoinKind::Inner | JoinKind::Left) {
        let message = "a table can be asked for a time in JOIN and LEFT JOIN only";
        return Err(SqlError::new(as_of.span, message, "use one of the two"));
    }
    let output = fields(kind, &left, &right, as_of);
    let joined = match as_of.clock {
        Clock::Event => with_versions(kind, left, right, conditions, as_of)?,
        Clock::Processing => by_looking_up(kind, left, &right, conditions, as_of)?,
    };
    Ok(Relation { fields: output, ..joined })
}

/// Only the time that rows have waited for still is one.
fn fields(kind: JoinKind, left: &Relation, right: &Relation, as_of: &AsOf) -> Vec<Field> {
    let left = left.fields.iter().enumerate().map(|(place, field)| match place == as_of.time {
        true => field.clone(),
        false => field.timeless(),
    });
    let right = right.fields.iter().map(|field| match kind {
        JoinKind::Left => field.timeless().nullable(),
        _ => field.timeless(),
    });
    left.chain(right).collect()
}

fn with_versions(
    kind: JoinKind,
    left: Relation,
    right: Relation,
    conditions: Vec<Expression>,
    as_of: &AsOf,
) -> Result<Relation> {
    if !left.only_grows() {
        let message = "rows that may be taken back cannot be joined with the version of a time";
        return Err(SqlError::new(as_of.span, message, "join before they are aggregated or joined"));
    }
    let Some(Versions { relation: right, key, time }) = Versions::of(right) else {
        let message = "the right table has no versions: it needs a rowtime and a key";
        let remedy = "give it a WATERMARK and a PRIMARY KEY, or use a view that keeps the last row of each key by time";
        return Err(SqlError::new(as_of.span, message, remedy));
    };
    let width = left.fields.len();
    let is_key = |right: &Expression| matches!(right, Expression::Column(place) if key.contains(place));
    let keyed = |place: usize| {
        conditions
            .iter()
            .filter_map(|condition| equality(condition, width))
            .any(|(_, right)| right == Expression::Column(width + place))
    };
    if let Some(missing) = key.iter().find(|place| !keyed(**place)) {
        let message = format!("the key's column `{}` is not compared with =", right.fields[*missing].name);
        return Err(SqlError::new(as_of.span, message, "compare all columns of the right table's key in ON"));
    }
    Ok(placed(kind, left, right, conditions, &is_key, |on| {
        NodeKind::TemporalJoin(TemporalJoin { kind, on, left_time: as_of.time, right_time: time })
    }))
}

/// Rows that only grow, of which each is valid from its time until that of the next of its key.
struct Versions {
    relation: Relation,
    key: Vec<usize>,
    time: usize,
}

impl Versions {
    fn of(relation: Relation) -> Option<Self> {
        let (relation, key) = keyed(relation)?;
        let time = relation.fields.iter().position(|field| field.role == Role::Rowtime)?;
        (!key.is_empty() && relation.only_grows()).then_some(Self { relation, key, time })
    }
}

/// The relation and its key. To keep the last row of each key is left to the join, which knows of which time.
fn keyed(relation: Relation) -> Option<(Relation, Vec<usize>)> {
    let Relation { node, fields } = relation;
    match node {
        Node::Scan { table, columns } => {
            let place = |key: &usize| columns.iter().position(|column| column == key);
            let key = table.primary_key.iter().map(place).collect::<Option<_>>()?;
            Some((Relation { node: Node::Scan { table, columns }, fields }, key))
        }
        Node::Calc { input, filter: None, projection } => {
            let (input, below) = keyed(*input)?;
            let place = |key: &usize| projection.iter().position(|column| *column == Expression::Column(*key));
            let key = below.iter().map(place).collect::<Option<_>>()?;
            let fields = fields.into_iter().zip(&projection).map(|(field, value)| match value {
                // The row that is kept last has lost its time attribute, but not that row here.
                Expression::Column(place) if field.role == Role::Plain && is_kept(&input, *place) => {
                    Field { role: Role::Rowtime, ..field }
                }
                _ => field,
            });
            let fields = fields.collect();
            Some((Relation { node: Node::Calc { input: Box::new(input), filter: None, projection }, fields }, key))
        }
        Node::Operator { kind, mut inputs } => match *kind {
            NodeKind::Deduplicate(Deduplicate { keys, clock: Clock::Event, keep: Keep::Last, .. }) => {
                Some((inputs.pop()?, keys))
            }
            _ => None,
        },
        Node::Calc { .. } | Node::Joined { .. } | Node::Pending { .. } => None,
    }
}

fn is_kept(input: &Relation, place: usize) -> bool {
    !matches!(input.node, Node::Scan { .. }) && input.fields[place].role == Role::Rowtime
}

fn by_looking_up(
    kind: JoinKind,
    left: Relation,
    right: &Relation,
    conditions: Vec<Expression>,
    as_of: &AsOf,
) -> Result<Relation> {
    let Some((table, columns)) = table_of(right) else {
        let message = "only a table can be looked up in, and this is a query";
        return Err(SqlError::new(as_of.span, message, "join the table, and compute afterwards"));
    };
    if !can_be_looked_up(&table.table) {
        let message = format!("a table of the connector `{}` cannot be looked up in", table.table.connector);
        let remedy = "look up in a table of the connector `filesystem`, or join without FOR SYSTEM_TIME AS OF";
        return Err(SqlError::new(as_of.span, message, remedy));
    }
    let width = left.fields.len();
    let stored = |place: usize| match place.checked_sub(width) {
        None => Expression::Column(place),
        Some(place) => substitute(&columns[place], &|column| Expression::Column(column + width)),
    };
    let mut lefts = Computed::over(&left);
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for condition in conditions.iter().map(|condition| substitute(condition, &stored)) {
        match equality(&condition, width) {
            Some((one, Expression::Column(place))) => {
                keys.push(JoinKey { left: lefts.place(one), right: place - width, nulls_equal: false });
            }
            Some(_) | None => rest.push(condition),
        }
    }
    let Some(key) = keys.first().map(|key| key.right) else {
        let message = "the table can be looked up by no column";
        return Err(SqlError::new(as_of.span, message, "compare at least one of its stored columns with = in ON"));
    };
    let left = lefts.onto(left);
    let wide = left.fields.len();
    let shift = |place: usize| Expression::Column(if place < width { place } else { place - width + wide });
    let condition = conjunction(rest).map(|condition| substitute(&condition, &shift));
    let delivered = table.delivered();
    let fields = left.fields.iter().chain(&delivered).cloned().collect();
    let table_schema =
        delivered.iter().map(|field| arrow_schema::Field::new(&field.name, field.data_type.clone(), true));
    let lookup = LookupJoin {
        kind,
        table: table.table.clone(),
        table_schema: Arc::new(Schema::new(table_schema.collect::<Vec<_>>())),
        on: JoinOn { keys, condition },
    };
    let joined = Relation::operator(NodeKind::LookupJoin(lookup), vec![left], fields);
    let output = (0..width + columns.len()).map(|place| {
        let value = substitute(&stored(place), &shift);
        // A computed column of a row that is not there is NULL, whatever it makes of NULLs.
        match place < width || kind == JoinKind::Inner || matches!(value, Expression::Column(_)) {
            true => value,
            false => unless_null(Expression::Column(wide + key), value, &joined.fields),
        }
    });
    let output = output.collect();
    // The caller knows the fields.
    Ok(joined.calc(None, output, Vec::new()))
}

/// The value where the other is not NULL, over these fields.
fn unless_null(other: Expression, value: Expression, fields: &[Field]) -> Expression {
    let null = Expression::Literal(Literal::Null(crate::check::type_over(&value, fields)));
    Expression::Case { branches: vec![(Expression::IsNull(Box::new(other)), null)], otherwise: Some(Box::new(value)) }
}

/// The table that a relation is, and its columns over the stored ones.
fn table_of(relation: &Relation) -> Option<(Rc<Table>, Vec<Expression>)> {
    let Node::Calc { input, filter: None, projection } = &relation.node else { return None };
    match &input.node {
        Node::Scan { table, .. } => Some((table.clone(), projection.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;
    use tidemill_plan::BinaryOperator;

    use super::*;
    use crate::types::TIMESTAMP;

    /// A table `(k BIGINT, at TIMESTAMP(3), double)`, where `double` is computed.
    fn table(role: Role) -> Relation {
        let at = Field { role, ..Field::plain("at", TIMESTAMP, false) };
        let physical = vec![Field::plain("k", DataType::Int64, true), at];
        let twice = compare(Expression::Column(0), BinaryOperator::Plus, Expression::Column(0));
        let stored = physical.iter().cloned().enumerate().map(|(place, field)| (field, Expression::Column(place)));
        let columns = stored.chain([(Field::plain("double", DataType::Int64, true), twice)]).collect();
        let options = std::collections::BTreeMap::new();
        let table =
            tidemill_plan::Table { name: "t".to_string(), connector: "c".to_string(), options, ..Default::default() };
        let (metadata, primary_key) = (Vec::new(), Vec::new());
        Rc::new(Table { table, physical, metadata, columns, primary_key, watermark: None, in_catalog: false }).scan()
    }

    fn compare(left: Expression, operator: BinaryOperator, right: Expression) -> Expression {
        Expression::Binary { left: Box::new(left), operator, right: Box::new(right) }
    }

    fn equal(left: usize, right: usize) -> Expression {
        compare(Expression::Column(left), BinaryOperator::Equal, Expression::Column(right))
    }

    fn as_of(clock: Clock) -> AsOf {
        AsOf { time: 1, clock, span: Span::empty() }
    }

    #[test]
    fn a_table_is_looked_up_by_its_stored_columns() {
        let conditions = vec![equal(0, 3), equal(2, 5)];
        let as_of = as_of(Clock::Processing);
        let joined = joined(JoinKind::Inner, table(Role::Proctime), table(Role::Plain), conditions, &as_of).unwrap();
        let Node::Calc { input, projection, .. } = &joined.node else { panic!("{joined:?}") };
        let Node::Operator { kind, .. } = &input.node else { panic!("{input:?}") };
        let NodeKind::LookupJoin(lookup) = &**kind else { panic!("{kind:?}") };
        assert_eq!(lookup.on.keys, [JoinKey { left: 0, right: 0, nulls_equal: false }]);
        // What is compared with a computed column is tested on what was found.
        let double = compare(Expression::Column(3), BinaryOperator::Plus, Expression::Column(3));
        assert_eq!(lookup.on.condition, Some(compare(Expression::Column(2), BinaryOperator::Equal, double.clone())));
        assert_eq!(projection[5], double);
        let roles: Vec<Role> = joined.fields.iter().map(|field| field.role).collect();
        assert_eq!(roles, [Role::Plain, Role::Proctime, Role::Plain, Role::Plain, Role::Plain, Role::Plain]);
    }

    #[test]
    fn a_lookup_without_a_key_is_refused() {
        let (left, right) = (table(Role::Proctime), table(Role::Plain));
        let joined = joined(JoinKind::Inner, left, right, vec![equal(0, 5)], &as_of(Clock::Processing));
        assert!(joined.unwrap_err().message.contains("by no column"));
    }

    #[test]
    fn a_computed_column_of_a_row_that_is_not_there_is_null() {
        let (left, right) = (table(Role::Proctime), table(Role::Plain));
        let joined = joined(JoinKind::Left, left, right, vec![equal(0, 3)], &as_of(Clock::Processing)).unwrap();
        let Node::Calc { projection, .. } = &joined.node else { panic!("{joined:?}") };
        assert_eq!(projection[3], Expression::Column(3), "stored columns are padded by the join");
        let Expression::Case { branches, .. } = &projection[5] else { panic!("{projection:?}") };
        assert_eq!(branches[0].0, Expression::IsNull(Box::new(Expression::Column(3))));
    }

    #[test]
    fn the_last_row_of_each_key_is_a_version_and_its_input_is_joined() {
        let input = table(Role::Rowtime);
        let fields: Vec<Field> = input.fields.iter().map(Field::timeless).collect();
        let kind = NodeKind::Deduplicate(Deduplicate {
            keys: vec![0],
            time_column: 1,
            clock: Clock::Event,
            keep: Keep::Last,
            state_ttl_ms: None,
        });
        let view = Relation::operator(kind, vec![input.clone()], fields).picked(&[1, 0]);
        let Versions { relation, key, time } = Versions::of(view).unwrap();
        assert_eq!((key, time), (vec![1], 0));
        assert!(matches!(&relation.node, Node::Calc { input, .. } if matches!(input.node, Node::Calc { .. })));
        assert!(Versions::of(input).is_none(), "a table without a key has no versions");
    }
}

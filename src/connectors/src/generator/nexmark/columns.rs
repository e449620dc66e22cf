//! From the columns that a table declares to Arrow arrays: events as rows or as columns of their own, checked once at the
//! table's opening.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StructArray, TimestampMillisecondArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::error::ArrowError;
use arrow_schema::{DataType, Field, FieldRef, SchemaRef, TimeUnit};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::super::rows::TextColumn;
use super::events::{Event, Kind};
use super::{Generator, auctions, bids, persons};
use crate::options::{Options, invalid};

/// One field of an event: its name, its type, and how a column of it is made.
pub type FieldKind = (&'static str, Shape, fn(&Generator, &[Event]) -> Values);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Bigint,
    String,
    Timestamp,
}

/// The values of a column. Events of another kind have any.
pub enum Values {
    Numbers(Vec<i64>),
    Texts(TextColumn),
}

#[derive(Clone)]
pub enum Column {
    EventType,
    /// A field of the only kind that the table has.
    Field(&'static FieldKind),
    /// An event as a row of some of its fields.
    Row(Kind, Vec<&'static FieldKind>),
}

const ROWS: [(&str, Kind); 3] = [("person", Kind::Person), ("auction", Kind::Auction), ("bid", Kind::Bid)];

fn fields_of(kind: Kind) -> &'static [FieldKind] {
    match kind {
        Kind::Person => persons::FIELDS,
        Kind::Auction => auctions::FIELDS,
        Kind::Bid => bids::FIELDS,
    }
}

/// All columns of a kind, as a table declares them.
pub fn columns_of(kind: Kind) -> Vec<Field> {
    let field = |(name, shape, _): &FieldKind| {
        let data_type = match shape {
            Shape::Bigint => DataType::Int64,
            Shape::String => DataType::Utf8,
            Shape::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, None),
        };
        Field::new(*name, data_type, true)
    };
    fields_of(kind).iter().map(field).collect()
}

/// Which columns the schema asks for. Another name or type is refused.
pub fn columns(table: &Table, schema: &SchemaRef, kind: Option<Kind>) -> TableResult<Vec<Column>> {
    let fields = schema.fields().iter();
    match kind {
        Some(kind) => fields.map(|field| Ok(Column::Field(known(table, field, kind)?))).collect(),
        None => fields.map(|field| stream_column(table, field)).collect(),
    }
}

/// Every column and field that the schema does not ask for.
pub fn discarded(schema: &SchemaRef, kind: Option<Kind>) -> Vec<(Column, FieldRef)> {
    let asked_for = |row: Option<&str>, name: &str| match row {
        None => schema.field_with_name(name).is_ok(),
        Some(row) => match schema.field_with_name(row).map(Field::data_type) {
            Ok(DataType::Struct(fields)) => fields.find(name).is_some(),
            _ => false,
        },
    };
    let rows = ROWS.iter().filter(|(_, of)| kind.is_none_or(|kind| kind == *of));
    let fields = rows.flat_map(|(name, of)| {
        let row = kind.is_none().then_some(*name);
        let fields = fields_of(*of).iter().zip(columns_of(*of));
        let left = fields.filter(move |(known, _)| !asked_for(row, known.0));
        left.map(|(known, field)| (*of, known, field))
    });
    fields.map(|(of, known, field)| discarded_column(kind, of, known, field)).collect()
}

fn discarded_column(kind: Option<Kind>, of: Kind, known: &'static FieldKind, field: Field) -> (Column, FieldRef) {
    match kind {
        Some(_) => (Column::Field(known), Arc::new(field)),
        None => {
            let row = Field::new("row", DataType::Struct(vec![field].into()), true);
            (Column::Row(of, vec![known]), Arc::new(row))
        }
    }
}

fn stream_column(table: &Table, field: &Field) -> TableResult<Column> {
    if field.name() == "event_type" {
        return match field.data_type() {
            DataType::Int32 => Ok(Column::EventType),
            _ => Err(wrong_type(table, field, "INT")),
        };
    }
    let names = ["event_type"].into_iter().chain(ROWS.map(|(name, _)| name));
    let (_, kind) = ROWS
        .iter()
        .find(|(name, _)| name == field.name())
        .ok_or_else(|| Options::new(table).unknown(field.name(), "column", names))?;
    let DataType::Struct(fields) = field.data_type() else { return Err(wrong_type(table, field, "ROW")) };
    if !field.is_nullable() {
        let message = format!("the column `{}` of the connector is NULL in events of another kind", field.name());
        return Err(invalid(table, message, "leave out its NOT NULL"));
    }
    let fields = fields.iter().map(|field| known(table, field, *kind)).collect::<TableResult<_>>()?;
    Ok(Column::Row(*kind, fields))
}

fn known(table: &Table, field: &Field, kind: Kind) -> TableResult<&'static FieldKind> {
    let fields = fields_of(kind);
    let known = fields
        .iter()
        .find(|(name, ..)| name == field.name())
        .ok_or_else(|| Options::new(table).unknown(field.name(), "column", fields.iter().map(|(name, ..)| *name)))?;
    let (wanted, fits) = match known.1 {
        Shape::Bigint => ("BIGINT", *field.data_type() == DataType::Int64),
        Shape::String => ("STRING", *field.data_type() == DataType::Utf8),
        Shape::Timestamp => {
            ("TIMESTAMP(3)", matches!(field.data_type(), DataType::Timestamp(TimeUnit::Millisecond, _)))
        }
    };
    if fits { Ok(known) } else { Err(wrong_type(table, field, wanted)) }
}

fn wrong_type(table: &Table, field: &Field, wanted: &str) -> tidemill_model::status::Problem {
    let name = field.name();
    invalid(
        table,
        format!("the column `{name}` of the connector is of the type {wanted}"),
        format!("declare it as `{name}` {wanted}"),
    )
}

impl Generator {
    pub fn column(&self, column: &Column, field: &FieldRef, events: &[Event]) -> Result<ArrayRef, ArrowError> {
        match column {
            Column::EventType => Ok(self.event_types(events)),
            Column::Field(kind) => self.array(kind, field, events, None),
            Column::Row(kind, kinds) => self.row(*kind, kinds, field, events),
        }
    }

    fn event_types(&self, events: &[Event]) -> ArrayRef {
        let numbers = events.iter().map(|event| match self.timeline.proportions.kind(*event) {
            Kind::Person => 0,
            Kind::Auction => 1,
            Kind::Bid => 2,
        });
        Arc::new(Int32Array::from_iter_values(numbers))
    }

    fn row(
        &self,
        kind: Kind,
        kinds: &[&FieldKind],
        field: &FieldRef,
        events: &[Event],
    ) -> Result<ArrayRef, ArrowError> {
        let DataType::Struct(fields) = field.data_type() else { unreachable!("checked at opening") };
        let own = |place: usize| self.timeline.proportions.kind(events[place]) == kind;
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(events.len(), own));
        // The fields are NULL too, for readers that take a field without a look at its row.
        let arrays = kinds.iter().zip(fields).map(|(kind, field)| self.array(kind, field, events, Some(nulls.clone())));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), arrays, Some(nulls), events.len())?))
    }

    fn array(
        &self,
        (_, _, make): &FieldKind,
        field: &FieldRef,
        events: &[Event],
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        Ok(match (make(self, events), field.data_type()) {
            (Values::Texts(texts), _) => texts.finish(nulls)?,
            (Values::Numbers(numbers), DataType::Timestamp(_, zone)) => {
                Arc::new(TimestampMillisecondArray::new(numbers.into(), nulls).with_timezone_opt(zone.clone()))
            }
            (Values::Numbers(numbers), _) => Arc::new(Int64Array::new(numbers.into(), nulls)),
        })
    }

    /// A number for each event of the kind; 0 for others.
    #[inline(always)]
    pub fn numbers(&self, events: &[Event], kind: Kind, number: impl Fn(Event) -> i64) -> Values {
        let own = |event| self.timeline.proportions.kind(event) == kind;
        Values::Numbers(events.iter().map(|event| if own(*event) { number(*event) } else { 0 }).collect())
    }

    /// A text of about so many bytes for each event of the kind, which `push` must add; an empty one for others.
    #[inline(always)]
    pub fn texts(
        &self,
        events: &[Event],
        kind: Kind,
        bytes: usize,
        mut push: impl FnMut(Event, &mut TextColumn),
    ) -> Values {
        let own = events.iter().filter(|event| self.timeline.proportions.kind(**event) == kind).count();
        let mut column = TextColumn::with_capacity(events.len(), own * bytes);
        for event in events {
            match self.timeline.proportions.kind(*event) == kind {
                true => push(*event, &mut column),
                false => column.push_ascii(&[]),
            }
        }
        Values::Texts(column)
    }
}

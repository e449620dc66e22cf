//! Looking into ROW, ARRAY and MAP columns, and making them: whole columns at a time.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Int32Array, ListArray, MapArray, RecordBatch, StructArray, UInt64Array, make_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Int32Type, Schema};
use arrow::error::ArrowError;
use datafusion_common::{DataFusionError, Result, internal_datafusion_err};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;

/// What is done with the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A ROW's field.
    Field(usize),
    /// An ARRAY's element by number, or a MAP's value by key.
    Element,
    Cardinality,
    /// A ROW, ARRAY or MAP of its parts.
    Construct,
}

/// An operation on nested columns as DataFusion's expressions need it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Nested {
    operation: Operation,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    returns: DataType,
}

impl Nested {
    pub fn new(operation: Operation, arguments: Vec<Arc<dyn PhysicalExpr>>, returns: DataType) -> Self {
        Self { operation, arguments, returns }
    }
}

/// What an ARRAY or MAP is made of.
pub fn element_type(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::List(element) => Ok(element.data_type().clone()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => Ok(fields[1].data_type().clone()),
            other => Err(internal_datafusion_err!("a map of {other}")),
        },
        other => Err(internal_datafusion_err!("{other} has no elements")),
    }
}

/// The values of a call's arguments, one for each row.
pub fn evaluated(arguments: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    arguments.iter().map(|argument| argument.evaluate(batch)?.into_array(batch.num_rows())).collect()
}

impl PhysicalExpr for Nested {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let arguments = evaluated(&self.arguments, batch)?;
        let value = match (self.operation, arguments.as_slice()) {
            (Operation::Field(place), [row]) => field(row.as_struct(), place)?,
            (Operation::Element, [nested, index]) => match nested.data_type() {
                DataType::List(_) => element(nested.as_list(), index.as_primitive::<Int32Type>())?,
                _ => value_of(nested.as_map(), index)?,
            },
            (Operation::Cardinality, [nested]) => cardinality(nested)?,
            (Operation::Construct, parts) => construct(&self.returns, parts, batch.num_rows())?,
            _ => return Err(internal_datafusion_err!("{self} has {} arguments", arguments.len())),
        };
        Ok(ColumnarValue::Array(value))
    }

    /// A field costs nothing to look at, so no rows are copied for leaving some out.
    fn evaluate_selection(&self, batch: &RecordBatch, selection: &BooleanArray) -> Result<ColumnarValue> {
        let is_column = |argument: &Arc<dyn PhysicalExpr>| argument.children().is_empty();
        if matches!(self.operation, Operation::Field(_)) && self.arguments.iter().all(is_column) {
            return self.evaluate(batch);
        }
        let indices: UInt64Array = (0..selection.len())
            .filter(|row| selection.is_valid(*row) && selection.value(*row))
            .map(|row| row as u64)
            .collect();
        let rows = arrow::compute::take_record_batch(batch, &indices)?;
        let value = self.evaluate(&rows)?.into_array(rows.num_rows())?;
        let mut next = 0;
        let back: UInt64Array = (0..selection.len())
            .map(|row| {
                let selected = selection.is_valid(row) && selection.value(row);
                next += u64::from(selected);
                selected.then(|| next - 1)
            })
            .collect();
        Ok(ColumnarValue::Array(take(&value, &back, None)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.arguments.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, arguments: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self { operation: self.operation, arguments, returns: self.returns.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        match (self.operation, arguments.as_slice()) {
            (Operation::Field(place), [row]) => write!(f, "{row}.{place}"),
            (Operation::Element, [nested, index]) => write!(f, "{nested}[{index}]"),
            (operation, arguments) => write!(f, "{operation:?}({})", arguments.join(", ")),
        }
    }
}

fn field(row: &StructArray, place: usize) -> Result<ArrayRef, ArrowError> {
    let field = row.column(place);
    let Some(nulls) = row.nulls() else { return Ok(field.clone()) };
    let nulls = NullBuffer::union(Some(nulls), field.nulls());
    Ok(make_array(field.to_data().into_builder().nulls(nulls).build()?))
}

fn element(list: &ListArray, index: &Int32Array) -> Result<ArrayRef, ArrowError> {
    let offsets = list.value_offsets();
    let places: UInt64Array = (0..list.len())
        .map(|row| {
            let known = list.is_valid(row) && index.is_valid(row) && index.value(row) >= 1;
            let place = i64::from(offsets[row]) + i64::from(index.value(row)) - 1;
            (known && place < i64::from(offsets[row + 1])).then_some(place as u64)
        })
        .collect();
    take(list.values(), &places, None)
}

/// Of a key that is there more than once the last counts, as in Flink's constructor.
fn value_of(map: &MapArray, key: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let offsets = map.value_offsets();
    let first = offsets[0] as usize;
    let entries = (offsets[map.len()] as usize) - first;
    let row_of_entry: UInt64Array = (0..map.len())
        .flat_map(|row| std::iter::repeat_n(row as u64, (offsets[row + 1] - offsets[row]) as usize))
        .collect();
    let same = eq(&map.keys().slice(first, entries), &take(key, &row_of_entry, None)?)?;
    let places: UInt64Array = (0..map.len())
        .map(|row| {
            let mut range = (offsets[row] as usize - first)..(offsets[row + 1] as usize - first);
            let found = range.rfind(|entry| same.is_valid(*entry) && same.value(*entry));
            found.filter(|_| map.is_valid(row)).map(|entry| (entry + first) as u64)
        })
        .collect();
    take(map.values(), &places, None)
}

fn cardinality(nested: &ArrayRef) -> Result<ArrayRef> {
    let offsets = match nested.data_type() {
        DataType::List(_) => nested.as_list::<i32>().value_offsets(),
        DataType::Map(_, _) => nested.as_map().value_offsets(),
        other => return Err(internal_datafusion_err!("{other} has no elements")),
    };
    let lengths: Vec<i32> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    Ok(Arc::new(Int32Array::new(lengths.into(), nested.nulls().cloned())))
}

fn construct(of: &DataType, parts: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    Ok(match of {
        DataType::Struct(fields) => {
            Arc::new(StructArray::try_new_with_length(fields.clone(), parts.to_vec(), None, rows)?)
        }
        DataType::List(element) => {
            let parts: Vec<&ArrayRef> = parts.iter().collect();
            let values = in_turn(&parts, rows)?;
            Arc::new(ListArray::try_new(element.clone(), repeated(parts.len(), rows), values, None)?)
        }
        DataType::Map(entries, sorted) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(internal_datafusion_err!("a map of {}", entries.data_type()));
            };
            let keys = in_turn(&parts.iter().step_by(2).collect::<Vec<_>>(), rows)?;
            if keys.null_count() > 0 {
                return Err(DataFusionError::Execution("a key of a MAP is NULL".to_string()));
            }
            let values = in_turn(&parts.iter().skip(1).step_by(2).collect::<Vec<_>>(), rows)?;
            let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            Arc::new(MapArray::try_new(entries.clone(), repeated(parts.len() / 2, rows), pairs, None, *sorted)?)
        }
        other => return Err(internal_datafusion_err!("{other} is not made of parts")),
    })
}

/// The first row of each part, the second of each, and so on.
fn in_turn(parts: &[&ArrayRef], rows: usize) -> Result<ArrayRef, ArrowError> {
    let places: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..parts.len()).map(move |part| (part, row))).collect();
    interleave(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>(), &places)
}

fn repeated(length: usize, rows: usize) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(std::iter::repeat_n(length, rows))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{Field, Int64Type};
    use tidemill_plan::{Expression, Literal};

    use super::*;
    use crate::expression::Evaluator;

    fn row_type() -> DataType {
        DataType::Struct(vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)].into())
    }

    fn map_type() -> DataType {
        let fields = vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Int64, true)];
        DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
    }

    /// Two columns, `a` of 1, NULL, 3 and `s` of x, y, z.
    fn rows() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef),
            ("s", Arc::new(StringArray::from(vec!["x", "y", "z"])) as ArrayRef),
        ])
        .unwrap()
    }

    fn evaluate(expression: &Expression) -> ArrayRef {
        Evaluator::new(expression, &rows().schema()).unwrap().evaluate(&rows(), "calc").unwrap()
    }

    fn construct(of: DataType, parts: Vec<Expression>) -> Box<Expression> {
        Box::new(Expression::Construct { of, parts })
    }

    fn text(text: &str) -> Expression {
        Expression::Literal(Literal::Utf8(text.into()))
    }

    fn check(expression: &Expression, expected: [Option<i64>; 3]) {
        let found: Vec<_> = evaluate(expression).as_primitive::<Int64Type>().iter().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_field_of_a_row_that_is_null_is_null() {
        let row = construct(row_type(), vec![Expression::Column(0), Expression::Column(1)]);
        check(&Expression::Field { expression: row.clone(), place: 0 }, [Some(1), None, Some(3)]);
        let z = Expression::Binary {
            left: Box::new(Expression::Column(1)),
            operator: tidemill_plan::BinaryOperator::Equal,
            right: Box::new(text("z")),
        };
        let otherwise = Some(Box::new(Expression::Literal(Literal::Null(row_type()))));
        let row = Box::new(Expression::Case { branches: vec![(z, *row)], otherwise });
        check(&Expression::Field { expression: row, place: 0 }, [None, None, Some(3)]);
    }

    #[test]
    fn elements_are_counted_from_one_and_null_outside() {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        let list = construct(list, vec![Expression::Column(0), Expression::Literal(Literal::Int64(9))]);
        let at = |index| Expression::Element {
            expression: list.clone(),
            index: Box::new(Expression::Literal(Literal::Int32(index))),
        };
        check(&at(1), [Some(1), None, Some(3)]);
        check(&at(2), [Some(9); 3]);
        check(&at(3), [None; 3]);
        check(&at(0), [None; 3]);
        let lengths = evaluate(&Expression::Cardinality(list.clone()));
        assert_eq!(lengths.as_primitive::<Int32Type>().values(), &[2, 2, 2]);
    }

    #[test]
    fn only_the_rows_asked_for_are_looked_at() {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        let list = construct(list, vec![Expression::Column(0)]);
        let index = Box::new(Expression::Literal(Literal::Int32(1)));
        let value = Evaluator::new(&Expression::Element { expression: list, index }, &rows().schema()).unwrap();
        let selected = |mask: Vec<Option<bool>>| {
            let value = value.physical().evaluate_selection(&rows(), &BooleanArray::from(mask)).unwrap();
            value.into_array(3).unwrap().as_primitive::<Int64Type>().iter().collect::<Vec<_>>()
        };
        assert_eq!(selected(vec![Some(false), Some(true), Some(true)]), [None, None, Some(3)]);
        assert_eq!(selected(vec![None, Some(false), Some(false)]), [None, None, None]);
    }

    #[test]
    fn a_map_answers_by_key_with_the_last_value() {
        let parts =
            vec![text("y"), Expression::Literal(Literal::Int64(7)), Expression::Column(1), Expression::Column(0)];
        let map = construct(map_type(), parts);
        let at = |key| Expression::Element { expression: map.clone(), index: Box::new(key) };
        check(&at(Expression::Column(1)), [Some(1), None, Some(3)]);
        check(&at(text("y")), [Some(7), None, Some(7)]);
        check(&at(text("q")), [None; 3]);
    }

    #[test]
    fn the_parts_of_slices_are_those_of_the_slice() {
        let parts =
            vec![text("y"), Expression::Literal(Literal::Int64(7)), Expression::Column(1), Expression::Column(0)];
        let map = evaluate(&construct(map_type(), parts)).slice(1, 2);
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["q", "z"]));
        let found = value_of(map.as_map(), &keys).unwrap();
        assert_eq!(found.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, Some(3)]);
    }
}

//! Puts a row out once for each element of an ARRAY, entry of a MAP or value of a MULTISET in it.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Int32Array, RecordBatch, UInt32Array, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use tidemill_plan::{JoinKind, Unnest};

use super::beside::beside;
use super::{Built, OUTPUT_ROWS, Spec};
use crate::element::Element;
use crate::operator::{Output, Result, StreamOperator};

/// Runs an [`Unnest`].
pub struct UnnestOperator {
    column: usize,
    shape: Shape,
    /// Whether a row without elements comes once.
    keeps_empty: bool,
    with_ordinality: bool,
    schema: SchemaRef,
}

/// What an element's columns are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Element,
    /// The fields of a ROW.
    Fields,
    /// A MAP's key and value.
    Entry,
    /// A key of a MAP as often as its value says: the form of a MULTISET.
    Counted,
}

/// Elements to be put out: each one's row and place among all rows' elements, none for a row without, and its number.
#[derive(Default)]
struct Elements {
    rows: Vec<u32>,
    places: Vec<Option<u32>>,
    numbers: Vec<Option<i32>>,
}

impl UnnestOperator {
    pub fn build(unnest: &Unnest, spec: &Spec<'_>) -> Built {
        let input = &spec.inputs.first().ok_or("it has no input")?.schema;
        let field = input.fields().get(unnest.column).ok_or("its column is not among the input's")?;
        let fields = spec.node.schema.fields();
        let last = fields.len().saturating_sub(usize::from(unnest.with_ordinality));
        let added: Vec<&DataType> =
            fields.get(input.fields().len()..last).unwrap_or_default().iter().map(|field| field.data_type()).collect();
        let shape = shape(field.data_type(), &added)?;
        let keeps_empty = match unnest.kind {
            JoinKind::Inner => false,
            JoinKind::Left => true,
            other => return Err(format!("rows are unnested inner or left, not {other:?}")),
        };
        Ok(Box::new(Self {
            column: unnest.column,
            shape,
            keeps_empty,
            with_ordinality: unnest.with_ordinality,
            schema: spec.node.batch_schema(),
        }))
    }

    fn unnest(&self, rows: &RecordBatch, output: &mut Output) -> std::result::Result<(), ArrowError> {
        let nested = rows.column(self.column);
        let (offsets, values) = parts(nested);
        let counts = match self.shape {
            Shape::Counted => Some(cast(&values[1], &DataType::Int64)?),
            Shape::Element | Shape::Fields | Shape::Entry => None,
        };
        let counts = counts.as_ref().map(|counts| counts.as_primitive::<Int64Type>());
        let mut elements = Elements::default();
        for row in 0..rows.num_rows() {
            let mut number = 0;
            let range = if nested.is_valid(row) { offsets[row]..offsets[row + 1] } else { 0..0 };
            for place in range {
                let times = counts.map_or(1, |counts| counts.value(place as usize));
                for _ in 0..times {
                    number += 1;
                    elements.push(row, Some(place as u32), Some(number));
                    if elements.rows.len() == OUTPUT_ROWS {
                        output.push(Element::Batch(self.put_together(rows, &values, &mut elements)?));
                    }
                }
            }
            if number == 0 && self.keeps_empty {
                elements.push(row, None, None);
            }
        }
        if !elements.rows.is_empty() {
            output.push(Element::Batch(self.put_together(rows, &values, &mut elements)?));
        }
        Ok(())
    }

    fn put_together(
        &self,
        rows: &RecordBatch,
        values: &[ArrayRef],
        elements: &mut Elements,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        let Elements { rows: of, places, numbers } = std::mem::take(elements);
        let (of, places) = (UInt32Array::from(of), UInt32Array::from(places));
        let mut columns = Vec::new();
        let wanted = if self.shape == Shape::Counted { &values[..1] } else { values };
        for column in wanted {
            let column = take(column, &places, None)?;
            match column.data_type() {
                DataType::Struct(_) if is_flattened(self.shape, values) => columns.extend(fields(&column)?),
                _ => columns.push(column),
            }
        }
        if self.with_ordinality {
            columns.push(Arc::new(Int32Array::from(numbers)));
        }
        beside(rows, &of, columns, &self.schema)
    }
}

impl Elements {
    fn push(&mut self, row: usize, place: Option<u32>, number: Option<i32>) {
        self.rows.push(row as u32);
        self.places.push(place);
        self.numbers.push(number);
    }
}

/// What an element's columns are, by the types of the column and of those that are to be put out.
fn shape(nested: &DataType, added: &[&DataType]) -> std::result::Result<Shape, String> {
    let is_row_of = |data_type: &DataType| {
        matches!(data_type, DataType::Struct(fields)
            if fields.len() == added.len() && fields.iter().zip(added).all(|(field, added)| field.data_type() == *added))
    };
    let shape = match nested {
        DataType::List(element) if is_row_of(element.data_type()) => Some(Shape::Fields),
        DataType::List(element) if added == [element.data_type()] => Some(Shape::Element),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if added == [entry[0].data_type(), entry[1].data_type()] => Some(Shape::Entry),
            DataType::Struct(entry) if added == [entry[0].data_type()] || is_row_of(entry[0].data_type()) => {
                Some(Shape::Counted)
            }
            _ => None,
        },
        _ => None,
    };
    shape.ok_or_else(|| format!("elements of {nested} do not make up the columns {added:?}"))
}

/// Where each row's elements begin and end, and the elements' columns: one for a list, two for a map.
fn parts(nested: &ArrayRef) -> (&[i32], Vec<ArrayRef>) {
    match nested.data_type() {
        DataType::Map(..) => {
            let map = nested.as_map();
            (map.value_offsets(), map.entries().columns().to_vec())
        }
        _ => {
            let list = nested.as_list::<i32>();
            (list.value_offsets(), vec![list.values().clone()])
        }
    }
}

/// Whether a ROW that is an element is put out as its fields.
fn is_flattened(shape: Shape, values: &[ArrayRef]) -> bool {
    match shape {
        Shape::Fields => true,
        Shape::Element | Shape::Entry => false,
        Shape::Counted => matches!(values[0].data_type(), DataType::Struct(_)),
    }
}

/// The fields of rows; those of a NULL row are NULL.
fn fields(rows: &ArrayRef) -> std::result::Result<Vec<ArrayRef>, ArrowError> {
    let rows = rows.as_struct();
    let field = |column: &ArrayRef| {
        let nulls = NullBuffer::union(column.nulls(), rows.nulls());
        Ok(make_array(column.to_data().into_builder().nulls(nulls).build()?))
    };
    rows.columns().iter().map(field).collect()
}

impl StreamOperator for UnnestOperator {
    fn on_batch(&mut self, _input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        Ok(self.unnest(&rows, output)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow::array::{Int8Array, Int64Array, StringArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Schema};
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use tidemill_model::key_groups::KeyGroupRange;
    use tidemill_plan::{CHANGE, Changelog, NodeKind, PlanNode};

    use super::*;
    use crate::outside::Outside;
    use crate::stages::Part;

    fn node(kind: NodeKind, schema: Schema, changelog: Changelog) -> PlanNode {
        PlanNode { uid: "unnest".into(), inputs: vec![], kind, schema: Arc::new(schema), changelog, local_time: None }
    }

    fn operator(nested: &ArrayRef, unnest: &Unnest, added: &[DataType], changelog: Changelog) -> Built {
        let mut fields =
            vec![Field::new("n", DataType::Int64, true), Field::new("nested", nested.data_type().clone(), true)];
        let input = node(NodeKind::Union, Schema::new(fields.clone()), changelog.clone());
        fields.extend(added.iter().map(|added| Field::new("added", added.clone(), true)));
        let node = node(NodeKind::Unnest(unnest.clone()), Schema::new(fields), changelog);
        let (owned, outside) = (KeyGroupRange::ALL, &Outside::default());
        let spec = Spec { node: &node, inputs: &[&input], part: Part::Whole, owned, outside };
        UnnestOperator::build(unnest, &spec)
    }

    /// Unnests rows numbered from 0. Returns the number and the added columns, as text.
    fn check(nested: ArrayRef, kind: JoinKind, with_ordinality: bool, added: &[DataType], expected: &[&str]) {
        let unnest = Unnest { column: 1, kind, with_ordinality };
        let mut operator = operator(&nested, &unnest, added, Changelog::Retract).unwrap();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..nested.len() as i64));
        let changes: ArrayRef = Arc::new(Int8Array::from_iter_values((0..nested.len()).map(|row| row as i8 % 4)));
        let rows = RecordBatch::try_from_iter_with_nullable([
            ("n", numbers, true),
            ("nested", nested, true),
            (CHANGE, changes, false),
        ]);
        let mut output = Vec::new();
        operator.on_batch(0, rows.unwrap(), &mut output).unwrap();
        let mut found = Vec::new();
        for element in output {
            let Element::Batch(rows) = element else { panic!("no watermark has come") };
            let options = FormatOptions::new().with_null("NULL");
            let texts: Vec<_> = rows
                .columns()
                .iter()
                .enumerate()
                .filter(|(place, _)| *place != 1)
                .map(|(_, column)| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..rows.num_rows() {
                found.push(texts.iter().map(|text| text.value(row).to_string()).collect::<Vec<_>>().join(" "));
            }
        }
        assert_eq!(found, expected);
    }

    fn list() -> ArrayRef {
        let mut list = ListBuilder::new(Int64Builder::new());
        list.append_value([Some(5), None]);
        list.append_null();
        list.append_value([]);
        list.append_value([Some(6)]);
        Arc::new(list.finish())
    }

    fn map() -> ArrayRef {
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        for (key, value) in [("a", 2), ("b", 1)] {
            map.keys().append_value(key);
            map.values().append_value(value);
        }
        map.append(true).unwrap();
        map.append(false).unwrap();
        Arc::new(map.finish())
    }

    #[test]
    fn the_elements_of_an_array() {
        let added = [DataType::Int64];
        check(list(), JoinKind::Inner, false, &added, &["0 5 0", "0 NULL 0", "3 6 3"]);
        check(list().slice(2, 2), JoinKind::Inner, false, &added, &["1 6 1"]);
    }

    #[test]
    fn a_row_without_elements_comes_once_with_nulls_if_asked_for() {
        let added = [DataType::Int64, DataType::Int32];
        let expected = ["0 5 1 0", "0 NULL 2 0", "1 NULL NULL 1", "2 NULL NULL 2", "3 6 1 3"];
        check(list(), JoinKind::Left, true, &added, &expected);
    }

    #[test]
    fn the_entries_of_a_map_and_the_values_of_a_multiset() {
        check(map(), JoinKind::Inner, false, &[DataType::Utf8, DataType::Int64], &["0 a 2 0", "0 b 1 0"]);
        let expected = ["0 a 1 0", "0 a 2 0", "0 b 3 0", "1 NULL NULL 1"];
        check(map(), JoinKind::Left, true, &[DataType::Utf8, DataType::Int32], &expected);
    }

    #[test]
    fn the_fields_of_rows() {
        let fields = vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)];
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["x", "y"]))];
        let rows = StructArray::new(fields.into(), columns, Some(NullBuffer::from(vec![true, false])));
        let field = Arc::new(Field::new_list_field(rows.data_type().clone(), true));
        let list = arrow::array::ListArray::new(field, OffsetBuffer::from_lengths([2]), Arc::new(rows), None);
        let added = [DataType::Int64, DataType::Utf8];
        check(Arc::new(list), JoinKind::Inner, false, &added, &["0 1 x 0", "0 NULL NULL 0"]);
    }

    #[test]
    fn columns_that_elements_do_not_have_are_refused() {
        let unnest = Unnest { column: 1, kind: JoinKind::Inner, with_ordinality: false };
        let refused = operator(&list(), &unnest, &[DataType::Utf8], Changelog::Append).err().unwrap();
        assert!(refused.contains("do not make up the columns"), "{refused}");
    }
}

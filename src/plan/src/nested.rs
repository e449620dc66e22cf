//! The types of ROW, ARRAY, MAP and MULTISET values as they are kept. Everything that makes one makes it the same.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields};

pub fn row<N: Into<String>>(fields: impl IntoIterator<Item = (N, DataType)>) -> DataType {
    DataType::Struct(fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect())
}

pub fn array(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

pub fn map(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("keys", key, false), Field::new("values", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// A MULTISET: values, each with how often it is there. It is told from a MAP by that number, which is never NULL.
pub fn multiset(element: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("keys", element, false), Field::new("values", DataType::Int32, false)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// What the elements of an ARRAY or MAP are found by, and their type.
pub fn element_of(data_type: &DataType) -> Option<(DataType, DataType)> {
    match data_type {
        DataType::List(element) => Some((DataType::Int32, element.data_type().clone())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                Some((fields[0].data_type().clone(), fields[1].data_type().clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

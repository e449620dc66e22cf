//! Values of any type as bytes that order and compare as the values do.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BinaryArray, StringArray, StringBuilder, new_null_array};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// How values become bytes and values again.
pub enum Codec {
    Text,
    Binary,
    Rows {
        converter: Box<RowConverter>,
        /// What NULL becomes.
        null: Box<[u8]>,
    },
}

/// A column as bytes.
pub enum Encoded<'a> {
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Rows(arrow::row::Rows),
}

impl Codec {
    pub fn new(data_type: &DataType) -> Result<Self, ArrowError> {
        Ok(match data_type {
            DataType::Utf8 => Self::Text,
            DataType::Binary => Self::Binary,
            other => {
                let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
                let null = converter.convert_columns(&[new_null_array(other, 1)])?.row(0).as_ref().into();
                Self::Rows { converter: Box::new(converter), null }
            }
        })
    }

    pub fn encode<'a>(&self, column: &'a ArrayRef) -> Result<Encoded<'a>, ArrowError> {
        Ok(match self {
            Self::Text => Encoded::Text(column.as_string()),
            Self::Binary => Encoded::Binary(column.as_binary()),
            Self::Rows { converter, .. } => Encoded::Rows(converter.convert_columns(std::slice::from_ref(column))?),
        })
    }

    pub fn decode<'a>(&'a self, values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text => {
                let mut texts = StringBuilder::new();
                // Only whole strings were taken in, so nothing is ever replaced.
                values.for_each(|value| texts.append_option(value.map(String::from_utf8_lossy)));
                Arc::new(texts.finish())
            }
            Self::Binary => Arc::new(values.collect::<BinaryArray>()),
            Self::Rows { converter, null } => {
                let parser = converter.parser();
                let rows = values.map(|value| parser.parse(value.unwrap_or(null)));
                converter.convert_rows(rows)?.remove(0)
            }
        })
    }
}

impl Encoded<'_> {
    pub fn value(&self, row: usize) -> &[u8] {
        match self {
            Self::Text(texts) => texts.value(row).as_bytes(),
            Self::Binary(values) => values.value(row),
            Self::Rows(rows) => rows.row(row).data(),
        }
    }
}

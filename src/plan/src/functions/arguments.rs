//! Arguments row by row, whether they are constants or columns.

use arrow_schema::DataType;
use datafusion_common::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, PrimitiveArray, StringArray, StringBuilder,
};
use datafusion_common::arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int64Type, TimestampMillisecondType};
use datafusion_common::{Result, ScalarValue, exec_datafusion_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use std::borrow::Cow;
use std::sync::Arc;

/// A STRING argument.
pub(super) enum Texts<'a> {
    Constant(Option<&'a str>),
    Column(&'a StringArray),
}

impl<'a> Texts<'a> {
    pub(super) fn of(arguments: &'a ScalarFunctionArgs, place: usize) -> Result<Self> {
        match &arguments.args[place] {
            ColumnarValue::Scalar(value) => Ok(Self::Constant(constant_text(value)?)),
            ColumnarValue::Array(array) => match array.as_string_opt::<i32>() {
                Some(column) => Ok(Self::Column(column)),
                None => Err(wrong_type(place, array.data_type())),
            },
        }
    }

    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Constant(value) => *value,
            Self::Column(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }
}

fn constant_text(value: &ScalarValue) -> Result<Option<&str>> {
    match value {
        ScalarValue::Utf8(text) => Ok(text.as_deref()),
        ScalarValue::Null => Ok(None),
        other => Err(exec_datafusion_err!("expected a STRING but got {other:?}")),
    }
}

/// An argument of a fixed width.
pub(super) enum Values<'a, T: ArrowPrimitiveType> {
    Constant(Option<T::Native>),
    Column(&'a PrimitiveArray<T>),
}

pub(super) type Wholes<'a> = Values<'a, Int64Type>;
pub(super) type Doubles<'a> = Values<'a, Float64Type>;
pub(super) type Moments<'a> = Values<'a, TimestampMillisecondType>;

impl<'a, T: ArrowPrimitiveType> Values<'a, T> {
    pub(super) fn of(arguments: &'a ScalarFunctionArgs, place: usize) -> Result<Self> {
        match &arguments.args[place] {
            ColumnarValue::Scalar(value) => {
                let one = value.to_array()?;
                match one.as_primitive_opt::<T>() {
                    Some(one) => Ok(Self::Constant(one.is_valid(0).then(|| one.value(0)))),
                    None if value.is_null() => Ok(Self::Constant(None)),
                    None => Err(wrong_type(place, one.data_type())),
                }
            }
            ColumnarValue::Array(array) => match array.as_primitive_opt::<T>() {
                Some(column) => Ok(Self::Column(column)),
                None => Err(wrong_type(place, array.data_type())),
            },
        }
    }

    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        match self {
            Self::Constant(value) => *value,
            Self::Column(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }
}

fn wrong_type(place: usize, found: &DataType) -> datafusion_common::DataFusionError {
    exec_datafusion_err!("argument {} has the unexpected type {found}", place + 1)
}

/// A constant STRING argument, which the planner has made sure of.
pub(super) fn constant(arguments: &ScalarFunctionArgs, place: usize) -> Result<&str> {
    match &arguments.args[place] {
        ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => Ok(text),
        other => Err(exec_datafusion_err!("argument {} must be a constant but is {other:?}", place + 1)),
    }
}

pub(super) fn collect_text<'a>(rows: usize, value: impl Fn(usize) -> Option<Cow<'a, str>>) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(rows, rows * 16);
    for row in 0..rows {
        match value(row) {
            Some(text) => builder.append_value(text),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

pub(super) fn collect_wholes(rows: usize, value: impl Fn(usize) -> Option<i64>) -> ArrayRef {
    Arc::new((0..rows).map(value).collect::<Int64Array>())
}

pub(super) fn collect_doubles(rows: usize, value: impl Fn(usize) -> Option<f64>) -> ArrayRef {
    Arc::new((0..rows).map(value).collect::<Float64Array>())
}

/// Collects milliseconds into the timestamp type that the call returns.
pub(super) fn collect_moments(arguments: &ScalarFunctionArgs, value: impl Fn(usize) -> Option<i64>) -> ArrayRef {
    let array = (0..arguments.number_rows).map(value).collect::<PrimitiveArray<TimestampMillisecondType>>();
    Arc::new(array.with_data_type(arguments.return_type().clone()))
}

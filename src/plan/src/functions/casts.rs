//! Casts by Flink's rules, where Arrow's are others: whole numbers wrap around, a DECIMAL that does not fit is NULL,
//! numbers and times are read from text as Java reads them.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use datafusion_common::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray,
};
use datafusion_common::arrow::compute::cast as by_arrow;
use datafusion_common::arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, TimestampMillisecondType,
};
use datafusion_common::{Result, exec_err};

use super::calendar::DAY_MS;
use super::cast_text::text_of;
use super::text::{java_double, java_float};
use super::written::{boolean, date, decimal, double, time, timestamp, whole};
use crate::type_name;

/// Whether this cast is one of those that are made here.
pub fn is_flinks(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    let is_whole = |data_type: &DataType| whole_bits(data_type).is_some();
    let is_float = |data_type: &DataType| matches!(data_type, Float32 | Float64);
    match (from, to) {
        (Int8 | Int16 | Int32 | Int64, Int8 | Int16 | Int32 | Int64) => whole_bits(to) < whole_bits(from),
        (Float32 | Float64 | Decimal128(_, _), to) if is_whole(to) => true,
        (from, Decimal128(precision, scale)) => match from {
            Decimal128(p, s) => s > scale || i16::from(*p) - i16::from(*s) > i16::from(*precision) - i16::from(*scale),
            Int8 | Int16 | Int32 | Int64 => digits(from) > i16::from(*precision) - i16::from(*scale),
            Float32 | Float64 | Utf8 | Boolean => true,
            _ => false,
        },
        (Float32 | Float64 | Decimal128(_, _) | Utf8, Boolean) => true,
        (Boolean, to) if is_float(to) => true,
        (Utf8, Date32 | Time32(TimeUnit::Millisecond) | Timestamp(TimeUnit::Millisecond, None)) => true,
        (Utf8, to) => is_whole(to) || is_float(to),
        (Boolean | List(_) | Map(_, _) | Struct(_), Utf8) => true,
        (Timestamp(TimeUnit::Millisecond, None), Date32 | Time32(TimeUnit::Second)) => true,
        _ => false,
    }
}

/// The cast. What cannot be read from text fails, or with `or_null` is NULL.
pub fn cast(values: &ArrayRef, to: &DataType, or_null: bool) -> Result<ArrayRef> {
    use DataType::*;
    match (values.data_type(), to) {
        (Utf8, to) => read(values.as_string(), to, or_null),
        (Boolean | List(_) | Map(_, _) | Struct(_), Utf8) => {
            let texts = (0..values.len()).map(|row| values.is_valid(row).then(|| text_of(values, row)).transpose());
            Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
        }
        (Boolean, to) => Ok(by_arrow(&by_arrow(values, &Int32)?, to)?),
        (Decimal128(_, _), Boolean) => {
            let numbers = values.as_primitive::<Decimal128Type>();
            Ok(Arc::new(numbers.iter().map(|number| number.map(|number| number != 0)).collect::<BooleanArray>()))
        }
        (Float32 | Float64, Boolean) => {
            let numbers = by_arrow(values, &Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            Ok(Arc::new(numbers.iter().map(|number| number.map(|number| number != 0.0)).collect::<BooleanArray>()))
        }
        // What is before 1970 is cut towards it, as in Flink.
        (Timestamp(_, _), Date32) => {
            let moments = values.as_primitive::<TimestampMillisecondType>();
            Ok(Arc::new(moments.unary::<_, Date32Type>(|millis| (millis / DAY_MS) as i32)))
        }
        (Timestamp(_, _), Time32(TimeUnit::Second)) => {
            let moments = values.as_primitive::<TimestampMillisecondType>();
            let second = |millis: i64| (millis % DAY_MS / 1000).rem_euclid(DAY_MS / 1000) as i32;
            Ok(Arc::new(moments.unary::<_, Time32SecondType>(second)))
        }
        (_, Decimal128(precision, scale)) => to_decimal(values, *precision, *scale),
        (Decimal128(_, scale), to) => {
            let unit = 10i128.pow(u32::try_from(*scale).unwrap_or(0));
            wrapped(values.as_primitive::<Decimal128Type>(), to, |number| (number / unit) as i64)
        }
        // Small types are reached through INT, as in Java.
        (Float32, Int64) => wrapped(values.as_primitive::<Float32Type>(), to, |number| number as i64),
        (Float32, _) => wrapped(values.as_primitive::<Float32Type>(), to, |number| i64::from(number as i32)),
        (Float64, Int64) => wrapped(values.as_primitive::<Float64Type>(), to, |number| number as i64),
        (Float64, _) => wrapped(values.as_primitive::<Float64Type>(), to, |number| i64::from(number as i32)),
        _ => {
            let numbers = by_arrow(values, &Int64)?;
            wrapped(numbers.as_primitive::<Int64Type>(), to, |number| number)
        }
    }
}

fn whole_bits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 => Some(8),
        DataType::Int16 => Some(16),
        DataType::Int32 => Some(32),
        DataType::Int64 => Some(64),
        _ => None,
    }
}

fn digits(whole: &DataType) -> i16 {
    match whole {
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => 10,
        _ => 19,
    }
}

/// Numbers as whole ones of a type, of which the lowest bits are kept.
fn wrapped<T: ArrowPrimitiveType>(
    numbers: &PrimitiveArray<T>,
    to: &DataType,
    whole: impl Fn(T::Native) -> i64,
) -> Result<ArrayRef> {
    Ok(match to {
        DataType::Int8 => Arc::new(numbers.unary::<_, Int8Type>(|number| whole(number) as i8)),
        DataType::Int16 => Arc::new(numbers.unary::<_, Int16Type>(|number| whole(number) as i16)),
        DataType::Int32 => Arc::new(numbers.unary::<_, Int32Type>(|number| whole(number) as i32)),
        DataType::Int64 => Arc::new(numbers.unary::<_, Int64Type>(whole)),
        other => return exec_err!("{other} is no type of whole numbers"),
    })
}

/// Rounded half up; NULL for what does not fit.
fn to_decimal(values: &ArrayRef, precision: u8, scale: i8) -> Result<ArrayRef> {
    let rows = values.len();
    let numbers: PrimitiveArray<Decimal128Type> = match values.data_type() {
        DataType::Decimal128(_, from) => {
            let numbers = values.as_primitive::<Decimal128Type>();
            numbers.iter().map(|number| rescaled(number?, *from, scale, precision)).collect()
        }
        DataType::Float32 | DataType::Float64 => {
            let mut read = Vec::with_capacity(rows);
            for row in 0..rows {
                let text = match values.data_type() {
                    _ if values.is_null(row) => None,
                    DataType::Float32 => Some(java_float(values.as_primitive::<Float32Type>().value(row))),
                    _ => Some(java_double(values.as_primitive::<Float64Type>().value(row))),
                };
                read.push(match text {
                    None => None,
                    Some(text) => match super::written::parsed_decimal(&text) {
                        Some((number, from)) => rescaled_from(number, from, scale, precision),
                        None if text.contains('E') => None,
                        None => return exec_err!("`{text}` cannot be cast to DECIMAL({precision}, {scale})"),
                    },
                });
            }
            read.into_iter().collect()
        }
        _ => {
            let numbers = by_arrow(values, &DataType::Int64)?;
            let numbers = numbers.as_primitive::<Int64Type>();
            numbers.iter().map(|number| rescaled(number?.into(), 0, scale, precision)).collect()
        }
    };
    Ok(Arc::new(numbers.with_precision_and_scale(precision, scale)?))
}

/// A number with another scale, rounded half up; none if it has more digits then than there may be.
pub(super) fn rescaled(number: i128, from: i8, to: i8, precision: u8) -> Option<i128> {
    rescaled_from(number, from.into(), to, precision)
}

fn rescaled_from(number: i128, from: i64, to: i8, precision: u8) -> Option<i128> {
    let shift = i64::from(to) - from;
    let power = |digits: i64| u32::try_from(digits).ok().and_then(|digits| 10i128.checked_pow(digits));
    let scaled = if shift >= 0 {
        match number {
            0 => 0,
            number => number.checked_mul(power(shift)?)?,
        }
    } else {
        match power(-shift) {
            None => 0,
            Some(unit) => {
                let (whole, rest) = (number / unit, number % unit);
                let up = rest.unsigned_abs() >= unit.unsigned_abs() / 2;
                whole + if up { number.signum() } else { 0 }
            }
        }
    };
    (scaled.unsigned_abs() < 10u128.pow(precision.into())).then_some(scaled)
}

fn read(texts: &StringArray, to: &DataType, or_null: bool) -> Result<ArrayRef> {
    macro_rules! each {
        ($array:ty, $read:expr) => {{
            let mut values = Vec::with_capacity(texts.len());
            for text in texts {
                values.push(match text {
                    None => None,
                    Some(text) => match $read(text) {
                        None if !or_null => return exec_err!("`{text}` cannot be cast to {}", type_name(to)),
                        value => value,
                    },
                });
            }
            values.into_iter().collect::<$array>()
        }};
    }
    Ok(match to {
        DataType::Boolean => Arc::new(each!(BooleanArray, boolean)),
        DataType::Int8 => Arc::new(each!(PrimitiveArray<Int8Type>, |text| i8::try_from(whole(text)?).ok())),
        DataType::Int16 => Arc::new(each!(PrimitiveArray<Int16Type>, |text| i16::try_from(whole(text)?).ok())),
        DataType::Int32 => Arc::new(each!(PrimitiveArray<Int32Type>, |text| i32::try_from(whole(text)?).ok())),
        DataType::Int64 => Arc::new(each!(PrimitiveArray<Int64Type>, whole)),
        DataType::Float32 => {
            Arc::new(each!(PrimitiveArray<Float32Type>, |text| double(text).map(|value| value as f32)))
        }
        DataType::Float64 => Arc::new(each!(PrimitiveArray<Float64Type>, double)),
        DataType::Decimal128(precision, scale) => {
            let numbers = each!(PrimitiveArray<Decimal128Type>, |text| decimal(text, *precision, *scale));
            Arc::new(numbers.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Date32 => Arc::new(each!(PrimitiveArray<Date32Type>, date)),
        DataType::Time32(TimeUnit::Millisecond) => Arc::new(each!(PrimitiveArray<Time32MillisecondType>, time)),
        DataType::Timestamp(TimeUnit::Millisecond, None) => {
            Arc::new(each!(PrimitiveArray<TimestampMillisecondType>, timestamp))
        }
        other => return exec_err!("text is not cast to {other}"),
    })
}

#[cfg(test)]
mod tests {
    use datafusion_common::ScalarValue;

    use super::*;

    #[track_caller]
    fn check(from: ScalarValue, to: ScalarValue) {
        let data_type = to.data_type();
        assert!(is_flinks(&from.data_type(), &data_type), "{from:?} to {data_type}");
        let made = cast(&from.to_array_of_size(2).unwrap(), &data_type, false).unwrap();
        assert_eq!(ScalarValue::try_from_array(&made, 1).unwrap(), to, "{from:?} to {data_type}");
    }

    fn exact(value: Option<i128>, precision: u8, scale: i8) -> ScalarValue {
        ScalarValue::Decimal128(value, precision, scale)
    }

    #[test]
    fn whole_numbers_wrap_around() {
        check(300i32.into(), 44i8.into());
        check((-129i32).into(), 127i8.into());
        check(3_000_000_000i64.into(), (-1_294_967_296i32).into());
        check(exact(Some(999_999_999_995), 20, 1), 1_215_752_191i32.into());
        check(exact(Some(-19), 3, 1), (-1i32).into());
    }

    #[test]
    fn doubles_are_cut_and_held_within_int_or_bigint() {
        for (from, to) in [(300.7, 44), (-1.9, -1), (1e20, -1), (-1e20, 0), (f64::NAN, 0)] {
            check(from.into(), ScalarValue::Int8(Some(to)));
        }
        check(1e20.into(), i32::MAX.into());
        check((-1e20).into(), i64::MIN.into());
        check(0.5.into(), true.into());
        check(f64::NAN.into(), true.into());
    }

    #[test]
    fn decimals_are_rounded_half_up_and_null_where_they_do_not_fit() {
        check(exact(Some(123_455), 20, 3), exact(Some(12_346), 5, 2));
        check(exact(Some(-5), 20, 3), exact(Some(-1), 5, 2));
        check(exact(Some(4), 20, 3), exact(Some(0), 5, 2));
        check(exact(Some(12_345_600), 20, 3), exact(None, 5, 2));
        check(i32::MAX.into(), exact(None, 3, 0));
        check(300i32.into(), exact(Some(300), 3, 0));
        check(300.7.into(), exact(Some(30_070), 5, 2));
        check((-1e20).into(), exact(None, 5, 2));
        check(1e20.into(), exact(Some(10i128.pow(30)), 38, 10));
        check(true.into(), exact(Some(10), 3, 1));
        assert!(cast(&ScalarValue::from(f64::NAN).to_array().unwrap(), &DataType::Decimal128(5, 2), true).is_err());
    }

    #[test]
    fn moments_are_cut_towards_1970() {
        let moment = |millis| ScalarValue::TimestampMillisecond(Some(millis), None);
        check(moment(-1_500), ScalarValue::Date32(Some(0)));
        check(moment(-86_400_001), ScalarValue::Date32(Some(-1)));
        check(moment(86_399_999), ScalarValue::Date32(Some(0)));
        check(moment(-1_500), ScalarValue::Time32Second(Some(86_399)));
        check(moment(45_296_789), ScalarValue::Time32Second(Some(45_296)));
    }

    #[test]
    fn text_that_cannot_be_read_fails_or_is_null() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("12"), None, Some("x")]));
        let failed = cast(&text, &DataType::Int32, false).unwrap_err().to_string();
        assert!(failed.contains("`x` cannot be cast to INT"), "{failed}");
        assert_eq!(cast(&text, &DataType::Int32, true).unwrap().null_count(), 2);
    }

    #[test]
    fn truths_and_nested_values_become_text() {
        check(true.into(), "TRUE".into());
        check(false.into(), "FALSE".into());
        let numbers: Vec<ScalarValue> = [Some(1i32), None].map(ScalarValue::Int32).into();
        check(ScalarValue::List(ScalarValue::new_list(&numbers, &DataType::Int32, true)), "[1, NULL]".into());
    }
}

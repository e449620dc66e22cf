//! Functions on numbers.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array};
use datafusion_common::arrow::compute::cast;
use datafusion_common::arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion_common::{Result, exec_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};

use super::Nulls::Strict;
use super::Parameter::{AnyWhole, Approximate, Decimal, Double, Whole};
use super::arguments::{Doubles, Values, Wholes, collect_doubles};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

const DOUBLE_TO_DOUBLE: &[Form] =
    &[Form { parameters: &[Double], repeats: false, returns: Returns::Type(Simple::Double) }];
const SAME: &[Form] = &[
    Form { parameters: &[AnyWhole], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Approximate], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Decimal], repeats: false, returns: Returns::SameAs(0) },
];
const WITHOUT_FRACTION: &[Form] = &[
    Form { parameters: &[AnyWhole], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Approximate], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Decimal], repeats: false, returns: Returns::WholeDecimal(0) },
];

const SHORTENED: &[Form] = &[
    Form { parameters: &[AnyWhole], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[AnyWhole, Whole], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Approximate], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Approximate, Whole], repeats: false, returns: Returns::SameAs(0) },
    Form { parameters: &[Decimal], repeats: false, returns: Returns::WiderDecimal(0) },
    Form { parameters: &[Decimal, Whole], repeats: false, returns: Returns::WiderDecimal(0) },
];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("abs", SAME, "ABS(number)", Strict, |a| {
            each_number(a, i64::wrapping_abs, f64::abs, |value, _| value.wrapping_abs())
        }),
        own("floor", WITHOUT_FRACTION, "FLOOR(number)", Strict, |a| {
            each_number(a, |value| value, f64::floor, |value, scale| value.div_euclid(10i128.pow(scale)))
        }),
        own("ceil", WITHOUT_FRACTION, "CEIL(number)", Strict, |a| {
            each_number(a, |value| value, f64::ceil, |value, scale| -(-value).div_euclid(10i128.pow(scale)))
        })
        .aliased(&["ceiling"]),
        own("round", SHORTENED, "ROUND(number [, digits])", Strict, |a| shorten(a, Rounding::HalfAwayFromZero)),
        own("truncate", SHORTENED, "TRUNCATE(number [, digits])", Strict, |a| shorten(a, Rounding::TowardsZero)),
        own("sign", SAME, "SIGN(number)", Strict, |a| {
            each_number(a, i64::signum, sign, |value, scale| value.signum() * 10i128.pow(scale))
        }),
        own("sqrt", DOUBLE_TO_DOUBLE, "SQRT(number)", Strict, |a| each_double(a, f64::sqrt)),
        own("exp", DOUBLE_TO_DOUBLE, "EXP(number)", Strict, |a| each_double(a, f64::exp)),
        own("sin", DOUBLE_TO_DOUBLE, "SIN(number)", Strict, |a| each_double(a, f64::sin)),
        own("cos", DOUBLE_TO_DOUBLE, "COS(number)", Strict, |a| each_double(a, f64::cos)),
        own("tan", DOUBLE_TO_DOUBLE, "TAN(number)", Strict, |a| each_double(a, f64::tan)),
        own(
            "power",
            &[Form { parameters: &[Double, Double], repeats: false, returns: Returns::Type(Simple::Double) }],
            "POWER(number, exponent)",
            Strict,
            power,
        ),
    ]
}

fn each_double(arguments: &ScalarFunctionArgs, value: fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = Doubles::of(arguments, 0)?;
    Ok(collect_doubles(arguments.number_rows, |row| numbers.get(row).map(value)))
}

fn power(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (bases, exponents) = (Doubles::of(arguments, 0)?, Doubles::of(arguments, 1)?);
    Ok(collect_doubles(arguments.number_rows, |row| Some(bases.get(row)?.powf(exponents.get(row)?))))
}

/// Applies to a number of any type the function for its kind; the one for decimals also gets the scale.
fn each_number(
    arguments: &ScalarFunctionArgs,
    whole: fn(i64) -> i64,
    approximate: fn(f64) -> f64,
    decimal: fn(i128, u32) -> i128,
) -> Result<ArrayRef> {
    let array = match &arguments.args[0] {
        ColumnarValue::Array(array) => array.clone(),
        ColumnarValue::Scalar(value) => value.to_array_of_size(arguments.number_rows)?,
    };
    match array.data_type() {
        DataType::Int8 => Ok(each::<Int8Type>(&array, |value| whole(value.into()) as i8)),
        DataType::Int16 => Ok(each::<Int16Type>(&array, |value| whole(value.into()) as i16)),
        DataType::Int32 => Ok(each::<Int32Type>(&array, |value| whole(value.into()) as i32)),
        DataType::Int64 => Ok(each::<Int64Type>(&array, whole)),
        DataType::Float32 => Ok(each::<Float32Type>(&array, |value| approximate(value.into()) as f32)),
        DataType::Float64 => Ok(each::<Float64Type>(&array, approximate)),
        DataType::Decimal128(_, scale) => {
            let scale = u32::try_from(*scale).unwrap_or(0);
            let values: Decimal128Array = array.as_primitive::<Decimal128Type>().unary(|value| decimal(value, scale));
            Ok(Arc::new(values.with_data_type(arguments.return_type().clone())))
        }
        other => exec_err!("expected a number but got {other}"),
    }
}

fn each<T: ArrowPrimitiveType>(array: &ArrayRef, value: impl Fn(T::Native) -> T::Native) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().unary::<_, T>(value))
}

/// Zeros and what is not a number stay as they are.
fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() { value } else { value.signum() }
}

/// What becomes of digits that are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounding {
    HalfAwayFromZero,
    TowardsZero,
}

fn shorten(arguments: &ScalarFunctionArgs, rounding: Rounding) -> Result<ArrayRef> {
    let digits = match arguments.args.len() {
        1 => Wholes::Constant(Some(0)),
        _ => Wholes::of(arguments, 1)?,
    };
    let rows = arguments.number_rows;
    let returns = arguments.return_type();
    if let DataType::Decimal128(_, scale) = returns {
        let numbers = Values::<Decimal128Type>::of(arguments, 0)?;
        let values = (0..rows).map(|row| shorten_exact(numbers.get(row)?, *scale, digits.get(row)?, rounding));
        return Ok(Arc::new(values.collect::<Decimal128Array>().with_data_type(returns.clone())));
    }
    if returns.is_integer() {
        let numbers = cast(&arguments.args[0].to_array(rows)?, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        let shortened = |row: usize| {
            let number = numbers.is_valid(row).then(|| numbers.value(row))?;
            shorten_exact(number.into(), 0, digits.get(row)?, rounding)
        };
        // What rounding carries beyond the type wraps around, as in Java.
        let values: Int64Array = (0..rows).map(|row| shortened(row).map(|value| value as i64)).collect();
        return Ok(wrapped(&values, returns));
    }
    if let Ok(numbers) = Doubles::of(arguments, 0) {
        let shortened = |row| Some(shorten_decimal(&numbers.get(row)?.to_string(), digits.get(row)?, rounding));
        return Ok(collect_doubles(rows, |row| shortened(row)?.parse().ok()));
    }
    let numbers = Values::<Float32Type>::of(arguments, 0)?;
    let shortened = |row| Some(shorten_decimal(&numbers.get(row)?.to_string(), digits.get(row)?, rounding));
    let values = (0..rows).map(|row| shortened(row)?.parse::<f32>().ok());
    Ok(Arc::new(values.collect::<datafusion_common::arrow::array::Float32Array>()))
}

/// Shortens a number that is kept with `scale` digits after the point; none for what no number can hold.
fn shorten_exact(number: i128, scale: i8, digits: i64, rounding: Rounding) -> Option<i128> {
    let lost = i64::from(scale) - digits;
    if lost <= 0 {
        return Some(number);
    }
    let Some(unit) = u32::try_from(lost).ok().and_then(|lost| 10i128.checked_pow(lost)) else { return Some(0) };
    let (whole, rest) = (number / unit, number % unit);
    let up = rounding == Rounding::HalfAwayFromZero && rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
    (whole + if up { number.signum() } else { 0 }).checked_mul(unit)
}

/// Whole numbers in a narrower type.
fn wrapped(values: &Int64Array, to: &DataType) -> ArrayRef {
    match to {
        DataType::Int8 => Arc::new(values.unary::<_, Int8Type>(|value| value as i8)),
        DataType::Int16 => Arc::new(values.unary::<_, Int16Type>(|value| value as i16)),
        DataType::Int32 => Arc::new(values.unary::<_, Int32Type>(|value| value as i32)),
        _ => Arc::new(values.clone()),
    }
}

/// Shortens a number in plain notation to so many digits after the point (before it if negative). It works on the
/// shortest decimal form, as Flink does: 1.005 rounds to 1.01 although its binary value lies below.
fn shorten_decimal(number: &str, digits: i64, rounding: Rounding) -> String {
    let (sign, magnitude) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    if !magnitude.starts_with(|c: char| c.is_ascii_digit()) || digits >= fraction.len() as i64 {
        return number.to_string();
    }
    let keep = whole.len() as i64 + digits;
    if keep < 0 {
        return "0".to_string();
    }
    let mut kept: Vec<u8> = std::iter::once(b'0').chain(whole.bytes()).chain(fraction.bytes()).collect();
    let cut = keep as usize + 1;
    let up = rounding == Rounding::HalfAwayFromZero && kept[cut] >= b'5';
    kept[cut..].fill(b'0');
    if up {
        increment(&mut kept[..cut]);
    }
    kept.insert(whole.len() + 1, b'.');
    format!("{sign}{}", String::from_utf8_lossy(&kept))
}

/// Adds one to a number of decimal digits, the first of which is 0.
fn increment(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests {
    use super::{Rounding, shorten_decimal};

    #[test]
    fn rounding_works_on_the_shortest_decimal_form() {
        let check = |number: f64, digits, expected: f64| {
            let rounded = shorten_decimal(&number.to_string(), digits, Rounding::HalfAwayFromZero);
            assert_eq!(rounded.parse::<f64>(), Ok(expected), "{number} to {digits}");
        };
        check(1.005, 2, 1.01);
        check(2.5, 0, 3.0);
        check(-2.5, 0, -3.0);
        check(999.96, 1, 1000.0);
        check(1250.0, -2, 1300.0);
        check(49.0, -2, 0.0);
        check(51.0, -2, 100.0);
        check(51.0, -3, 0.0);
        check(0.1, 5, 0.1);
        check(1e21, 1, 1e21);
    }
}

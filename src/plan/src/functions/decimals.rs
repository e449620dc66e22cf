//! Arithmetic of DECIMALs in Flink's types, where Arrow's kernels give others or fail: results are rounded half up, and
//! NULL where they have more digits than there may be.

use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::arrow::array::{ArrayRef, Decimal128Array};
use datafusion_common::arrow::datatypes::{Decimal128Type, i256};
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::Sometimes;
use super::Parameter::Decimal;
use super::arguments::Values;
use super::kernel::own;
use super::{Form, Function, Returns};

pub(super) fn functions() -> Vec<Function> {
    const fn of_two(returns: Returns) -> Form {
        Form { parameters: &[Decimal, Decimal], repeats: false, returns }
    }
    const SUM: &[Form] = &[of_two(Returns::Sum)];
    const PRODUCT: &[Form] = &[of_two(Returns::Product)];
    const QUOTIENT: &[Form] = &[of_two(Returns::Quotient)];
    const REMAINDER: &[Form] = &[of_two(Returns::Remainder)];
    vec![
        own("plus_decimal", SUM, "decimal + decimal", Sometimes, |a| each(a, plus)),
        own("minus_decimal", SUM, "decimal - decimal", Sometimes, |a| each(a, minus)),
        own("times_decimal", PRODUCT, "decimal * decimal", Sometimes, |a| each(a, times)),
        own("divide_decimal", QUOTIENT, "decimal / decimal", Sometimes, |a| each(a, divide)),
        own("modulo_decimal", REMAINDER, "decimal % decimal", Sometimes, |a| each(a, modulo)),
    ]
}

/// A number and how many of its digits stand behind the point.
type Number = (i256, i32);

/// The result with so many digits behind the point as its second number says; none for what no DECIMAL holds.
fn each(arguments: &ScalarFunctionArgs, of: fn(Number, Number, i32) -> Result<Option<i256>>) -> Result<ArrayRef> {
    let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
    let (DataType::Decimal128(_, left), DataType::Decimal128(_, right)) = (&types[0], &types[1]) else {
        return internal_err!("decimals are {types:?}");
    };
    let returns = arguments.return_type();
    let DataType::Decimal128(precision, scale) = returns else { return internal_err!("a decimal is {returns}") };
    let (lefts, rights) = (Values::<Decimal128Type>::of(arguments, 0)?, Values::<Decimal128Type>::of(arguments, 1)?);
    let most = 10u128.pow((*precision).into());
    let mut results = Vec::with_capacity(arguments.number_rows);
    for row in 0..arguments.number_rows {
        results.push(match (lefts.get(row), rights.get(row)) {
            (Some(a), Some(b)) => {
                let (a, b) = ((i256::from_i128(a), i32::from(*left)), (i256::from_i128(b), i32::from(*right)));
                let result = of(a, b, (*scale).into())?.and_then(i256::to_i128);
                result.filter(|result| result.unsigned_abs() < most)
            }
            _ => None,
        });
    }
    Ok(Arc::new(Decimal128Array::from(results).with_data_type(returns.clone())))
}

fn power(digits: i32) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(digits).ok()?)
}

/// The number with another scale, rounded half up.
fn rescaled((number, from): Number, to: i32) -> Option<i256> {
    if to >= from {
        return number.checked_mul(power(to - from)?);
    }
    let Some(unit) = power(from - to) else { return Some(i256::ZERO) };
    rounded(number, unit)
}

/// The quotient rounded half up.
fn rounded(number: i256, unit: i256) -> Option<i256> {
    let (whole, rest) = (number.checked_div(unit)?, number.checked_rem(unit)?);
    let up = rest.wrapping_abs() >= unit.wrapping_abs().wrapping_sub(rest.wrapping_abs());
    let one = if number.is_negative() == unit.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    Some(if up { whole.wrapping_add(one) } else { whole })
}

fn plus(a: Number, b: Number, scale: i32) -> Result<Option<i256>> {
    let common = a.1.max(b.1);
    let sum = rescaled(a, common).zip(rescaled(b, common)).and_then(|(a, b)| a.checked_add(b));
    Ok(sum.and_then(|sum| rescaled((sum, common), scale)))
}

fn minus(a: Number, b: Number, scale: i32) -> Result<Option<i256>> {
    plus(a, (b.0.wrapping_neg(), b.1), scale)
}

fn times(a: Number, b: Number, scale: i32) -> Result<Option<i256>> {
    Ok(a.0.checked_mul(b.0).and_then(|product| rescaled((product, a.1 + b.1), scale)))
}

fn divide(a: Number, b: Number, scale: i32) -> Result<Option<i256>> {
    if b.0 == i256::ZERO {
        return exec_err!("a DECIMAL is divided by zero");
    }
    let shift = scale + b.1 - a.1;
    Ok(match shift {
        0.. => power(shift).and_then(|power| a.0.checked_mul(power)).and_then(|number| rounded(number, b.0)),
        _ => power(-shift).and_then(|power| b.0.checked_mul(power)).and_then(|unit| rounded(a.0, unit)),
    })
}

fn modulo(a: Number, b: Number, scale: i32) -> Result<Option<i256>> {
    if b.0 == i256::ZERO {
        return exec_err!("a DECIMAL is divided by zero");
    }
    let common = a.1.max(b.1);
    let rest = rescaled(a, common).zip(rescaled(b, common)).and_then(|(a, b)| a.checked_rem(b));
    Ok(rest.and_then(|rest| rescaled((rest, common), scale)))
}

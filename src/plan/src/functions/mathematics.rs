//! Functions of doubles, and constants.

use datafusion_common::arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::Strict;
use super::Parameter::{Double, Whole};
use super::arguments::{Doubles, Wholes, collect_doubles, collect_text};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

const DOUBLE: Returns = Returns::Type(Simple::Double);
const ONE: &[Form] = &[Form { parameters: &[Double], repeats: false, returns: DOUBLE }];
const TWO: &[Form] = &[Form { parameters: &[Double, Double], repeats: false, returns: DOUBLE }];
const NONE: &[Form] = &[Form { parameters: &[], repeats: false, returns: DOUBLE }];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own("ln", ONE, "LN(number)", Strict, |a| each(a, f64::ln)),
        own("log10", ONE, "LOG10(number)", Strict, |a| each(a, f64::log10)),
        own("log2", ONE, "LOG2(number)", Strict, |a| logarithm(a, f64::log2)),
        own(
            "log",
            &[
                Form { parameters: &[Double], repeats: false, returns: DOUBLE },
                Form { parameters: &[Double, Double], repeats: false, returns: DOUBLE },
            ],
            "LOG([base,] number)",
            Strict,
            log,
        ),
        own("asin", ONE, "ASIN(number)", Strict, |a| each(a, f64::asin)),
        own("acos", ONE, "ACOS(number)", Strict, |a| each(a, f64::acos)),
        own("atan", ONE, "ATAN(number)", Strict, |a| each(a, f64::atan)),
        own("sinh", ONE, "SINH(number)", Strict, |a| each(a, f64::sinh)),
        own("cosh", ONE, "COSH(number)", Strict, |a| each(a, f64::cosh)),
        own("tanh", ONE, "TANH(number)", Strict, |a| each(a, f64::tanh)),
        own("cot", ONE, "COT(number)", Strict, |a| each(a, |value| 1.0 / value.tan())),
        own("degrees", ONE, "DEGREES(radians)", Strict, |a| each(a, f64::to_degrees)),
        own("radians", ONE, "RADIANS(degrees)", Strict, |a| each(a, f64::to_radians)),
        own("atan2", TWO, "ATAN2(y, x)", Strict, atan2),
        own("pi", NONE, "PI()", Strict, |a| constant(a, std::f64::consts::PI)),
        own("e", NONE, "E()", Strict, |a| constant(a, std::f64::consts::E)),
        own(
            "bin",
            &[Form { parameters: &[Whole], repeats: false, returns: Returns::Type(Simple::Text) }],
            "BIN(whole number)",
            Strict,
            bin,
        ),
    ]
}

fn each(arguments: &ScalarFunctionArgs, value: fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = Doubles::of(arguments, 0)?;
    Ok(collect_doubles(arguments.number_rows, |row| numbers.get(row).map(value)))
}

fn constant(arguments: &ScalarFunctionArgs, value: f64) -> Result<ArrayRef> {
    Ok(collect_doubles(arguments.number_rows, |_| Some(value)))
}

fn atan2(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (heights, widths) = (Doubles::of(arguments, 0)?, Doubles::of(arguments, 1)?);
    Ok(collect_doubles(arguments.number_rows, |row| Some(heights.get(row)?.atan2(widths.get(row)?))))
}

/// As in Flink, `LN` and `LOG10` of what has no logarithm are no numbers, but `LOG` and `LOG2` fail.
fn logarithm(arguments: &ScalarFunctionArgs, value: fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = Doubles::of(arguments, 0)?;
    check(arguments.number_rows, &numbers, 0.0)?;
    each(arguments, value)
}

fn log(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    if arguments.args.len() == 1 {
        return logarithm(arguments, f64::ln);
    }
    let (bases, numbers) = (Doubles::of(arguments, 0)?, Doubles::of(arguments, 1)?);
    check(arguments.number_rows, &bases, 1.0)?;
    check(arguments.number_rows, &numbers, 0.0)?;
    Ok(collect_doubles(arguments.number_rows, |row| Some(numbers.get(row)?.ln() / bases.get(row)?.ln())))
}

fn check(rows: usize, numbers: &Doubles<'_>, above: f64) -> Result<()> {
    match (0..rows).filter_map(|row| numbers.get(row)).find(|number| *number <= above) {
        Some(number) => exec_err!("a logarithm needs a number above {above} but got {number}"),
        None => Ok(()),
    }
}

/// Negative numbers in two's complement of 64 digits.
fn bin(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let numbers = Wholes::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| numbers.get(row).map(|number| format!("{number:b}").into())))
}

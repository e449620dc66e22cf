//! Flink's types and the Arrow types that stand for them.

use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use sqlparser::ast::{self, ArrayElemTypeDef, CharacterLength, ExactNumberInfo, TimezoneInfo};

pub(crate) use tidemill_plan::functions::fitted_decimal;
pub(crate) use tidemill_plan::nested::{array, element_of, map, multiset, row};
pub(crate) use tidemill_plan::type_name as name;

pub(crate) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);
pub(crate) const TIME: DataType = DataType::Time32(TimeUnit::Millisecond);
pub(crate) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const MAX_PRECISION: u8 = 38;

pub(crate) fn timestamp_ltz() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// Whether both are a MAP or MULTISET of the same keys and values.
pub(crate) fn are_maps_alike(one: &DataType, other: &DataType) -> bool {
    matches!((one, other), (DataType::Map(_, _), DataType::Map(_, _))) && element_of(one) == element_of(other)
}

pub(crate) fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _))
}

/// The types of the parts that a ROW, ARRAY or MAP is made of, if it can be made of so many.
pub(crate) fn parts_of(data_type: &DataType, count: usize) -> Option<Vec<DataType>> {
    match data_type {
        DataType::Struct(fields) if fields.len() == count => {
            Some(fields.iter().map(|field| field.data_type().clone()).collect())
        }
        DataType::List(element) => Some(vec![element.data_type().clone(); count]),
        DataType::Map(_, _) if count.is_multiple_of(2) => {
            let (key, value) = element_of(data_type)?;
            Some([key, value].into_iter().cycle().take(count).collect())
        }
        _ => None,
    }
}

/// A type as written in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlType {
    pub arrow: DataType,
    /// The length of a VARCHAR(n) or CHAR(n).
    pub length: Option<u64>,
    pub padded: bool,
    /// Whether it is a TIME without parts of seconds, as TIME is unless its precision says otherwise.
    pub whole_seconds: bool,
    /// The declared precision where milliseconds are less than asked for, here or in a part.
    pub lost_precision: Option<u64>,
    /// The types of a ROW's fields, of an ARRAY's elements, or of a MAP's keys and values.
    pub parts: Vec<SqlType>,
}

impl SqlType {
    fn plain(arrow: DataType) -> Self {
        Self { arrow, length: None, padded: false, whole_seconds: false, lost_precision: None, parts: Vec::new() }
    }

    /// The type that is kept as this.
    pub(crate) fn of(arrow: &DataType) -> Self {
        let parts = match arrow {
            DataType::Struct(fields) => fields.iter().map(|field| Self::of(field.data_type())).collect(),
            DataType::List(element) => vec![Self::of(element.data_type())],
            DataType::Map(_, _) => {
                element_of(arrow).map(|(key, value)| vec![Self::of(&key), Self::of(&value)]).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        Self::nested(arrow.clone(), parts)
    }

    fn nested(arrow: DataType, parts: Vec<SqlType>) -> Self {
        let lost_precision = parts.iter().filter_map(|part| part.lost_precision).max();
        Self { lost_precision, parts, ..Self::plain(arrow) }
    }

    fn text(length: Option<u64>, padded: bool) -> Self {
        Self { length, padded, ..Self::plain(DataType::Utf8) }
    }
}

/// Understands a type; otherwise says what is wrong with it.
pub(crate) fn understand(written: &ast::DataType) -> Result<SqlType, String> {
    use ast::DataType as Sql;
    let plain = |arrow| Ok(SqlType::plain(arrow));
    match written {
        Sql::Nullable(inner) => understand(inner),
        Sql::Boolean => plain(DataType::Boolean),
        Sql::TinyInt(None) => plain(DataType::Int8),
        Sql::SmallInt(None) => plain(DataType::Int16),
        Sql::Int(None) | Sql::Integer(None) => plain(DataType::Int32),
        Sql::BigInt(None) => plain(DataType::Int64),
        Sql::Float(ExactNumberInfo::None) => plain(DataType::Float32),
        Sql::Double(ExactNumberInfo::None) | Sql::DoublePrecision => plain(DataType::Float64),
        Sql::Decimal(info) | Sql::Numeric(info) | Sql::Dec(info) => decimal(info).map(SqlType::plain),
        Sql::Date => plain(DataType::Date32),
        Sql::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => time(*precision),
        Sql::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            timestamp(*precision, TIMESTAMP)
        }
        Sql::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
            Err("TIMESTAMP WITH TIME ZONE is not a type that tables can have, use TIMESTAMP_LTZ(3)".to_string())
        }
        Sql::Custom(name, modifiers) if name.to_string().eq_ignore_ascii_case("TIMESTAMP_LTZ") => {
            timestamp(modifiers.first().and_then(|precision| precision.parse().ok()), timestamp_ltz())
        }
        Sql::String(None) => Ok(SqlType::text(None, false)),
        Sql::Varchar(length) | Sql::CharacterVarying(length) => Ok(SqlType::text(Some(characters(length)), false)),
        Sql::Char(length) | Sql::Character(length) => Ok(SqlType::text(Some(characters(length)), true)),
        Sql::Bytes(None) | Sql::Varbinary(_) | Sql::Binary(_) => plain(DataType::Binary),
        Sql::Struct(fields, _) => understand_row(fields),
        Sql::Array(ArrayElemTypeDef::AngleBracket(element)) => {
            let element = understand(element)?;
            Ok(SqlType::nested(array(element.arrow.clone()), vec![element]))
        }
        Sql::Map(key, value) => {
            let (key, value) = (understand(key)?, understand(value)?);
            if is_nested(&key.arrow) {
                return Err(format!("a key of type {} is not supported", name(&key.arrow)));
            }
            Ok(SqlType::nested(map(key.arrow.clone(), value.arrow.clone()), vec![key, value]))
        }
        other => Err(format!("the type {other} is not supported")),
    }
}

fn understand_row(fields: &[ast::StructField]) -> Result<SqlType, String> {
    let mut parts = Vec::with_capacity(fields.len());
    let mut named: Vec<(String, DataType)> = Vec::with_capacity(fields.len());
    for field in fields {
        let part = understand(&field.field_type)?;
        let name = field.field_name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        if named.iter().any(|(other, _)| *other == name) {
            return Err(format!("the row has two fields `{name}`"));
        }
        named.push((name, part.arrow.clone()));
        parts.push(part);
    }
    Ok(SqlType::nested(row(named), parts))
}

fn characters(length: &Option<CharacterLength>) -> u64 {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => *length,
        Some(CharacterLength::Max) => i32::MAX as u64,
        None => 1,
    }
}

fn decimal(info: &ExactNumberInfo) -> Result<DataType, String> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=MAX_PRECISION), Ok(scale)) if (0..=precision as i8).contains(&scale) => {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => {
            Err(format!("DECIMAL({precision}, {scale}) does not exist, precision is 1 to 38 and scale 0 to precision"))
        }
    }
}

fn time(precision: Option<u64>) -> Result<SqlType, String> {
    match precision.unwrap_or(0) {
        precision @ 0..=3 => Ok(SqlType { whole_seconds: precision == 0, ..SqlType::plain(TIME) }),
        precision => Err(format!("TIME({precision}) is not supported, TIME(3) is the finest")),
    }
}

/// Milliseconds are what there is. Coarser types would have to cut values off; finer ones are kept with a loss that
/// the caller warns of.
fn timestamp(precision: Option<u64>, arrow: DataType) -> Result<SqlType, String> {
    match precision.unwrap_or(6) {
        3 => Ok(SqlType::plain(arrow)),
        precision @ 4..=9 => Ok(SqlType { lost_precision: Some(precision), ..SqlType::plain(arrow) }),
        precision => Err(format!("timestamps of precision {precision} are not supported, use precision 3")),
    }
}

pub(crate) fn is_whole(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
}

pub(crate) fn is_approximate(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

pub(crate) fn is_number(data_type: &DataType) -> bool {
    is_whole(data_type) || is_approximate(data_type) || matches!(data_type, DataType::Decimal128(_, _))
}

/// Precision and scale of an exact number.
pub(crate) fn exact(data_type: &DataType) -> Option<(u8, i8)> {
    match data_type {
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::Decimal128(precision, scale) => Some((*precision, *scale)),
        _ => None,
    }
}

/// The type that two values get where they meet, such as in the branches of a CASE: the least that both go into, but of
/// FLOAT and DOUBLE the one that stands first.
pub(crate) fn common(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::*;
    match (left, right) {
        _ if left == right => Some(left.clone()),
        (Null, other) | (other, Null) => Some(other.clone()),
        _ if is_number(left) && is_number(right) => Some(common_number(left, right)),
        (Date32, Timestamp(_, None)) | (Timestamp(_, None), Date32) => Some(TIMESTAMP),
        _ => None,
    }
}

pub(crate) fn common_number(left: &DataType, right: &DataType) -> DataType {
    match (exact(left), exact(right)) {
        (Some(_), Some(_)) if is_whole(left) && is_whole(right) => wider(left, right),
        (Some((p1, s1)), Some((p2, s2))) => {
            let scale = s1.max(s2);
            let whole = (p1 as i32 - s1 as i32).max(p2 as i32 - s2 as i32);
            fitted_decimal(whole + i32::from(scale), scale.into())
        }
        _ if [left, right].iter().any(|data_type| matches!(data_type, DataType::Decimal128(_, _))) => DataType::Float64,
        _ if is_approximate(left) => left.clone(),
        _ => right.clone(),
    }
}

/// Of two types that have met, the one that all values of both go into.
pub(crate) fn widest(left: &DataType, right: &DataType) -> DataType {
    if *right == DataType::Float64 { right.clone() } else { left.clone() }
}

fn wider(left: &DataType, right: &DataType) -> DataType {
    if left.primitive_width() >= right.primitive_width() { left.clone() } else { right.clone() }
}

/// Whether a query's column goes into a table's column without a CAST, by Flink's rules.
pub(crate) fn assignable(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        _ if from == to => true,
        (Null, _) => true,
        _ if is_whole(from) && is_whole(to) => to.primitive_width() >= from.primitive_width(),
        (_, Decimal128(_, _) | Float64) => is_number(from),
        (_, Float32) => is_whole(from) || matches!(from, Decimal128(_, _)),
        (Date32, Timestamp(_, None)) | (Timestamp(_, None), Date32 | Time32(_)) => true,
        (Timestamp(_, _), Timestamp(_, _)) => true,
        // There are no columns of MULTISETs to write to.
        (Map(_, _), Map(_, _)) => are_maps_alike(from, to),
        (Struct(from), Struct(to)) => {
            let mut fields = from.iter().zip(to);
            from.len() == to.len() && fields.all(|(from, to)| assignable(from.data_type(), to.data_type()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::*;

    #[test]
    fn numbers_meet_in_the_least_type_that_holds_both() {
        let check = |left, right, expected| {
            assert_eq!(common(&left, &right), Some(expected), "{left} and {right}");
        };
        check(Int8, Int64, Int64);
        check(Int32, Decimal128(5, 2), Decimal128(12, 2));
        check(Float32, Int64, Float32);
        check(Float32, Decimal128(5, 2), Float64);
        check(Float32, Float64, Float32);
        check(Float64, Float32, Float64);
        check(Null, Utf8, Utf8);
        assert_eq!(common(&Utf8, &Int32), None);
    }

    #[test]
    fn decimals_give_up_fraction_digits_first() {
        assert_eq!(fitted_decimal(40, 10), Decimal128(38, 8));
        assert_eq!(fitted_decimal(50, 10), Decimal128(38, 6));
        assert_eq!(fitted_decimal(40, 3), Decimal128(38, 3));
    }

    #[test]
    fn nothing_is_assigned_where_values_could_be_lost_unseen() {
        for (from, to) in [(Int64, Int32), (Utf8, Int32), (Int32, Utf8), (Float64, Float32), (Boolean, Int32)] {
            assert!(!assignable(&from, &to), "{from} into {to}");
        }
        assert!(assignable(&Int32, &Int64) && assignable(&Int64, &Float64));
    }
}

//! Types as they are declared: with NOT NULL within them, and with the precision of timestamps. The engine goes by
//! neither, but formats may: Avro's records do.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};
use sqlparser::ast::{self, ArrayElemTypeDef, TimezoneInfo};

use crate::types;

/// The formats whose records follow from how columns are declared.
const FORMATS: [&str; 1] = ["avro"];

/// Whether a table's connector has to know how its columns are declared.
pub(crate) fn is_asked_for(table: &tidemill_plan::Table) -> bool {
    let format = |option: &str| table.options.get(option).is_some_and(|name| FORMATS.contains(&name.as_str()));
    ["format", "key.format", "value.format"].into_iter().any(format)
}

/// The type as it is declared, of one that is understood.
pub(crate) fn declared(written: &ast::DataType) -> Option<DataType> {
    use ast::DataType as Sql;
    Some(match written {
        Sql::Nullable(inner) => declared(inner)?,
        Sql::Struct(fields, _) => {
            let fields = fields.iter().map(|field| {
                let name = field.field_name.as_ref()?.value.clone();
                part(&name, &field.field_type)
            });
            DataType::Struct(fields.collect::<Option<Fields>>()?)
        }
        Sql::Array(ArrayElemTypeDef::AngleBracket(element)) => DataType::List(part("item", element)?),
        Sql::Map(key, value) => {
            let key = Field::new("keys", declared(key)?, false);
            let entries = DataType::Struct(Fields::from(vec![Arc::new(key), part("values", value)?]));
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        Sql::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Timestamp(unit(*precision), None)
        }
        Sql::Custom(name, modifiers) if name.to_string().eq_ignore_ascii_case("TIMESTAMP_LTZ") => {
            let precision = modifiers.first().and_then(|precision| precision.parse().ok());
            DataType::Timestamp(unit(precision), Some("UTC".into()))
        }
        other => types::understand(other).ok()?.arrow,
    })
}

fn part(name: &str, written: &ast::DataType) -> Option<Arc<Field>> {
    let is_nullable = matches!(written, ast::DataType::Nullable(_));
    Some(Arc::new(Field::new(name, declared(written)?, is_nullable)))
}

/// The coarsest unit that has so many digits of a second.
fn unit(precision: Option<u64>) -> TimeUnit {
    match precision.unwrap_or(6) {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{ColumnSyntax, parse_column_type};

    fn check(written: &str, expected: &str) {
        let Ok(ColumnSyntax::Physical { data_type, .. }) = parse_column_type(written) else { panic!("{written}") };
        let found = declared(&data_type).unwrap();
        assert_eq!(text(&found), expected, "{written}");
        assert!(types::understand(&data_type).is_ok(), "{written}");
    }

    /// A `!` stands behind what cannot be NULL.
    fn text(data_type: &DataType) -> String {
        let of = |field: &Arc<Field>| text(field.data_type()) + if field.is_nullable() { "" } else { "!" };
        match data_type {
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| format!("{} {}", field.name(), of(field)));
                format!("({})", fields.collect::<Vec<_>>().join(", "))
            }
            DataType::List(element) => format!("[{}]", of(element)),
            DataType::Map(entries, _) => text(entries.data_type()),
            DataType::Timestamp(unit, zone) => format!("{unit:?}{}", if zone.is_some() { "Z" } else { "" }),
            other => other.to_string(),
        }
    }

    #[test]
    fn not_null_and_precision_are_kept_in_all_depths() {
        check("INT", "Int32");
        check("ARRAY<INT NOT NULL>", "[Int32!]");
        check("INT ARRAY", "[Int32]");
        check("MAP<STRING, TIMESTAMP(6) NOT NULL>", "(keys Utf8!, values Microsecond!)");
        check("MULTISET<STRING>", "(keys Utf8!, values Int32)");
        check(
            "ROW<a INT NOT NULL, b ROW<c STRING, d ARRAY<BIGINT NOT NULL> NOT NULL>>",
            "(a Int32!, b (c Utf8, d [Int64!]!))",
        );
        check("ROW<t TIMESTAMP_LTZ(3), u TIMESTAMP(9)>", "(t MillisecondZ, u Nanosecond)");
    }
}

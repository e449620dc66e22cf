//! CREATE TABLE … LIKE: what the new table takes over from another one.

use crate::error::{Result, SqlError};
use crate::statement::{Column, ColumnSyntax, CreateTable, Feature, Like, Merging};

/// The new table with what it takes over. By default that is everything, and its own options win.
pub(crate) fn merged(base: &CreateTable, new: &CreateTable, like: &Like) -> Result<CreateTable> {
    let mut merged = CreateTable { like: None, ..new.clone() };
    merged.columns = columns(base, new, like)?;
    match rule(like, Feature::Watermarks) {
        Merging::Excluding => {}
        Merging::Including if new.watermark.is_some() && base.watermark.is_some() => {
            return Err(twice(new, like, "a watermark", "OVERWRITING WATERMARKS"));
        }
        Merging::Including | Merging::Overwriting => {
            merged.watermark = new.watermark.clone().or(base.watermark.clone())
        }
    }
    match (rule(like, Feature::Constraints), new.primary_key.is_empty(), base.primary_key.is_empty()) {
        (Merging::Excluding, _, _) | (_, _, true) => {}
        (_, true, false) => merged.primary_key.clone_from(&base.primary_key),
        (_, false, false) => return Err(twice(new, like, "a primary key", "EXCLUDING CONSTRAINTS")),
    }
    match (rule(like, Feature::Partitions), new.partition_keys.is_empty(), base.partition_keys.is_empty()) {
        (Merging::Excluding, _, _) | (_, _, true) => {}
        (_, true, false) => merged.partition_keys.clone_from(&base.partition_keys),
        (_, false, false) => return Err(twice(new, like, "PARTITIONED BY", "EXCLUDING PARTITIONS")),
    }
    let options = rule(like, Feature::Options);
    if options != Merging::Excluding {
        for (key, value) in &base.options {
            if options == Merging::Including && new.options.contains_key(key) {
                return Err(twice(new, like, &format!("the option '{key}'"), "OVERWRITING OPTIONS"));
            }
            merged.options.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(merged)
}

/// The last rule for a feature; a rule for all goes before those for one.
fn rule(like: &Like, feature: Feature) -> Merging {
    let of = |wanted: Option<Feature>| like.rules.iter().rev().find(|(rule, _)| *rule == wanted).map(|(_, rule)| *rule);
    let default = match feature {
        Feature::Options => Merging::Overwriting,
        _ => Merging::Including,
    };
    of(Some(feature)).or(of(None)).unwrap_or(default)
}

fn columns(base: &CreateTable, new: &CreateTable, like: &Like) -> Result<Vec<Column>> {
    let mut columns = Vec::with_capacity(base.columns.len() + new.columns.len());
    for column in &base.columns {
        let own = new.columns.iter().find(|own| own.name.value == column.name.value);
        let feature = feature(&column.kind);
        let merging = feature.map_or(Merging::Including, |feature| rule(like, feature));
        match own {
            _ if merging == Merging::Excluding => {}
            None => columns.push(column.clone()),
            Some(own) if merging == Merging::Overwriting && self::feature(&own.kind) == feature => {}
            Some(own) => {
                let message = format!("the column `{}` is in the other table, too", own.name.value);
                return Err(SqlError::new(own.name.span, message, "leave it out, or give it another name"));
            }
        }
    }
    columns.extend(new.columns.iter().cloned());
    Ok(columns)
}

/// What a column is a part of; none if it is stored, and so always taken over.
fn feature(column: &ColumnSyntax) -> Option<Feature> {
    match column {
        ColumnSyntax::Physical { .. } => None,
        ColumnSyntax::Computed(_) => Some(Feature::Generated),
        ColumnSyntax::Metadata { .. } => Some(Feature::Metadata),
    }
}

fn twice(new: &CreateTable, like: &Like, what: &str, remedy: &str) -> SqlError {
    let message = format!("`{}` and `{}` both have {what}", new.name.name, like.table.name);
    SqlError::new(like.table.span, message, format!("write LIKE {} ({remedy})", like.table.name))
}

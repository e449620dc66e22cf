//! The columns that an expression can name.

use std::collections::BTreeSet;

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;
use tidemill_plan::Expression;

use super::{Typed, nested};
use crate::error::{Result, SqlError};
use crate::relation::{Field, Relation, Role};
use crate::user::UserFunctions;

/// A column that stands for several by their name alone.
pub(crate) struct Merged {
    pub one: usize,
    pub of: [usize; 2],
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// The name that may stand before the column's, and the column.
    columns: Vec<(Option<String>, Field)>,
    /// So many of the columns, the first, are of the query around: they are named where no other has the name.
    outer: usize,
    /// Columns that another stands for where no table's name is before theirs: JOIN … USING has made one of both.
    merged: BTreeSet<usize>,
    /// The columns that USING names, with which `*` begins.
    first: Vec<usize>,
    /// What can be called besides our own functions.
    functions: UserFunctions,
}

impl Scope {
    pub(crate) fn of(relation: &Relation, qualifier: Option<&str>) -> Self {
        Self::of_fields(&relation.fields, qualifier)
    }

    pub(crate) fn of_fields(fields: &[Field], qualifier: Option<&str>) -> Self {
        let columns = fields.iter().map(|field| (qualifier.map(str::to_string), field.clone())).collect();
        Self { columns, ..Self::default() }
    }

    /// The same columns where these functions can be called.
    pub(crate) fn with_functions(self, functions: UserFunctions) -> Self {
        Self { functions, ..self }
    }

    pub(crate) fn functions(&self) -> &UserFunctions {
        &self.functions
    }

    /// The same columns with these names before them, if there is one for each.
    pub(crate) fn with_owners(mut self, owners: Vec<Option<String>>) -> Self {
        if owners.len() == self.columns.len() {
            self.columns.iter_mut().zip(owners).for_each(|((owner, _), name)| *owner = name);
        }
        self
    }

    /// The scope of a subquery's condition: behind the `width` columns around it, which it can name, its own.
    pub(crate) fn within(self, outer: &Self, width: usize) -> Self {
        let hidden = (None, Field::plain("", arrow_schema::DataType::Null, true));
        let mut columns = outer.columns.clone();
        columns.resize(width, hidden);
        columns.extend(self.columns);
        let merged = self.merged.into_iter().map(|place| place + width).chain(outer.merged.clone()).collect();
        let first = self.first.into_iter().map(|place| place + width).collect();
        Self { columns, outer: width, merged, first, functions: self.functions }
    }

    /// The columns of this scope, then those of another.
    pub(crate) fn beside(mut self, other: Self) -> Self {
        let width = self.columns.len();
        self.columns.extend(other.columns);
        self.merged.extend(other.merged.into_iter().map(|place| place + width));
        self.first.extend(other.first.into_iter().map(|place| place + width));
        self
    }

    /// The same names for columns that may have changed. A semi-join's right columns are gone.
    pub(crate) fn with_fields(mut self, fields: &[Field]) -> Self {
        self.columns.truncate(fields.len());
        self.first.retain(|place| *place < fields.len());
        for ((_, column), field) in self.columns.iter_mut().zip(fields) {
            *column = Field { name: std::mem::take(&mut column.name), ..field.clone() };
        }
        self
    }

    /// Makes one column of several, each time: all of them but `one` can be named with their table's name only, and `*`
    /// begins with those that are left.
    pub(crate) fn merge(&mut self, columns: Vec<Merged>) {
        let mut first = Vec::with_capacity(columns.len());
        for Merged { one, of } in columns {
            self.merged.extend(of.iter().filter(|place| **place != one));
            self.first.retain(|place| *place != one && !of.contains(place));
            first.push(one);
        }
        self.first.splice(0..0, first);
    }

    /// Names that can be used without a table's name, in the order of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let columns = self.columns.iter().enumerate().skip(self.outer);
        columns.filter(|(place, _)| !self.merged.contains(place)).map(|(_, (_, field))| field.name.as_str())
    }

    /// The names of tables that may stand before columns, with the places of these.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (usize, &str)> {
        let columns = self.columns.iter().enumerate();
        columns.filter_map(|(place, (owner, _))| owner.as_deref().map(|owner| (place, owner)))
    }

    /// The columns that `*` stands for, or `qualifier.*`.
    pub(crate) fn expand(&self, qualifier: Option<&str>) -> Vec<(Typed, Role, String)> {
        let matches = |place: &usize| {
            let (owner, field) = &self.columns[*place];
            let is_meant = match qualifier {
                Some(_) => owner.as_deref() == qualifier,
                None => !self.merged.contains(place),
            };
            !field.name.is_empty() && is_meant
        };
        let begins: &[usize] = if qualifier.is_none() { &self.first } else { &[] };
        let others = (self.outer..self.columns.len()).filter(|place| !begins.contains(place));
        let places = begins.iter().copied().chain(others).filter(matches);
        let columns = places.map(|place| {
            let (_, field) = &self.columns[place];
            (column(place, field), field.role, field.name.clone())
        });
        let columns: Vec<_> = columns.collect();
        match qualifier {
            Some(row) if columns.is_empty() => self.expand_row(row),
            _ => columns,
        }
    }

    /// The fields of the column of this name, which may have its table's before it, if it is a ROW.
    fn expand_row(&self, name: &str) -> Vec<(Typed, Role, String)> {
        let (table, name) = name.rsplit_once('.').map_or((None, name), |(table, name)| (Some(table), name));
        let is_meant = |(owner, field): &(Option<String>, Field)| {
            field.name == name && (table.is_none() || owner.as_deref() == table)
        };
        let found = self.columns.iter().position(is_meant);
        let fields = found.map(|place| nested::fields(&column(place, &self.columns[place].1))).unwrap_or_default();
        fields.into_iter().map(|(name, typed)| (typed, Role::Plain, name)).collect()
    }

    /// The column that a path names, as it is or as the first of fields within fields. A table's name goes before a
    /// column's.
    pub(crate) fn resolve(&self, path: &[Ident]) -> Result<(Typed, Role)> {
        let Some(first) = path.first() else {
            return Err(SqlError::new(Span::empty(), "a column has no name", "name the column"));
        };
        if let Some(name) = path.get(1)
            && let Some(found) = self.column(Some(&first.value), name, first.span)?
        {
            return within(found, &path[2..]);
        }
        match self.column(None, first, first.span)? {
            Some(found) => within(found, &path[1..]),
            None if path.len() == 1 => Err(self.not_found(first.span, None, &first.value)),
            None => Err(self.not_found(first.span, Some(&first.value), &path[1].value)),
        }
    }

    /// The column of this name; one of an enclosing query only if there is none of this one.
    fn column(&self, owner: Option<&str>, name: &Ident, span: Span) -> Result<Option<(Typed, Role)>> {
        let all = || {
            self.columns.iter().enumerate().filter(|(place, (qualifier, field))| {
                let is_meant =
                    if owner.is_none() { !self.merged.contains(place) } else { qualifier.as_deref() == owner };
                field.name == name.value && is_meant
            })
        };
        let own = all().any(|(place, _)| place >= self.outer);
        let mut found = all().filter(|(place, _)| !own || *place >= self.outer);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some((place, (_, field))), None) => Ok(Some((column(place, field), field.role))),
            (Some(_), Some(_)) => {
                let message = format!("the column `{}` is there more than once", name.value);
                Err(SqlError::new(span, message, "give the columns different names with AS in the subquery"))
            }
        }
    }

    fn not_found(&self, span: Span, owner: Option<&str>, name: &str) -> SqlError {
        if let Some(owner) = owner
            && !self.columns.iter().any(|(qualifier, _)| qualifier.as_deref() == Some(owner))
        {
            let message = format!("there is no table `{owner}` in FROM");
            return SqlError::new(span, message, "use the table's alias if it has one");
        }
        let own = self.columns.iter().skip(self.outer);
        let names: Vec<&str> = own.map(|(_, field)| field.name.as_str()).filter(|name| !name.is_empty()).collect();
        SqlError::new(span, format!("there is no column `{name}`"), advise(name, &names))
    }
}

/// The field of a field … of a column. Only the column itself has a meaning for time.
fn within(found: (Typed, Role), path: &[Ident]) -> Result<(Typed, Role)> {
    path.iter().try_fold(found, |(typed, _), name| Ok((nested::field(typed, name)?, Role::Plain)))
}

fn column(place: usize, field: &Field) -> Typed {
    Typed::new(Expression::Column(place), field.data_type.clone(), field.nullable)
}

pub(super) fn advise(name: &str, names: &[&str]) -> String {
    match near(name, names.iter().copied()).as_slice() {
        [] if names.is_empty() => "there are no columns here".to_string(),
        [] => format!("there are {}", quoted(names)),
        near => format!("did you mean {}", quoted(near)),
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Names that one may have meant: the same but for case, or a typing error away. Best first, at most three.
pub(crate) fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let allowed = 1 + name.chars().count() / 4;
    let mut candidates: Vec<(usize, &str)> = names
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    candidates.sort();
    candidates.dedup();
    candidates.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// How many characters must be put in, taken out or changed.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let changed = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn near_names_differ_by_case_or_a_typing_error() {
        let names = ["viewed_at", "page", "user_id"];
        assert_eq!(near("Page", names.into_iter()), ["page"]);
        assert_eq!(near("veiwed_at", names.into_iter()), ["viewed_at"]);
        assert!(near("price", names.into_iter()).is_empty());
    }
}

//! Folders by value, in the names that Hive and Flink give them: `dt=2026-01-02/hour=03`. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::error::ArrowError;
use arrow_schema::{DataType, Field, SchemaRef};
use tidemill_plan::Table;

/// What a table's rows are put into folders by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitioning {
    keys: Vec<String>,
    /// Stands for NULL and the empty text.
    default_name: String,
}

/// The folders of a batch's rows.
pub struct Folders {
    pub names: Vec<String>,
    /// For each row the place of its folder.
    pub of: Vec<usize>,
}

impl Partitioning {
    pub fn new(table: &Table, default_name: String) -> Self {
        Self { keys: table.partition_keys.clone(), default_name }
    }

    pub fn is_none(&self) -> bool {
        self.keys.is_empty()
    }

    /// The places of the columns that stand in the files.
    pub fn stored(&self, schema: &SchemaRef) -> Vec<usize> {
        (0..schema.fields().len()).filter(|place| !self.keys.contains(schema.field(*place).name())).collect()
    }

    /// The folders that rows belong into. Without keys it is the table's own.
    pub fn folders(&self, rows: &RecordBatch) -> Result<Folders, ArrowError> {
        let mut texts = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let column = rows.column_by_name(key).ok_or_else(|| ArrowError::SchemaError(format!("no `{key}`")))?;
            texts.push(cast(column, &DataType::Utf8)?);
        }
        let columns: Vec<&StringArray> = texts.iter().map(|text| text.as_string()).collect();
        let mut folders = Folders { names: Vec::new(), of: Vec::with_capacity(rows.num_rows()) };
        let mut known: HashMap<Vec<Option<&str>>, usize> = HashMap::new();
        for row in 0..rows.num_rows() {
            // Rows that come together mostly belong together.
            if let Some(last) = folders.of.last().copied()
                && columns.iter().all(|column| value(column, row) == value(column, row - 1))
            {
                folders.of.push(last);
                continue;
            }
            let values: Vec<Option<&str>> = columns.iter().map(|column| value(column, row)).collect();
            let place = *known.entry(values).or_insert_with_key(|values| {
                folders.names.push(self.name(values));
                folders.names.len() - 1
            });
            folders.of.push(place);
        }
        Ok(folders)
    }

    fn name(&self, values: &[Option<&str>]) -> String {
        let part = |(key, value): (&String, &Option<&str>)| {
            let value = value.filter(|value| !value.is_empty()).unwrap_or(&self.default_name);
            format!("{}={}", escaped(key), escaped(value))
        };
        self.keys.iter().zip(values).map(part).collect::<Vec<_>>().join("/")
    }

    /// The values of the keys by a folder's name; a key that it does not name has none, nor has one of the default name.
    pub fn values(&self, folder: &str) -> Vec<Option<String>> {
        let value = |key: &String| {
            let mut parts = folder.split('/').filter_map(|part| part.split_once('='));
            let (_, value) = parts.find(|(name, _)| unescaped(name) == *key)?;
            Some(unescaped(value)).filter(|value| *value != self.default_name)
        };
        self.keys.iter().map(value).collect()
    }

    /// The keys with their values as the folder's name has them, the default name included.
    pub fn named_values(&self, folder: &str) -> Vec<(String, String)> {
        let values = self.values(folder).into_iter().map(|value| value.unwrap_or_else(|| self.default_name.clone()));
        self.keys.iter().cloned().zip(values).collect()
    }

    /// The rows of a file with the columns that stand in its folder's name. `schema` is of all that are wanted.
    pub fn completed(&self, stored: &RecordBatch, schema: &SchemaRef, folder: &str) -> Result<RecordBatch, ArrowError> {
        if stored.schema_ref() == schema {
            return Ok(stored.clone());
        }
        let values = self.values(folder);
        let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
            if let Some(column) = stored.column_by_name(field.name()) {
                return Ok(column.clone());
            }
            let value = self.keys.iter().position(|key| key == field.name()).and_then(|place| values[place].as_deref());
            let Some(value) = value else { return Ok(new_null_array(field.data_type(), stored.num_rows())) };
            let one = cast(&(Arc::new(StringArray::from(vec![value])) as ArrayRef), field.data_type())?;
            if one.null_count() > 0 {
                let message = format!("the folder's `{value}` for `{}` is no {}", field.name(), field.data_type());
                return Err(ArrowError::ParseError(message));
            }
            arrow::compute::take(&one, &arrow::array::UInt32Array::from(vec![0; stored.num_rows()]), None)
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(stored.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
    }
}

/// Characters that would end a name or mean something in it are written as `%` and two digits.
fn escaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{1}'..='\u{1f}'
            | '\u{7f}'
            | '"'
            | '#'
            | '%'
            | '\''
            | '*'
            | '/'
            | ':'
            | '='
            | '?'
            | '\\'
            | '{'
            | '['
            | ']'
            | '^' => name.push_str(&format!("%{:02X}", character as u32)),
            other => name.push(other),
        }
    }
    name
}

fn value(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn unescaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let code = rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        let character = code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(u8::is_ascii);
        let length = if character.is_some() { 3 } else { first.len_utf8() };
        text.push(character.map_or(first, char::from));
        rest = &rest[length..];
    }
    text
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use arrow_schema::Schema;

    use super::*;

    fn partitioning() -> Partitioning {
        let partition_keys = vec!["day".to_string(), "n".to_string()];
        Partitioning::new(&Table { partition_keys, ..Table::default() }, "none".to_string())
    }

    fn batch(rows: &[(&str, Option<&str>, Option<i32>)]) -> RecordBatch {
        let text: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringArray>());
        let day: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>());
        let number: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Int32Array>());
        RecordBatch::try_from_iter_with_nullable([("n", number, true), ("text", text, true), ("day", day, true)])
            .unwrap()
    }

    #[test]
    fn rows_go_to_the_folder_of_their_values() {
        let rows = batch(&[
            ("a", Some("2026-01-02"), Some(1)),
            ("b", Some(""), None),
            ("c", Some("12:30"), Some(-1)),
            ("d", Some("2026-01-02"), Some(1)),
            ("e", None, None),
        ]);
        let folders = partitioning().folders(&rows).unwrap();
        assert_eq!(folders.names, ["day=2026-01-02/n=1", "day=none/n=none", "day=12%3A30/n=-1", "day=none/n=none"]);
        assert_eq!(folders.of, [0, 1, 2, 0, 3]);
        assert_eq!(partitioning().stored(&rows.schema()), [1]);
    }

    #[test]
    fn what_a_folder_says_is_read_back() {
        let partitioning = partitioning();
        for text in ["plain", "a/b=c", "100%", "ä ö", "%41", "a\\\"'*?{[]^#\n"] {
            let folders = partitioning.folders(&batch(&[("x", Some(text), Some(7))])).unwrap();
            assert_eq!(partitioning.values(&folders.names[0]), [Some(text.to_string()), Some("7".to_string())]);
        }
        assert_eq!(partitioning.values("n=none/other=1/day=%zz"), [Some("%zz".to_string()), None]);
    }

    #[test]
    fn a_file_s_rows_are_completed_by_its_folder() {
        let rows = batch(&[("a", Some("x"), Some(3)), ("b", Some("x"), Some(3))]);
        let stored = rows.project(&[1]).unwrap();
        let schema = rows.schema();
        assert_eq!(partitioning().completed(&stored, &schema, "day=x/n=3").unwrap(), rows);
        let fault = partitioning().completed(&stored, &schema, "day=x/n=y").unwrap_err();
        assert!(fault.to_string().contains("`y` for `n`"), "{fault}");
        let only_day = Arc::new(Schema::new(vec![Field::new("day", DataType::Utf8, true)]));
        let none = partitioning().completed(&stored, &only_day, "").unwrap();
        assert_eq!((none.num_rows(), none.column(0).null_count()), (2, 2));
    }
}

//! LISTAGG: texts in the order in which they came. Where rows are taken back, the single texts are kept.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::kept::only_additions;
use super::sequence::{InOrder, Sequences};
use super::{Accumulator, Input, Made, Rows, Which, keep_only, lists, refer};

pub fn text_list(argument: &DataType, separator: &str, input: Input) -> Made {
    if *argument != DataType::Utf8 {
        return None;
    }
    let separator = separator.to_string();
    Some(match input {
        Input::Append => Box::new(Joined { texts: Vec::new(), separator }),
        Input::Updating => {
            let result = move |texts: &Sequences, which: Which<'_>| joined(texts, which, &separator);
            Box::new(InOrder { values: Sequences::new(argument)?, result })
        }
    })
}

/// The texts with the separator between them.
struct Joined {
    texts: Vec<Option<String>>,
    separator: String,
}

impl Accumulator for Joined {
    fn grow(&mut self, count: usize) {
        self.texts.resize(count, None);
    }

    fn update(&mut self, rows: &Rows<'_>) -> Result<(), ArrowError> {
        let values = rows.argument().as_string::<i32>();
        rows.for_each(|row, group| match &mut self.texts[group] {
            Some(text) => {
                text.push_str(&self.separator);
                text.push_str(values.value(row));
            }
            none => *none = Some(values.value(row).to_string()),
        });
        Ok(())
    }

    fn retract(&mut self, _rows: &Rows<'_>) -> Result<(), ArrowError> {
        Err(only_additions())
    }

    fn merge(&mut self, groups: &[u32], states: &[ArrayRef]) -> Result<(), ArrowError> {
        self.update(&Rows::new(groups, Some(&states[0]), states[0].nulls()))
    }

    fn states(&self, which: Which<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(vec![self.finish(which)?])
    }

    fn finish(&self, which: Which<'_>) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(refer(&self.texts, which).map(Option::as_deref).collect::<StringArray>()))
    }

    fn clear(&mut self, groups: &[u32]) {
        groups.iter().for_each(|group| self.texts[*group as usize] = None);
    }

    fn retain(&mut self, keep: &BooleanArray) -> Result<(), ArrowError> {
        keep_only(&mut self.texts, keep);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.texts.iter().flatten().map(String::capacity).sum::<usize>() + self.texts.capacity() * 24
    }
}

/// The texts of each group with the separator between them; NULL for none.
fn joined(texts: &Sequences, which: Which<'_>, separator: &str) -> Result<ArrayRef, ArrowError> {
    let lists = &texts.states(which)?[0];
    let (values, lists) = (lists::values(lists), lists.as_list::<i32>());
    let (values, mut place) = (values.as_string::<i32>(), 0);
    let mut joined = StringBuilder::new();
    for row in 0..lists.len() {
        let (first, length) = (place, lists.value_length(row) as usize);
        place += length;
        let texts: Vec<&str> = (first..place).map(|place| values.value(place)).collect();
        joined.append_option((length > 0).then(|| texts.join(separator)));
    }
    Ok(Arc::new(joined.finish()))
}

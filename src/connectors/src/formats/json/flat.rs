//! A JSON decoder for schemas of simple types and rows of such, driven by the schema: it finds the end of every value, but
//! converts only the fields asked for. Messages of a topic tend to name their fields in the same order, so it first
//! compares a message's next field with the one that stood there last time.
//!
//! A message is first taken apart into [`Cell`]s, one per simple column or field, and only then appended: a later field of
//! the same name replaces an earlier one, as in Flink, and a message that turns out to be broken leaves no trace.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_schema::SchemaRef;

use super::columns::{Cell, Mismatch};
use super::layout::{Layout, Seen, Target};
use super::scan::{Fault, Scanned, skip_space, skip_value, string, unescape};

pub struct FlatDecoder {
    layout: Layout,
    cells: Vec<Cell>,
    /// By object.
    seen: Vec<Seen>,
    /// By object: what the last message had as its first, second … field.
    expected: Vec<Vec<ExpectedKey>>,
    rows: usize,
}

struct ExpectedKey {
    /// With quotes and colon.
    text: Vec<u8>,
    target: Option<Target>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Row,
    /// A row in which NULL stands for fields that could not be converted.
    RowWithFaults,
    /// The message is empty or `null`: no row.
    Nothing,
}

/// Why a message gave no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Syntax(Fault),
    Field { name: String, reason: &'static str },
}

/// What is done about a field that cannot be converted or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRules {
    pub null_for_faults: bool,
    pub missing_is_fault: bool,
}

/// The object that a message is.
const MESSAGE: usize = 0;

impl FlatDecoder {
    /// A decoder for the schema; none if it has arrays or maps.
    pub fn new(schema: SchemaRef, capacity: usize) -> Option<Self> {
        let layout = Layout::new(schema, capacity)?;
        Some(Self {
            cells: vec![Cell::Absent; layout.leaves.len()],
            seen: vec![Seen::Nothing; layout.objects.len()],
            expected: layout.objects.iter().map(|_| Vec::new()).collect(),
            layout,
            rows: 0,
        })
    }

    /// Appends a message as a row. A refused message appends nothing.
    pub fn append(&mut self, message: &[u8], rules: FieldRules) -> Result<Appended, Refused> {
        self.cells.fill(Cell::Absent);
        self.seen.fill(Seen::Nothing);
        if !self.take_apart(message).map_err(Refused::Syntax)? {
            return Ok(Appended::Nothing);
        }
        let appended = self.append_cells(message, rules);
        match appended {
            Ok(_) => self.rows += 1,
            Err(_) => self.layout.truncate(self.rows),
        }
        appended
    }

    fn append_cells(&mut self, message: &[u8], rules: FieldRules) -> Result<Appended, Refused> {
        let mut appended = Appended::Row;
        for (leaf, cell) in self.layout.leaves.iter_mut().zip(&self.cells) {
            if self.seen[leaf.object] != Seen::Object {
                leaf.column.append_hidden();
                continue;
            }
            let missing = rules.missing_is_fault && matches!(cell, Cell::Absent);
            let outcome = if missing { Err(Mismatch("is missing")) } else { leaf.column.append(message, *cell) };
            if let Err(Mismatch(reason)) = outcome {
                if !rules.null_for_faults || leaf.column.append_null().is_err() {
                    return Err(Refused::Field { name: leaf.path.clone(), reason });
                }
                appended = Appended::RowWithFaults;
            }
        }
        for (place, object) in self.layout.objects.iter_mut().enumerate().skip(MESSAGE + 1) {
            let is_hidden = self.seen[object.parent] != Seen::Object;
            let missing = rules.missing_is_fault && !is_hidden;
            if let Err(Mismatch(reason)) = object.append(self.seen[place], is_hidden, missing) {
                if !rules.null_for_faults || object.append(Seen::Null, is_hidden, false).is_err() {
                    return Err(Refused::Field { name: object.path.clone(), reason });
                }
                appended = Appended::RowWithFaults;
            }
        }
        Ok(appended)
    }

    /// The rows so far; decoding starts anew.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.layout.finish(std::mem::take(&mut self.rows))
    }

    /// Finds the message's fields. False for a message that holds nothing.
    fn take_apart(&mut self, text: &[u8]) -> Scanned<bool> {
        let at = skip_space(text, 0);
        match text.get(at) {
            None => return Ok(false),
            Some(b'{') => {}
            Some(b'n') if text[at..].trim_ascii_end() == b"null" => return Ok(false),
            Some(_) => return Err(Fault { at, reason: "the record is no JSON object" }),
        }
        let end = self.object(text, at, MESSAGE)?;
        let end = skip_space(text, end);
        if end < text.len() {
            return Err(Fault { at: end, reason: "something follows the object" });
        }
        Ok(true)
    }

    /// Finds the fields of the object whose bracket opens at `at`, and says where it ends.
    fn object(&mut self, text: &[u8], at: usize, object: usize) -> Scanned<usize> {
        self.seen[object] = Seen::Object;
        let mut at = skip_space(text, at + 1);
        let mut nth = 0;
        let mut more = text.get(at) != Some(&b'}');
        while more {
            let (target, value) = self.key(text, at, object, nth)?;
            let end = self.value(text, value, target)?;
            at = skip_space(text, end);
            more = match text.get(at) {
                Some(b',') => true,
                Some(b'}') => false,
                Some(_) => return Err(Fault { at, reason: "neither a comma nor a bracket follows a value" }),
                None => return Err(Fault { at, reason: "the record ends within an object" }),
            };
            if more {
                at = skip_space(text, at + 1);
            }
            nth += 1;
        }
        Ok(at + 1)
    }

    /// What the key at `at` names, and where its value begins.
    #[inline]
    fn key(&mut self, text: &[u8], at: usize, object: usize, nth: usize) -> Scanned<(Option<Target>, usize)> {
        if let Some(expected) = self.expected[object].get(nth)
            && text[at..].starts_with(&expected.text)
        {
            return Ok((expected.target, skip_space(text, at + expected.text.len())));
        }
        self.other_key(text, at, object, nth)
    }

    fn other_key(&mut self, text: &[u8], at: usize, object: usize, nth: usize) -> Scanned<(Option<Target>, usize)> {
        if text.get(at) != Some(&b'"') {
            return Err(Fault { at, reason: "a field has no name in quotes" });
        }
        let raw = string(text, at)?;
        let name = &text[raw.start..raw.end];
        let target = match raw.escaped {
            false => self.layout.objects[object].field(name),
            true => {
                let mut plain = Vec::new();
                unescape(name, raw.start, &mut plain)?;
                self.layout.objects[object].field(&plain)
            }
        };
        let colon = skip_space(text, raw.end + 1);
        if text.get(colon) != Some(&b':') {
            return Err(Fault { at: colon, reason: "no colon follows a field's name" });
        }
        expect(&mut self.expected[object], nth, &text[at..colon + 1], target);
        Ok((target, skip_space(text, colon + 1)))
    }

    /// Notes the value at `at` for its column and says where it ends.
    #[inline]
    fn value(&mut self, text: &[u8], at: usize, target: Option<Target>) -> Scanned<usize> {
        let leaf = match target {
            None => return skip_value(text, at),
            Some(Target::Object(object)) => return self.row(text, at, object),
            Some(Target::Leaf(leaf)) => leaf,
        };
        let (cell, end) = match text.get(at) {
            Some(b'"') => {
                let raw = string(text, at)?;
                (Cell::String(raw), raw.end + 1)
            }
            Some(b'{' | b'[') => {
                let end = skip_value(text, at)?;
                (Cell::Nested { start: at, end }, end)
            }
            Some(b'n') => (Cell::Null, skip_value(text, at)?),
            _ => {
                let end = skip_value(text, at)?;
                (Cell::Bare { start: at, end }, end)
            }
        };
        self.cells[leaf] = cell;
        Ok(end)
    }

    /// Likewise for a row.
    fn row(&mut self, text: &[u8], at: usize, object: usize) -> Scanned<usize> {
        if self.seen[object] != Seen::Nothing {
            let of = &self.layout.objects[object];
            self.cells[of.leaves.clone()].fill(Cell::Absent);
            self.seen[of.objects.clone()].fill(Seen::Nothing);
        }
        match text.get(at) {
            Some(b'{') => self.object(text, at, object),
            other => {
                self.seen[object] = if other == Some(&b'n') { Seen::Null } else { Seen::Other };
                skip_value(text, at)
            }
        }
    }
}

fn expect(keys: &mut Vec<ExpectedKey>, nth: usize, text: &[u8], target: Option<Target>) {
    const MOST: usize = 256;
    let key = ExpectedKey { text: text.to_vec(), target };
    if let Some(place) = keys.get_mut(nth) {
        *place = key;
    } else if nth == keys.len() && nth < MOST {
        keys.push(key);
    }
}

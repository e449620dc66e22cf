//! Where the values of a message go: its simple columns and fields one behind the other, and the objects that they stand
//! in. Rows become arrays of their fields' arrays only when a batch is finished.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, NullBufferBuilder, RecordBatch, RecordBatchOptions, StructArray};
use arrow::error::ArrowError;
use arrow_schema::{DataType, Fields, SchemaRef};

use super::columns::{Column, Mismatch};

pub struct Layout {
    schema: SchemaRef,
    pub leaves: Vec<Leaf>,
    /// The message, then the rows in it, each before those within it.
    pub objects: Vec<Object>,
}

/// A column or field of a simple type.
pub struct Leaf {
    pub column: Column,
    /// The object that it is a field of.
    pub object: usize,
    /// Its name with those of the rows around it.
    pub path: String,
}

pub struct Object {
    pub path: String,
    /// The object that it is a field of.
    pub parent: usize,
    /// All leaves, and all objects, in it and below it.
    pub leaves: Range<usize>,
    pub objects: Range<usize>,
    names: Fields,
    fields: Vec<Target>,
    nullable: bool,
    nulls: NullBufferBuilder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Leaf(usize),
    Object(usize),
}

/// What a message has for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    Null,
    Object,
    /// A value that is no object.
    Other,
}

impl Layout {
    /// None if a type is neither simple nor a row of such.
    pub fn new(schema: SchemaRef, capacity: usize) -> Option<Self> {
        let mut layout = Self { schema: schema.clone(), leaves: Vec::new(), objects: Vec::new() };
        layout.add_object(schema.fields(), String::new(), 0, false, capacity)?;
        Some(layout)
    }

    fn add_object(
        &mut self,
        names: &Fields,
        path: String,
        parent: usize,
        nullable: bool,
        capacity: usize,
    ) -> Option<usize> {
        let (place, first_leaf) = (self.objects.len(), self.leaves.len());
        let nulls = NullBufferBuilder::new(capacity);
        let names = names.clone();
        let (leaves, objects, fields) = (0..0, 0..0, Vec::new());
        self.objects.push(Object { path, parent, leaves, objects, names: names.clone(), fields, nullable, nulls });
        for field in &names {
            let path = match &*self.objects[place].path {
                "" => field.name().clone(),
                around => format!("{around}.{}", field.name()),
            };
            let target = match field.data_type() {
                DataType::Struct(inner) => {
                    Target::Object(self.add_object(inner, path, place, field.is_nullable(), capacity)?)
                }
                _ => {
                    self.leaves.push(Leaf { column: Column::new(field, capacity)?, object: place, path });
                    Target::Leaf(self.leaves.len() - 1)
                }
            };
            self.objects[place].fields.push(target);
        }
        let (leaves, objects) = (first_leaf..self.leaves.len(), place..self.objects.len());
        let object = &mut self.objects[place];
        (object.leaves, object.objects) = (leaves, objects);
        Some(place)
    }

    /// Forgets all rows from `rows` on.
    pub fn truncate(&mut self, rows: usize) {
        self.leaves.iter_mut().for_each(|leaf| leaf.column.truncate(rows));
        self.objects.iter_mut().skip(1).for_each(|object| object.nulls.truncate(rows));
    }

    /// So many rows; building starts anew.
    pub fn finish(&mut self, rows: usize) -> Result<RecordBatch, ArrowError> {
        let arrays = self.arrays(0, rows)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
    }

    fn arrays(&mut self, object: usize, rows: usize) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for field in 0..self.objects[object].fields.len() {
            arrays.push(match self.objects[object].fields[field] {
                Target::Leaf(leaf) => self.leaves[leaf].column.finish()?,
                Target::Object(inner) => {
                    let fields = self.arrays(inner, rows)?;
                    let of = &mut self.objects[inner];
                    Arc::new(StructArray::try_new_with_length(of.names.clone(), fields, of.nulls.finish(), rows)?)
                }
            });
        }
        Ok(arrays)
    }
}

impl Object {
    pub fn field(&self, name: &[u8]) -> Option<Target> {
        let place = self.names.iter().position(|field| field.name().as_bytes() == name)?;
        Some(self.fields[place])
    }

    /// Notes whether a message has this row. One that is hidden is within a row that is not there itself. On a mismatch
    /// nothing is noted.
    pub fn append(&mut self, seen: Seen, is_hidden: bool, must_be_there: bool) -> Result<(), Mismatch> {
        match seen {
            Seen::Object => self.nulls.append_non_null(),
            Seen::Other => return Err(Mismatch("is no object")),
            Seen::Nothing if must_be_there => return Err(Mismatch("is missing")),
            Seen::Nothing | Seen::Null if !self.nullable && !is_hidden => {
                return Err(Mismatch("is NULL or missing, and the column is NOT NULL"));
            }
            Seen::Nothing | Seen::Null => self.nulls.append_null(),
        }
        Ok(())
    }
}

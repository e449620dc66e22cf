//! A table whose definition has been checked.

use tidemill_plan::{Expression, Watermark};

use crate::changelog::{reads_by_place, reads_changes};
use crate::metadata::MetadataColumn;
use crate::relation::{Field, Node, Relation, Role};

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub table: tidemill_plan::Table,
    /// The columns that are stored, in the table's order.
    pub physical: Vec<Field>,
    /// The columns that are told beside those that are stored, in the table's order.
    pub metadata: Vec<MetadataColumn>,
    /// All columns, each as an expression over those of [`Table::delivered`].
    pub columns: Vec<(Field, Expression)>,
    /// Places in `physical`.
    pub primary_key: Vec<usize>,
    /// Over the columns of [`Table::delivered`].
    pub watermark: Option<Watermark>,
    /// Whether it comes from the catalog rather than from the text.
    pub in_catalog: bool,
}

impl Table {
    /// The columns that its connector can deliver: those that are stored, then those of metadata.
    pub(crate) fn delivered(&self) -> Vec<Field> {
        self.physical.iter().cloned().chain(self.metadata.iter().map(MetadataColumn::delivered)).collect()
    }

    /// The columns that are written, as they are declared, in the table's order.
    pub(crate) fn written(&self) -> Vec<Field> {
        let is_physical = |name: &str| self.physical.iter().any(|field| field.name == name);
        let is_metadata =
            |name: &str| self.metadata.iter().any(|column| !column.is_virtual && column.field.name == name);
        let columns = self.columns.iter().map(|(field, _)| field);
        let written = columns.filter(|field| is_physical(&field.name) || is_metadata(&field.name));
        written.map(|field| Field { role: Role::Plain, ..field.clone() }).collect()
    }

    /// The stored columns that have to be read whoever reads the table: those that tell changes apart, or all where they
    /// are found by their places.
    pub(crate) fn always_read(&self) -> Vec<usize> {
        let is_key = |name: &String| self.table.primary_key.contains(name);
        let (changes, by_place) = (reads_changes(&self.table), reads_by_place(&self.table));
        let places = self.physical.iter().enumerate();
        places.filter(|(_, field)| by_place || changes && is_key(&field.name)).map(|(place, _)| place).collect()
    }

    /// Reading the table: its columns, computed ones included.
    pub(crate) fn scan(self: &std::rc::Rc<Self>) -> Relation {
        let fields: Vec<Field> =
            self.delivered().into_iter().map(|field| Field { role: Role::Plain, ..field }).collect();
        let scan = Relation { node: Node::Scan { table: self.clone(), columns: (0..fields.len()).collect() }, fields };
        let (fields, projection) = self.columns.iter().cloned().unzip();
        scan.calc(None, projection, fields)
    }
}

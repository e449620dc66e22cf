//! A table whose definition has been checked.

use tidemill_plan::{Expression, Watermark};

use crate::changelog::{reads_by_place, reads_changes};
use crate::relation::{Field, Node, Relation, Role};

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub table: tidemill_plan::Table,
    /// The columns that are stored, in the table's order.
    pub physical: Vec<Field>,
    /// All columns, each as an expression over the physical ones.
    pub columns: Vec<(Field, Expression)>,
    /// Places in `physical`.
    pub primary_key: Vec<usize>,
    /// Over the physical columns.
    pub watermark: Option<Watermark>,
    /// Whether it comes from the catalog rather than from the text.
    pub in_catalog: bool,
}

impl Table {
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
        let stored = self.physical.iter().map(|field| Field { role: Role::Plain, ..field.clone() }).collect();
        let scan = Relation {
            node: Node::Scan { table: self.clone(), columns: (0..self.physical.len()).collect() },
            fields: stored,
        };
        let (fields, projection) = self.columns.iter().cloned().unzip();
        scan.calc(None, projection, fields)
    }
}

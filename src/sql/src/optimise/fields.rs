//! Takes fields that nothing reads out of the rows that sources read: a decoder passes over what is not asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Fields, Schema};
use tidemill_plan::{Expression, Literal, NodeKind, StreamPlan};

use crate::changelog::reads_by_place;
use crate::expressions::substitute;

/// Narrows the ROW columns of sources of which calculations read fields only.
pub(crate) fn narrow(plan: &mut StreamPlan) {
    for source in 0..plan.nodes.len() {
        let NodeKind::Source(read) = &plan.nodes[source].kind else { continue };
        if !plan.nodes[source].changelog.is_append() || reads_by_place(&read.table) {
            continue;
        }
        for column in 0..plan.nodes[source].schema.fields().len() {
            let DataType::Struct(fields) = plan.nodes[source].schema.field(column).data_type() else { continue };
            let fields = fields.clone();
            if let Some(kept) = used_fields(plan, source, column).filter(|kept| kept.len() < fields.len()) {
                keep(plan, source, column, &fields, &kept);
            }
        }
    }
}

/// The fields of a source's column that are read, in order; none if the column itself is, or not as it stands.
fn used_fields(plan: &StreamPlan, source: usize, column: usize) -> Option<Vec<usize>> {
    let mut used = BTreeSet::new();
    for node in &plan.nodes {
        match &node.kind {
            NodeKind::Calc(calc) if node.inputs.contains(&source) => {
                let projected = calc.projection.iter().map(|named| &named.expression);
                projected.chain(&calc.filter).all(|part| note_fields(part, column, &mut used)).then_some(())?;
            }
            _ if node.inputs.contains(&source) => return None,
            _ => {}
        }
    }
    if let NodeKind::Source(read) = &plan.nodes[source].kind
        && let Some(watermark) = &read.watermark
    {
        note_fields(&watermark.expression, column, &mut used).then_some(())?;
    }
    (!used.is_empty()).then(|| used.into_iter().collect())
}

/// Whether an expression reads the column by its fields alone; these are noted.
fn note_fields(expression: &Expression, column: usize, used: &mut BTreeSet<usize>) -> bool {
    match expression {
        Expression::Field { expression: row, place } if **row == Expression::Column(column) => {
            used.insert(*place);
            true
        }
        Expression::Column(place) => *place != column,
        other => other.children().into_iter().all(|child| note_fields(child, column, used)),
    }
}

/// Leaves only the `kept` of the `fields` in the column, and finds them at their new places.
fn keep(plan: &mut StreamPlan, source: usize, column: usize, fields: &Fields, kept: &[usize]) {
    let row = Expression::Column(column);
    let part = |place: usize| match kept.binary_search(&place) {
        Ok(new) => Expression::Field { expression: Box::new(row.clone()), place: new },
        Err(_) => Expression::Literal(Literal::Null(fields[place].data_type().clone())),
    };
    let whole = DataType::Struct(fields.clone());
    // A field of a row that is made of its parts is the part.
    let parts = Expression::Construct { of: whole, parts: (0..fields.len()).map(part).collect() };
    let through = |expression: &Expression| {
        substitute(expression, &|place| if place == column { parts.clone() } else { Expression::Column(place) })
    };
    for node in &mut plan.nodes {
        let reads = node.inputs.contains(&source);
        if let NodeKind::Calc(calc) = &mut node.kind
            && reads
        {
            calc.projection.iter_mut().for_each(|named| named.expression = through(&named.expression));
            calc.filter = calc.filter.as_ref().map(through);
        }
    }
    let node = &mut plan.nodes[source];
    if let NodeKind::Source(read) = &mut node.kind
        && let Some(watermark) = &mut read.watermark
    {
        watermark.expression = through(&watermark.expression);
    }
    let narrowed = DataType::Struct(kept.iter().map(|place| fields[*place].clone()).collect());
    let mut columns: Vec<_> = node.schema.fields().iter().cloned().collect();
    columns[column] = Arc::new(columns[column].as_ref().clone().with_data_type(narrowed));
    node.schema = Arc::new(Schema::new(columns));
}

//! PERCENTILE: the value at a place among all in order, or in proportion between the two beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Float64Type};

use super::multiset::{Multisets, OfValues, Ordered, Primitive, present};
use super::{Accumulator, Made, Which, refer};

pub fn percentile(argument: &DataType, fraction: f64) -> Made {
    let result = move |values: &Multisets<Primitive<Float64Type>>, which: Which<'_>| {
        let results = refer(&values.groups, which).map(|values| at(values, fraction));
        Ok(Arc::new(results.collect::<Float64Array>()) as ArrayRef)
    };
    (*argument == DataType::Float64).then(|| {
        let values = Multisets::new(Primitive::<Float64Type>::of(argument));
        Box::new(OfValues { values, result }) as Box<dyn Accumulator>
    })
}

/// None for no values.
fn at(values: &BTreeMap<Ordered<f64>, i64>, fraction: f64) -> Option<f64> {
    let count: i64 = present(values).map(|(_, number)| number).sum();
    let nth = |place: i64| {
        let mut before = 0;
        present(values).find(|(_, number)| {
            before += number;
            before > place
        })
    };
    let place = fraction * (count - 1) as f64;
    let (low, high) = (place.floor(), place.ceil());
    let (below, above) = (nth(low as i64)?.0.number(), nth(high as i64)?.0.number());
    // Written as in Flink, so that the last digits are the same.
    Some(if below == above { below } else { (high - place) * below + (place - low) * above })
}

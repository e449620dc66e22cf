//! Every function, taken in directly, by way of a merge, and with rows that are taken back; all must agree.

use std::sync::Arc;

use arrow::array::{Array, Decimal128Array, Float64Array, Int64Array, MapBuilder, StringArray};
use arrow::array::{Int32Builder, StringBuilder};
use arrow::datatypes::Field;

use super::set::counted;
use super::*;

/// Rows of groups 0, 0, 1 with these arguments.
fn check(function: AggregateFunction, argument: ArrayRef, result: &DataType, expected: ArrayRef) {
    check_filtered(function, argument, None, result, expected);
}

fn check_filtered(
    function: AggregateFunction,
    argument: ArrayRef,
    filter: Option<&BooleanArray>,
    result: &DataType,
    expected: ArrayRef,
) {
    for input in [Input::Append, Input::Updating] {
        let Some(mut direct) = accumulator(&function, Some(argument.data_type()), result, input) else {
            panic!("{function:?} of {} is not there for {input:?}", argument.data_type())
        };
        let counted = counted(Some(&argument), filter, None);
        direct.grow(2);
        direct.update(&Rows::new(&[0, 0, 1], Some(&argument), counted.as_ref())).unwrap();
        assert_eq!(&direct.finish(Which::All).unwrap(), &expected, "{input:?}");
        check_merged(&*direct, accumulator(&function, Some(argument.data_type()), result, input).unwrap(), &expected);
        if input == Input::Updating && filter.is_none() {
            check_taken_back(&mut *direct, &argument, &expected);
        }
        direct.retain(&BooleanArray::from(vec![false, true])).unwrap();
        assert_eq!(direct.finish(Which::All).unwrap().as_ref(), expected.slice(1, 1).as_ref());
        direct.clear(&[0]);
        let empty = accumulator(&function, Some(argument.data_type()), result, input).unwrap();
        assert_eq!(&direct.finish(Which::All).unwrap(), &of_nothing(empty));
    }
}

fn check_merged(direct: &dyn Accumulator, mut merged: Box<dyn Accumulator>, expected: &ArrayRef) {
    merged.grow(3);
    merged.merge(&[1, 0], &direct.states(Which::All).unwrap()).unwrap();
    let states = direct.states(Which::These(&[1])).unwrap();
    assert_eq!(states.len(), direct.width());
    merged.merge(&[], &states.iter().map(|state| state.slice(0, 0)).collect::<Vec<_>>()).unwrap();
    let finished = merged.finish(Which::These(&[1, 0])).unwrap();
    assert_eq!(&finished, expected);
}

/// The rows come once more, for the other group, and go again.
fn check_taken_back(direct: &mut dyn Accumulator, argument: &ArrayRef, expected: &ArrayRef) {
    let counted = counted(Some(argument), None, None);
    let rows = Rows::new(&[1, 0, 0], Some(argument), counted.as_ref());
    direct.update(&rows).unwrap();
    direct.retract(&rows).unwrap();
    let finished = direct.finish(Which::All).unwrap();
    assert_eq!(&finished, expected, "rows that were taken back are seen");
}

fn of_nothing(mut empty: Box<dyn Accumulator>) -> ArrayRef {
    empty.grow(1);
    empty.finish(Which::All).unwrap()
}

fn floats(values: Vec<Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

fn texts(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

fn integers(values: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

#[test]
fn count_leaves_nulls_out() {
    check(
        AggregateFunction::Count,
        integers(vec![Some(1), None, None]),
        &DataType::Int64,
        integers(vec![Some(1), Some(0)]),
    );
}

#[test]
fn a_sum_of_nothing_is_null() {
    check(
        AggregateFunction::Sum,
        integers(vec![Some(2), Some(3), None]),
        &DataType::Int64,
        integers(vec![Some(5), None]),
    );
}

#[test]
fn a_filter_leaves_rows_out_unless_it_is_true() {
    let filter = BooleanArray::from(vec![Some(true), None, Some(false)]);
    let argument = integers(vec![Some(2), Some(3), Some(4)]);
    let expected = integers(vec![Some(2), None]);
    check_filtered(AggregateFunction::Sum, argument, Some(&filter), &DataType::Int64, expected);
}

#[test]
fn an_average_of_integers_is_cut_towards_zero() {
    check(
        AggregateFunction::Avg,
        integers(vec![Some(-2), Some(-3), Some(4)]),
        &DataType::Int64,
        integers(vec![Some(-2), Some(4)]),
    );
}

#[test]
fn an_average_of_decimals_is_rounded_half_up() {
    let argument = Decimal128Array::from(vec![100, 101, 7]).with_precision_and_scale(5, 2).unwrap();
    let result = DataType::Decimal128(38, 6);
    let expected = Decimal128Array::from(vec![1_005_000, 70_000]).with_precision_and_scale(38, 6).unwrap();
    check(AggregateFunction::Avg, Arc::new(argument), &result, Arc::new(expected));
}

#[test]
fn extremes_of_numbers_and_texts() {
    check(
        AggregateFunction::Min,
        integers(vec![Some(5), Some(-1), None]),
        &DataType::Int64,
        integers(vec![Some(-1), None]),
    );
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![-2.0, -1.0, 0.5]));
    check(AggregateFunction::Max, floats, &DataType::Float64, Arc::new(Float64Array::from(vec![-1.0, 0.5])));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), None]));
    check(AggregateFunction::Max, texts, &DataType::Utf8, Arc::new(StringArray::from(vec![Some("b"), None])));
}

#[test]
fn first_and_last_values_are_not_null() {
    let values = || texts(vec![None, Some("b"), None]);
    check(AggregateFunction::FirstValue, values(), &DataType::Utf8, texts(vec![Some("b"), None]));
    check(AggregateFunction::LastValue, values(), &DataType::Utf8, texts(vec![Some("b"), None]));
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![false, false, false]));
    let expected: ArrayRef = Arc::new(BooleanArray::from(vec![false, false]));
    check(AggregateFunction::LastValue, flags, &DataType::Boolean, expected);
}

#[test]
fn variance_of_a_sample_needs_two_rows() {
    let values = || floats(vec![Some(1.0), Some(4.0), Some(7.0)]);
    let check = |function, expected| check(function, values(), &DataType::Float64, floats(expected));
    check(AggregateFunction::VarPop, vec![Some(2.25), Some(0.0)]);
    check(AggregateFunction::VarSamp, vec![Some(4.5), None]);
    check(AggregateFunction::StddevPop, vec![Some(1.5), Some(0.0)]);
    check(AggregateFunction::StddevSamp, vec![Some(4.5_f64.sqrt()), None]);
}

#[test]
fn texts_are_listed_in_the_order_in_which_they_came() {
    let function = AggregateFunction::ListAgg { separator: "; ".into() };
    let expected = texts(vec![Some("b; a"), None]);
    check(function, texts(vec![Some("b"), Some("a"), None]), &DataType::Utf8, expected);
}

#[test]
fn a_multiset_tells_how_often_each_value_is_there() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    map.keys().append_value("x");
    map.values().append_value(2);
    map.append(true).unwrap();
    map.append(true).unwrap();
    let map = map.finish();
    let result = map.data_type().clone();
    check(AggregateFunction::Collect, texts(vec![Some("x"), Some("x"), None]), &result, Arc::new(map));
}

#[test]
fn what_is_taken_back_of_a_sequence_is_the_first_that_is_equal() {
    let function = AggregateFunction::ListAgg { separator: String::new() };
    let mut list = accumulator(&function, Some(&DataType::Utf8), &DataType::Utf8, Input::Updating).unwrap();
    list.grow(1);
    let rows = |texts: &str| -> ArrayRef {
        Arc::new(texts.chars().map(|text| Some(text.to_string())).collect::<StringArray>())
    };
    let steps =
        [("abcabc", "", "abcabc"), ("", "b", "acabc"), ("d", "ca", "abcd"), ("", "dz", "abc"), ("c", "abcc", "")];
    for (come, go, expected) in steps {
        let (come, go) = (rows(come), rows(go));
        list.update(&Rows::new(&vec![0; come.len()], Some(&come), None)).unwrap();
        list.retract(&Rows::new(&vec![0; go.len()], Some(&go), None)).unwrap();
        let expected = texts(vec![Some(expected).filter(|text| !text.is_empty())]);
        assert_eq!(&list.finish(Which::All).unwrap(), &expected);
        let states = list.states(Which::All).unwrap();
        list.clear(&[0]);
        list.merge(&[0], &states).unwrap();
        assert_eq!(&list.finish(Which::All).unwrap(), &expected);
    }
}

#[test]
fn a_distinct_set_tells_what_is_new_for_each_filter() {
    let text = |values: &[i64]| -> ArrayRef {
        Arc::new(values.iter().map(|value| Some(value.to_string())).collect::<StringArray>())
    };
    let number = |values: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    for (data_type, array) in [(DataType::Int64, &number as &dyn Fn(&[i64]) -> ArrayRef), (DataType::Utf8, &text)] {
        for input in [Input::Append, Input::Updating] {
            let mut set = distinct::DistinctSet::new(&data_type, 2, input).unwrap();
            set.grow(2);
            let fresh = set.add(&[0, 0, 0, 1], &array(&[7, 7, 8, 7]), &[1, 3, 0, 2]).unwrap();
            assert_eq!(fresh, [1, 2, 0, 2]);
            let states = set.states(Which::These(&[1, 0])).unwrap();
            let mut copy = distinct::DistinctSet::new(&data_type, 2, input).unwrap();
            copy.grow(2);
            copy.restore(&[1, 0], &states).unwrap();
            assert_eq!(&states[0], &copy.states(Which::These(&[1, 0])).unwrap()[0]);
            assert_eq!(copy.add(&[0, 1], &array(&[7, 7]), &[3, 3]).unwrap(), [0, 1]);
            if input == Input::Updating {
                assert_eq!(copy.remove(&[0, 0, 0], &array(&[7, 7, 7]), &[3, 1, 1]).unwrap(), [0, 0, 1]);
                assert_eq!(copy.remove(&[0, 0, 1], &array(&[7, 9, 7]), &[2, 3, 2]).unwrap(), [2, 0, 0]);
            }
            copy.retain(&BooleanArray::from(vec![false, true]), input).unwrap();
            assert_eq!(copy.add(&[0], &array(&[7]), &[1]).unwrap(), [0]);
        }
    }
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let refused =
        |function, argument: &DataType| accumulator(&function, Some(argument), argument, Input::Append).is_none();
    assert!(refused(AggregateFunction::Sum, &DataType::Utf8));
    assert!(refused(AggregateFunction::RowNumber, &DataType::Int64));
    assert!(refused(AggregateFunction::VarPop, &DataType::Int64));
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    assert!(refused(AggregateFunction::ApproxCountDistinct, &list));
}

//! The changes that an epoch's rows make of groups' results.

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{concat, interleave, take};
use arrow::error::ArrowError;
use tidemill_plan::Change;

/// A group that something has come for.
#[derive(Clone, Copy)]
pub struct Touched {
    pub group: u32,
    /// Whether its result had been put out before.
    pub was_out: bool,
}

/// What the results of groups were before the epoch.
#[derive(Default)]
pub struct Former {
    /// Columns of results, a chunk for each batch that touched groups.
    chunks: Vec<Vec<ArrayRef>>,
}

impl Former {
    /// Results of groups that are touched now, in this order.
    pub fn push(&mut self, results: Vec<ArrayRef>) {
        self.chunks.push(results);
    }

    /// All results in the order in which groups were touched.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let chunks = std::mem::take(&mut self.chunks);
        let columns = chunks.first().map_or(0, Vec::len);
        let column = |column: usize| {
            let parts: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk[column].as_ref()).collect();
            concat(&parts)
        };
        (0..columns).map(column).collect()
    }
}

/// The changes in order: of which group (by its place among those touched), whether with its former result, and what
/// becomes of that row.
#[derive(Default)]
pub struct Changes {
    places: Vec<u32>,
    /// The result's place among the former ones, or none for the present one.
    former: Vec<Option<u32>>,
    pub kinds: Vec<i8>,
}

/// What is told of a result that takes the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    WithFormer,
    Alone,
}

impl Changes {
    /// `is_alive` says whether a touched group has rows; `is_same` whether the result at a place is the same as the
    /// former one at another. None if former results are not known.
    pub fn of(
        touched: &[Touched],
        is_alive: impl Fn(u32) -> bool,
        is_same: Option<&BooleanBuffer>,
        former_known: bool,
        updates: Updates,
    ) -> Self {
        let mut changes = Self::default();
        let mut next_former = 0;
        for (place, Touched { group, was_out }) in touched.iter().enumerate() {
            let place = place as u32;
            let former = (*was_out && former_known).then_some(next_former);
            next_former += u32::from(former.is_some());
            match (was_out, is_alive(*group)) {
                (false, true) => changes.push(place, None, Change::Insert),
                (true, false) => changes.push(place, former, Change::Delete),
                (true, true) if is_same.zip(former).is_some_and(|(same, former)| same.value(former as usize)) => {}
                (true, true) => {
                    if updates == Updates::WithFormer {
                        changes.push(place, former, Change::UpdateBefore);
                    }
                    changes.push(place, None, Change::UpdateAfter);
                }
                (false, false) => {}
            }
        }
        changes
    }

    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The keys of the changes, from those of the touched groups.
    pub fn keys(&self, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>, ArrowError> {
        let places = UInt32Array::from(self.places.clone());
        let are_all = |column: &ArrayRef| self.is_in_order() && column.len() == self.places.len();
        keys.iter().map(|key| if are_all(key) { Ok(key.clone()) } else { take(key, &places, None) }).collect()
    }

    /// The results of the changes, from the present and former ones.
    pub fn results(&self, present: &[ArrayRef], former: &[ArrayRef]) -> Result<Vec<ArrayRef>, ArrowError> {
        if self.former.iter().all(Option::is_none) {
            return self.keys(present);
        }
        let pick = |(place, former): (&u32, &Option<u32>)| match former {
            None => (0, *place as usize),
            Some(former) => (1, *former as usize),
        };
        let picks: Vec<(usize, usize)> = self.places.iter().zip(&self.former).map(pick).collect();
        let column =
            |(present, former): (&ArrayRef, &ArrayRef)| interleave(&[present.as_ref(), former.as_ref()], &picks);
        present.iter().zip(former).map(column).collect()
    }

    fn push(&mut self, place: u32, former: Option<u32>, kind: Change) {
        self.places.push(place);
        self.former.push(former);
        self.kinds.push(kind as i8);
    }

    fn is_in_order(&self) -> bool {
        self.places.iter().enumerate().all(|(number, place)| number as u32 == *place)
    }
}

/// For each former result whether the present one is the same.
pub fn unchanged(touched: &[Touched], present: &[ArrayRef], former: &[ArrayRef]) -> Result<BooleanBuffer, ArrowError> {
    let places: UInt32Array = touched
        .iter()
        .enumerate()
        .filter(|(_, touched)| touched.was_out)
        .map(|(place, _)| Some(place as u32))
        .collect();
    let mut same = BooleanBuffer::new_set(places.len());
    for (present, former) in present.iter().zip(former) {
        same = &same & &!&differing(&take(present, &places, None)?, former)?;
    }
    Ok(same)
}

fn differing(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanBuffer, ArrowError> {
    if left.data_type().is_nested() {
        let differ = |row| left.slice(row, 1).as_ref() != right.slice(row, 1).as_ref();
        return Ok(BooleanBuffer::collect_bool(left.len(), differ));
    }
    let differing: BooleanArray = distinct(left, right)?;
    Ok(differing.values().clone())
}

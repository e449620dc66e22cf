//! What aggregates of numbers and places are made of.

use std::cmp::Ordering;

use super::slide::Fold;

/// The state of every aggregate of numbers; each uses what it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    pub count: i64,
    /// A sum of integers or decimals.
    pub exact: i128,
    /// A sum of floating-point numbers, or their mean.
    pub float: f64,
    /// The sum of the squares of the distances from the mean.
    pub spread: f64,
}

/// Bytes of a state in a snapshot.
pub const NUMBERS_BYTES: usize = 40;

impl Numbers {
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(NUMBERS_BYTES);
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.exact.to_le_bytes());
        bytes.extend_from_slice(&self.float.to_le_bytes());
        bytes.extend_from_slice(&self.spread.to_le_bytes());
        bytes
    }

    /// From [`Numbers::to_bytes`]; none if these are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            count: i64::from_le_bytes(bytes.get(..8)?.try_into().ok()?),
            exact: i128::from_le_bytes(bytes.get(8..24)?.try_into().ok()?),
            float: f64::from_le_bytes(bytes.get(24..32)?.try_into().ok()?),
            spread: f64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?),
        })
    }
}

/// Counts rows.
pub struct Counting;

impl Fold for Counting {
    type State = Numbers;

    fn add(&self, state: &mut Numbers, _row: usize) {
        state.count += 1;
    }

    fn merge(&self, earlier: &Numbers, later: &Numbers) -> Numbers {
        Numbers { count: earlier.count + later.count, ..Numbers::default() }
    }
}

/// Adds integers or decimals up, and counts them.
pub struct ExactSum<V>(pub V);

impl<V: Fn(usize) -> i128> Fold for ExactSum<V> {
    type State = Numbers;

    fn add(&self, state: &mut Numbers, row: usize) {
        state.count += 1;
        state.exact = state.exact.wrapping_add(self.0(row));
    }

    fn merge(&self, earlier: &Numbers, later: &Numbers) -> Numbers {
        let exact = earlier.exact.wrapping_add(later.exact);
        Numbers { count: earlier.count + later.count, exact, ..Numbers::default() }
    }
}

/// Adds floating-point numbers up, and counts them.
pub struct FloatSum<'a>(pub &'a [f64]);

impl Fold for FloatSum<'_> {
    type State = Numbers;

    fn add(&self, state: &mut Numbers, row: usize) {
        state.count += 1;
        state.float += self.0[row];
    }

    fn merge(&self, earlier: &Numbers, later: &Numbers) -> Numbers {
        let float = earlier.float + later.float;
        Numbers { count: earlier.count + later.count, float, ..Numbers::default() }
    }
}

/// Mean and spread, in a way that keeps small spreads of large numbers.
pub struct Moments<'a>(pub &'a [f64]);

impl Fold for Moments<'_> {
    type State = Numbers;

    fn add(&self, state: &mut Numbers, row: usize) {
        let distance = self.0[row] - state.float;
        state.count += 1;
        state.float += distance / state.count as f64;
        state.spread += distance * (self.0[row] - state.float);
    }

    fn merge(&self, earlier: &Numbers, later: &Numbers) -> Numbers {
        let count = earlier.count + later.count;
        if earlier.count == 0 || later.count == 0 {
            return if later.count == 0 { *earlier } else { *later };
        }
        let distance = later.float - earlier.float;
        let share = later.count as f64 / count as f64;
        Numbers {
            count,
            float: earlier.float + distance * share,
            spread: earlier.spread + later.spread + distance * distance * earlier.count as f64 * share,
            ..Numbers::default()
        }
    }
}

/// The place of the first row.
pub struct First;

impl Fold for First {
    type State = Option<u32>;

    fn add(&self, state: &mut Option<u32>, row: usize) {
        state.get_or_insert(row as u32);
    }

    fn merge(&self, earlier: &Option<u32>, later: &Option<u32>) -> Option<u32> {
        earlier.or(*later)
    }
}

/// The place of the last row.
pub struct Last;

impl Fold for Last {
    type State = Option<u32>;

    fn add(&self, state: &mut Option<u32>, row: usize) {
        *state = Some(row as u32);
    }

    fn merge(&self, earlier: &Option<u32>, later: &Option<u32>) -> Option<u32> {
        later.or(*earlier)
    }
}

/// The place of the row that `compare` puts first.
pub struct Extreme<C>(pub C);

impl<C: Fn(usize, usize) -> Ordering> Extreme<C> {
    fn better(&self, one: u32, other: u32) -> u32 {
        if self.0(other as usize, one as usize) == Ordering::Less { other } else { one }
    }
}

impl<C: Fn(usize, usize) -> Ordering> Fold for Extreme<C> {
    type State = Option<u32>;

    fn add(&self, state: &mut Option<u32>, row: usize) {
        *state = Some(state.map_or(row as u32, |best| self.better(best, row as u32)));
    }

    fn merge(&self, earlier: &Option<u32>, later: &Option<u32>) -> Option<u32> {
        match (earlier, later) {
            (Some(one), Some(other)) => Some(self.better(*one, *other)),
            (one, other) => one.or(*other),
        }
    }
}

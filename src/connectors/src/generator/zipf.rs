//! Ranks by Zipf's law (the k-th is chosen in proportion to 1/k), at two loads a draw: Walker's alias table.

use std::hint::select_unpredictable;

/// A table from which a random number picks a rank.
pub struct Zipf {
    /// For each place: below which 32-bit fraction the place itself is meant, and whom otherwise.
    places: Vec<(u32, u32)>,
}

impl Zipf {
    /// Only divisions and sums in a fixed order: the same table on every machine.
    pub fn new(ranks: u32) -> Self {
        let total: f64 = (1..=ranks).map(|rank| 1.0 / f64::from(rank)).sum();
        let mut weights: Vec<f64> = (1..=ranks).map(|rank| f64::from(ranks) / (f64::from(rank) * total)).collect();
        let mut places: Vec<(u32, u32)> = (0..ranks).map(|place| (u32::MAX, place)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..ranks).partition(|place| weights[*place as usize] < 1.0);
        while let (Some(below), Some(&above)) = (small.pop(), large.last()) {
            places[below as usize] = ((weights[below as usize] * 4_294_967_296.0) as u32, above);
            weights[above as usize] -= 1.0 - weights[below as usize];
            if weights[above as usize] < 1.0 {
                small.push(above);
                large.pop();
            }
        }
        Self { places }
    }

    /// The rank, from 0, that 64 random bits stand for.
    #[inline(always)]
    pub fn rank(&self, random: u64) -> u32 {
        let place = (((random >> 32) * self.places.len() as u64) >> 32) as u32;
        let (limit, other) = self.places[place as usize];
        // As a branch this would be mispredicted every other time: five times the cost of the whole draw.
        select_unpredictable((random as u32) <= limit, place, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_drawn_in_proportion() {
        let (zipf, draws) = (Zipf::new(10), 1_000_000u64);
        let mut counts = [0u64; 10];
        for draw in 0..draws {
            counts[zipf.rank(super::super::rows::mix(draw)) as usize] += 1;
        }
        let total: f64 = (1..=10).map(|rank| 1.0 / f64::from(rank)).sum();
        for (rank, count) in counts.iter().enumerate() {
            let expected = draws as f64 / ((rank + 1) as f64 * total);
            assert!((*count as f64 - expected).abs() < expected * 0.02, "rank {rank}: {count} for {expected}");
        }
    }

    #[test]
    fn one_rank_is_always_drawn() {
        assert_eq!(Zipf::new(1).rank(u64::MAX), 0);
    }
}

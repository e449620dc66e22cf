//! The choices that a generator makes: drawn from a seed, and written down, so that a case can be made again from fewer
//! or smaller ones. Zero is always the plainest choice, and what is asked for beyond the end of a list is zero: any list
//! of numbers makes a valid case. That is all that shrinking needs to know.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

pub struct Choices {
    given: Vec<u32>,
    next: usize,
    random: Option<SmallRng>,
}

impl Choices {
    pub fn of_seed(seed: u64) -> Self {
        Self { given: Vec::new(), next: 0, random: Some(SmallRng::seed_from_u64(seed)) }
    }

    pub fn again(given: &[u32]) -> Self {
        Self { given: given.to_vec(), next: 0, random: None }
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        let count = count.max(1) as u32;
        if let (true, Some(random)) = (self.next == self.given.len(), &mut self.random) {
            self.given.push(random.random_range(0..count));
        }
        let choice = self.given.get(self.next).copied().unwrap_or(0) % count;
        self.next += 1;
        choice as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Everything chosen so far.
    pub fn made(self) -> Vec<u32> {
        let mut made = self.given;
        made.truncate(self.next);
        made
    }
}

/// Makes a list of choices smaller while `fails` holds for it, in at most so many tries.
pub fn shrunk(mut choices: Vec<u32>, mut tries: usize, mut fails: impl FnMut(&[u32]) -> bool) -> Vec<u32> {
    let mut better = |candidate: Vec<u32>, choices: &mut Vec<u32>| -> bool {
        if tries == 0 || candidate == *choices {
            return false;
        }
        tries -= 1;
        let fails = fails(&candidate);
        if fails {
            *choices = candidate;
        }
        fails
    };
    loop {
        let before = choices.clone();
        for length in [32, 16, 8, 4, 2, 1] {
            let mut start = choices.len();
            while start > 0 {
                start = start.saturating_sub(length);
                let mut without = choices.clone();
                without.drain(start..(start + length).min(choices.len()));
                better(without, &mut choices);
                start = start.min(choices.len());
            }
        }
        for place in 0..choices.len() {
            for smaller in [0, choices[place] / 2, choices[place].saturating_sub(1)] {
                let mut candidate = choices.clone();
                candidate[place] = smaller;
                if better(candidate, &mut choices) {
                    break;
                }
            }
        }
        if choices == before {
            return choices;
        }
    }
}

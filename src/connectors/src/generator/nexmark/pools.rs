//! What draws are made from: noise for padding, channels with their URLs, the curve of prices, and short random words.
//! Filled once for a table and shared by its readers.

use std::hint::select_unpredictable;

use super::super::rows::{GOLDEN, Text, TextColumn, mix, scale};

const NOISE_BYTES: usize = 1024 * 1024;
/// Padding up to here is copied at this length.
const SHORT_PADDING: usize = 96;
const CHANNELS: u64 = 10_000;
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const PRICE_STEPS: usize = 4096;
/// Of prices, in powers of ten.
const PRICE_DECADES: f64 = 6.0;

/// Random bits by a number alone; each column has its own.
#[derive(Clone, Copy)]
pub struct Stream(u64);

/// Random bits one after another.
pub struct Sequence(u64);

/// The texts that one channel gives a bid.
pub struct Channel {
    pub name: Text<16>,
    pub url: Text<80>,
}

pub struct Pools {
    key: u64,
    noise: Vec<u8>,
    channels: Vec<Channel>,
    prices: Vec<f64>,
}

impl Stream {
    #[inline(always)]
    pub fn bits(self, number: u64) -> u64 {
        mix(self.0.wrapping_add(number.wrapping_mul(GOLDEN)))
    }

    pub fn sequence(self, number: u64) -> Sequence {
        Sequence(self.bits(number))
    }
}

impl Sequence {
    #[inline(always)]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    #[inline(always)]
    pub fn below(&mut self, limit: u64) -> u64 {
        scale(self.bits(), 64, limit)
    }

    /// A word of 3 to `limit` - 1 characters, small letters and in one case of thirteen `special`.
    pub fn word(&mut self, limit: u64, special: u8, out: &mut Vec<u8>) {
        let (start, length) = (out.len(), 3 + self.below(limit - 3) as usize);
        out.resize(start + length.next_multiple_of(4), 0);
        for four in out[start..].chunks_exact_mut(4) {
            let bits = self.bits();
            for (place, byte) in four.iter_mut().enumerate() {
                *byte = character((bits >> (16 * place)) & 0xffff, special);
            }
        }
        out.truncate(start + length);
    }

    /// A word with blanks, trimmed; replaces what is in `out`.
    pub fn trimmed_word(&mut self, limit: u64, out: &mut Vec<u8>) {
        out.clear();
        self.word(limit, b' ', out);
        out.truncate(out.trim_ascii_end().len());
        let leading = out.len() - out.trim_ascii_start().len();
        out.drain(..leading);
    }
}

/// One of 13 · 26 cases from 16 bits.
#[inline(always)]
fn character(bits: u64, special: u8) -> u8 {
    let drawn = scale(bits, 16, 13 * 26);
    select_unpredictable(drawn < 26, special, b'a' + (drawn % 26) as u8)
}

impl Pools {
    pub fn new(seed: u64) -> Self {
        let key = mix(seed.wrapping_mul(GOLDEN));
        let mut sequence = Sequence(mix(key));
        Self { key, noise: noise(&mut sequence), channels: channels(&mut sequence), prices: prices() }
    }

    /// The random bits of a column; each asks for a number of its own.
    pub fn stream(&self, column: u64) -> Stream {
        Stream(mix(self.key ^ mix(column + 1)))
    }

    #[inline(always)]
    pub fn channel(&self, bits: u64) -> &Channel {
        let (hot, cold) = (scale(bits & 0xffff_ffff, 32, 4), 4 + scale(bits & 0xffff_ffff, 32, CHANNELS));
        &self.channels[select_unpredictable(bits >> 63 == 1, hot, cold) as usize]
    }

    /// From 100 to 100,000,000, evenly in its logarithm.
    #[inline(always)]
    pub fn price(&self, bits: u64) -> i64 {
        let step = (bits >> 52) as usize % PRICE_STEPS;
        let rest = (bits & 0xf_ffff_ffff_ffff) as f64 * (1.0 / (1u64 << 52) as f64);
        let power = rest * (PRICE_DECADES / PRICE_STEPS as f64 * std::f64::consts::LN_10);
        // The series of e^x, whose next part is below 10^-11 here.
        let factor = 1.0 + power * (1.0 + power * (0.5 + power * (1.0 / 6.0)));
        (self.prices[step] * factor + 0.5) as i64
    }

    /// Padding that brings an event of `size` bytes to `average` bytes on average; returns its length and where it is.
    #[inline(always)]
    pub fn padding(&self, bits: u64, size: usize, average: usize) -> (usize, usize) {
        if size > average {
            return (0, 0);
        }
        let missing = (average - size) as u64;
        let delta = (missing as f64 * 0.2 + 0.5) as u64;
        let length = missing - delta + scale(bits >> 32, 32, 2 * delta);
        let from = scale(bits & 0xffff_ffff, 32, NOISE_BYTES as u64 - length);
        (length as usize, from as usize)
    }

    #[inline(always)]
    pub fn push_padding(&self, (length, from): (usize, usize), column: &mut TextColumn) {
        match self.noise[from..].first_chunk::<SHORT_PADDING>() {
            Some(padded) if length <= SHORT_PADDING => column.push_padded(padded, length),
            _ => column.push_ascii(&self.noise[from..from + length]),
        }
    }
}

/// Six characters from each random number; those of negative ones go down from `a`.
fn noise(sequence: &mut Sequence) -> Vec<u8> {
    let mut noise = Vec::with_capacity(NOISE_BYTES + 6);
    while noise.len() < NOISE_BYTES {
        let mut number = sequence.bits() as i32;
        for _ in 0..6 {
            noise.push((i32::from(b'a') + number % 26) as u8);
            number /= 26;
        }
    }
    noise.truncate(NOISE_BYTES);
    noise
}

fn channels(sequence: &mut Sequence) -> Vec<Channel> {
    let hot: Vec<Channel> =
        HOT_CHANNELS.iter().map(|name| Channel { name: Text::new(name), url: Text::new(&url(sequence)) }).collect();
    let cold = (0..CHANNELS as u32).map(|number| {
        let mut url = url(sequence);
        if sequence.below(10) > 0 {
            url.push_str(&format!("&channel_id={}", (number.reverse_bits() as i32).wrapping_abs()));
        }
        Channel { name: Text::new(&format!("channel-{number}")), url: Text::new(&url) }
    });
    hot.into_iter().chain(cold).collect()
}

fn url(sequence: &mut Sequence) -> String {
    let mut url = b"https://www.nexmark.com/".to_vec();
    for _ in 0..3 {
        sequence.word(5, b'_', &mut url);
        url.push(b'/');
    }
    url.extend_from_slice(b"item.htm?query=1");
    String::from_utf8(url).expect("letters and underscores are ASCII")
}

/// The price at each step of the curve: only sums and products in a fixed order, the same on every machine.
fn prices() -> Vec<f64> {
    let price = |step: usize| {
        let exponent = step as f64 * PRICE_DECADES / PRICE_STEPS as f64;
        let (decade, power) = (exponent as i32, exponent.fract() * std::f64::consts::LN_10);
        let factor = (1..=30).rev().fold(1.0, |sum, part| 1.0 + power / f64::from(part) * sum);
        (0..decade).fold(100.0 * factor, |price, _| price * 10.0)
    };
    (0..PRICE_STEPS).map(price).collect()
}

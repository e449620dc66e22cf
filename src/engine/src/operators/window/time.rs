//! Arithmetic of windows and panes. Times are milliseconds since 1970 and may be negative; at the ends of time it
//! stops, for a row may claim any.

use std::collections::BTreeSet;

use tidemill_plan::Window;

/// A stretch of time, a window or a pane: in the order of ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slice {
    pub end: i64,
    pub start: i64,
}

/// How windows are made of panes, which are what rows are aggregated in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaneClock {
    /// A window starts at every pane and is `size_ms` long.
    Sliding { pane_ms: i64, size_ms: i64, offset_ms: i64 },
    /// Every `size_ms` windows start that end with each of the next panes, up to the size.
    Growing { pane_ms: i64, size_ms: i64, offset_ms: i64 },
    /// Every window is its own pane; rows name theirs.
    Given,
}

impl PaneClock {
    /// None for sessions, which no clock tells.
    pub fn new(window: Window) -> Option<Self> {
        match window {
            Window::Tumble { size_ms, offset_ms } => Some(Self::Sliding { pane_ms: size_ms, size_ms, offset_ms }),
            Window::Hop { size_ms, slide_ms, offset_ms } => {
                Some(Self::Sliding { pane_ms: slide_ms, size_ms, offset_ms })
            }
            Window::Cumulate { size_ms, step_ms, offset_ms } => {
                Some(Self::Growing { pane_ms: step_ms, size_ms, offset_ms })
            }
            Window::Session { .. } => None,
        }
    }

    /// The pane that `time` falls into. Rows that name their window are not asked for their time.
    pub fn pane_of(&self, time: i64) -> Slice {
        match *self {
            Self::Sliding { pane_ms, offset_ms, .. } | Self::Growing { pane_ms, offset_ms, .. } => {
                let start = floor(time, pane_ms, offset_ms);
                Slice { end: start.saturating_add(pane_ms), start }
            }
            Self::Given => unreachable!("only windows that are made by time have panes by time"),
        }
    }

    /// The windows that `pane` is part of, earliest end first.
    pub fn windows(&self, pane: Slice) -> BTreeSet<Slice> {
        match *self {
            Self::Sliding { pane_ms, size_ms, .. } => (0..size_ms / pane_ms)
                .map(|slides| pane.end.saturating_add(slides * pane_ms))
                .map(|end| self.window_to(end))
                .collect(),
            Self::Growing { pane_ms, .. } => {
                let last = self.last_end(pane);
                (0..=(last - pane.end) / pane_ms)
                    .map(|steps| self.window_to(pane.end.saturating_add(steps * pane_ms)))
                    .collect()
            }
            Self::Given => BTreeSet::from([pane]),
        }
    }

    /// The end of the last window that `pane` is part of.
    pub fn last_end(&self, pane: Slice) -> i64 {
        match *self {
            Self::Sliding { size_ms, .. } => pane.start.saturating_add(size_ms),
            Self::Growing { size_ms, offset_ms, .. } => floor(pane.start, size_ms, offset_ms).saturating_add(size_ms),
            Self::Given => pane.end,
        }
    }

    /// Whether all windows that `pane` is part of are over at `watermark`.
    pub fn is_over(&self, pane: Slice, watermark: i64) -> bool {
        self.last_end(pane) - 1 <= watermark
    }

    /// Names the division of time, for the layout of state.
    pub fn layout(&self) -> String {
        match self {
            Self::Sliding { pane_ms, size_ms, offset_ms } => format!("{size_ms}/{pane_ms}+{offset_ms}"),
            Self::Growing { pane_ms, size_ms, offset_ms } => format!("up to {size_ms}/{pane_ms}+{offset_ms}"),
            Self::Given => "given".to_string(),
        }
    }

    fn window_to(&self, end: i64) -> Slice {
        let start = match *self {
            Self::Sliding { size_ms, .. } => end.saturating_sub(size_ms),
            Self::Growing { size_ms, offset_ms, .. } => floor(end - 1, size_ms, offset_ms),
            Self::Given => unreachable!("such windows are their own panes"),
        };
        Slice { end, start }
    }
}

/// The highest multiple of `step` (moved by `offset`) that is not above `time`.
pub fn floor(time: i64, step: i64, offset: i64) -> i64 {
    time.saturating_sub(offset).div_euclid(step).saturating_mul(step).saturating_add(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts<const N: usize>(clock: PaneClock, times: [i64; N]) -> [i64; N] {
        times.map(|time| clock.pane_of(time).start)
    }

    fn windows(window: Window, time: i64) -> Vec<(i64, i64)> {
        let clock = PaneClock::new(window).unwrap();
        clock.windows(clock.pane_of(time)).into_iter().map(|window| (window.start, window.end)).collect()
    }

    #[test]
    fn times_before_1970_fall_into_the_pane_below() {
        let clock = PaneClock::new(Window::Tumble { size_ms: 10, offset_ms: 0 }).unwrap();
        assert_eq!(starts(clock, [-11, -10, -1, 0, 9, 10]), [-20, -10, -10, 0, 0, 10]);
    }

    #[test]
    fn an_offset_moves_all_panes() {
        let clock = PaneClock::new(Window::Tumble { size_ms: 10, offset_ms: 3 }).unwrap();
        assert_eq!(starts(clock, [2, 3, 12, 13]), [-7, 3, 3, 13]);
    }

    #[test]
    fn at_the_ends_of_time_windows_are_cut() {
        for window in [
            Window::Tumble { size_ms: 10, offset_ms: 3 },
            Window::Hop { size_ms: 10, slide_ms: 5, offset_ms: -3 },
            Window::Cumulate { size_ms: 10, step_ms: 5, offset_ms: 0 },
        ] {
            for time in [i64::MIN, i64::MIN + 4, i64::MAX - 4, i64::MAX] {
                assert!(windows(window, time).iter().all(|(start, end)| start < end), "{window:?} {time}");
            }
        }
    }

    #[test]
    fn a_pane_is_part_of_as_many_windows_as_slides_fit_into_the_size() {
        let hop = Window::Hop { size_ms: 10, slide_ms: 2, offset_ms: 0 };
        assert_eq!(windows(hop, 5), [(-4, 6), (-2, 8), (0, 10), (2, 12), (4, 14)]);
        let (clock, pane) = (PaneClock::new(hop).unwrap(), Slice { start: 4, end: 6 });
        assert!(!clock.is_over(pane, 12));
        assert!(clock.is_over(pane, 13), "its last window ends at 14 and is over when 13 is reached");
    }

    #[test]
    fn a_step_is_part_of_the_windows_that_end_with_it_and_later() {
        let cumulate = Window::Cumulate { size_ms: 10, step_ms: 2, offset_ms: 1 };
        assert_eq!(windows(cumulate, 5), [(1, 7), (1, 9), (1, 11)]);
        assert_eq!(windows(cumulate, -1), [(-9, 1)]);
    }
}

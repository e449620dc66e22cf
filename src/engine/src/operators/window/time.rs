//! Arithmetic of windows and panes. Times are milliseconds since 1970 and may be negative.

use tidemill_plan::Window;

/// Windows as panes: every window is `panes` consecutive panes of `pane_ms`, and one starts at every pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaneClock {
    pane_ms: i64,
    size_ms: i64,
    offset_ms: i64,
}

impl PaneClock {
    pub fn new(window: Window) -> Self {
        match window {
            Window::Tumble { size_ms, offset_ms } => Self { pane_ms: size_ms, size_ms, offset_ms },
            Window::Hop { size_ms, slide_ms, offset_ms } => Self { pane_ms: slide_ms, size_ms, offset_ms },
            // Panes are the steps; which of them make up a window is not a matter of a size alone.
            Window::Cumulate { size_ms, step_ms, offset_ms } => Self { pane_ms: step_ms, size_ms, offset_ms },
            Window::Session { gap_ms } => Self { pane_ms: gap_ms, size_ms: gap_ms, offset_ms: 0 },
        }
    }

    /// Whether a window is a single pane.
    pub fn is_tumbling(&self) -> bool {
        self.pane_ms == self.size_ms
    }

    /// The start of the pane that `time` falls into.
    pub fn pane_of(&self, time: i64) -> i64 {
        (time - self.offset_ms).div_euclid(self.pane_ms) * self.pane_ms + self.offset_ms
    }

    /// The ends of the windows that `pane` is part of, earliest first.
    pub fn window_ends(&self, pane: i64) -> impl Iterator<Item = i64> + use<> {
        let (pane_ms, size_ms) = (self.pane_ms, self.size_ms);
        (1..=size_ms / pane_ms).map(move |count| pane + count * pane_ms)
    }

    pub fn window_start(&self, window_end: i64) -> i64 {
        window_end - self.size_ms
    }

    /// Whether all windows that `pane` is part of are over at `watermark`.
    pub fn is_over(&self, pane: i64, watermark: i64) -> bool {
        pane + self.size_ms - 1 <= watermark
    }

    /// Names the division of time, for the layout of state.
    pub fn layout(&self) -> String {
        format!("{}/{}+{}", self.size_ms, self.pane_ms, self.offset_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_fall_into_the_pane_below() {
        let clock = PaneClock::new(Window::Tumble { size_ms: 10, offset_ms: 0 });
        assert_eq!([-11, -10, -1, 0, 9, 10].map(|time| clock.pane_of(time)), [-20, -10, -10, 0, 0, 10]);
    }

    #[test]
    fn an_offset_moves_all_panes() {
        let clock = PaneClock::new(Window::Tumble { size_ms: 10, offset_ms: 3 });
        assert_eq!([2, 3, 12, 13].map(|time| clock.pane_of(time)), [-7, 3, 3, 13]);
    }

    #[test]
    fn a_pane_is_part_of_as_many_windows_as_slides_fit_into_the_size() {
        let clock = PaneClock::new(Window::Hop { size_ms: 10, slide_ms: 2, offset_ms: 0 });
        assert_eq!(clock.window_ends(4).collect::<Vec<_>>(), [6, 8, 10, 12, 14]);
        assert_eq!(clock.window_start(14), 4);
        assert!(!clock.is_over(4, 12));
        assert!(clock.is_over(4, 13), "its last window ends at 14 and is over when 13 is reached");
    }
}

//! Rows that wait for the watermark, by their times.

use std::collections::BTreeMap;

/// Rows of this many milliseconds are kept together, so that few have to be looked at twice.
const SPAN_MS: i64 = 256;

pub struct Waiting<T> {
    /// By spans of time, each in the order of arrival.
    spans: BTreeMap<i64, Vec<(i64, T)>>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { spans: BTreeMap::new() }
    }
}

impl<T: Copy> Waiting<T> {
    pub fn extend(&mut self, rows: impl IntoIterator<Item = (i64, T)>) {
        let mut rows = rows.into_iter().peekable();
        while let Some((time, row)) = rows.next() {
            let number = time.div_euclid(SPAN_MS);
            let span = self.spans.entry(number).or_default();
            span.push((time, row));
            while let Some(next) = rows.next_if(|(time, _)| time.div_euclid(SPAN_MS) == number) {
                span.push(next);
            }
        }
    }

    /// Takes out the rows up to the watermark, in the order of their times and then of arrival.
    pub fn due(&mut self, watermark: i64) -> Vec<(i64, T)> {
        let mut due = Vec::new();
        while let Some(mut span) = self.spans.first_entry() {
            let (number, rows) = (*span.key(), span.get_mut());
            if number > watermark.div_euclid(SPAN_MS) {
                break;
            }
            let start = due.len();
            if number < watermark.div_euclid(SPAN_MS) {
                due.append(rows);
            } else {
                due.extend(rows.iter().filter(|(time, _)| *time <= watermark).copied());
                rows.retain(|(time, _)| *time > watermark);
            }
            due[start..].sort_by_key(|(time, _)| *time);
            if !rows.is_empty() {
                break;
            }
            span.remove();
        }
        due
    }

    /// All rows, in the order of their times' spans and then of arrival.
    pub fn iter(&self) -> impl Iterator<Item = &(i64, T)> {
        self.spans.values().flatten()
    }

    /// Changes all rows.
    pub fn for_each(&mut self, mut change: impl FnMut(&mut T)) {
        self.spans.values_mut().flatten().for_each(|(_, row)| change(row));
    }

    pub fn bytes(&self) -> usize {
        self.spans.values().map(|span| span.capacity() * size_of::<(i64, T)>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_due_in_the_order_of_time_and_then_of_arrival() {
        let mut waiting = Waiting::default();
        waiting.extend([(300, 'a'), (-1, 'b'), (300, 'c'), (299, 'd'), (301, 'e'), (900, 'f')]);
        assert_eq!(waiting.due(-2), []);
        assert_eq!(waiting.due(300), [(-1, 'b'), (299, 'd'), (300, 'a'), (300, 'c')]);
        assert_eq!(waiting.iter().map(|(_, row)| *row).collect::<String>(), "ef");
        assert_eq!(waiting.due(i64::MAX), [(301, 'e'), (900, 'f')]);
        assert_eq!(waiting.due(i64::MAX), []);
    }
}

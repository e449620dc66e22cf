//! Operators whose windows are of local time: what clocks show in a time zone. Their rows have local times already; here
//! event time and the machine's time become local on the way in, and event time what it was on the way out.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use tidemill_plan::Zone;

use crate::element::{Element, Watermark};
use crate::operator::{Output, Result, StreamOperator};

/// An operator in local time.
pub struct InLocalTime {
    inner: Box<dyn StreamOperator>,
    zone: Zone,
    /// The watermarks that have gone in and have not come out yet. Operators hand on every one, in their order.
    inside: VecDeque<Watermark>,
}

impl InLocalTime {
    pub fn new(inner: Box<dyn StreamOperator>, zone: Zone) -> Self {
        Self { inner, zone, inside: VecDeque::new() }
    }

    /// What the inner operator has put out, with watermarks of event time.
    fn handed_on(&mut self, produced: Output, output: &mut Output) {
        for element in produced {
            match element {
                Element::Batch(rows) => output.push(Element::Batch(rows)),
                Element::Watermark(local) => output.push(Element::Watermark(self.inside.pop_front().unwrap_or(local))),
            }
        }
    }
}

impl StreamOperator for InLocalTime {
    fn on_batch(&mut self, input: usize, rows: RecordBatch, output: &mut Output) -> Result<()> {
        let mut produced = Vec::new();
        self.inner.on_batch(input, rows, &mut produced)?;
        self.handed_on(produced, output);
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        let local = match watermark {
            Watermark::At(time) => Watermark::At(self.zone.reached(time)),
            Watermark::Idle => Watermark::Idle,
        };
        self.inside.push_back(watermark);
        let mut produced = Vec::new();
        self.inner.on_watermark(local, &mut produced)?;
        self.handed_on(produced, output);
        Ok(())
    }

    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        let mut produced = Vec::new();
        self.inner.on_epoch_end(self.zone.reached(now_ms), &mut produced)?;
        self.handed_on(produced, output);
        Ok(())
    }

    fn waits_for_time(&self) -> bool {
        self.inner.waits_for_time()
    }

    fn holds_rows(&self) -> bool {
        self.inner.holds_rows()
    }

    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        self.inner.capture()
    }

    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        self.inner.restore(rows)
    }

    /// Of local time, and so is what comes back.
    fn watermark(&self) -> Option<i64> {
        self.inner.watermark()
    }

    fn restore_watermark(&mut self, watermark: i64) {
        self.inner.restore_watermark(watermark);
    }

    fn state_layout(&self) -> Option<String> {
        self.inner.state_layout()
    }

    fn late_rows(&self) -> u64 {
        self.inner.late_rows()
    }

    fn state_bytes(&self) -> u64 {
        self.inner.state_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts out the watermarks that it gets.
    struct Same;

    impl StreamOperator for Same {
        fn on_batch(&mut self, _: usize, _: RecordBatch, _: &mut Output) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn watermarks_come_out_as_they_went_in() {
        let zone = Zone::named("America/New_York").unwrap();
        let mut operator = InLocalTime::new(Box::new(Same), zone);
        // Around the hour that comes twice, local time stands still.
        let start = 1_730_606_400_000;
        for event in (0..6).map(|step| start + step * 1_800_000).chain([i64::MAX]) {
            let mut output = Vec::new();
            operator.on_watermark(Watermark::At(event), &mut output).unwrap();
            assert!(matches!(output.as_slice(), [Element::Watermark(Watermark::At(found))] if *found == event));
        }
        assert!(operator.inside.is_empty());
    }
}

//! What an operator is: a value that takes batches, watermarks and epoch ends and puts out elements. It knows nothing
//! of threads, sockets or scheduling, so it can be run anywhere, in any order, by a test.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use tidemill_model::snapshot::least_watermark;
use tidemill_model::status::{Problem, ProblemKind};

use crate::connector;
use crate::element::{Element, Watermark};

/// Elements that an operator puts out, in order.
pub type Output = Vec<Element>;

pub type Result<T> = std::result::Result<T, Fault>;

/// Why an operator cannot go on.
#[derive(Debug)]
pub enum Fault {
    /// Something in the data or outside, named already.
    Problem(Problem),
    /// A fault of ours. The chain adds whose it is.
    Ours(String),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        Self::Ours(error.to_string())
    }
}

impl Fault {
    pub(crate) fn of(self, operator: &str) -> Problem {
        match self {
            Self::Problem(problem) => problem,
            Self::Ours(error) => internal(operator, error),
        }
    }
}

/// A step of the dataflow on one engine thread.
///
/// The engine calls [`StreamOperator::on_epoch_end`] after all input of an epoch and before any of the next, and only
/// then, if at all, [`StreamOperator::capture`].
pub trait StreamOperator {
    /// Takes rows of the plan node's input with this number. What rows of an updating input mean is told by their last
    /// column ([`tidemill_plan::CHANGE`]).
    fn on_batch(&mut self, input: usize, rows: RecordBatch, output: &mut Output) -> Result<()>;

    /// Event time has moved, on all inputs taken together. An operator hands the watermark on after what it causes. It is
    /// not told while the operator holds rows back.
    fn on_watermark(&mut self, watermark: Watermark, output: &mut Output) -> Result<()> {
        output.push(Element::Watermark(watermark));
        Ok(())
    }

    /// An epoch is over. An operator that holds rows back for efficiency puts them out now. `now_ms` is the machine's
    /// time, milliseconds since 1970: what processing time and the lifetime of state go by.
    fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        let _ = (now_ms, output);
        Ok(())
    }

    /// Whether rows that have come in this epoch are put out, or lead to others that are, only at its end. Watermarks
    /// that come meanwhile wait for it, too: one that went before would make late what it waits for.
    fn holds_rows(&self) -> bool {
        false
    }

    /// Whether epochs have to be ended also when nothing has come in them, because the operator waits for processing
    /// time.
    fn waits_for_time(&self) -> bool {
        false
    }

    /// What has to survive a restart, as of the end of the epoch: rows whose first column is
    /// [`crate::state::KEY_GROUP`].
    fn capture(&mut self) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }

    /// Takes back captured state: rows of any threads' captures of this operator, of which the operator keeps those in
    /// its own key groups. Called before anything else, any number of times.
    fn restore(&mut self, rows: &RecordBatch) -> Result<()> {
        let _ = rows;
        Ok(())
    }

    /// How far the operator's time has come, milliseconds since 1970: rows of this time or an earlier one come too late.
    /// None for an operator that does not go by time. It is captured beside the rows, for there may be none.
    fn watermark(&self) -> Option<i64> {
        None
    }

    /// Takes back how far time had come, on the thread that was furthest behind. Called after [`Self::restore`].
    fn restore_watermark(&mut self, watermark: i64) {
        let _ = watermark;
    }

    /// Names the layout of the captured state; state of another layout is refused. None for an operator without state.
    fn state_layout(&self) -> Option<String> {
        None
    }

    /// Rows dropped so far because they came too late.
    fn late_rows(&self) -> u64 {
        0
    }

    /// Bytes of state held in memory, about.
    fn state_bytes(&self) -> u64 {
        0
    }
}

/// The state of the operator with this uid at the end of an epoch.
pub struct Capture {
    pub operator: String,
    pub layout: String,
    pub rows: Vec<RecordBatch>,
    /// See [`StreamOperator::watermark`].
    pub watermark: Option<i64>,
}

/// What an operator takes back: all threads' captures together.
#[derive(Clone, Debug, Default)]
pub struct RestoredState {
    pub rows: Vec<RecordBatch>,
    pub watermark: Option<i64>,
}

impl RestoredState {
    pub fn add(&mut self, rows: impl IntoIterator<Item = RecordBatch>, watermark: Option<i64>) {
        self.rows.extend(rows);
        self.watermark = least_watermark(self.watermark, watermark);
    }
}

/// Operators that hand batches on by plain calls, with their uids in the plan.
pub struct Chain {
    links: Vec<Link>,
}

struct Link {
    uid: String,
    operator: Box<dyn StreamOperator>,
    /// Watermarks behind rows that the operator holds back.
    watermarks: Vec<Watermark>,
}

impl Link {
    fn take(&mut self, input: usize, element: Element, output: &mut Output) -> Result<()> {
        match element {
            Element::Batch(rows) => self.operator.on_batch(input, rows, output),
            Element::Watermark(watermark) if self.operator.holds_rows() => {
                self.watermarks.push(watermark);
                Ok(())
            }
            Element::Watermark(watermark) => self.operator.on_watermark(watermark, output),
        }
    }

    fn end_epoch(&mut self, now_ms: i64, output: &mut Output) -> Result<()> {
        self.operator.on_epoch_end(now_ms, output)?;
        self.watermarks.drain(..).try_for_each(|watermark| self.operator.on_watermark(watermark, output))
    }

    fn capture(&mut self, layout: String) -> Result<Capture> {
        if self.operator.holds_rows() {
            // They would be neither in the state nor with those who come behind.
            return Err(Fault::Ours("it holds rows back at a checkpoint".to_string()));
        }
        let (rows, watermark) = (self.operator.capture()?, self.operator.watermark());
        Ok(Capture { operator: self.uid.clone(), layout, rows, watermark })
    }

    fn restore(&mut self, state: &RestoredState) -> Result<()> {
        state.rows.iter().try_for_each(|rows| self.operator.restore(rows))?;
        if let Some(watermark) = state.watermark {
            self.operator.restore_watermark(watermark);
        }
        Ok(())
    }
}

impl Chain {
    pub fn new(operators: Vec<(String, Box<dyn StreamOperator>)>) -> Self {
        let link = |(uid, operator)| Link { uid, operator, watermarks: Vec::new() };
        Self { links: operators.into_iter().map(link).collect() }
    }

    /// Takes an element of the stage's input with this number.
    pub fn on_element(&mut self, input: usize, element: Element, output: &mut Output) -> connector::Result<()> {
        self.push(0, input, element, output)
    }

    /// Ends the epoch of every operator, first to last, so that what one releases reaches the next before its end.
    pub fn on_epoch_end(&mut self, now_ms: i64, output: &mut Output) -> connector::Result<()> {
        for place in 0..self.links.len() {
            let mut released = Vec::new();
            let link = &mut self.links[place];
            link.end_epoch(now_ms, &mut released).map_err(|fault| fault.of(&link.uid))?;
            for element in released {
                self.push(place + 1, 0, element, output)?;
            }
        }
        Ok(())
    }

    /// Whether one of the operators waits for processing time.
    pub fn waits_for_time(&self) -> bool {
        self.links.iter().any(|link| link.operator.waits_for_time())
    }

    /// The uids and layouts of the operators that have state.
    pub fn layouts(&self) -> impl Iterator<Item = (&str, String)> {
        self.links.iter().filter_map(|link| Some((link.uid.as_str(), link.operator.state_layout()?)))
    }

    /// The state of all operators that have some, at the end of an epoch.
    pub fn capture(&mut self) -> connector::Result<Vec<Capture>> {
        let captured = |link: &mut Link| {
            let layout = link.operator.state_layout()?;
            Some(link.capture(layout).map_err(|fault| fault.of(&link.uid)))
        };
        self.links.iter_mut().filter_map(captured).collect()
    }

    /// Takes back what the operators captured, before anything else. `state_of` has the state of an operator's uid.
    pub fn restore<'a>(&mut self, state_of: impl Fn(&str) -> Option<&'a RestoredState>) -> connector::Result<()> {
        for link in self.links.iter_mut().filter(|link| link.operator.state_layout().is_some()) {
            let Some(state) = state_of(&link.uid) else { continue };
            link.restore(state).map_err(|fault| fault.of(&link.uid))?;
        }
        Ok(())
    }

    /// Rows dropped so far because they came too late, by the uids of operators that dropped some.
    pub fn late_rows(&self) -> Vec<(String, u64)> {
        let late = self.links.iter().map(|link| (&link.uid, link.operator.late_rows()));
        late.filter(|(_, rows)| *rows > 0).map(|(uid, rows)| (uid.clone(), rows)).collect()
    }

    pub fn state_bytes(&self) -> u64 {
        self.links.iter().map(|link| link.operator.state_bytes()).sum()
    }

    fn push(&mut self, place: usize, input: usize, element: Element, output: &mut Output) -> connector::Result<()> {
        let Some(link) = self.links.get_mut(place) else {
            output.push(element);
            return Ok(());
        };
        let mut produced = Vec::new();
        link.take(input, element, &mut produced).map_err(|fault| fault.of(&link.uid))?;
        for element in produced {
            self.push(place + 1, 0, element, output)?;
        }
        Ok(())
    }
}

/// A fault of ours, with the operator's uid.
pub fn internal(operator: &str, error: impl std::fmt::Display) -> Problem {
    Problem {
        kind: ProblemKind::Internal,
        object: operator.to_string(),
        message: format!("the engine met an unexpected fault: {error}"),
        remedy: "please report it with the application's SQL".to_string(),
    }
}

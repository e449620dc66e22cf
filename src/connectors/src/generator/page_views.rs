//! The rows of the kind `page-views`, as a pure function of their number: as Arrow columns, and as JSON.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::error::ArrowError;
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use tidemill_engine::connector::Result as TableResult;
use tidemill_plan::Table;

use super::rows::{GOLDEN, RowKind, RowRange, Rows, Text, TextColumn, mix, scale};
use super::zipf::Zipf;
use crate::formats::json::encoder::write_int;
use crate::formats::time::{write_date_time, write_fraction};
use crate::options::{Options, invalid};

/// What distinguishes one table of page views from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageViewSpec {
    pub seed: u64,
    pub pages: u32,
    /// Event time of row 0, milliseconds since 1970.
    pub start_ms: i64,
    pub events_per_second: u64,
    pub max_out_of_orderness_ms: u32,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageView<'a> {
    pub page: &'a str,
    pub user_id: i64,
    pub viewed_at_ms: i64,
    /// NULL for one visit in eight, that came directly.
    pub referrer: Option<&'static str>,
    pub duration_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Page,
    UserId,
    ViewedAt,
    Referrer,
    Duration,
}

const NAMES: [(&str, Column, &str); 5] = [
    ("page", Column::Page, "STRING"),
    ("user_id", Column::UserId, "BIGINT"),
    ("viewed_at", Column::ViewedAt, "TIMESTAMP(3)"),
    ("referrer", Column::Referrer, "STRING"),
    ("duration_ms", Column::Duration, "BIGINT"),
];

type PooledText = Text<LONGEST_TEXT>;

const LONGEST_TEXT: usize = 32;
const USERS: u64 = 100_000;
const LONGEST_MS: u64 = 120_000;
/// Picked by three bits; an empty one stands for NULL.
const REFERRERS: [&str; 8] = [
    "",
    "https://search.example/",
    "https://search.example/",
    "https://search.example/",
    "https://news.example/front",
    "https://social.example/feed",
    "https://mail.example/inbox",
    "https://partner.example/offers",
];

/// Which columns the schema asks for. Another name or type is refused.
pub fn columns(table: &Table, schema: &SchemaRef) -> TableResult<Vec<Column>> {
    let one = |field: &Arc<arrow_schema::Field>| {
        let known = NAMES.iter().map(|(name, ..)| *name);
        let (name, column, wanted) = NAMES
            .iter()
            .find(|(name, ..)| name == field.name())
            .ok_or_else(|| Options::new(table).unknown(field.name(), "column", known))?;
        let fits = match column {
            Column::Page | Column::Referrer => *field.data_type() == DataType::Utf8,
            Column::UserId | Column::Duration => *field.data_type() == DataType::Int64,
            Column::ViewedAt => matches!(field.data_type(), DataType::Timestamp(TimeUnit::Millisecond, _)),
        };
        if !fits {
            return Err(invalid(
                table,
                format!("the column `{name}` of the generator is a {wanted}"),
                format!("declare it as `{name}` {wanted}"),
            ));
        }
        if *column == Column::Referrer && !field.is_nullable() {
            return Err(invalid(table, "the column `referrer` of the generator can be NULL", "leave out its NOT NULL"));
        }
        Ok(*column)
    };
    schema.fields().iter().map(one).collect()
}

/// Makes rows.
pub struct PageViews {
    spec: PageViewSpec,
    zipf: Zipf,
    pages: Vec<String>,
    page_texts: Vec<PooledText>,
    referrer_texts: [PooledText; 8],
    key: u64,
}

impl PageViews {
    pub fn new(spec: PageViewSpec) -> Self {
        let pages: Vec<String> = (0..spec.pages).map(|rank| format!("/page/{rank}")).collect();
        let page_texts = pages.iter().map(|page| Text::new(page)).collect();
        let referrer_texts = REFERRERS.map(Text::new);
        Self {
            page_texts,
            referrer_texts,
            zipf: Zipf::new(spec.pages),
            pages,
            key: mix(spec.seed.wrapping_mul(GOLDEN)),
            spec,
        }
    }

    /// The first random bits of a row: they choose the page.
    #[inline(always)]
    fn page_bits(&self, row: u64) -> u64 {
        mix(self.key.wrapping_add(row.wrapping_mul(GOLDEN)))
    }

    /// The second ones, for all else.
    #[inline(always)]
    fn other_bits(&self, row: u64) -> u64 {
        mix(self.key.wrapping_add(row.wrapping_mul(GOLDEN)) ^ 0xd1b5_4a32_d192_ed03)
    }

    #[inline(always)]
    fn page(&self, row: u64) -> &str {
        &self.pages[self.zipf.rank(self.page_bits(row)) as usize]
    }

    /// When a row would be due without disorder.
    fn due_ms(&self, row: u64) -> i64 {
        let since = u128::from(row) * 1000 / u128::from(self.spec.events_per_second);
        self.spec.start_ms + since as i64
    }

    #[inline(always)]
    fn disorder_ms(&self, bits: u64) -> i64 {
        scale(bits & 0xffff_ffff, 32, u64::from(self.spec.max_out_of_orderness_ms) + 1) as i64
    }

    /// One row by itself.
    pub fn row(&self, row: u64) -> PageView<'_> {
        let bits = self.other_bits(row);
        let referrer = REFERRERS[referrer(bits)];
        PageView {
            page: self.page(row),
            user_id: user_id(bits),
            viewed_at_ms: self.due_ms(row) - self.disorder_ms(mix(bits)),
            referrer: (!referrer.is_empty()).then_some(referrer),
            duration_ms: duration_ms(bits),
        }
    }

    /// One row as a JSON object, as Flink's `json` format writes it; appended to `out`.
    pub fn json(&self, row: u64, out: &mut Vec<u8>) {
        let view = self.row(row);
        out.extend_from_slice(b"{\"page\":\"");
        out.extend_from_slice(view.page.as_bytes());
        out.extend_from_slice(b"\",\"user_id\":");
        write_int(out, view.user_id);
        out.extend_from_slice(b",\"viewed_at\":\"");
        write_date_time(out, view.viewed_at_ms.div_euclid(1000), b' ');
        write_fraction(out, view.viewed_at_ms.rem_euclid(1000) as u32 * 1_000_000);
        out.extend_from_slice(b"\",\"referrer\":");
        match view.referrer {
            None => out.extend_from_slice(b"null"),
            Some(referrer) => {
                out.push(b'"');
                out.extend_from_slice(referrer.as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(b",\"duration_ms\":");
        write_int(out, view.duration_ms);
        out.push(b'}');
    }

    /// Some rows as columns.
    pub fn batch(&self, schema: &SchemaRef, columns: &[Column], rows: RowRange) -> Result<RecordBatch, ArrowError> {
        // Drawn once for all the columns that need them: drawing is dearer than reading them again.
        let bits: Vec<u64> = match columns.iter().any(|column| *column != Column::Page) {
            true => rows.each().map(|row| self.other_bits(row)).collect(),
            false => Vec::new(),
        };
        let arrays = columns.iter().zip(schema.fields()).map(|(column, field)| {
            Ok(match column {
                Column::Page => self.pages_of(rows)?,
                Column::Referrer => self.referrers_of(&bits)?,
                Column::UserId => Arc::new(Int64Array::from_iter_values(bits.iter().map(|bits| user_id(*bits)))),
                Column::Duration => Arc::new(Int64Array::from_iter_values(bits.iter().map(|bits| duration_ms(*bits)))),
                Column::ViewedAt => {
                    let DataType::Timestamp(_, zone) = field.data_type() else { unreachable!("checked at opening") };
                    Arc::new(self.times_of(rows, &bits).with_timezone_opt(zone.clone()))
                }
            })
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>, ArrowError>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.count));
        RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
    }

    fn pages_of(&self, rows: RowRange) -> Result<ArrayRef, ArrowError> {
        texts(rows.each().map(|row| &self.page_texts[self.zipf.rank(self.page_bits(row)) as usize]), None)
    }

    fn referrers_of(&self, bits: &[u64]) -> Result<ArrayRef, ArrowError> {
        let known = BooleanBuffer::collect_bool(bits.len(), |row| referrer(bits[row]) != 0);
        texts(bits.iter().map(|bits| &self.referrer_texts[referrer(*bits)]), Some(NullBuffer::new(known)))
    }

    /// Counts the milliseconds on from row to row instead of dividing for each.
    fn times_of(&self, rows: RowRange, bits: &[u64]) -> TimestampMillisecondArray {
        let rate = u128::from(self.spec.events_per_second);
        let step = u128::from(rows.step) * 1000;
        let (step_whole, step_rest) = ((step / rate) as i64, (step % rate) as u64);
        let mut due = self.due_ms(rows.first);
        let mut rest = (u128::from(rows.first) * 1000 % rate) as u64;
        let times = bits.iter().map(|bits| {
            let time = due - self.disorder_ms(mix(*bits));
            due += step_whole;
            rest += step_rest;
            if rest >= self.spec.events_per_second {
                rest -= self.spec.events_per_second;
                due += 1;
            }
            time
        });
        TimestampMillisecondArray::from_iter_values(times)
    }
}

fn texts<'t>(
    texts: impl ExactSizeIterator<Item = &'t PooledText>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let mut column = TextColumn::with_capacity(texts.len(), texts.len() * LONGEST_TEXT);
    texts.for_each(|text| column.push(text));
    column.finish(nulls)
}

/// The kind `page-views` of a table, with its start still open.
pub struct PageViewKind {
    pub spec: PageViewSpec,
    pub columns: Vec<Column>,
}

impl RowKind for PageViewKind {
    fn starting(&self, start_ms: i64) -> Box<dyn Rows> {
        let views = PageViews::new(PageViewSpec { start_ms, ..self.spec.clone() });
        Box::new(PageViewRows { views, columns: self.columns.clone() })
    }
}

struct PageViewRows {
    views: PageViews,
    columns: Vec<Column>,
}

impl Rows for PageViewRows {
    fn batch(&self, schema: &SchemaRef, rows: RowRange) -> Result<RecordBatch, ArrowError> {
        self.views.batch(schema, &self.columns, rows)
    }
}

#[inline(always)]
fn user_id(bits: u64) -> i64 {
    scale(bits >> 40, 24, USERS) as i64
}

/// Short visits are more common: the product of two even draws.
#[inline(always)]
fn duration_ms(bits: u64) -> i64 {
    let (a, b) = ((bits >> 8) & 0xffff, (bits >> 24) & 0xffff);
    scale(a * b, 32, LONGEST_MS) as i64
}

#[inline(always)]
fn referrer(bits: u64) -> usize {
    (bits & 7) as usize
}

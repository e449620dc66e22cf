//! Columns of metadata, read: what the client tells of messages beside their keys and values.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray,
    StringBuilder, TimestampMillisecondArray,
};
use arrow::error::ArrowError;
use arrow_schema::{Schema, SchemaRef};
use tidemill_engine::connector::Result;
use tidemill_plan::Table;

use super::queue::Message;
use crate::options::{Options, invalid};

/// What stands before the keys of a value's format, which its decoder reads.
pub const OF_FORMAT: &str = "value.";

/// What a column has of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Topic,
    Partition,
    Headers,
    LeaderEpoch,
    Offset,
    Timestamp,
    TimestampType,
}

const KEYS: [(&str, Told); 7] = [
    ("topic", Told::Topic),
    ("partition", Told::Partition),
    ("headers", Told::Headers),
    ("leader-epoch", Told::LeaderEpoch),
    ("offset", Told::Offset),
    ("timestamp", Told::Timestamp),
    ("timestamp-type", Told::TimestampType),
];

/// Which of a table's columns have metadata.
#[derive(Clone, Debug)]
pub struct MetadataColumns {
    schema: SchemaRef,
    /// For each column what it has, if a record's decoder does not fill it.
    told: Vec<Option<Told>>,
    topic: String,
}

/// What is told of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around<'m> {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970, and whether the producer or the broker has set it; none for very old records.
    pub timestamp: Option<(i64, SetBy)>,
    pub leader_epoch: Option<i32>,
    pub headers: Vec<(String, Option<&'m [u8]>)>,
}

/// Who has set a record's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    Producer,
    Broker,
}

impl MetadataColumns {
    pub fn new(table: &Table, schema: SchemaRef, topic: &str) -> Result<Self> {
        let told = schema.fields().iter().map(|field| {
            let Some(key) = table.metadata.get(field.name()).filter(|key| !key.starts_with(OF_FORMAT)) else {
                return Ok(None);
            };
            let told = Options::new(table).metadata(key, &KEYS)?;
            let has = field.data_type();
            match tidemill_plan::metadata::keys(table).iter().find(|known| known.name == key) {
                Some(known) if known.data_type != *has => {
                    let message = format!("the metadata `{key}` is {}, not {has}", known.data_type);
                    Err(invalid(table, message, "please report this with the table's columns"))
                }
                _ => Ok(Some(told)),
            }
        });
        let told = told.collect::<Result<_>>()?;
        Ok(Self { schema, told, topic: topic.to_string() })
    }

    pub fn is_empty(&self) -> bool {
        self.told.iter().all(Option::is_none)
    }

    /// The columns that a record's decoder fills.
    pub fn recorded(&self) -> SchemaRef {
        let fields = self.schema.fields().iter().zip(&self.told);
        let recorded = fields.filter(|(_, told)| told.is_none()).map(|(field, _)| field.clone());
        Arc::new(Schema::new(recorded.collect::<Vec<_>>()))
    }

    /// Whether messages' headers are asked for.
    fn have_headers(&self) -> bool {
        self.told.contains(&Some(Told::Headers))
    }

    /// All columns: those of the rows, which are of these messages, and metadata. What rows have behind their columns
    /// stays there.
    pub fn beside<'m>(
        &self,
        rows: &RecordBatch,
        messages: impl Iterator<Item = Message<'m>>,
    ) -> std::result::Result<RecordBatch, ArrowError> {
        let around: Vec<Around<'_>> = messages.map(|message| message.around(self.have_headers())).collect();
        self.completed(rows, &around)
    }

    fn completed(&self, rows: &RecordBatch, around: &[Around<'_>]) -> std::result::Result<RecordBatch, ArrowError> {
        let recorded = self.told.iter().filter(|told| told.is_none()).count();
        let mut stored = rows.columns().iter();
        let columns = self.told.iter().filter_map(|told| match told {
            Some(told) => Some(told.column(&self.topic, around)),
            None => stored.next().cloned().map(Ok),
        });
        let mut columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        columns.extend(rows.columns()[recorded..].iter().cloned());
        let schema = rows.schema();
        let behind = schema.fields()[recorded..].iter().cloned();
        let fields: Vec<_> = self.schema.fields().iter().cloned().chain(behind).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

impl Told {
    fn column(self, topic: &str, around: &[Around<'_>]) -> std::result::Result<ArrayRef, ArrowError> {
        let each = around.iter();
        Ok(match self {
            Self::Topic => Arc::new(StringArray::from_iter_values(each.map(|_| topic))),
            Self::Partition => Arc::new(Int32Array::from_iter_values(each.map(|around| around.partition))),
            Self::LeaderEpoch => Arc::new(each.map(|around| around.leader_epoch).collect::<Int32Array>()),
            Self::Offset => Arc::new(Int64Array::from_iter_values(each.map(|around| around.offset))),
            // A record without a time has the time -1, as in Flink.
            Self::Timestamp => {
                let times = each.map(|around| around.timestamp.map_or(-1, |(time, _)| time));
                Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC"))
            }
            Self::TimestampType => Arc::new(StringArray::from_iter_values(each.map(|around| match around.timestamp {
                None => "NoTimestampType",
                Some((_, SetBy::Producer)) => "CreateTime",
                Some((_, SetBy::Broker)) => "LogAppendTime",
            }))),
            Self::Headers => return headers(around),
        })
    }
}

/// A map of each record's headers. Of several with one name the last counts, as in Flink.
fn headers(around: &[Around<'_>]) -> std::result::Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "entries".into(), key: "keys".into(), value: "values".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new());
    for Around { headers, .. } in around {
        for (place, (name, value)) in headers.iter().enumerate() {
            if headers[place + 1..].iter().all(|(later, _)| later != name) {
                maps.keys().append_value(name);
                maps.values().append_option(*value);
            }
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

#[cfg(test)]
mod tests {
    use arrow_schema::{DataType, Field};
    use tidemill_plan::metadata::keys;

    use super::*;
    use crate::print::text::lines;

    /// A table whose columns are one that is stored and all that the connector tells, by their keys.
    fn all() -> (Table, SchemaRef) {
        let mut table = Table { name: "t".into(), connector: "kafka".into(), ..Default::default() };
        let mut fields = vec![Field::new("stored", DataType::Int64, true)];
        for key in keys(&table) {
            table.metadata.insert(key.name.to_string(), key.name.to_string());
            fields.push(Field::new(key.name, key.data_type, true));
        }
        fields.rotate_left(2);
        (table, Arc::new(Schema::new(fields)))
    }

    #[test]
    fn all_that_the_plan_knows_is_told_in_the_place_of_its_column() {
        let (table, schema) = all();
        let columns = MetadataColumns::new(&table, schema.clone(), "pages").unwrap();
        assert_eq!(columns.recorded().fields().len(), 1);
        let stored: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
        let rows = RecordBatch::try_new(columns.recorded(), vec![stored]).unwrap();
        let header = |name: &str, value| (name.to_string(), value);
        let around = [
            Around {
                partition: 3,
                offset: 42,
                timestamp: Some((1_500, SetBy::Broker)),
                leader_epoch: Some(1),
                headers: vec![header("a", Some(b"1".as_slice())), header("b", None), header("a", Some(b"2"))],
            },
            Around { offset: 43, ..Around::default() },
        ];
        let told = columns.completed(&rows, &around).unwrap();
        assert_eq!(told.schema(), schema);
        let expected = "> +I[3, {b=null, a=32}, 1, 42, 1970-01-01T00:00:01.500Z, LogAppendTime, 7, pages]\n\
                        > +I[0, {}, null, 43, 1969-12-31T23:59:59.999Z, NoTimestampType, 8, pages]\n";
        assert_eq!(lines("", &told).unwrap(), expected);
    }

    #[test]
    fn a_key_that_is_not_known_is_refused_with_those_that_are() {
        let (mut table, schema) = all();
        table.metadata.insert("stored".into(), "offse".into());
        assert!(MetadataColumns::new(&table, schema, "t").unwrap_err().remedy.contains("`offset`"));
    }
}

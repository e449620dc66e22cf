//! What travels on timely's channels: one thing at a time, with its count for progress tracking, and its form on the
//! wire between processes.

use std::cell::OnceCell;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use tidemill_model::CheckpointId;
use tidemill_model::control::AfterCheckpoint;
use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::dataflow::channels::ContainerBytes;

use super::clock::Announcement;
use crate::element::Watermark;

/// A container with one thing in it.
#[derive(Clone, Debug, Default)]
pub enum Message {
    #[default]
    Empty,
    Batch(Batch),
    /// A thread's watermark. Before an exchange it stands for one copy per receiving thread.
    Watermark {
        from: u32,
        watermark: Watermark,
        copies: u32,
    },
    /// A checkpoint is to be taken.
    Announcement {
        announcement: Announcement,
        copies: u32,
    },
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub rows: RecordBatch,
    /// The encoded form, kept because timely asks for its length before its bytes.
    encoded: OnceCell<Vec<u8>>,
}

impl Message {
    pub fn batch(rows: RecordBatch) -> Self {
        Self::Batch(Batch { rows, encoded: OnceCell::new() })
    }
}

impl Accountable for Message {
    fn record_count(&self) -> i64 {
        match self {
            Self::Empty => 0,
            Self::Batch(batch) => batch.rows.num_rows() as i64,
            Self::Watermark { copies, .. } | Self::Announcement { copies, .. } => i64::from(*copies),
        }
    }
}

/// A tag, then the fields; padded to eight bytes, as timely wants it.
const BATCH: u64 = 1;
const WATERMARK: u64 = 2;
const IDLE: u64 = 3;
const ANNOUNCEMENT: u64 = 4;

impl ContainerBytes for Message {
    fn from_bytes(bytes: Bytes) -> Self {
        let field = |place: usize| -> u64 {
            let field = bytes[place * 8..place * 8 + 8].try_into().expect("the slice has eight bytes");
            u64::from_le_bytes(field)
        };
        match field(0) {
            BATCH => Self::batch(decode(&bytes[16..16 + field(1) as usize])),
            WATERMARK => Self::Watermark {
                copies: field(1) as u32,
                from: field(2) as u32,
                watermark: Watermark::At(field(3) as i64),
            },
            IDLE => Self::Watermark { copies: field(1) as u32, from: field(2) as u32, watermark: Watermark::Idle },
            ANNOUNCEMENT => Self::Announcement {
                copies: field(1) as u32,
                announcement: Announcement {
                    checkpoint: CheckpointId(field(2)),
                    epoch: field(3),
                    then: if field(4) == 0 { AfterCheckpoint::Continue } else { AfterCheckpoint::Stop },
                },
            },
            _ => Self::Empty,
        }
    }

    fn length_in_bytes(&self) -> usize {
        match self {
            Self::Empty => 8,
            Self::Batch(batch) => 16 + batch.encoded().len().next_multiple_of(8),
            Self::Watermark { .. } => 32,
            Self::Announcement { .. } => 40,
        }
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        match self {
            Self::Empty => write(writer, &[0]),
            Self::Batch(batch) => {
                let encoded = batch.encoded();
                write(writer, &[BATCH, encoded.len() as u64]);
                let padding = encoded.len().next_multiple_of(8) - encoded.len();
                // The writer is a buffer of the length asked for above.
                writer.write_all(encoded).expect("the buffer is large enough");
                writer.write_all(&[0; 8][..padding]).expect("the buffer is large enough");
            }
            Self::Watermark { from, watermark, copies } => {
                let (tag, time) = match watermark {
                    Watermark::At(time) => (WATERMARK, *time),
                    Watermark::Idle => (IDLE, 0),
                };
                write(writer, &[tag, u64::from(*copies), u64::from(*from), time as u64]);
            }
            Self::Announcement { announcement, copies } => {
                let then = match announcement.then {
                    AfterCheckpoint::Continue => 0,
                    AfterCheckpoint::Stop => 1,
                };
                let Announcement { checkpoint, epoch, .. } = announcement;
                write(writer, &[ANNOUNCEMENT, u64::from(*copies), checkpoint.0, *epoch, then]);
            }
        }
    }
}

impl Batch {
    /// An Arrow IPC stream with its schema, so that a receiver needs to know nothing.
    fn encoded(&self) -> &[u8] {
        self.encoded.get_or_init(|| {
            let encode = || {
                let mut writer = StreamWriter::try_new(Vec::new(), self.rows.schema_ref())?;
                writer.write(&self.rows)?;
                writer.into_inner()
            };
            // Columns are of the plain types that the planner lets through, and memory is all that it takes.
            encode().expect("a batch of plain columns can be encoded")
        })
    }
}

fn decode(bytes: &[u8]) -> RecordBatch {
    // Both ends are of one release (the handshake has checked it), and TCP guards the bytes.
    let mut reader = StreamReader::try_new(bytes, None).expect("a peer sends whole batches");
    reader.next().expect("a peer sends one batch a message").expect("a peer sends whole batches")
}

fn write(writer: &mut impl Write, fields: &[u64]) {
    for field in fields {
        writer.write_all(&field.to_le_bytes()).expect("the buffer is large enough");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use timely::bytes::arc::BytesMut;

    use super::*;

    fn through_the_wire(message: &Message) -> Message {
        let mut bytes = Vec::new();
        message.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), message.length_in_bytes());
        assert_eq!(bytes.len() % 8, 0);
        let received = Message::from_bytes(BytesMut::from(bytes).freeze());
        assert_eq!(received.record_count(), message.record_count());
        received
    }

    #[test]
    fn a_batch_arrives_as_it_was_sent_also_when_it_is_a_slice() {
        let rows = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef),
            ("s", Arc::new(StringArray::from(vec![None, Some("é"), Some("")])) as ArrayRef),
        ])
        .unwrap();
        for rows in [rows.slice(1, 2), rows.slice(0, 0), rows] {
            match through_the_wire(&Message::batch(rows.clone())) {
                Message::Batch(received) => assert_eq!(received.rows, rows),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn control_messages_arrive_as_they_were_sent() {
        for watermark in [Watermark::At(-5), Watermark::END, Watermark::Idle] {
            match through_the_wire(&Message::Watermark { from: 3, watermark, copies: 2 }) {
                Message::Watermark { from: 3, watermark: received, copies: 2 } => assert_eq!(received, watermark),
                other => panic!("{other:?}"),
            }
        }
        let announcement = Announcement { checkpoint: CheckpointId(9), epoch: 77, then: AfterCheckpoint::Stop };
        match through_the_wire(&Message::Announcement { announcement, copies: 1 }) {
            Message::Announcement { announcement: received, copies: 1 } => assert_eq!(received, announcement),
            other => panic!("{other:?}"),
        }
    }
}

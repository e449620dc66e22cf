//! Sends each row to the thread that owns its key.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use tidemill_model::key_groups::{key_group, thread_of};
use timely::communication::Push;
use timely::dataflow::channels::Message as Envelope;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::progress::Stamp;

use super::message::Message;
use crate::hash::hash_rows;

/// Distributes batches by key and copies everything else to all threads.
pub struct ByKey {
    keys: Vec<usize>,
    threads: usize,
    hashes: Vec<u64>,
    places: Vec<Vec<u32>>,
}

impl ByKey {
    pub fn new(keys: Vec<usize>, threads: usize) -> Self {
        Self { keys, threads, hashes: Vec::new(), places: vec![Vec::new(); threads] }
    }

    /// The rows of `batch` for each thread, threads without rows left out.
    fn scatter(&mut self, rows: &RecordBatch) -> Vec<(usize, RecordBatch)> {
        let columns: Vec<_> = self.keys.iter().map(|key| rows.column(*key).clone()).collect();
        hash_rows(&columns, rows.num_rows(), &mut self.hashes);
        for (row, hash) in self.hashes.iter().enumerate() {
            self.places[thread_of(key_group(*hash), self.threads)].push(row as u32);
        }
        let mut scattered = Vec::with_capacity(self.threads);
        for (thread, places) in self.places.iter_mut().enumerate() {
            if places.len() == rows.num_rows() {
                scattered.push((thread, rows.clone()));
            } else if !places.is_empty() {
                let places = UInt32Array::from(std::mem::take(places));
                let taken = take_record_batch(rows, &places).expect("the places are rows of the batch");
                scattered.push((thread, taken));
            }
            places.clear();
        }
        scattered
    }
}

impl Distributor<Message> for ByKey {
    fn partition<T: Clone, P: Push<Envelope<T, Message>>>(
        &mut self,
        container: &mut Message,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        match std::mem::take(container) {
            Message::Empty => {}
            Message::Batch(batch) => {
                for (thread, rows) in self.scatter(&batch.rows) {
                    Envelope::push_at(&mut Message::batch(rows), stamp.clone(), &mut pushers[thread]);
                }
            }
            Message::Watermark { from, watermark, .. } => {
                copy(&Message::Watermark { from, watermark, copies: 1 }, stamp, pushers);
            }
            Message::Announcement { announcement, .. } => {
                copy(&Message::Announcement { announcement, copies: 1 }, stamp, pushers);
            }
        }
    }

    fn flush<T: Clone, P: Push<Envelope<T, Message>>>(&mut self, _stamp: &Stamp<T>, _pushers: &mut [P]) {}
}

fn copy<T: Clone, P: Push<Envelope<T, Message>>>(message: &Message, stamp: &Stamp<T>, pushers: &mut [P]) {
    for pusher in pushers {
        Envelope::push_at(&mut message.clone(), stamp.clone(), pusher);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use tidemill_model::key_groups::KeyGroupRange;

    use super::*;

    #[test]
    fn every_row_goes_to_the_owner_of_its_key_and_none_is_lost() {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let rows = RecordBatch::try_from_iter([("k", values)]).unwrap();
        for threads in [1, 2, 3, 7] {
            let scattered = ByKey::new(vec![0], threads).scatter(&rows);
            assert_eq!(scattered.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>(), 1000);
            for (thread, rows) in scattered {
                let mut hashes = Vec::new();
                hash_rows(rows.columns(), rows.num_rows(), &mut hashes);
                let owned = KeyGroupRange::of_thread(thread, threads);
                assert!(hashes.iter().all(|hash| owned.contains(key_group(*hash))));
            }
        }
    }
}

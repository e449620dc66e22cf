//! Open sessions: which a row belongs to, which it brings together, and which are over. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::time::Slice;

/// A key's number.
type Key = u32;

/// The number by which a session's aggregates are found.
type Slot = u32;

#[derive(Default)]
pub struct Sessions {
    /// By key and start.
    open: BTreeMap<(Key, i64), Session>,
    /// When to look at a session: at its end as it was once, and by its start as it was then.
    due: BinaryHeap<Reverse<(i64, Key, i64)>>,
    /// Whether the session of each slot is open.
    slots: Vec<bool>,
}

#[derive(Clone, Copy)]
struct Session {
    end: i64,
    slot: Slot,
}

/// A session, and the key it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: Key,
    pub time: Slice,
    pub slot: Slot,
}

impl Sessions {
    /// The number of slots given out.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    pub fn dead(&self) -> usize {
        self.slots.len() - self.open.len()
    }

    /// All open sessions, by key and start.
    pub fn open(&self) -> impl Iterator<Item = Found> {
        self.open.iter().map(|((key, start), session)| Found {
            key: *key,
            time: Slice { end: session.end, start: *start },
            slot: session.slot,
        })
    }

    /// Whether a key has an open session that `time` would be a part of. As in Flink it is enough that they touch.
    pub fn touches(&self, key: Key, time: Slice) -> bool {
        let before = self.open.range((key, i64::MIN)..=(key, time.end)).next_back();
        before.is_some_and(|(_, session)| session.end >= time.start)
    }

    /// Takes `time` into a key's sessions and returns the slot of the one that it is part of now. Slots of others that
    /// became part of the same are put into `merged`, with its.
    pub fn place(&mut self, key: Key, time: Slice, merged: &mut Vec<(Slot, Slot)>) -> Slot {
        let touching: Vec<(i64, Session)> = self
            .open
            .range((key, i64::MIN)..=(key, time.end))
            .rev()
            .take_while(|(_, session)| session.end >= time.start)
            .map(|((_, start), session)| (*start, *session))
            .collect();
        let (Some((_, last)), Some((start, first))) = (touching.first(), touching.last()) else {
            self.slots.push(false);
            let slot = self.slots.len() as Slot - 1;
            self.insert(Found { key, time, slot });
            return slot;
        };
        let time = Slice { end: time.end.max(last.end), start: time.start.min(*start) };
        if touching.len() == 1 && time.start == *start {
            // Its time to be looked at stays: what is left to wait for is seen then.
            self.open.insert((key, time.start), Session { end: time.end, slot: first.slot });
            return first.slot;
        }
        for (start, session) in &touching {
            self.open.remove(&(key, *start));
            self.slots[session.slot as usize] = false;
            if session.slot != first.slot {
                merged.push((session.slot, first.slot));
            }
        }
        self.insert(Found { key, time, slot: first.slot });
        first.slot
    }

    /// Removes the sessions whose last millisecond is not after `watermark`, in the order of their ends.
    pub fn close(&mut self, watermark: i64) -> Vec<Found> {
        let mut closed = Vec::new();
        while let Some(Reverse((due, key, start))) = self.due.peek().copied()
            && due - 1 <= watermark
        {
            self.due.pop();
            match self.open.get(&(key, start)).copied() {
                Some(Session { end, slot }) if end - 1 <= watermark => {
                    self.open.remove(&(key, start));
                    self.slots[slot as usize] = false;
                    closed.push(Found { key, time: Slice { end, start }, slot });
                }
                Some(session) => self.due.push(Reverse((session.end, key, start))),
                None => {}
            }
        }
        closed
    }

    /// Whether the session of each slot is open.
    pub fn open_slots(&self) -> &[bool] {
        &self.slots
    }

    /// Numbers keys and slots anew.
    pub fn renumber(&mut self, key: impl Fn(Key) -> Key, slot: impl Fn(Slot) -> Slot) {
        let open: Vec<Found> = self.open().collect();
        *self = Self { slots: vec![false; open.len()], ..Self::default() };
        for found in open {
            self.insert(Found { key: key(found.key), slot: slot(found.slot), time: found.time });
        }
    }

    fn insert(&mut self, Found { key, time, slot }: Found) {
        self.open.insert((key, time.start), Session { end: time.end, slot });
        self.due.push(Reverse((time.end, key, time.start)));
        self.slots[slot as usize] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(start: i64, end: i64) -> Slice {
        Slice { end, start }
    }

    #[test]
    fn a_row_between_two_sessions_makes_them_one() {
        let (mut sessions, mut merged) = (Sessions::default(), Vec::new());
        assert_eq!(sessions.place(7, slice(0, 10), &mut merged), 0);
        assert_eq!(sessions.place(7, slice(21, 31), &mut merged), 1);
        assert_eq!(sessions.place(8, slice(11, 21), &mut merged), 2);
        assert!(merged.is_empty());
        assert!(sessions.touches(7, slice(10, 11)) && !sessions.touches(7, slice(11, 20)));
        assert_eq!(sessions.place(7, slice(11, 21), &mut merged), 1, "it touches the later one only");
        assert_eq!(sessions.place(7, slice(10, 11), &mut merged), 0);
        assert_eq!(merged, [(1, 0)]);
        assert_eq!(sessions.close(19), []);
        assert_eq!(sessions.close(20), [Found { key: 8, time: slice(11, 21), slot: 2 }]);
        assert_eq!(sessions.close(30), [Found { key: 7, time: slice(0, 31), slot: 0 }]);
        assert_eq!(sessions.dead(), 3);
    }
}

//! Numbers that must not be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The fencing number of one job start. It only grows over an application's life; of two incarnations only the
    /// higher one may publish checkpoints.
    Incarnation
}
number! {
    /// A slice of about 100 ms of ingestion, counted from 0 in each incarnation. The end of every epoch is a
    /// consistent cut through the dataflow.
    Epoch
}
number! {
    /// The number of a checkpoint. It only grows over an application's life, across incarnations.
    CheckpointId
}

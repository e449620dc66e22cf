//! The tests, by what they are about.

mod bad_input;
mod figures;
mod nothing_lost;

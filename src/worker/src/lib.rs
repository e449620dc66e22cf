//! The process in a worker pod: a supervisor that lives as long as the pod, and one engine child per incarnation.
//!
//! ```text
//! worker 0                                   worker 1
//! ┌────────────────────────────────┐         ┌────────────────┐
//! │ supervisor ── job API, metrics │         │ supervisor     │ ── metrics
//! │   coordinator ◄── TCP ── link  │ ◄─ TCP ─┤   link         │
//! │                          │     │         │    │           │
//! │                       child ◄──┼── data ─┼─► child        │
//! └────────────────────────────────┘         └────────────────┘
//! ```
//!
//! - [`coordinator`] decides; it runs in worker 0 and keeps nothing but what is in object storage.
//! - [`supervisor`] connects to it, runs the child it asks for and relays what the child says.
//! - [`engine_child`] is the child's side: standard input and output to the engine and back.
//! - [`http`] and [`metrics`] answer probes, Prometheus and the job API.
//!
//! It must never know of Kubernetes: `tidemill run` starts the same processes on a laptop.

pub mod command;
pub mod coordinator;
mod engine_child;
mod http;
mod metrics;
mod supervisor;
mod wire;

pub use command::WorkerCommand;

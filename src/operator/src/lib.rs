//! Controllers that turn Applications, Streams and ApplicationSnapshots into running jobs.
//!
//! [`resources`] are the custom resources; [`compile`] turns them into a [`tidemill_model::job::JobSpec`] (also without
//! a cluster). [`application`], [`stream`] and [`snapshot`] are one controller each; [`children`] builds the objects
//! that an Application consists of; [`job_api`] and [`state`] are the edges to jobs and storage; [`controllers`] wires it
//! all up. The operator never writes `spec`, knows no connector and links no engine.

pub mod application;
pub mod children;
pub mod compile;
pub mod context;
pub mod controllers;
pub mod crds;
pub mod job_api;
pub mod job_watch;
pub mod leader;
pub mod metrics;
pub mod resources;
pub mod server;
pub mod settings;
pub mod snapshot;
pub mod state;
pub mod stream;

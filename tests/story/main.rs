//! The cluster story: what a user does, on a real Kubernetes with real Kafka, and what must come of it.
//!
//! These tests see Tidemill from outside alone: manifests in, status, pods and topics out. They need
//!
//! - `TIDEMILL_TEST_KUBECONFIG`: a cluster with the chart installed and default checkpoint storage,
//! - `TIDEMILL_TEST_KAFKA`, `TIDEMILL_TEST_KAFKA_FROM_PODS`: one broker's address, from here and from pods,
//! - `TIDEMILL_TEST_CLUSTER` (optional): the folder of a cluster that `tests/cluster/up.sh` made. With it a test can
//!   kill a process inside a node and read the API server's audit log.
//!
//! `make test-cluster` sets them and runs all. They run one after another: two cores carry the cluster, Kafka and the
//! workers. Each test has a namespace of its own and leaves it behind only when it fails.
#![allow(clippy::unwrap_used)]

mod application;
mod cases;
mod cluster;
mod kafka;
mod page_views;
mod report;
mod writes;

//! The custom resources as Rust types: their fields' documentation is the user manual (`kubectl explain`), and the
//! CRDs in `crds/` and in the chart are generated from here. Only shapes and rules live here; meaning is given to
//! them in [`crate::compile`] and the controllers. No type here may reject what the API server has accepted, or one
//! odd object would stop the watch of all.

mod application;
mod application_status;
mod common;
mod function;
mod snapshot;
mod stream;

#[cfg(test)]
mod tests;

pub use application::{
    Application, ApplicationSpec, Checkpoint, Code, ConfigMapKeyRef, DeletionPolicy, DesiredState, Input, KpuResources,
    LogLevel, Output, PodTemplate, Restore, RestoreSource, RuntimeEnvironment, Scaling, SqlFrom, StartingPosition,
    StopPolicy, Storage, Toleration,
};
pub use application_status::{
    ApplicationPhase, ApplicationStatus, JobSummary, LastCheckpoint, Operation, OperationKind, ScalingStatus,
    SourceLag, StateStatus, VersionStatus,
};
pub use common::{Condition, ConditionStatus, LocalRef, Moment, conditions_changed, set_condition};
pub use function::FunctionSource;
pub use snapshot::{
    ApplicationSnapshot, ApplicationSnapshotSpec, ApplicationSnapshotStatus, SnapshotDeletionPolicy, SnapshotPhase,
};
pub use stream::{
    Column, DeliveryGuarantee, ErrorPolicy, Format, FormatType, Generator, GeneratorKind, Kafka, Nothing, ObjectStore,
    Stream, StreamSpec, StreamStatus, StreamUse, StreamWatermark, TimestampFormat,
};

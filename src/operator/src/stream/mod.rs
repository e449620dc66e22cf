//! The controller of Streams: says whether columns and types are valid, and which Applications use the Stream. It
//! touches nothing outside: a Stream stands for data that belongs to somebody else.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::controller::Action as Requeue;
use kube::runtime::reflector::Store;
use kube::{Api, ResourceExt};

use crate::compile::{self, Rejection};
use crate::context::Context;
use crate::resources::{
    Application, Condition, ConditionStatus, Moment, Stream, StreamStatus, StreamUse, conditions_changed, set_condition,
};

/// Why a reconcile did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("failed to read the Stream {namespace}/{name}")]
    Read { namespace: String, name: String, source: Box<kube::Error> },
    #[error("failed to write the status of the Stream {namespace}/{name}")]
    Write { namespace: String, name: String, source: Box<kube::Error> },
}

/// What the controller of Streams works with.
pub struct StreamContext {
    pub context: Arc<Context>,
    pub applications: Store<Application>,
}

pub async fn reconcile(stream: Arc<Stream>, context: Arc<StreamContext>) -> Result<Requeue, StreamError> {
    context.context.metrics.reconcile("Stream", bring_up_to_date(&stream, &context)).await
}

pub fn retry(_: Arc<Stream>, _: &StreamError, _: Arc<StreamContext>) -> Requeue {
    Requeue::requeue(Duration::from_secs(5))
}

async fn bring_up_to_date(stream: &Stream, context: &StreamContext) -> Result<Requeue, StreamError> {
    let (namespace, name) = (stream.namespace().unwrap_or_default(), stream.name_any());
    let api: Api<Stream> = Api::namespaced(context.context.client.clone(), &namespace);
    let read =
        |source| StreamError::Read { namespace: namespace.clone(), name: name.clone(), source: Box::new(source) };
    let Some(mut stream) = api.get_opt(&name).await.map_err(read)? else { return Ok(Requeue::await_change()) };
    let applications = context.applications.state();
    let used_by = uses(&stream, applications.iter().map(|app| &**app));
    let Some(status) = new_status(&stream, compile::check_stream(&stream), used_by, Timestamp::now()) else {
        return Ok(Requeue::await_change());
    };
    stream.status = Some(status);
    context.context.metrics.wrote("StreamStatus");
    match api.replace_status(&name, &PostParams::default(), &stream).await {
        Ok(_) => Ok(Requeue::await_change()),
        // Changed since it was read: the change brings us here again.
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {
            Ok(Requeue::requeue(Duration::from_secs(1)))
        }
        Err(source) => Err(StreamError::Write { namespace, name, source: Box::new(source) }),
    }
}

/// The Applications that name a Stream.
pub fn uses<'a>(stream: &Stream, applications: impl Iterator<Item = &'a Application>) -> Vec<StreamUse> {
    let name = stream.name_any();
    let mut uses = Vec::new();
    for app in applications.filter(|app| app.namespace() == stream.namespace()) {
        let mut add = |as_: &str| uses.push(StreamUse { application: app.name_any(), as_: as_.into() });
        if app.spec.inputs.iter().any(|input| input.stream_ref.name == name) {
            add("input");
        }
        if app.spec.outputs.iter().any(|output| output.stream_ref.name == name) {
            add("output");
        }
    }
    uses.sort();
    uses
}

/// The status to write; none if it stands there already.
fn new_status(
    stream: &Stream,
    check: Result<(), Rejection>,
    used_by: Vec<StreamUse>,
    now: Timestamp,
) -> Option<StreamStatus> {
    let before = stream.status.clone().unwrap_or_default();
    let generation = stream.metadata.generation.unwrap_or_default();
    let (status, reason, message) = match check {
        Ok(()) => (ConditionStatus::True, "Valid".to_string(), "columns, types and watermark are valid".to_string()),
        Err(rejection) => (ConditionStatus::False, rejection.reason.name().to_string(), rejection.message),
    };
    let mut after = StreamStatus {
        observed_generation: Some(generation),
        connector: compile::connector_name(&stream.spec).unwrap_or_default().into(),
        used_by,
        conditions: before.conditions.clone(),
    };
    let last_transition_time = Moment::new(now);
    let condition = Condition {
        type_: "Ready".into(),
        status,
        reason,
        message,
        last_transition_time,
        observed_generation: generation,
    };
    set_condition(&mut after.conditions, condition);
    let changed = conditions_changed(&before.conditions, &after.conditions)
        || (before.observed_generation, &before.connector, &before.used_by)
            != (after.observed_generation, &after.connector, &after.used_by);
    changed.then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::RejectionReason;
    use crate::resources::{ApplicationSpec, Input, LocalRef, StreamSpec};

    fn app(name: &str, namespace: &str, reads: &str) -> Application {
        let input = Input { name: "t".into(), stream_ref: LocalRef { name: reads.into() }, ..Input::default() };
        let mut app = Application::new(name, ApplicationSpec { inputs: vec![input], ..ApplicationSpec::default() });
        app.metadata.namespace = Some(namespace.into());
        app
    }

    fn stream() -> Stream {
        let mut stream = Stream::new("s", StreamSpec::default());
        stream.metadata.namespace = Some("shop".into());
        stream.metadata.generation = Some(1);
        stream
    }

    #[test]
    fn a_stream_is_used_by_applications_of_its_own_namespace_that_name_it() {
        let applications =
            [app("b", "shop", "s"), app("a", "shop", "s"), app("c", "other", "s"), app("d", "shop", "x")];
        let names: Vec<String> =
            uses(&stream(), applications.iter()).into_iter().map(|used| used.application).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_status_that_stands_there_is_not_written_again() {
        let mut stream = stream();
        let refused = || Err(Rejection::new(RejectionReason::InvalidStream, "wrong"));
        let later = Timestamp::from_second(100).unwrap();
        stream.status = new_status(&stream, refused(), vec![], Timestamp::UNIX_EPOCH);
        assert_eq!(new_status(&stream, refused(), vec![], later), None);
        let mended = new_status(&stream, Ok(()), vec![], later).unwrap();
        assert_eq!(mended.conditions[0].status, ConditionStatus::True);
        assert_eq!(mended.conditions[0].last_transition_time, Moment::new(later));
    }
}

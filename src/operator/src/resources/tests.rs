//! The CEL rules of the CRDs, evaluated as the API server does. What the schema itself refuses (patterns, limits) is the
//! API server's business.

use serde_json::{Value, json};

use super::{Application, ApplicationSnapshot, Stream};

fn app(spec: Value) -> Application {
    named_app("a", spec)
}

fn named_app(name: &str, mut spec: Value) -> Application {
    if spec["code"].is_null() {
        spec["code"] = json!({"sql": "SELECT 1"});
    }
    let object = json!({
        "apiVersion": "tidemill.dev/v1alpha1", "kind": "Application", "metadata": {"name": name}, "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn stream(mut spec: Value) -> Stream {
    if spec["columns"].is_null() {
        spec["columns"] = json!([{"name": "a", "type": "INT"}]);
    }
    let object =
        json!({"apiVersion": "tidemill.dev/v1alpha1", "kind": "Stream", "metadata": {"name": "s"}, "spec": spec});
    serde_json::from_value(object).unwrap()
}

#[test]
fn an_application_needs_one_text_and_a_complete_restore() {
    for (spec, valid) in [
        (json!({}), true),
        (json!({"code": {}}), false),
        (json!({"code": {"sql": "x", "sqlFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}}), false),
        (json!({"code": {"sqlFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}}}), true),
        (json!({"restore": {"from": "Empty"}}), false),
        (json!({"restore": {"from": "Empty", "number": 1}}), true),
        (json!({"restore": {"from": "Snapshot", "number": 1}}), false),
        (json!({"restore": {"from": "Snapshot", "number": 1, "snapshotRef": {"name": "s"}}}), true),
    ] {
        assert_eq!(app(spec.clone()).validate_cel().is_ok(), valid, "{spec}");
    }
}

#[test]
fn an_applications_name_leaves_room_for_its_pods() {
    assert!(named_app(&"a".repeat(45), json!({})).validate_cel().is_ok());
    assert!(named_app(&"a".repeat(46), json!({})).validate_cel().is_err());
}

#[test]
fn numbers_of_one_shot_acts_only_grow() {
    for (before, after, valid) in [
        (json!({"restartEpoch": 1}), json!({"restartEpoch": 2}), true),
        (json!({"restartEpoch": 1}), json!({}), false),
        (json!({"restore": {"number": 2}}), json!({"restore": {"number": 2}}), true),
        (json!({"restore": {"number": 2}}), json!({"restore": {"number": 1}}), false),
    ] {
        let valid_now = app(after.clone()).validate_cel_update(&app(before.clone())).is_ok();
        assert_eq!(valid_now, valid, "{before} to {after}");
    }
}

#[test]
fn a_stream_has_one_provider_and_columns_of_one_kind() {
    for (spec, valid) in [
        (json!({"print": {}}), true),
        (json!({}), false),
        (json!({"print": {}, "blackhole": {}}), false),
        (json!({"print": {}, "columns": [{"name": "a"}]}), false),
        (json!({"print": {}, "columns": [{"name": "a", "type": "INT", "expression": "b"}]}), false),
        (json!({"print": {}, "columns": [{"name": "a", "expression": "b"}]}), true),
        (json!({"print": {}, "watermark": {"column": "a", "delay": "5s"}}), true),
        (json!({"print": {}, "watermark": {"column": "a", "delay": "5s", "expression": "a"}}), false),
    ] {
        assert_eq!(stream(spec.clone()).validate_cel().is_ok(), valid, "{spec}");
    }
}

#[test]
fn a_snapshot_stays_that_of_its_application() {
    let of = |name: &str| -> ApplicationSnapshot {
        let spec = json!({"applicationRef": {"name": name}});
        serde_json::from_value(json!({
            "apiVersion": "tidemill.dev/v1alpha1", "kind": "ApplicationSnapshot", "metadata": {"name": "s"}, "spec": spec,
        }))
        .unwrap()
    };
    assert!(of("a").validate_cel_update(&of("a")).is_ok());
    assert!(of("b").validate_cel_update(&of("a")).is_err());
}

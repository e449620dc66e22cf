use super::*;
use crate::resources::{Application, ApplicationSpec};
use crate::settings::Settings;

fn app() -> Application {
    let mut app = Application::new("page-views", ApplicationSpec::default());
    app.metadata.namespace = Some("shop".into());
    app.metadata.uid = Some("u1".into());
    app
}

pub(crate) fn settings() -> Settings {
    Settings {
        worker_image: "localhost/tidemill:1".into(),
        image_pull_policy: String::new(),
        kpu_cpu: "1".into(),
        kpu_memory: "4Gi".into(),
        default_storage_uri: String::new(),
        default_storage_endpoint: String::new(),
        default_storage_region: String::new(),
        default_storage_secret: String::new(),
        listen: ([127, 0, 0, 1], 0).into(),
        lease_namespace: String::new(),
        identity: "me".into(),
    }
}

#[test]
fn another_number_of_pods_is_another_object_with_the_same_template() {
    let (one, two) = (stateful_set(&app(), &settings(), 1), stateful_set(&app(), &settings(), 2));
    assert_ne!(applied_hash(&one), applied_hash(&two));
    assert_eq!(one.annotations()[TEMPLATE_ANNOTATION], two.annotations()[TEMPLATE_ANNOTATION]);
    assert_eq!(one.annotations()[TEMPLATE_ANNOTATION], template_hash(&app(), &settings()));
}

#[test]
fn another_image_is_another_template() {
    let mut other = app();
    other.spec.image = Some("other".into());
    assert_ne!(template_hash(&app(), &settings()), template_hash(&other, &settings()));
}

#[test]
fn pods_have_no_rights_and_no_way_to_get_any() {
    let set = stateful_set(&app(), &settings(), 1);
    let pod = set.spec.template.spec.unwrap();
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert_eq!(pod.security_context.unwrap().run_as_non_root, Some(true));
    let container = pod.containers[0].security_context.clone().unwrap();
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(container.allow_privilege_escalation, Some(false));
    assert_eq!(service_account(&app()).unwrap().automount_service_account_token, Some(false));
}

#[test]
fn the_users_labels_cannot_take_the_place_of_ours() {
    let mut app = app();
    app.spec.pod_template.labels =
        [(APPLICATION_LABEL.to_string(), "other".to_string()), ("team".into(), "a".into())].into();
    let labels = pod_labels(&app);
    assert_eq!(labels[APPLICATION_LABEL], "page-views");
    assert_eq!(labels["team"], "a");
}

#[test]
fn every_child_is_owned_by_the_application() {
    let owners = [
        service(&app()).metadata.owner_references,
        service_account(&app()).unwrap().metadata.owner_references,
        stateful_set(&app(), &settings(), 1).metadata.owner_references,
    ];
    for owner in owners {
        let owner = &owner.unwrap()[0];
        assert_eq!((owner.kind.as_str(), owner.uid.as_str(), owner.controller), ("Application", "u1", Some(true)));
    }
}

use super::*;

const LOCAL: &str = r"
apiVersion: tidemill.dev/v1alpha1
kind: Stream
metadata: {name: page-views}
spec:
  kafka: {bootstrapServers: 'kafka:9092', topic: page-views, properties: {client.id: me}, secretRef: {name: kafka}}
  columns: [{name: page, type: STRING}, {name: viewed_at, type: TIMESTAMP(3)}]
  watermark: {column: viewed_at, delay: 5s}
---
apiVersion: tidemill.dev/v1alpha1
kind: Stream
metadata: {name: page-counts}
spec:
  kafka: {bootstrapServers: 'kafka:9092', topic: page-counts}
  deliveryGuarantee: ExactlyOnce
  columns: [{name: page, type: STRING}]
---
apiVersion: v1
kind: Secret
metadata: {name: kafka}
stringData: {sasl.password: hunter2}
---
apiVersion: tidemill.dev/v1alpha1
kind: Application
metadata: {name: page-views, namespace: shop}
spec:
  code: {sql: INSERT INTO page_counts SELECT page FROM page_views}
  inputs: [{name: page_views, streamRef: {name: page-views}, startingPosition: Now}]
  outputs: [{name: page_counts, streamRef: {name: page-counts}}]
  scaling: {kpus: 2, parallelismPerKpu: 3}
  checkpoint: {interval: 10s, storage: {uri: 's3://b/p', endpoint: 'http://store:9000'}}
";

fn documents() -> Documents {
    let mut documents = Documents::default();
    load(LOCAL, &mut documents).unwrap();
    documents
}

fn catalog(documents: &Documents) -> Vec<TableDefinition> {
    table::catalog(&documents.applications[0], &documents.streams, &documents.references()).unwrap()
}

/// The reasons for which the documents are rejected after `change`.
fn rejected(change: impl FnOnce(&mut Documents)) -> Vec<RejectionReason> {
    let mut documents = documents();
    change(&mut documents);
    let rejections = job(&documents.applications[0], &documents.streams, &documents.references()).unwrap_err();
    assert!(rejections.iter().all(|rejection| !rejection.message.contains("hunter2")));
    rejections.iter().map(|rejection| rejection.reason).collect()
}

fn version(change: impl FnOnce(&mut Documents)) -> String {
    let mut documents = documents();
    change(&mut documents);
    let app = &documents.applications[0];
    let references = documents.references();
    let storage = job_storage(app, &references).unwrap();
    let catalog = table::catalog(app, &documents.streams, &references).unwrap();
    let sql = references::sql_text(app, &references).unwrap();
    let modules = functions::modules(app, &references).unwrap();
    version::of(app, &sql, &catalog, &modules, &storage, &references)
}

#[test]
fn a_stream_becomes_a_table_with_flinks_options() {
    let tables = catalog(&documents());
    let options: Vec<_> = tables[0].options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        options,
        [
            "connector=kafka",
            "format=json",
            "properties.bootstrap.servers=kafka:9092",
            "properties.client.id=me",
            "properties.sasl.password=hunter2",
            "scan.startup.mode=latest-offset",
            "topic=page-views",
        ]
    );
    let watermark = tables[0].watermark.as_ref().unwrap();
    assert_eq!(watermark.expression, "`viewed_at` - INTERVAL '5.000' SECOND");
    assert_eq!(tables[1].options["sink.delivery-guarantee"], "exactly-once");
    assert!(!tables[1].options.contains_key("scan.startup.mode"));
}

#[test]
fn storage_takes_its_options_from_fields_and_secret() {
    let mut documents = documents();
    let storage = documents.applications[0].spec.checkpoint.storage.as_mut().unwrap();
    storage.secret_ref = Some(crate::resources::LocalRef { name: "s3".into() });
    let mut references = documents.references();
    references.secrets.insert("s3".into(), [("AWS_ACCESS_KEY_ID".to_string(), "id".to_string())].into());
    let storage = job_storage(&documents.applications[0], &references).unwrap();
    assert_eq!(storage.uri, "s3://b/p");
    assert_eq!(storage.options["endpoint"], "http://store:9000");
    assert_eq!(storage.options["allow_http"], "true");
    assert_eq!(storage.options["aws_access_key_id"], "id");
}

#[test]
fn every_missing_object_is_named_at_once() {
    let reasons = rejected(|documents| {
        documents.streams.remove(1);
        documents.secrets.clear();
        documents.applications[0].spec.checkpoint.storage = None;
    });
    assert_eq!(reasons, [RejectionReason::MissingSecret, RejectionReason::UnknownStream, RejectionReason::NoStorage]);
}

#[test]
fn a_stream_that_can_only_be_written_is_no_input() {
    let reasons = rejected(|documents| {
        documents.streams[0].spec.kafka = None;
        documents.streams[0].spec.print = Some(crate::resources::Nothing {});
    });
    assert_eq!(reasons, [RejectionReason::InvalidStream]);
}

#[test]
fn a_table_name_is_used_once() {
    let reasons = rejected(|documents| documents.applications[0].spec.outputs[0].name = "page_views".into());
    assert_eq!(reasons, [RejectionReason::InvalidSetting]);
}

#[test]
fn an_unfinished_snapshot_is_not_restored_from() {
    let reasons = rejected(|documents| {
        documents.applications[0].spec.restore = crate::resources::Restore {
            from: RestoreSource::Snapshot,
            snapshot_ref: Some(crate::resources::LocalRef { name: "s".into() }),
            number: 1,
            allow_non_restored_state: false,
        };
    });
    assert_eq!(reasons, [RejectionReason::UnknownSnapshot]);
}

#[test]
fn a_checkpoint_interval_of_zero_is_refused() {
    let reasons = rejected(|documents| documents.applications[0].spec.checkpoint.interval = "0s".into());
    assert_eq!(reasons, [RejectionReason::InvalidSetting]);
}

#[test]
fn the_version_follows_behaviour_and_not_scaling_or_state() {
    let first = version(|_| {});
    assert_eq!(first.len(), 10);
    assert_eq!(first, version(|documents| documents.applications[0].spec.scaling.kpus = 7));
    assert_eq!(
        first,
        version(|documents| documents.applications[0].spec.state = crate::resources::DesiredState::Stopped)
    );
    assert_ne!(first, version(|documents| documents.applications[0].spec.code.sql = Some("SELECT 2".into())));
    assert_ne!(first, version(|documents| documents.applications[0].spec.restart_epoch = 1));
    assert_ne!(first, version(|documents| documents.streams[0].spec.kafka.as_mut().unwrap().topic = "other".into()));
}

#[test]
fn the_version_tells_nothing_of_secret_values() {
    let changed = version(|documents| {
        documents.secrets[0].string_data = Some([("sasl.password".to_string(), "other".to_string())].into());
    });
    assert_eq!(version(|_| {}), changed);
}

#[test]
fn a_misspelt_field_is_refused_with_its_path() {
    let text = LOCAL.replace("interval: 10s", "intervall: 10s");
    let error = load(&text, &mut Documents::default()).unwrap_err();
    assert_eq!(error.to_string(), "document 4: the Application has no field `spec.checkpoint.intervall`");
}

#[test]
fn rules_of_the_api_server_hold_for_files_too() {
    let text = LOCAL.replace("code: {sql:", "code: {sqlFrom: {configMapKeyRef: {name: a, key: b}}, sql:");
    let error = load(&text, &mut Documents::default()).unwrap_err();
    assert!(error.to_string().contains("set exactly one of code.sql and code.sqlFrom"), "{error}");
}

/// An Application that calls a function of a module in a ConfigMap.
const WITH_FUNCTION: &str = r"
apiVersion: tidemill.dev/v1alpha1
kind: Application
metadata: {name: doubled}
spec:
  functions: [{name: com.example.Twice, configMapKeyRef: {name: maths, key: twice.wasm}}]
  code:
    sql: |
      CREATE FUNCTION twice AS 'com.example.Twice';
      CREATE TABLE o (n INT) WITH ('connector' = 'print');
      INSERT INTO o SELECT twice(n) FROM (VALUES (1)) AS t (n);
  checkpoint: {storage: {uri: 's3://b/p'}}
";

/// The job of [`WITH_FUNCTION`], where the ConfigMap has these bytes under this key.
fn with_module(key: &str, bytes: Vec<u8>) -> Result<CompiledJob, Vec<Rejection>> {
    let mut documents = Documents::default();
    load(WITH_FUNCTION, &mut documents).unwrap();
    let binary_data = [(key.to_string(), k8s_openapi::ByteString(bytes))].into();
    documents.config_maps.push(k8s_openapi::api::core::v1::ConfigMap {
        metadata: kube::api::ObjectMeta { name: Some("maths".into()), ..Default::default() },
        binary_data: Some(binary_data),
        ..Default::default()
    });
    job(&documents.applications[0], &[], &documents.references())
}

/// A module with the function `twice` and something that changes it.
fn module(body: &str) -> Vec<u8> {
    let head = r#"(memory (export "memory") 1) (func (export "tidemill_alloc") (param i32) (result i32) i32.const 8)"#;
    let function = format!(r#"(func (export "twice(INT) -> INT") (param i32) (result i32) {body})"#);
    wat::parse_str(format!("(module {head} {function})")).unwrap()
}

#[test]
fn a_job_carries_the_modules_of_its_functions() {
    let compiled = with_module("twice.wasm", module("unreachable")).unwrap();
    let (digest, text) = compiled.job.modules.first_key_value().unwrap();
    use base64::Engine;
    assert_eq!(base64::prelude::BASE64_STANDARD.decode(text).unwrap(), module("unreachable"));
    assert!(serde_json::to_string(&compiled.job.plan).unwrap().contains(digest.as_str()));
    let other = with_module("twice.wasm", module("local.get 0")).unwrap();
    assert_ne!(other.job.version, compiled.job.version, "a changed module is a new version");
}

#[test]
fn a_module_that_is_missing_or_cannot_be_run_is_named() {
    let rejection = |key: &str, bytes: Vec<u8>| with_module(key, bytes).unwrap_err().remove(0);
    let missing = rejection("other.wasm", module("unreachable"));
    assert_eq!(missing.reason, RejectionReason::MissingConfigMap);
    assert!(missing.message.contains("no key `twice.wasm` in its binaryData"), "{missing}");
    let broken = rejection("twice.wasm", b"no module".to_vec());
    assert_eq!(broken.reason, RejectionReason::InvalidFunction);
    assert!(broken.message.starts_with("the module for `com.example.Twice` cannot be used:"), "{broken}");
    let without = wat::parse_str("(module)").unwrap();
    assert!(rejection("twice.wasm", without).message.contains("no export `memory`"));
    assert!(rejection("twice.wasm", vec![0; 600 << 10]).message.contains("and 524288 are allowed"));
}

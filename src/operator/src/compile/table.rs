//! From a Stream to the table that SQL sees. The options have Flink's names; connectors read exactly these.

use std::collections::BTreeMap;

use kube::ResourceExt;
use tidemill_sql::{ColumnDefinition, ColumnKind, TableDefinition, WatermarkDefinition};

use super::duration::parse_millis;
use super::references::References;
use super::rejection::{Rejection, RejectionReason};
use crate::resources::{
    Application, Column, DeliveryGuarantee, ErrorPolicy, Format, FormatType, Generator, GeneratorKind, Input, Output,
    StartingPosition, Stream, StreamSpec, StreamWatermark, TimestampFormat,
};

/// What a table is used for.
pub enum TableUse<'a> {
    Read(&'a Input),
    Write(&'a Output),
    /// Only its columns and watermark matter.
    Check,
}

/// The tables of an Application.
pub(super) fn catalog(
    app: &Application,
    streams: &[Stream],
    references: &References,
) -> Result<Vec<TableDefinition>, Vec<Rejection>> {
    let reads = app.spec.inputs.iter().map(|input| (&input.name, &input.stream_ref.name, TableUse::Read(input)));
    let writes = app.spec.outputs.iter().map(|output| (&output.name, &output.stream_ref.name, TableUse::Write(output)));
    let mut tables: Vec<TableDefinition> = Vec::new();
    let mut rejections = Vec::new();
    for (name, stream, table_use) in reads.chain(writes) {
        if tables.iter().any(|table| &table.name == name) {
            rejections.push(Rejection::new(
                RejectionReason::InvalidSetting,
                format!("the table name `{name}` is used twice in inputs and outputs; give each a name of its own"),
            ));
            continue;
        }
        match table(name, stream, streams, &table_use, references) {
            Ok(table) => tables.push(table),
            Err(rejection) => rejections.push(rejection),
        }
    }
    if rejections.is_empty() { Ok(tables) } else { Err(rejections) }
}

fn table(
    name: &str,
    stream: &str,
    streams: &[Stream],
    table_use: &TableUse,
    references: &References,
) -> Result<TableDefinition, Rejection> {
    let found = streams.iter().find(|candidate| candidate.name_any() == stream).ok_or_else(|| {
        Rejection::new(
            RejectionReason::UnknownStream,
            format!("`{name}`: the Stream `{stream}` does not exist; create it in the Application's namespace, or correct streamRef"),
        )
    })?;
    let secrets = secret_options(&found.spec, references)?;
    table_definition(name, found, table_use, &secrets)
}

/// One table. `secrets` are options whose values are secret.
pub fn table_definition(
    name: &str,
    stream: &Stream,
    table_use: &TableUse,
    secrets: &BTreeMap<String, String>,
) -> Result<TableDefinition, Rejection> {
    let spec = &stream.spec;
    let refuse = |message: String| {
        Rejection::new(RejectionReason::InvalidStream, format!("the Stream `{}` {message}", stream.name_any()))
    };
    let connector = connector_name(spec)
        .ok_or_else(|| refuse("must set exactly one of kafka, generator, objectStore, print and blackhole".into()))?;
    fits_use(connector, table_use).map_err(refuse)?;
    let columns = spec.columns.iter().map(column).collect::<Result<_, _>>().map_err(refuse)?;
    let watermark = match table_use {
        TableUse::Read(_) | TableUse::Check => spec.watermark.as_ref().map(watermark).transpose().map_err(refuse)?,
        TableUse::Write(_) => None,
    };
    let mut options = provider_options(spec, table_use);
    options.insert("connector".into(), connector.into());
    options.extend(spec.options.clone());
    match table_use {
        TableUse::Read(input) => options.extend(input.options.clone()),
        TableUse::Write(output) => options.extend(output.options.clone()),
        TableUse::Check => {}
    }
    options.extend(secrets.clone());
    Ok(TableDefinition { name: name.into(), columns, watermark, primary_key: Vec::new(), options })
}

/// The connector of a Stream's provider; none unless it has exactly one.
pub fn connector_name(spec: &StreamSpec) -> Option<&'static str> {
    let providers = [
        (spec.kafka.is_some(), "kafka"),
        (spec.generator.is_some(), "generator"),
        (spec.object_store.is_some(), "filesystem"),
        (spec.print.is_some(), "print"),
        (spec.blackhole.is_some(), "blackhole"),
    ];
    let mut set = providers.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name);
    set.next().filter(|_| set.next().is_none())
}

fn fits_use(connector: &str, table_use: &TableUse) -> Result<(), String> {
    match (connector, table_use) {
        ("generator", TableUse::Write(_)) => Err("makes records and cannot be written; list it under inputs".into()),
        ("filesystem" | "print" | "blackhole", TableUse::Read(_)) => {
            Err(format!("is of the kind {connector}, which can only be written; list it under outputs"))
        }
        ("generator", TableUse::Read(Input { starting_position: Some(_), .. })) => {
            Err("makes its records anew and has no startingPosition; remove that".into())
        }
        _ => Ok(()),
    }
}

fn column(column: &Column) -> Result<ColumnDefinition, String> {
    let kind = match (&column.type_, &column.expression) {
        (Some(type_), None) => ColumnKind::Physical(type_.clone()),
        (None, Some(expression)) => ColumnKind::Computed(expression.clone()),
        (Some(_), Some(_)) | (None, None) => {
            return Err(format!("must give the column `{}` either a type or an expression", column.name));
        }
    };
    Ok(ColumnDefinition { name: column.name.clone(), kind })
}

fn watermark(watermark: &StreamWatermark) -> Result<WatermarkDefinition, String> {
    let column = &watermark.column;
    let expression = match (&watermark.expression, &watermark.delay) {
        (Some(expression), None) => expression.clone(),
        (None, None) => quote(column),
        (None, Some(delay)) => {
            let millis = parse_millis(delay).ok_or_else(|| {
                format!("has a watermark.delay of `{delay}`; write a number and ms, s, m or h, such as `5s`")
            })?;
            format!("{} - INTERVAL '{}.{:03}' SECOND", quote(column), millis / 1000, millis % 1000)
        }
        (Some(_), Some(_)) => return Err("must set at most one of watermark.delay and watermark.expression".into()),
    };
    Ok(WatermarkDefinition { column: column.clone(), expression })
}

fn quote(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

fn provider_options(spec: &StreamSpec, table_use: &TableUse) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut set = |name: &str, value: &str| options.insert(name.to_string(), value.to_string());
    if let Some(kafka) = &spec.kafka {
        set("topic", &kafka.topic);
        set("properties.bootstrap.servers", &kafka.bootstrap_servers);
        for (name, value) in &kafka.properties {
            set(&format!("properties.{name}"), value);
        }
        if let TableUse::Read(input) = table_use {
            set("scan.startup.mode", startup_mode(input.starting_position.unwrap_or(kafka.starting_position)));
        }
        format_options(&spec.format, table_use, &mut set);
    }
    if let Some(generator) = &spec.generator {
        generator_options(generator, &mut set);
    }
    if let Some(store) = &spec.object_store {
        set("path", &store.uri);
        // A store with an endpoint of its own seldom has a host name per bucket.
        if let Some(endpoint) = &store.endpoint {
            set("s3.endpoint", endpoint);
            set("s3.path.style.access", "true");
        }
        if let Some(region) = &store.region {
            set("s3.region", region);
        }
        format_options(&spec.format, table_use, &mut set);
    }
    if let (TableUse::Write(_), Some(guarantee)) = (table_use, spec.delivery_guarantee) {
        set("sink.delivery-guarantee", guarantee_name(guarantee));
    }
    options
}

fn generator_options(generator: &Generator, set: &mut impl FnMut(&str, &str) -> Option<String>) {
    match generator.kind {
        GeneratorKind::PageViews => set("kind", "page-views"),
    };
    let numbers = [
        ("rows-per-second", generator.rows_per_second),
        ("number-of-rows", generator.number_of_rows),
        ("seed", generator.seed),
        ("pages", generator.pages),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            set(name, &value.to_string());
        }
    }
}

fn format_options(format: &Format, table_use: &TableUse, set: &mut impl FnMut(&str, &str) -> Option<String>) {
    match format.type_ {
        FormatType::Json => set("format", "json"),
    };
    match format.timestamps {
        TimestampFormat::Sql => {}
        TimestampFormat::Iso8601 => {
            set("json.timestamp-format.standard", "ISO-8601");
        }
    }
    match (format.on_error, table_use) {
        (ErrorPolicy::Skip, TableUse::Read(_)) => {
            set("json.ignore-parse-errors", "true");
        }
        (ErrorPolicy::Skip, TableUse::Write(_) | TableUse::Check) | (ErrorPolicy::Fail, _) => {}
    }
}

fn startup_mode(position: StartingPosition) -> &'static str {
    match position {
        StartingPosition::TrimHorizon => "earliest-offset",
        StartingPosition::Now => "latest-offset",
    }
}

fn guarantee_name(guarantee: DeliveryGuarantee) -> &'static str {
    match guarantee {
        DeliveryGuarantee::ExactlyOnce => "exactly-once",
        DeliveryGuarantee::AtLeastOnce => "at-least-once",
        DeliveryGuarantee::None => "none",
    }
}

fn secret_options(spec: &StreamSpec, references: &References) -> Result<BTreeMap<String, String>, Rejection> {
    let mut options = BTreeMap::new();
    if let Some(secret) = spec.kafka.as_ref().and_then(|kafka| kafka.secret_ref.as_ref()) {
        let properties = references.properties(&secret.name)?;
        options.extend(properties.iter().map(|(name, value)| (format!("properties.{name}"), value.clone())));
    }
    if let Some(secret) = spec.object_store.as_ref().and_then(|store| store.secret_ref.as_ref()) {
        for (name, value) in references.credentials(&secret.name)? {
            let option = s3_option(&name).ok_or_else(|| unknown_credential(&secret.name, &name))?;
            options.insert(option.to_string(), value);
        }
    }
    Ok(options)
}

/// The table option for a credential, by the name that it has in the environment of Amazon's clients.
fn s3_option(name: &str) -> Option<&'static str> {
    match name.strip_prefix("aws_").unwrap_or(name) {
        "access_key_id" => Some("s3.access-key"),
        "secret_access_key" => Some("s3.secret-key"),
        "session_token" => Some("s3.session-token"),
        _ => None,
    }
}

fn unknown_credential(secret: &str, key: &str) -> Rejection {
    Rejection::new(
        RejectionReason::InvalidStream,
        format!(
            "the Secret `{secret}` has the key `{key}`, which is no credential; \
             it may hold AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        ),
    )
}

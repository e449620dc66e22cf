//! The server, started as a process, as an S3 client sees it.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path as FolderPath;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    UpdateVersion, WriteMultipart,
};

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(folder: &FolderPath, more: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tidemill-store"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--bucket",
                "test-bucket",
                "--access-key",
                "key",
                "--secret-key",
                "secret",
            ])
            .arg("--folder")
            .arg(folder)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("the server says where it listens").to_string();
        Self { process, address }
    }

    fn client(&self, secret: &str) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", self.address))
            .with_allow_http(true)
            .with_bucket_name("test-bucket")
            .with_region("us-east-1")
            .with_access_key_id("key")
            .with_secret_access_key(secret)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(object_store::RetryConfig { max_retries: 0, ..Default::default() })
            .build()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn server() -> (tempfile::TempDir, Server, AmazonS3) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let client = server.client("secret");
    (folder, server, client)
}

fn create() -> PutOptions {
    PutOptions::from(PutMode::Create)
}

async fn text(store: &dyn ObjectStore, path: &str) -> String {
    String::from_utf8(store.get(&Path::from(path)).await.unwrap().bytes().await.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_create_the_same_object_one_succeeds() {
    let (_folder, _server, client) = server();
    let client = Arc::new(client);
    for round in 0..20 {
        let path = Path::from(format!("claims/c-{round}"));
        let racers = (0..16).map(|racer| {
            let (client, path) = (client.clone(), path.clone());
            tokio::spawn(async move {
                let payload = PutPayload::from(format!("racer {racer}"));
                (racer, client.put_opts(&path, payload, create()).await)
            })
        });
        let mut winners = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                (racer, Ok(_)) => winners.push(racer),
                (_, Err(Error::AlreadyExists { .. })) => {}
                (_, Err(other)) => panic!("{other}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(text(&*client, path.as_ref()).await, format!("racer {}", winners[0]));
    }
}

#[tokio::test]
async fn an_update_happens_only_over_the_version_it_names() {
    let (_folder, _server, client) = server();
    let path = Path::from("config");
    let first = client.put(&path, "one".into()).await.unwrap();
    let version = UpdateVersion { e_tag: first.e_tag, version: None };
    let update = || PutOptions::from(PutMode::Update(version.clone()));
    client.put_opts(&path, "two".into(), update()).await.unwrap();
    let error = client.put_opts(&path, "three".into(), update()).await.unwrap_err();
    assert!(matches!(error, Error::Precondition { .. }), "{error}");
    assert_eq!(text(&client, "config").await, "two");
}

#[tokio::test]
async fn keys_are_listed_in_order_over_many_pages() {
    let (_folder, _server, client) = server();
    let mut expected = Vec::new();
    for number in 0..1203 {
        let key = format!("many/{:02}/k-{number:04}", number % 7);
        client.put(&Path::from(key.as_str()), PutPayload::new()).await.unwrap();
        expected.push(key);
    }
    client.put(&Path::from("other/x"), PutPayload::new()).await.unwrap();
    expected.sort();
    let keys = |prefix: &str| {
        let listed = client.list(Some(&Path::from(prefix)));
        listed.map_ok(|meta| meta.location.to_string()).try_collect::<Vec<_>>()
    };
    assert_eq!(keys("many").await.unwrap(), expected);
    assert_eq!(keys("many/03").await.unwrap().len(), 172);

    let after = client.list_with_offset(Some(&Path::from("many")), &Path::from(expected[1100].as_str()));
    let after: Vec<_> = after.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(after, expected[1101..]);

    let level = client.list_with_delimiter(Some(&Path::from("many"))).await.unwrap();
    let folders: Vec<_> = level.common_prefixes.iter().map(Path::to_string).collect();
    assert_eq!(folders, (0..7).map(|n| format!("many/{n:02}")).collect::<Vec<_>>());
    assert!(level.objects.is_empty());
}

#[tokio::test]
async fn parts_of_an_object_can_be_read() {
    let (_folder, _server, client) = server();
    let path = Path::from("data");
    let content: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    client.put(&path, content.clone().into()).await.unwrap();
    assert_eq!(client.get_range(&path, 999_990..1_000_000).await.unwrap(), content[999_990..]);
    assert_eq!(client.get_range(&path, 10..300_000).await.unwrap(), content[10..300_000]);
    let tail = GetOptions { range: Some(GetRange::Suffix(5)), ..GetOptions::default() };
    assert_eq!(client.get_opts(&path, tail).await.unwrap().bytes().await.unwrap(), content[999_995..]);
    assert_eq!(client.get(&path).await.unwrap().bytes().await.unwrap(), content);
    assert_eq!(client.head(&path).await.unwrap().size, 1_000_000);
    assert!(client.get_range(&path, 1_000_000..1_000_001).await.is_err());
}

#[tokio::test]
async fn a_multipart_upload_becomes_one_object_when_it_is_completed() {
    let (_folder, _server, client) = server();
    let path = Path::from("large");
    let upload = client.put_multipart_opts(&path, PutMultipartOptions::default()).await.unwrap();
    let mut writer = WriteMultipart::new_with_chunk_size(upload, 5 << 20);
    let content = Bytes::from((0..12_000_000u32).map(|n| (n / 1000) as u8).collect::<Vec<u8>>());
    for piece in content.chunks(1_000_000) {
        writer.write(piece);
    }
    assert!(matches!(client.head(&path).await, Err(Error::NotFound { .. })));
    writer.finish().await.unwrap();
    assert_eq!(client.get(&path).await.unwrap().bytes().await.unwrap(), content);

    let mut aborted = client.put_multipart(&Path::from("never")).await.unwrap();
    aborted.put_part("x".into()).await.unwrap();
    aborted.abort().await.unwrap();
    assert!(matches!(client.head(&Path::from("never")).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn deleted_objects_and_their_folders_are_gone() {
    let (folder, _server, client) = server();
    for key in ["a/b/c", "a/b", "a"] {
        client.put(&Path::from(key), key.into()).await.unwrap();
    }
    client.copy(&Path::from("a/b"), &Path::from("copy")).await.unwrap();
    client.delete(&Path::from("a/b/c")).await.unwrap();
    assert_eq!(text(&client, "a/b").await, "a/b");
    assert_eq!(text(&client, "copy").await, "a/b");
    // One request for all of them; those that are not there count as deleted.
    let paths = futures::stream::iter(["a", "a/b", "copy", "none"].map(|key| Ok(Path::from(key)))).boxed();
    assert_eq!(client.delete_stream(paths).try_collect::<Vec<_>>().await.unwrap().len(), 4);
    assert_eq!(client.list(None).count().await, 0);
    assert_eq!(std::fs::read_dir(folder.path().join("test-bucket")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let (_folder, server, _client) = server();
    let error = server.client("wrong").put(&Path::from("x"), "y".into()).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
}

#[tokio::test]
async fn a_server_told_to_be_poor_refuses_conditional_create() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--without-conditional-create"]);
    let client = server.client("secret");
    client.put(&Path::from("x"), "y".into()).await.unwrap();
    let error = client.put_opts(&Path::from("z"), "y".into(), create()).await.unwrap_err();
    assert!(error.to_string().contains("501"), "{error}");
    assert!(client.head(&Path::from("z")).await.is_err());
}

#[tokio::test]
async fn objects_survive_a_killed_server_and_unfinished_ones_do_not_appear() {
    let folder = tempfile::tempdir().unwrap();
    {
        let server = Server::start(folder.path(), &[]);
        server.client("secret").put(&Path::from("kept"), "content".into()).await.unwrap();
        let mut half = TcpStream::connect(&server.address).unwrap();
        half.write_all(b"PUT /test-bucket/half HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
    }
    let server = Server::start(folder.path(), &[]);
    let client = server.client("secret");
    assert_eq!(text(&client, "kept").await, "content");
    assert_eq!(client.list(None).count().await, 1);
}

#[test]
fn two_servers_cannot_share_a_folder() {
    let (folder, _server, _client) = server();
    let second = Command::new(env!("CARGO_BIN_EXE_tidemill-store"))
        .args(["--listen", "127.0.0.1:0", "--access-key", "k", "--secret-key", "s", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server holds the folder"));
}

#[test]
fn health_needs_no_key() {
    let (_folder, server, _client) = server();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
}

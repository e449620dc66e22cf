//! `tidemill-store`: a small S3-protocol server over a folder, so that Tidemill can be tried out without an object
//! store. It keeps the one promise that snapshots rest on, conditional create, and puts every object on disk before it
//! answers. It is one process over one volume: no replication, no versions, no access rules beyond one pair of keys.
//!
//! `s3s` speaks the protocol; [`folder`] keeps the objects; [`api`] is the thin layer between them.

mod api;
mod checksums;
mod folder;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// A small S3-protocol server over a folder.
#[derive(Debug, Parser)]
#[command(name = "tidemill-store", version)]
pub struct Arguments {
    /// Where objects are kept. Made if it is not there. One server per folder.
    #[arg(long, env = "TIDEMILL_STORE_FOLDER")]
    folder: PathBuf,
    /// The address to listen on; port 0 takes a free one, which is printed.
    #[arg(long, env = "TIDEMILL_STORE_LISTEN", default_value = "0.0.0.0:9000")]
    listen: SocketAddr,
    /// A bucket that is made at the start if it is not there. May be given several times.
    #[arg(long, env = "TIDEMILL_STORE_BUCKET", value_delimiter = ',')]
    bucket: Vec<String>,
    #[arg(long, env = "TIDEMILL_STORE_ACCESS_KEY")]
    access_key: String,
    #[arg(long, env = "TIDEMILL_STORE_SECRET_KEY", hide_env_values = true)]
    secret_key: String,
    /// Answer 501 to conditional creates, as some servers do. For tests of those who need them.
    #[arg(long, hide = true)]
    without_conditional_create: bool,
}

fn main() -> ExitCode {
    // s3s logs refused requests as errors; they are the client's, who gets the answer.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,s3s=off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match server::run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill-store: {error}");
            ExitCode::FAILURE
        }
    }
}

//! Checks a body against the sums that its sender gave, in headers or in trailers.

use base64::Engine;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::{S3Result, s3_error};

const NAMES: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-crc64nvme",
];

/// The sums being taken of a body.
pub struct Sums {
    md5: Option<Md5>,
    others: ChecksumHasher,
}

impl Sums {
    /// Those that the headers give, and those that they announce for the trailers.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let announced = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok()).unwrap_or_default();
        let wanted = |name: &str| headers.contains_key(name) || announced.split(',').any(|other| other.trim() == name);
        let others = ChecksumHasher {
            crc32: wanted(NAMES[0]).then(Default::default),
            crc32c: wanted(NAMES[1]).then(Default::default),
            sha1: wanted(NAMES[2]).then(Default::default),
            sha256: wanted(NAMES[3]).then(Default::default),
            crc64nvme: wanted(NAMES[4]).then(Default::default),
        };
        Self { md5: headers.contains_key("content-md5").then(Md5::new), others }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.others.update(bytes);
    }

    /// Refuses a body whose sums are others than given.
    pub fn check(self, headers: &HeaderMap, trailers: Option<&HeaderMap>) -> S3Result<()> {
        let taken = self.others.finalize();
        let taken = [
            taken.checksum_crc32,
            taken.checksum_crc32c,
            taken.checksum_sha1,
            taken.checksum_sha256,
            taken.checksum_crc64nvme,
        ];
        for (name, taken) in NAMES.iter().zip(taken) {
            let given = headers.get(*name).or_else(|| trailers.and_then(|trailers| trailers.get(*name)));
            if let (Some(taken), Some(given)) = (taken, given)
                && given.as_bytes() != taken.as_bytes()
            {
                return Err(s3_error!(BadDigest, "the body does not have the given {name}"));
            }
        }
        if let (Some(md5), Some(given)) = (self.md5, headers.get("content-md5")) {
            let taken = base64::engine::general_purpose::STANDARD.encode(md5.finalize());
            if given.as_bytes() != taken.as_bytes() {
                return Err(s3_error!(BadDigest, "the body does not have the given Content-MD5"));
            }
        }
        Ok(())
    }
}

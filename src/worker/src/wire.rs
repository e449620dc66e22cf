//! A JSON object a line: how coordinator, supervisors and engine children talk.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// Longer lines are refused: they cannot be ours. A start command carries the whole plan.
pub const MAX_LINE_BYTES: usize = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("failed to read from the connection")]
    Read(#[source] io::Error),
    #[error("the other side closed the connection")]
    Closed,
    #[error("failed to understand a message: {0}")]
    Decode(#[source] serde_json::Error),
    #[error("a message is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
}

/// Reads messages. Cancelling [`Lines::next`] loses nothing.
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, line: Vec::new() }
    }

    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        loop {
            let buffer = self.reader.fill_buf().await.map_err(WireError::Read)?;
            if buffer.is_empty() {
                return Err(WireError::Closed);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            self.line.extend_from_slice(&buffer[..taken]);
            self.reader.consume(taken);
            if end.is_some() {
                let decoded = serde_json::from_slice(&self.line).map_err(WireError::Decode);
                self.line.clear();
                return decoded;
            }
            if self.line.len() > MAX_LINE_BYTES {
                return Err(WireError::TooLong);
            }
        }
    }
}

pub fn line<T: Serialize>(message: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages have string keys only");
    line.push(b'\n');
    line
}

pub async fn write<T: Serialize>(writer: &mut (impl AsyncWrite + Unpin), message: &T) -> io::Result<()> {
    writer.write_all(&line(message)).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::BufReader;

    #[tokio::test]
    async fn messages_arrive_whole_however_they_are_cut() {
        let (mut writer, reader) = tokio::io::duplex(3);
        tokio::spawn(async move {
            for message in ["one", "two with \n inside", ""] {
                write(&mut writer, &message).await.unwrap();
            }
            writer.write_all(b"{broken\n").await.unwrap();
        });
        let mut lines = Lines::new(BufReader::new(reader));
        for expected in ["one", "two with \n inside", ""] {
            assert_eq!(lines.next::<String>().await.unwrap(), expected);
        }
        assert!(matches!(lines.next::<String>().await, Err(WireError::Decode(_))));
        assert!(matches!(lines.next::<String>().await, Err(WireError::Closed)));
    }
}

//! One JSON object a line, of bounded length.

use std::io;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// No command and no answer is longer.
pub(super) const LONGEST: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// What has arrived of the line so far.
    line: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum LineError {
    /// The rest of it is still to come: nothing after it can be told.
    TooLong,
    Io(io::Error),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
        }
    }

    /// The next line without its end; `None` at the end of the stream, where half a line is none. Dropping this half
    /// way loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let room = (LONGEST + 1).saturating_sub(self.line.len());
        // Appends to `line` as it reads, whether it is waited for or not.
        let mut limited = (&mut self.reader).take(room as u64);
        limited
            .read_until(b'\n', &mut self.line)
            .await
            .map_err(LineError::Io)?;
        if self.line.last() == Some(&b'\n') {
            let mut line = std::mem::take(&mut self.line);
            line.pop();
            Ok(Some(line))
        } else if self.line.len() > LONGEST {
            Err(LineError::TooLong)
        } else {
            Ok(None)
        }
    }
}

pub(super) async fn send<W, T>(writer: &mut W, message: &T) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
    T: Serialize + Sync,
{
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_half_a_line_is_none() {
        let full = [vec![b'x'; LONGEST], b"\n\nhalf".to_vec()].concat();
        let mut lines = Lines::new(&full[..]);
        assert_eq!(lines.next().await.unwrap().unwrap().len(), LONGEST);
        assert_eq!(lines.next().await.unwrap().unwrap(), b"");
        assert_eq!(lines.next().await.unwrap(), None);
        let long = [vec![b'x'; LONGEST + 1], b"\n".to_vec()].concat();
        assert!(matches!(
            Lines::new(&long[..]).next().await,
            Err(LineError::TooLong)
        ));
    }

    #[tokio::test]
    async fn a_reader_that_is_dropped_half_way_loses_nothing() {
        let (mut near, far) = tokio::io::duplex(64);
        let mut lines = Lines::new(far);
        near.write_all(b"one ").await.unwrap();
        tokio::select! {
            biased;
            _ = lines.next() => panic!("no line yet"),
            () = tokio::task::yield_now() => {}
        }
        near.write_all(b"line\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one line");
    }
}

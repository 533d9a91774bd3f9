//! A request's body: kept whole for replay up to a bound, streamed on beyond it.

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};

use crate::net::{Body, BoxError, full};

/// Kept for replay. Larger bodies stream without.
const KEPT: usize = 32 * 1024 * 1024;

#[derive(Debug)]
pub(super) enum Kept {
    Whole(Bytes),
    /// What was read so far, and the rest as it comes. Can be sent once.
    Streaming(Option<(Vec<Bytes>, Incoming)>),
}

impl Kept {
    pub(super) async fn read(mut body: Incoming) -> Result<Self, hyper::Error> {
        let mut parts: Vec<Bytes> = Vec::new();
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                size += data.len();
                parts.push(data);
            }
            if size > KEPT {
                return Ok(Self::Streaming(Some((parts, body))));
            }
            if body.is_end_stream() {
                break;
            }
        }
        Ok(Self::Whole(if parts.len() == 1 {
            parts.swap_remove(0)
        } else {
            join(&parts, size)
        }))
    }

    pub(super) fn replayable(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    pub(super) fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Streaming(_) => None,
        }
    }

    /// `None`: it was streaming, and is gone.
    pub(super) fn send(&mut self) -> Option<Body> {
        match self {
            Self::Whole(bytes) => Some(full(bytes.clone())),
            Self::Streaming(rest) => {
                let (parts, rest) = rest.take()?;
                let read = parts.into_iter().map(|data| Ok::<_, BoxError>(Frame::data(data)));
                let rest = stream::unfold(rest, |mut rest: Incoming| async move {
                    let frame = rest.frame().await?;
                    Some((frame.map_err(|error| -> BoxError { Box::new(error) }), rest))
                });
                let both = futures_util::StreamExt::chain(stream::iter(read), rest);
                Some(StreamBody::new(both).boxed_unsync())
            }
        }
    }
}

fn join(parts: &[Bytes], size: usize) -> Bytes {
    let mut whole = BytesMut::with_capacity(size);
    for part in parts {
        whole.extend_from_slice(part);
    }
    whole.freeze()
}

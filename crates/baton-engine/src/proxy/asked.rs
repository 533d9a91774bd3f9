//! What a client's body or frame says of itself, as far as routing goes. Reading megabytes, and decoding anything, is
//! done where it holds up no other stream.

use std::{cell::RefCell, io::Read};

use baton_wire::{
    Facts,
    request::{Kind, Skim},
};
use bytes::Bytes;
use http::{HeaderMap, header};
use zstd::bulk::Decompressor;

/// A larger text takes long enough to read for other streams to feel it.
const LARGE: usize = 1024 * 1024;
/// A compressed body may grow to this much; what grows further passes untouched.
const DECODED: u64 = 256 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Asked {
    pub facts: Facts,
    /// A `response.create` frame.
    pub creates: bool,
    /// Refers to an earlier response of its connection.
    pub tied: bool,
    /// The input ends in a tool's output.
    pub answers_tool: bool,
    pub turn_state: Option<String>,
}

impl Asked {
    /// `None` if it is no JSON object.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let skim = Skim::read(json).ok()?;
        Some(Self {
            creates: skim.kind == Kind::Create,
            tied: skim.has_previous_response_id,
            answers_tool: skim.input_ends_in_tool_output,
            turn_state: skim.turn_state.map(Into::into),
            facts: skim.facts,
        })
    }
}

/// Runs `work` on a text of this size.
pub(super) async fn on_text<R: Send + 'static>(
    text: Bytes,
    work: impl FnOnce(&[u8]) -> Option<R> + Send + 'static,
) -> Option<R> {
    if text.len() <= LARGE {
        return work(&text);
    }
    aside(move || work(&text)).await
}

/// Runs `work` on a body's JSON, decoded; `None` where it can't be, or where it grows too large.
pub(super) async fn on_body<R: Send + 'static>(
    headers: &HeaderMap,
    body: Bytes,
    work: impl FnOnce(&[u8]) -> Option<R> + Send + 'static,
) -> Option<R> {
    let encoding = headers
        .get(header::CONTENT_ENCODING)
        .map_or(b"identity".as_slice(), |value| value.as_bytes());
    match encoding {
        b"identity" => on_text(body, work).await,
        // How much is in it isn't known before: what turns out to be small needs no other thread.
        b"zstd" => match unpacked(&body, LARGE as u64) {
            Some(text) => work(&text),
            None => aside(move || work(&unpacked(&body, DECODED)?)).await,
        },
        _ => None,
    }
}

/// What a zstd body holds; `None` if it is none, or holds more bytes than `most`.
pub fn unpacked(body: &[u8], most: u64) -> Option<Vec<u8>> {
    if most <= LARGE as u64 {
        return DECODER.with_borrow_mut(|decoder| decoder.as_mut()?.decompress(body, most as usize).ok());
    }
    // It grows with what comes, rather than having room for the most from the start.
    let decoder = zstd::stream::read::Decoder::with_buffer(body).ok()?;
    let mut unpacked = Vec::new();
    let size = decoder.take(most + 1).read_to_end(&mut unpacked).ok()?;
    (size as u64 <= most).then_some(unpacked)
}

thread_local! {
    /// Made once: that takes longer than a small body.
    static DECODER: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

async fn aside<R: Send + 'static>(work: impl FnOnce() -> Option<R> + Send + 'static) -> Option<R> {
    tokio::task::spawn_blocking(work).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zstd() -> HeaderMap {
        [(header::CONTENT_ENCODING, "zstd".parse().unwrap())]
            .into_iter()
            .collect()
    }

    #[tokio::test]
    async fn a_bomb_is_not_unpacked_beyond_its_bound_and_holds_nobody_up() {
        let bomb = zstd::encode_all(std::io::repeat(b' ').take(DECODED + 1), 1).unwrap();
        assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
        let read = tokio::spawn(async move { on_body(&zstd(), bomb.into(), Asked::read).await });
        // This thread, the runtime's only one, goes on meanwhile.
        tokio::task::yield_now().await;
        assert!(!read.is_finished());
        assert!(read.await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_unpacked_is_read_and_what_is_not_is_left_alone() {
        let body = br#"{"model":"m","input":[{"type":"function_call_output"}]}"#;
        let packed = zstd::encode_all(body.as_slice(), 1).unwrap();
        let asked = on_body(&zstd(), packed.clone().into(), Asked::read)
            .await
            .unwrap();
        assert_eq!(asked.facts.model.as_deref(), Some("m"));
        assert!(asked.answers_tool && !asked.creates && !asked.tied);
        let torn = packed[..packed.len() / 2].to_vec();
        assert!(on_body(&zstd(), torn.into(), Asked::read).await.is_none());
        let brotli = [(header::CONTENT_ENCODING, "br".parse().unwrap())]
            .into_iter()
            .collect();
        assert!(on_body(&brotli, packed.into(), Asked::read).await.is_none());
    }
}

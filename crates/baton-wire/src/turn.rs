//! Whose request it is: session, thread and turn (PROTOCOL §2), from headers and from `client_metadata`.

use http::HeaderMap;

use crate::json::{Cursor, NotJson, Raw};

/// Longer ids are ignored (bytes as written).
const MAX_ID: usize = 1024;

/// Longer model names are ignored (bytes as written).
const MAX_MODEL: usize = 256;

/// A longer `x-codex-turn-metadata` is ignored (bytes as written).
const MAX_METADATA: usize = 64 * 1024;

/// What routing needs to know of a request. Ids are [`id_hash`]es: stable, and nothing to recognise a person by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub session: Option<u64>,
    pub thread: Option<u64>,
    pub turn: Option<u64>,
    /// A request that only warms the connection up (`request_kind: prewarm`, or `generate: false`).
    pub prewarm: bool,
    pub model: Option<Box<str>>,
}

/// FNV-1a, 64 bits: the same on every platform and in every release, so hashes may be stored. Not for security.
pub fn id_hash(id: &[u8]) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

// === impl Facts ===

impl Facts {
    /// From `x-codex-turn-metadata`, and where that is silent from `session-id`, `thread-id` and
    /// `x-codex-routing-hint: model=…`.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
        let id = |name: &str| {
            text(name)
                .filter(|id| !id.is_empty() && id.len() <= MAX_ID)
                .map(id_hash)
        };
        let metadata = text("x-codex-turn-metadata")
            .map(Self::from_metadata)
            .unwrap_or_default();
        metadata.or(Self {
            session: id("session-id").or_else(|| id("session_id")),
            thread: id("thread-id"),
            turn: None,
            prewarm: false,
            model: text("x-codex-routing-hint").and_then(hinted_model),
        })
    }

    /// From the JSON of `x-codex-turn-metadata`; nothing if it isn't JSON.
    pub fn from_metadata(json: &[u8]) -> Self {
        let mut facts = Self::default();
        if json.len() <= MAX_METADATA && Cursor::new(json).object(|c, key, _| facts.member(c, key)).is_ok() {
            facts
        } else {
            Self::default()
        }
    }

    /// These facts, and `other`'s where these are silent. A prewarm is one only if it says so itself.
    pub fn or(self, other: Self) -> Self {
        Self {
            session: self.session.or(other.session),
            thread: self.thread.or(other.thread),
            turn: self.turn.or(other.turn),
            prewarm: self.prewarm,
            model: self.model.or(other.model),
        }
    }

    /// What a handshake tells of every frame that follows: whose session and thread it is. Turn, model and prewarm are
    /// those of the first frame only.
    pub fn of_connection(self) -> Self {
        Self {
            session: self.session,
            thread: self.thread,
            ..Self::default()
        }
    }

    /// The object ahead as `client_metadata`: ids of its own, and the turn metadata as JSON in a string.
    pub(crate) fn client_metadata(cursor: &mut Cursor<'_>) -> Result<Self, NotJson> {
        let mut facts = Self::default();
        let mut inner = Self::default();
        if cursor.peek() != Some(b'{') {
            cursor.skip()?;
            return Ok(facts);
        }
        cursor.object(|cursor, key, _| {
            if !key.is("x-codex-turn-metadata") {
                return facts.member(cursor, key);
            }
            if let Some(text) = cursor.string_or_skip()?.and_then(|raw| raw.text(MAX_METADATA)) {
                inner = Self::from_metadata(text.as_bytes());
            }
            Ok(())
        })?;
        facts.prewarm |= inner.prewarm;
        Ok(facts.or(inner))
    }

    fn member<'a>(&mut self, cursor: &mut Cursor<'a>, key: Raw<'a>) -> Result<(), NotJson> {
        let value = cursor.string_or_skip()?;
        if key.is("session_id") {
            self.session = value.and_then(hashed);
        } else if key.is("thread_id") {
            self.thread = value.and_then(hashed);
        } else if key.is("turn_id") {
            self.turn = value.and_then(hashed);
        } else if key.is("request_kind") {
            self.prewarm = value.is_some_and(|kind| kind.is("prewarm"));
        } else if key.is("model") {
            self.model = value.and_then(model);
        }
        Ok(())
    }
}

pub(crate) fn model(raw: Raw<'_>) -> Option<Box<str>> {
    raw.text(MAX_MODEL)
        .filter(|name| !name.is_empty())
        .map(|name| name.as_ref().into())
}

/// An empty id is none: a prewarm says `"turn_id":""`.
fn hashed(raw: Raw<'_>) -> Option<u64> {
    raw.text(MAX_ID)
        .filter(|id| !id.is_empty())
        .map(|id| id_hash(id.as_bytes()))
}

fn hinted_model(hint: &[u8]) -> Option<Box<str>> {
    let hint = std::str::from_utf8(hint).ok()?;
    let model = hint
        .split([';', ',', '&', ' '])
        .find_map(|part| part.trim().strip_prefix("model="))?;
    (!model.is_empty() && model.len() <= MAX_MODEL).then(|| model.into())
}

//! What routing needs to know of a request.

use crate::AccountId;

/// One POST, or one `response.create` frame. Sessions, threads and turns are hashes: no id of theirs is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    pub session: Option<u64>,
    pub thread: Option<u64>,
    pub turn: Turn,
    pub model: Option<&'a str>,
    /// Accounts that have failed for this very request.
    pub tried: &'a [AccountId],
}

/// A turn is all requests of a thread with one turn id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    Id(u64),
    /// No id, but the input ends in a tool's output: whatever ran goes on.
    Continues,
    #[default]
    New,
    /// Opens a connection ahead of a turn: served like a new turn, but begins none.
    Prewarm,
}

//! What must hold of every parser of outside bytes, whatever it is given: one check for each, called by the fuzz
//! target of the same name (`fuzz/`) and, on the inputs that are kept, by this crate's test.
//!
//! A check panics where something doesn't hold. Beyond "no panic" it compares the parser with a slower one
//! (`serde_json` with a tree), with itself (split elsewhere, written and read again), or with a bound.

mod codex;
mod engine;
mod http_text;
mod json;
mod keep;
mod readings;
mod requests;
mod sign_in;
mod streams;

use baton_core::Timestamp;

/// When everything here happens.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_329_315);

/// A parser's name, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. `fuzz/fuzz_targets/` has a program for each.
pub const TARGETS: &[Target] = &[
    ("accounts_check", readings::accounts_check),
    ("answers", streams::answers),
    ("auth_json", sign_in::auth_json),
    ("body", engine::body),
    ("callback", sign_in::callback),
    ("codex_config", codex::config),
    ("control", engine::control),
    ("error", streams::error),
    ("guard", engine::guard),
    ("headers", readings::headers),
    ("jwt", sign_in::jwt),
    ("keychain", keep::keychain),
    ("oauth", sign_in::oauth),
    ("private", keep::private),
    ("request", requests::request),
    ("settings", keep::settings),
    ("sse", streams::sse),
    ("state", keep::state),
    ("turn_metadata", requests::turn_metadata),
    ("usage", readings::usage),
    ("ws", streams::ws),
];

/// Runs the check of that name.
///
/// # Panics
///
/// Where something doesn't hold, or there is no such target.
pub fn check(target: &str, data: &[u8]) {
    let Some((_, check)) = TARGETS.iter().find(|(name, _)| *name == target) else {
        panic!("there is no target {target}");
    };
    check(data);
}

//! One name for one meter, however it is spelled: `x-codex-bengalfox-…`, `codex_bengalfox` and `bengalfox` are the same.

use baton_core::{LimitFamily, LimitReading};

/// Longest name of a limit, in bytes.
const MAX_NAME: usize = 64;

/// The family of a metered feature or header name; `codex` is the general one. Names that no upstream would use are
/// none.
pub(crate) fn normalise(name: &str) -> Option<LimitFamily> {
    let mut name = name.trim().to_ascii_lowercase().replace('_', "-");
    if let Some(rest) = name.strip_prefix("x-codex") {
        name = format!("codex{rest}");
    }
    if name == "codex" {
        return Some(LimitFamily::General);
    }
    let name = name.strip_prefix("codex-").unwrap_or(&name);
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (!name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(usual))
        .then(|| LimitFamily::Named(name.into()))
}

/// Whether a name says by itself that it is a meter (`codex`, `codex_…`), unlike a group such as `premium`.
pub(crate) fn is_metered_feature(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("x-").unwrap_or(&name);
    name == "codex" || name.starts_with("codex_") || name.starts_with("codex-")
}

/// Gives the general reading to the limit that it mirrors: where a named limit was in use, upstreams have been
/// seen to repeat its numbers in the place of the general one (PROTOCOL §3). `active` is the limit that the answer
/// names as in use.
pub(crate) fn settle_mirror(limits: &mut Vec<LimitReading>, active: Option<&LimitFamily>) {
    let Some(general) = limits
        .iter()
        .position(|limit| limit.family == LimitFamily::General)
    else {
        return;
    };
    if let Some(named @ LimitFamily::Named(_)) = active
        && !limits
            .iter()
            .any(|limit| limit.family == *named && !limit.windows.is_empty())
    {
        limits.retain(|limit| limit.family != *named);
        if let Some(general) = limits
            .iter_mut()
            .find(|limit| limit.family == LimitFamily::General)
        {
            general.family = named.clone();
        }
        return;
    }
    let mirrors = |named: &LimitReading| {
        named.family != LimitFamily::General
            && named.windows == limits[general].windows
            && named
                .windows
                .iter()
                .any(|window| window.used.used() > 0.0 && window.resets_at.is_some())
    };
    if limits.iter().any(mirrors) {
        limits.remove(general);
    }
}

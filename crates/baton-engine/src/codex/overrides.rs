//! What in a connected config.toml leads Codex past Baton all the same.

use toml_edit::{Document, Item};

use super::edit::Mode;
use crate::toml;

/// Each with what to do.
pub(super) fn of(text: &str, mode: Mode) -> Vec<String> {
    // One that can't be parsed is never connected.
    let Ok(document) = Document::parse(text) else {
        return Vec::new();
    };
    let ours = if mode == Mode::Provider { "baton" } else { "openai" };
    let profile = document.get("profile").and_then(Item::as_str);
    let of_profile = profile.and_then(|name| document.get("profiles")?.get(name)?.get("model_provider"));
    // A profile's comes first.
    [of_profile, document.get("model_provider")]
        .into_iter()
        .flatten()
        .take(1)
        .filter_map(|item| Some((item.as_str()?, item.span()?)))
        .filter(|(provider, _)| *provider != ours)
        .map(|(provider, span)| {
            let (line, _) = toml::place(text, span.start);
            format!(
                "Line {line} has `model_provider = \"{provider}\"`, which leads Codex past Baton: remove that line to use \
                 Baton."
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_provider_leads_past_baton() {
        for (text, mode, line) in [
            ("model_provider = \"x\"", Mode::Default, Some(1)),
            ("model_provider = \"openai\"", Mode::Requests, None),
            ("model_provider = \"baton\"", Mode::Provider, None),
            (
                "profile = \"p\"\n[profiles.p]\nmodel_provider = 'x'",
                Mode::Default,
                Some(3),
            ),
            ("[profiles.p]\nmodel_provider = 'x'", Mode::Default, None),
            (
                "profile = \"p\"\nmodel_provider = 'x'\n[profiles.p]\nmodel_provider = 'openai'",
                Mode::Default,
                None,
            ),
        ] {
            let said = of(text, mode);
            assert_eq!(said.len(), usize::from(line.is_some()), "{text}: {said:?}");
            if let Some(line) = line {
                assert!(said[0].starts_with(&format!("Line {line} ")), "{said:?}");
            }
        }
    }
}

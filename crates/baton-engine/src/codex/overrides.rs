//! What leads Codex past Baton although its config.toml is connected (docs/protocol.md §1 says what counts): another
//! provider in it, and profiles.

use std::path::Path;

use toml_edit::Document;

use super::{edit::Mode, health::check, layers};
use crate::{
    doctor::{Check, CheckId, Outcome},
    toml,
};

/// Of the folder with this config.toml, connected in this mode.
pub(super) fn of(home: &Path, text: &str, mode: Mode) -> Vec<Check> {
    // One that can't be parsed is never connected.
    let Ok(document) = Document::parse(text) else {
        return Vec::new();
    };
    let provider = provider(text, &document, mode).into_iter();
    provider.chain(layers::profiles(home, &document)).collect()
}

/// `model_provider` at the top, the only one that counts.
pub(super) fn provider(text: &str, document: &Document<&str>, mode: Mode) -> Option<Check> {
    let ours = if mode == Mode::Provider { "baton" } else { "openai" };
    let item = document.get("model_provider")?;
    let (named, span) = (item.as_str()?, item.span()?);
    if named == ours {
        return None;
    }
    let (line, _) = toml::place(text, span.start);
    let said = format!("Line {line} has `model_provider = \"{named}\"`, which leads Codex past Baton.");
    Some(check(CheckId::Config, Outcome::Problem, said).to_do("Remove that line to use Baton."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_provider_leads_past_baton_and_a_profiles_table_does_not() {
        let home = tempfile::tempdir().unwrap();
        for (text, mode, line) in [
            ("model_provider = \"x\"", Mode::Default, Some(1)),
            ("model_provider = \"openai\"", Mode::Requests, None),
            ("model_provider = \"baton\"", Mode::Provider, None),
            ("a = 1\nmodel_provider = 'x'", Mode::Provider, Some(2)),
            (
                "[profiles.p]\nmodel_provider = 'openai'\n[tui]\nmodel_provider = 'x'",
                Mode::Default,
                None,
            ),
        ] {
            let mut said = of(home.path(), text, mode);
            said.retain(|check| check.id == CheckId::Config);
            assert_eq!(said.len(), usize::from(line.is_some()), "{text}: {said:?}");
            if let Some(line) = line {
                assert!(said[0].said.starts_with(&format!("Line {line} ")), "{said:?}");
            }
        }
    }

    #[test]
    fn what_the_doctor_finds_of_profiles_a_connection_is_told_too() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("deep.config.toml"), "openai_base_url = 'x'").unwrap();
        let found = of(
            home.path(),
            "profile = 'old'\nmodel_provider = 'x'\n",
            Mode::Default,
        );
        let outcomes: Vec<_> = found.iter().map(|check| (check.id, check.outcome)).collect();
        assert_eq!(
            outcomes,
            [
                (CheckId::Config, Outcome::Problem),
                (CheckId::Profile, Outcome::Problem),
                (CheckId::Profile, Outcome::Note)
            ]
        );
        assert!(found.iter().all(|check| check.to_do.is_some()), "{found:?}");
    }
}

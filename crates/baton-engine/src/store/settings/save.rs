//! Settings written: the keys that change, and every other byte as it was.

use std::path::Path;

use toml_edit::{Document, Item};

use super::{Settings, SettingsError, Wrong, on_recovery_name, read, written};
use crate::{
    control::protocol::{About, Notifications},
    store::files,
};

/// Writes what has changed, but for the port, which nothing but an edit changes.
pub fn save(dir: &Path, settings: &Settings) -> Result<(), SettingsError> {
    let path = Settings::path(dir);
    let text = read(&path)?;
    let new = with_settings(&path, &text, settings)?;
    if new == text {
        return Ok(());
    }
    let failed = |source| SettingsError::Io {
        path: path.clone(),
        source,
    };
    files::private_dir(dir).map_err(failed)?;
    files::replace(&path, new.as_bytes()).map_err(failed)
}

/// The file's text with these settings in it, every other byte as it was; `path` is what errors name.
pub fn with_settings(path: &Path, text: &str, settings: &Settings) -> Result<String, SettingsError> {
    let known = Settings::parse(path, text)?;
    let document = Document::parse(text).map_err(|error| Wrong::from(error).at(path.to_path_buf(), text))?;
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (mut values, mut added) = (Vec::new(), String::new());
    for (key, new) in changes(&known, settings) {
        match document.get(key).and_then(Item::span) {
            Some(old) => values.push((old, new)),
            None => added.push_str(&format!("{key} = {new}{line_end}")),
        }
    }
    let mut new = text.to_owned();
    // From the end, so that the places before stay what they are.
    values.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, value) in values {
        new.replace_range(place, &value);
    }
    let cut_short = !new.trim_start_matches('\u{feff}').is_empty() && !new.ends_with('\n');
    if !added.is_empty() && cut_short {
        new.push_str(line_end);
    }
    Ok(new + &added)
}

/// Keys with their new values, as TOML.
fn changes(known: &Settings, new: &Settings) -> Vec<(&'static str, String)> {
    let quoted = |text: &str| format!("\"{text}\"");
    let mut changes = Vec::new();
    let (before, after) = (&known.policy, &new.policy);
    if before.strategy != after.strategy {
        changes.push(("strategy", quoted(after.strategy.name())));
    }
    if before.on_recovery != after.on_recovery {
        changes.push(("on_recovery", quoted(on_recovery_name(after.on_recovery))));
    }
    if before.wait_for_recovery() != after.wait_for_recovery() {
        changes.push(("wait_for_recovery", quoted(&written(after.wait_for_recovery()))));
    }
    if known.bypass != new.bypass {
        changes.push(("bypass", new.bypass.to_string()));
    }
    let (before, after) = (&known.preferences, &new.preferences);
    if before.notifications != after.notifications {
        changes.push(("notifications", list(after.notifications)));
    }
    if before.appearance != after.appearance {
        changes.push(("appearance", quoted(after.appearance.name())));
    }
    if before.terms_accepted != after.terms_accepted {
        changes.push(("terms_accepted", after.terms_accepted.to_string()));
    }
    changes
}

fn list(notifications: Notifications) -> String {
    let told = About::ALL.into_iter().filter(|about| notifications.wants(*about));
    let quoted: Vec<String> = told.map(|about| format!("\"{}\"", about.name())).collect();
    format!("[{}]", quoted.join(", "))
}

//! What is wrong with a TOML text, as an editor shows it.

use toml_edit::TomlError;

/// Line and column of a place in the text, from 1.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    // No editor counts a byte order mark.
    let before = text
        .get(..at.min(text.len()))
        .unwrap_or_default()
        .trim_start_matches('\u{feff}');
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// In one line.
pub(crate) fn reason(error: &TomlError) -> String {
    error.message().trim().replace('\n', ", ")
}

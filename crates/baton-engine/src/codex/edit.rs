//! A config.toml's text, connected and disconnected. Whole lines are put in and set aside, no other byte is touched; and
//! nothing is put in that can't be taken out again, byte for byte, from the text alone.

use std::ops::Range;

use toml_edit::{Document, Item, Table, Value};

use super::lines::{ANOTHER, Line, Owner, another, lines};
use crate::{control::protocol::BaseUrls, toml};

const BYTE_ORDER_MARK: &str = "\u{feff}";
const MADE: &str = "# Baton made this file.";
const JOINED: &str = "# The line end before this line is Baton's too.";

/// What of Codex goes through Baton (PROTOCOL §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything but metrics.
    #[default]
    Default,
    /// Model requests only.
    Requests,
    /// Model requests, by a provider of Baton's own: with a history of its own.
    Provider,
}

impl Mode {
    /// As on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Requests => "requests",
            Self::Provider => "provider",
        }
    }

    /// Its keys outside of any table, with their values.
    fn keys(self, urls: &BaseUrls) -> Vec<(&'static str, String)> {
        let openai = ("openai_base_url", urls.openai_base_url.clone());
        match self {
            Self::Default => vec![openai, ("chatgpt_base_url", urls.chatgpt_base_url.clone())],
            Self::Requests => vec![openai],
            Self::Provider => vec![("model_provider", "baton".to_owned())],
        }
    }

    /// The mode that has such a line.
    fn of(ours: &str) -> Option<Self> {
        let key = ours.split('=').next().unwrap_or_default().trim();
        match key {
            "chatgpt_base_url" => Some(Self::Default),
            "openai_base_url" => Some(Self::Requests),
            "model_provider" => Some(Self::Provider),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("line {line}, column {column}: {reason}")]
    Unparsable {
        line: usize,
        column: usize,
        reason: String,
    },
    #[error(
        "line {line}: `{key}` stands there in a form that can't be set aside; remove it, or choose another --mode"
    )]
    InTheWay { line: usize, key: String },
    #[error("which another Baton has connected (by the lines with {0}): {advice}", advice = ANOTHER)]
    AnotherBaton(Owner),
    #[error("Baton's lines couldn't be taken out again as they would have to be put in")]
    NoWayBack,
}

/// The text with these base URLs in it, unless another Baton's are. `None`: there is no file.
pub fn connect(text: Option<&str>, urls: &BaseUrls, mode: Mode, owner: &Owner) -> Result<String, EditError> {
    let before = text.map_or(Ok(None), |text| disconnect(text, owner))?;
    if let Some(another) = text.and_then(|text| connected_by_another(text, owner)) {
        return Err(EditError::AnotherBaton(another));
    }
    connect_and_back(before, urls, mode, owner)
}

/// [`connect`], in the place of whichever Baton is connected.
pub fn take_over(
    text: Option<&str>,
    urls: &BaseUrls,
    mode: Mode,
    owner: &Owner,
) -> Result<String, EditError> {
    let before = text.map_or(Ok(None), |text| undone(text, None))?;
    connect_and_back(before, urls, mode, owner)
}

fn connect_and_back(
    before: Option<String>,
    urls: &BaseUrls,
    mode: Mode,
    owner: &Owner,
) -> Result<String, EditError> {
    let new = connect_new(before.as_deref(), urls, mode, owner)?;
    // A line that was set aside may have hidden another mark, which no Baton writes.
    if connected_by_another(&new, owner).is_some() || disconnect(&new, owner) != Ok(before) {
        return Err(EditError::NoWayBack);
    }
    Ok(new)
}

/// The text as it was before this Baton, with what was edited since. `None`: Baton made the file, and nothing else is in
/// it.
///
/// Where a key that was set aside has been given another value since, the new one stays, and the old one as a comment.
pub fn disconnect(text: &str, owner: &Owner) -> Result<Option<String>, EditError> {
    undone(text, Some(owner))
}

/// `owner`: as for [`lines`].
fn undone(text: &str, owner: Option<&Owner>) -> Result<Option<String>, EditError> {
    parse(text)?;
    let restored = without(text, owner, "");
    if restored.as_deref().is_none_or(|text| parse(text).is_ok()) {
        return Ok(restored);
    }
    let commented = without(text, owner, "# ");
    if let Some(text) = &commented {
        parse(text)?;
    }
    Ok(commented)
}

/// How the text is connected to this Baton, if it is.
pub fn connected(text: &str, owner: &Owner) -> Option<Mode> {
    let modes: Vec<Mode> = lines(split_mark(text).1, Some(owner))
        .filter_map(|line| match line {
            Line::Ours(line) => Mode::of(line),
            Line::Theirs(_) | Line::Aside(_) => None,
        })
        .collect();
    // The default has the key of the other one too.
    if modes.contains(&Mode::Default) {
        Some(Mode::Default)
    } else {
        modes.first().copied()
    }
}

/// The other Baton that has lines in the text.
pub fn connected_by_another(text: &str, owner: &Owner) -> Option<Owner> {
    another(split_mark(text).1, owner)
}

/// `before` has no line of any Baton's in it.
fn connect_new(
    before: Option<&str>,
    urls: &BaseUrls,
    mode: Mode,
    owner: &Owner,
) -> Result<String, EditError> {
    let text = before.unwrap_or_default();
    let document = parse(text)?;
    let keys = mode.keys(urls);
    let mut aside = Vec::new();
    for (key, _) in &keys {
        aside.extend(standing(text, document.as_table(), key)?);
    }
    if mode == Mode::Provider {
        no_such_provider(text, document.as_table())?;
    }

    let (mark, _) = split_mark(text);
    let line_end = line_end(text);
    let top = mark.len() + directives(&text[mark.len()..]);
    let mut new = text[..top].to_owned();
    let put = |new: &mut String, line: &str| {
        new.push_str(line);
        new.push(' ');
        new.push_str(owner.mark());
        new.push_str(line_end);
    };
    put(
        &mut new,
        "# Codex goes through Baton; `baton disconnect` undoes it. A URL of Baton's holds a secret: treat it like a password.",
    );
    put(
        &mut new,
        &format!(
            "# By hand: remove each line that ends in {owner}, and \"{owner} \" where a line begins with it."
        ),
    );
    if before.is_none() {
        put(&mut new, MADE);
    }
    for (key, value) in keys {
        put(&mut new, &format!("{key} = {}", Value::from(value)));
    }
    let mut at = top;
    for line in text[top..].split_inclusive('\n') {
        if aside.iter().any(|lines| lines.contains(&at)) {
            new.push_str(owner.mark());
            new.push(' ');
        }
        new.push_str(line);
        at += line.len();
    }
    if mode == Mode::Provider {
        if !new.ends_with('\n') {
            new.push_str(line_end);
            put(&mut new, JOINED);
        }
        put(&mut new, "[model_providers.baton]");
        put(&mut new, "name = \"Baton\"");
        put(
            &mut new,
            &format!("base_url = {}", Value::from(urls.openai_base_url.as_str())),
        );
        put(&mut new, "wire_api = \"responses\"");
        put(&mut new, "requires_openai_auth = true");
        put(&mut new, "supports_websockets = true");
    }
    Ok(new)
}

/// The lines of a key outside of any table.
fn standing(text: &str, root: &Table, key: &str) -> Result<Option<Range<usize>>, EditError> {
    let Some((name, item)) = root.get_key_value(key) else {
        return Ok(None);
    };
    match (item, name.span(), item.span()) {
        (Item::Value(value), Some(name), Some(span)) if !dotted(value) => {
            let start = text[..name.start].rfind('\n').map_or(0, |newline| newline + 1);
            let end = text[span.end..]
                .find('\n')
                .map_or(text.len(), |newline| span.end + newline + 1);
            // The first line may begin with a byte order mark.
            Ok(Some(start.max(split_mark(text).0.len())..end))
        }
        (_, name, _) => Err(in_the_way(text, name, key)),
    }
}

fn dotted(value: &Value) -> bool {
    value
        .as_inline_table()
        .is_some_and(toml_edit::InlineTable::is_dotted)
}

/// A table of Baton's own can be put at the end.
fn no_such_provider(text: &str, root: &Table) -> Result<(), EditError> {
    let Some((name, providers)) = root.get_key_value("model_providers") else {
        return Ok(());
    };
    let Some(table) = providers.as_table() else {
        return Err(in_the_way(text, name.span(), "model_providers"));
    };
    match table.get_key_value("baton") {
        Some((name, _)) => Err(in_the_way(text, name.span(), "model_providers.baton")),
        None => Ok(()),
    }
}

fn in_the_way(text: &str, span: Option<Range<usize>>, key: &str) -> EditError {
    let (line, _) = toml::place(text, span.map_or(0, |span| span.start));
    EditError::InTheWay {
        line,
        key: key.to_owned(),
    }
}

/// Without the owner's lines; what was set aside follows `prefix`.
fn without(text: &str, owner: Option<&Owner>, prefix: &str) -> Option<String> {
    let (mark, rest) = split_mark(text);
    let mut new = mark.to_owned();
    let (mut made, mut joined) = (false, None);
    for line in lines(rest, owner) {
        match line {
            Line::Theirs(line) => new.push_str(line),
            Line::Aside(line) => {
                new.push_str(prefix);
                new.push_str(line);
            }
            Line::Ours(line) => {
                made |= line.starts_with(MADE);
                if line.starts_with(JOINED) {
                    joined = Some(new.len());
                }
            }
        }
    }
    if joined == Some(new.len()) && new.ends_with('\n') {
        new.truncate(new.len() - line_end(text).len());
    }
    (!made || !new.is_empty()).then_some(new)
}

pub(super) fn parse(text: &str) -> Result<Document<&str>, EditError> {
    Document::parse(text).map_err(|error| {
        let (line, column) = toml::place(text, error.span().map_or(0, |span| span.start));
        EditError::Unparsable {
            line,
            column,
            reason: toml::reason(&error),
        }
    })
}

/// The byte order mark, if there is one, and the rest.
fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    })
}

/// As the first line has it.
fn line_end(text: &str) -> &'static str {
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    if first.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// How long the lines are that tell an editor what file this is: they count only where they come first.
fn directives(text: &str) -> usize {
    text.split_inclusive('\n')
        .take_while(|line| line.starts_with("#:") && line.ends_with('\n'))
        .map(str::len)
        .sum()
}

//! Which lines of a config.toml are Baton's, and which Baton's. Every one says so itself, so that the file alone tells how
//! to undo it, whatever else was edited and wherever the lines were moved to.

use std::{fmt, iter::Peekable, path::Path};

use toml_parser::{Source, lexer::TokenKind};

use crate::instance;

/// A mark is this, the tag of a data folder, and [`CLOSE`].
const OPEN: &str = "#<baton ";
const CLOSE: &str = ">";
const MARK: usize = OPEN.len() + instance::TAG + CLOSE.len();

/// What to do about another Baton's lines.
pub const ANOTHER: &str = "`baton disconnect --data-dir` with its data folder ends that, `baton connect --take-over` puts this \
     Baton in its place";

/// One of several Batons, by its data folder. Shown as its mark: that ends each line of its own, and begins each line that
/// it has set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    pub fn of(data_dir: &Path) -> Self {
        Self(format!("{OPEN}{}{CLOSE}", instance::tag(data_dir)))
    }

    pub(super) fn mark(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line<'a> {
    Theirs(&'a str),
    /// To be taken out.
    Ours(&'a str),
    /// Stood here before: what it was.
    Aside(&'a str),
}

/// The lines of a text without byte order mark, each with its line end. A mark inside a string is none. What isn't this
/// owner's is theirs, that of another Baton included; `None`: all Batons are one.
pub(super) fn lines<'a>(text: &'a str, owner: Option<&Owner>) -> impl Iterator<Item = Line<'a>> {
    marked(text).map(move |(line, marked)| match marked {
        Some((mark, found)) if owner.is_none_or(|owner| owner.mark() == mark) => found,
        _ => Line::Theirs(line),
    })
}

/// The first other Baton that has a line here.
pub(super) fn another(text: &str, owner: &Owner) -> Option<Owner> {
    marked(text)
        .filter_map(|(_, marked)| marked)
        .find(|(mark, _)| *mark != owner.mark())
        .map(|(mark, _)| Owner(mark.to_owned()))
}

/// Each line, and what it is to the Baton whose mark it has.
fn marked(text: &str) -> impl Iterator<Item = (&str, Option<(&str, Line<'_>)>)> {
    let mut comments = comments(text).peekable();
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let comment = next_before(&mut comments, at).map(|comment| comment - start);
        let marked = comment
            .map(|comment| line.split_at(comment))
            .and_then(|(before, comment)| read(line, before, comment));
        (line, marked)
    })
}

fn read<'a>(line: &'a str, before: &str, comment: &'a str) -> Option<(&'a str, Line<'a>)> {
    let set_aside = comment
        .split_at_checked(MARK)
        .filter(|(mark, _)| before.trim().is_empty() && is_mark(mark))
        .and_then(|(mark, rest)| {
            // An editor may have taken the blank away from an empty line.
            let was = rest
                .strip_prefix(' ')
                .or(rest.trim().is_empty().then_some(rest))?;
            Some((mark, Line::Aside(was)))
        });
    set_aside.or_else(|| {
        let comment = comment.trim_end();
        let (_, mark) = comment.split_at_checked(comment.len().checked_sub(MARK)?)?;
        is_mark(mark).then_some((mark, Line::Ours(line)))
    })
}

fn is_mark(text: &str) -> bool {
    let tag = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
    tag.is_some_and(|tag| {
        tag.len() == instance::TAG && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Where the comments begin, in order; at most one a line.
fn comments(text: &str) -> impl Iterator<Item = usize> {
    Source::new(text)
        .lex()
        .filter(|token| token.kind() == TokenKind::Comment)
        .map(|token| token.span().start())
}

fn next_before(places: &mut Peekable<impl Iterator<Item = usize>>, end: usize) -> Option<usize> {
    places.next_if(|place| *place < end)
}

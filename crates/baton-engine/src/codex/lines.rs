//! Which lines of a config.toml are Baton's. Every one says so itself, so that the file alone tells how to undo it,
//! whatever else was edited and wherever the lines were moved to.

use std::iter::Peekable;

use toml_parser::{Source, lexer::TokenKind};

/// Ends each line of Baton's own, and begins each line that it has set aside.
pub(super) const MARK: &str = "#<baton>";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Line<'a> {
    Theirs(&'a str),
    /// To be taken out.
    Ours(&'a str),
    /// Stood here before: what it was.
    Aside(&'a str),
}

/// The lines of a text without byte order mark, each with its line end. A mark inside a string is none.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut comments = comments(text).peekable();
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let comment = next_before(&mut comments, at).map(|comment| comment - start);
        match comment.map(|comment| line.split_at(comment)) {
            Some((before, comment)) => read(line, before, comment),
            None => Line::Theirs(line),
        }
    })
}

fn read<'a>(line: &'a str, before: &str, comment: &'a str) -> Line<'a> {
    let set_aside = comment
        .strip_prefix(MARK)
        .filter(|_| before.trim().is_empty())
        // An editor may have taken the blank away from an empty line.
        .and_then(|rest| rest.strip_prefix(' ').or(rest.trim().is_empty().then_some(rest)));
    match set_aside {
        Some(was) => Line::Aside(was),
        None if comment.trim_end().ends_with(MARK) => Line::Ours(line),
        None => Line::Theirs(line),
    }
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

//! Cutting members out of a JSON document while every other byte stays as it was.

use crate::json::{Cursor, NotJson, Raw, Span};

/// Cuts and replacements, in the order of the document.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(Span, Vec<u8>)>);

/// Decides which members of one object go.
#[derive(Debug, Default)]
pub(crate) struct Members {
    seen: Vec<Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    key_at: usize,
    value: Span,
    goes: bool,
}

// === impl Edits ===

impl Edits {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn replace(&mut self, span: Span, with: Vec<u8>) {
        self.0.push((span, with));
    }

    fn cut(&mut self, start: usize, end: usize) {
        self.0.push((Span { start, end }, Vec::new()));
    }

    /// The document with the edits done; overlapping cuts count once.
    pub(crate) fn apply(mut self, document: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(span, _)| span.start);
        let added: usize = self.0.iter().map(|(_, with)| with.len()).sum();
        let mut out = Vec::with_capacity(document.len() + added);
        let mut copied = 0;
        for (span, with) in self.0 {
            if span.start > copied {
                out.extend_from_slice(&document[copied..span.start]);
            }
            out.extend_from_slice(&with);
            copied = copied.max(span.end);
        }
        out.extend_from_slice(&document[copied..]);
        out
    }
}

// === impl Members ===

impl Members {
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }

    pub(crate) fn push(&mut self, key_at: usize, value: Span, goes: bool) {
        self.seen.push(Member { key_at, value, goes });
    }

    /// Cuts the members that go, each with one comma, so that an object stays one.
    pub(crate) fn cut(&self, edits: &mut Edits) {
        let mut kept_until = None;
        for (i, member) in self.seen.iter().enumerate() {
            if !member.goes {
                kept_until = Some(member.value.end);
            } else if let Some(next) = self.seen.get(i + 1) {
                edits.cut(member.key_at, next.key_at);
            } else {
                edits.cut(kept_until.unwrap_or(self.seen[0].key_at), member.value.end);
            }
        }
    }
}

/// Removes from the object ahead every member that `goes`.
pub(crate) fn cut_members<'a>(
    cursor: &mut Cursor<'a>,
    edits: &mut Edits,
    mut goes: impl FnMut(Raw<'a>) -> bool,
) -> Result<(), NotJson> {
    let mut members = Members::default();
    cursor.object(|cursor, key, key_at| {
        let value = cursor.skip()?;
        members.push(key_at, value, goes(key));
        Ok(())
    })?;
    members.cut(edits);
    Ok(())
}

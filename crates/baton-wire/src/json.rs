//! A cursor over JSON bytes: members and elements are visited in place, and what isn't of interest is skipped at
//! `memchr` speed. It checks as much grammar as it needs to find its way, no more: the upstream judges the rest.

use std::borrow::Cow;
use std::fmt;

/// Containers may nest this deep in a value that is skipped; `serde_json` stops at the same depth.
pub(crate) const MAX_DEPTH: u32 = 128;

/// The bytes are no JSON object, or nested deeper than 128 levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a JSON object")
    }
}

impl std::error::Error for NotJson {}

/// A string as it stands in the document, quotes included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a>(&'a [u8]);

/// Where a value stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

// === impl Raw ===

impl<'a> Raw<'a> {
    fn inside(self) -> &'a [u8] {
        &self.0[1..self.0.len() - 1]
    }

    /// Whether the string is `wanted`, escapes understood. `wanted` itself needs none.
    pub(crate) fn is(self, wanted: &str) -> bool {
        let inside = self.inside();
        if inside == wanted.as_bytes() {
            return true;
        }
        // Six bytes (`\u0041`) a character are the longest spelling.
        inside.len() > wanted.len()
            && inside.len() <= wanted.len() * 6
            && memchr::memchr(b'\\', inside).is_some()
            && self.text(wanted.len() * 6).is_some_and(|text| text == wanted)
    }

    pub(crate) fn ends_with(self, suffix: &str) -> bool {
        self.text(256).is_some_and(|text| text.ends_with(suffix))
    }

    /// The text, unless it is longer than `limit` bytes as written or no valid string.
    pub(crate) fn text(self, limit: usize) -> Option<Cow<'a, str>> {
        let inside = self.inside();
        if inside.len() > limit {
            return None;
        }
        if memchr::memchr(b'\\', inside).is_none() {
            return std::str::from_utf8(inside).ok().map(Cow::Borrowed);
        }
        serde_json::from_slice::<String>(self.0).ok().map(Cow::Owned)
    }
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The first byte of what comes next, white space skipped.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    /// Visits each member of the object ahead. `visit` gets the key, and the cursor at the value, which it must consume.
    pub(crate) fn object(
        &mut self,
        mut visit: impl FnMut(&mut Self, Raw<'a>, usize) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.eat(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.peek();
            let key_at = self.at;
            let key = self.string()?;
            self.eat(b':')?;
            visit(self, key, key_at)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(NotJson),
            }
        }
    }

    /// Visits each element of the array ahead; `visit` must consume it.
    pub(crate) fn array(
        &mut self,
        mut visit: impl FnMut(&mut Self) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.eat(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            visit(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(NotJson),
            }
        }
    }

    pub(crate) fn string(&mut self) -> Result<Raw<'a>, NotJson> {
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        let start = self.at;
        self.skip_string()?;
        Ok(Raw(&self.bytes[start..self.at]))
    }

    /// The string ahead, or `None` after skipping a value of another type.
    pub(crate) fn string_or_skip(&mut self) -> Result<Option<Raw<'a>>, NotJson> {
        if self.peek() == Some(b'"') {
            self.string().map(Some)
        } else {
            self.skip()?;
            Ok(None)
        }
    }

    /// Skips the value ahead and says where it stood.
    pub(crate) fn skip(&mut self) -> Result<Span, NotJson> {
        let first = self.peek().ok_or(NotJson)?;
        let start = self.at;
        match first {
            b'"' => self.skip_string()?,
            b'{' | b'[' => self.skip_container()?,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                while let Some(byte) = self.bytes.get(self.at) {
                    if matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t') {
                        break;
                    }
                    self.at += 1;
                }
            }
            _ => return Err(NotJson),
        }
        Ok(Span { start, end: self.at })
    }

    /// Skips the value ahead; whether it was exactly `literal`.
    pub(crate) fn skip_is(&mut self, literal: &str) -> Result<bool, NotJson> {
        let span = self.skip()?;
        Ok(&self.bytes[span.start..span.end] == literal.as_bytes())
    }

    fn skip_container(&mut self) -> Result<(), NotJson> {
        let bytes = self.bytes;
        let mut at = self.at;
        let mut depth = 0_u32;
        loop {
            match *bytes.get(at).ok_or(NotJson)? {
                b'"' => {
                    at = string_end(bytes, at)?;
                    continue;
                }
                b'{' | b'[' => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(NotJson);
                    }
                }
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = at + 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn skip_string(&mut self) -> Result<(), NotJson> {
        self.at = string_end(self.bytes, self.at)?;
        Ok(())
    }
}

/// From the quote at `open` past the closing one. Looking for quotes alone and counting the backslashes before each is
/// faster than stopping at every `\n` of a long text.
#[inline]
fn string_end(bytes: &[u8], open: usize) -> Result<usize, NotJson> {
    let mut from = open + 1;
    loop {
        let quote = from + find_quote(bytes.get(from..).ok_or(NotJson)?).ok_or(NotJson)?;
        if bytes[quote - 1] != b'\\' {
            return Ok(quote + 1);
        }
        let backslashes = bytes[open + 1..quote]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        if backslashes % 2 == 0 {
            return Ok(quote + 1);
        }
        from = quote + 1;
    }
}

/// The first quote. Most strings are keys and short: eight bytes at a time finds their end before `memchr` has begun.
#[inline]
fn find_quote(bytes: &[u8]) -> Option<usize> {
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, _) = bytes.as_chunks::<8>();
    let words = &words[..words.len().min(3)];
    for (i, word) in words.iter().enumerate() {
        // A byte that equals a quote becomes zero, and the lowest zero sets the lowest high bit.
        let word = u64::from_le_bytes(*word) ^ QUOTES;
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        if zeros != 0 {
            return Some(i * 8 + (zeros.trailing_zeros() / 8) as usize);
        }
    }
    let from = words.len() * 8;
    memchr::memchr(b'"', &bytes[from..]).map(|at| from + at)
}

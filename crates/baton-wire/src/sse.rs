//! Finds the few events that matter in an SSE stream split at any byte, without copying or parsing the rest.
//!
//! Line ends are LF, CRLF or CR; comments, several `data:` lines and a byte order mark are understood. An event's type is
//! the `type` of its JSON, which is what Codex goes by, and only where that is missing its `event:` line.
//!
//! What is reported, and at which offset, depends on the bytes alone, never on how they were split.

use baton_core::Timestamp;

use crate::event::{Class, HeldKind, What, is_compaction};
use crate::type_finder::{Step, TypeFinder};

/// The data of an event larger than this (bytes) is judged by its type alone.
pub const MAX_EVENT: usize = 1024 * 1024;

/// Between events no more than this is kept allocated (bytes).
const MAX_IDLE: usize = 64 * 1024;

/// An `event:` line longer than this names nothing (bytes).
const MAX_NAME: usize = 128;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The longest start of a line that must be seen to know its field: a byte order mark and `event:`.
const MAX_HEAD: usize = BOM.len() + b"event:".len();

/// An event, or what is known of it so far. Offsets count the stream's bytes from its beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The event's first byte.
    pub start: u64,
    /// Past the event's blank line; of [`What::Output`], past the byte that told the type, which may be earlier.
    pub end: u64,
    pub what: What,
}

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Scanner {
    /// Bytes fed so far.
    offset: u64,
    /// Where the event in progress starts.
    start: u64,
    line: Line,
    /// The last line ended with CR; a LF that follows belongs to it.
    after_cr: bool,
    event: Event,
    clean_end: bool,
}

/// How much of the current line is known.
#[derive(Debug)]
enum Line {
    Head {
        seen: [u8; MAX_HEAD],
        len: usize,
    },
    /// After the colon: one space is part of the syntax.
    Space(Field),
    Value(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Data,
    Event,
    Ignored,
}

/// The event in progress.
#[derive(Debug, Default)]
struct Event {
    has_lines: bool,
    name: Vec<u8>,
    data_lines: u32,
    data_len: usize,
    finder: TypeFinder,
    class: Option<Class>,
    /// Data while the type is unknown, and of events whose data matters.
    kept: Vec<u8>,
}

// === impl Scanner ===

impl Scanner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes of the stream and reports what they tell.
    pub fn feed(&mut self, chunk: &[u8], now: Timestamp, on: &mut impl FnMut(Found)) {
        let base = self.offset;
        let mut at = 0;
        while at < chunk.len() {
            if self.after_cr {
                self.after_cr = false;
                at += usize::from(chunk[at] == b'\n');
                self.line_ended(base + at as u64, now, on);
                continue;
            }
            let rest = &chunk[at..];
            let stop = memchr::memchr2(b'\n', b'\r', rest);
            let part = &rest[..stop.unwrap_or(rest.len())];
            let fast = stop.is_some() && self.whole(part, base + at as u64, on);
            if !fast {
                self.part(part, base + at as u64, on);
            }
            at += part.len();
            if stop.is_some() {
                self.after_cr = chunk[at] == b'\r';
                at += 1;
                if !self.after_cr {
                    self.line_ended(base + at as u64, now, on);
                }
            }
        }
        self.offset = base + chunk.len() as u64;
    }

    /// The stream is over. An event without its blank line is none to Codex, so it is only reported if it says, whole,
    /// why the stream ended: a failure.
    pub fn finish(&mut self, now: Timestamp, on: &mut impl FnMut(Found)) {
        if std::mem::take(&mut self.after_cr) {
            self.line_ended(self.offset, now, on);
        }
        self.line = Line::default();
        let failed = matches!(self.event.class_at_end(), Some(Class::Failed(_)));
        if failed && self.event.is_whole() {
            self.report(self.offset, now, on);
        }
        self.event.reset();
        self.start = self.offset;
    }

    /// Whether a terminal event (completed, failed, incomplete, `[DONE]`) was seen.
    pub fn clean_end(&self) -> bool {
        self.clean_end
    }

    /// The usual case, in one step: a whole line of data or with a name. False if this is none, and nothing was done.
    fn whole(&mut self, line: &[u8], at: u64, on: &mut impl FnMut(Found)) -> bool {
        if !matches!(self.line, Line::Head { len: 0, .. }) {
            return false;
        }
        let (field, head) = match line {
            [b'd', b'a', b't', b'a', b':', ..] => (Field::Data, b"data:".len()),
            [b'e', b'v', b'e', b'n', b't', b':', ..] => (Field::Event, b"event:".len()),
            _ => return false,
        };
        let head = head + usize::from(line.get(head) == Some(&b' '));
        let value = &line[head..];
        self.line = Line::Value(field);
        self.event.field(field, at, self.start, on);
        match field {
            Field::Data => self.event.data(value, at + head as u64, self.start, on),
            _ => self.event.named(value),
        }
        true
    }

    /// Part of a line, from the stream's byte `at` on.
    fn part(&mut self, mut part: &[u8], mut at: u64, on: &mut impl FnMut(Found)) {
        while let Some(first) = part.first() {
            match &mut self.line {
                Line::Value(Field::Data) => {
                    self.event.data(part, at, self.start, on);
                    return;
                }
                Line::Value(Field::Event) => {
                    self.event.named(part);
                    return;
                }
                Line::Value(Field::Ignored) => return,
                Line::Space(field) => {
                    let field = *field;
                    self.line = Line::Value(field);
                    let space = usize::from(*first == b' ');
                    part = &part[space..];
                    at += space as u64;
                }
                Line::Head { seen, len } => {
                    let used = {
                        let room = (MAX_HEAD - *len).min(part.len());
                        memchr::memchr(b':', &part[..room]).map_or(room, |colon| colon + 1)
                    };
                    seen[*len..*len + used].copy_from_slice(&part[..used]);
                    *len += used;
                    let head = &seen[..*len];
                    if let Some(name) = head.strip_suffix(b":") {
                        let field = Field::of(name, self.start == 0 && !self.event.has_lines);
                        self.line = Line::Space(field);
                        self.event.field(field, at, self.start, on);
                    } else if *len == MAX_HEAD {
                        self.line = Line::Value(Field::Ignored);
                        self.event.field(Field::Ignored, at, self.start, on);
                    }
                    part = &part[used..];
                    at += used as u64;
                }
            }
        }
    }

    /// A line is over; the stream's next byte is `end`.
    fn line_ended(&mut self, end: u64, now: Timestamp, on: &mut impl FnMut(Found)) {
        match std::mem::take(&mut self.line) {
            Line::Head { len: 0, .. } => {
                self.report(end, now, on);
                self.event.reset();
                self.start = end;
            }
            // A line without a colon is a field without a value.
            Line::Head { seen, len } => {
                let field = Field::of(&seen[..len], self.start == 0 && !self.event.has_lines);
                self.event.field(field, end, self.start, on);
            }
            Line::Space(_) | Line::Value(_) => {}
        }
    }

    fn report(&mut self, end: u64, now: Timestamp, on: &mut impl FnMut(Found)) {
        let Some(what) = self.event.what(now) else { return };
        self.clean_end |= matches!(
            what,
            What::Completed { .. } | What::Failed(_) | What::Held(HeldKind::Done)
        );
        on(Found {
            start: self.start,
            end,
            what,
        });
    }
}

// === impl Line ===

impl Default for Line {
    fn default() -> Self {
        Self::Head {
            seen: [0; MAX_HEAD],
            len: 0,
        }
    }
}

// === impl Field ===

impl Field {
    fn of(name: &[u8], first_line: bool) -> Self {
        let name = if first_line {
            name.strip_prefix(BOM).unwrap_or(name)
        } else {
            name
        };
        match name {
            b"data" => Self::Data,
            b"event" => Self::Event,
            _ => Self::Ignored,
        }
    }
}

// === impl Event ===

impl Event {
    /// Ready for the next event, with its buffers, unless they have become large.
    fn reset(&mut self) {
        self.has_lines = false;
        self.name.clear();
        self.data_lines = 0;
        self.data_len = 0;
        self.finder.reset();
        self.class = None;
        self.kept.clear();
        self.kept.shrink_to(MAX_IDLE);
    }

    /// A line of this field begins.
    fn field(&mut self, field: Field, at: u64, start: u64, on: &mut impl FnMut(Found)) {
        self.has_lines = true;
        match field {
            Field::Event => self.name.clear(),
            Field::Data => {
                if self.data_lines > 0 {
                    self.data(b"\n", at, start, on);
                }
                self.data_lines = self.data_lines.saturating_add(1);
            }
            Field::Ignored => {}
        }
    }

    fn named(&mut self, part: &[u8]) {
        // One byte more than fits makes the name an unknown one.
        let room = (MAX_NAME + 1).saturating_sub(self.name.len());
        self.name.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// Part of the data, from the stream's byte `at` on.
    fn data(&mut self, part: &[u8], at: u64, start: u64, on: &mut impl FnMut(Found)) {
        match self.class {
            None => {
                let within = &part[..part.len().min(MAX_EVENT - self.data_len)];
                self.find_class(within, at, start, on);
                self.data_len += within.len();
                if self.class.is_some() {
                    // The rest of the part belongs to an event that is known by now.
                    self.keep(within);
                    self.data(&part[within.len()..], at + within.len() as u64, start, on);
                } else if self.data_len < MAX_EVENT {
                    self.keep(within);
                } else {
                    self.keep(part);
                    self.settle(self.class_of_name(), at + within.len() as u64, start, on);
                }
            }
            Some(Class::ItemDone) if self.finder.item_type().is_none() => {
                self.finder.step(part);
            }
            Some(class) if class.needs_data() => self.keep(part),
            Some(_) => {}
        }
    }

    fn find_class(&mut self, part: &[u8], at: u64, start: u64, on: &mut impl FnMut(Found)) {
        // Nearly every event begins so, in one piece.
        if self.data_len == 0
            && let Some(rest) = part.strip_prefix(br#"{"type":""#)
            && let Some(quote) = memchr::memchr2(b'"', b'\\', rest)
            && rest[quote] == b'"'
            && let Ok(kind) = std::str::from_utf8(&rest[..quote])
            && Class::of(kind) != Class::ItemDone
        {
            self.settle(
                Class::of(kind),
                at + (part.len() - rest.len() + quote + 1) as u64,
                start,
                on,
            );
            return;
        }
        let mut used = 0;
        while let Step::Type(more) | Step::Item(more) = self.finder.step(&part[used..]) {
            used += more;
            if let (None, Some(kind)) = (self.class, self.finder.event_type()) {
                self.settle(Class::of(kind), at + used as u64, start, on);
            }
            if self.class.is_some_and(|class| class != Class::ItemDone) {
                return;
            }
        }
    }

    /// The type is known.
    fn settle(&mut self, class: Class, end: u64, start: u64, on: &mut impl FnMut(Found)) {
        self.class = Some(class);
        if !class.needs_data() {
            self.kept.clear();
        }
        if matches!(class, Class::Output | Class::ItemDone) {
            on(Found {
                start,
                end,
                what: What::Output,
            });
        }
    }

    fn keep(&mut self, part: &[u8]) {
        // One byte more than fits tells that it didn't.
        if self.class.is_none_or(Class::needs_data) {
            let room = (MAX_EVENT + 1).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&part[..part.len().min(room)]);
        }
    }

    fn class_of_name(&self) -> Class {
        std::str::from_utf8(&self.name).map_or(Class::Output, Class::of)
    }

    fn class_at_end(&self) -> Option<Class> {
        (self.data_lines > 0).then(|| self.class.unwrap_or_else(|| self.class_of_name()))
    }

    fn is_whole(&self) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(&self.kept).is_ok()
    }

    /// What the whole event means, if that wasn't said before.
    fn what(&self, now: Timestamp) -> Option<What> {
        if self.data_lines == 0 {
            return self.has_lines.then_some(What::Held(HeldKind::Comment));
        }
        match self.class {
            Some(Class::Output) => None,
            Some(Class::ItemDone) => self
                .finder
                .item_type()
                .is_some_and(is_compaction)
                .then_some(What::Compaction),
            None if self.kept.trim_ascii() == b"[DONE]" => Some(What::Held(HeldKind::Done)),
            settled => {
                let class = settled.unwrap_or_else(|| self.class_of_name());
                let data = (self.kept.len() <= MAX_EVENT).then_some(&*self.kept);
                Some(class.read(data, now))
            }
        }
    }
}

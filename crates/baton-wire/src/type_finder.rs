//! Finds `type` and `item.type` in a JSON object that arrives in pieces, without keeping the pieces.

/// Types and keys longer than this, as written, are unknown ones.
const MAX_TEXT: usize = 128;

/// Feed it an object from its first byte on; it says when it has learnt something.
#[derive(Debug, Default)]
pub(crate) struct TypeFinder {
    depth: u32,
    string: Option<Role>,
    escaped: bool,
    expects_key: bool,
    key: Key,
    /// At depth 2, in the object under `item`.
    in_item: bool,
    /// The key read last in that object is `type`.
    at_item_type: bool,
    text: Text,
    event_type: Option<Box<str>>,
    item_type: Option<Box<str>>,
    ended: bool,
}

/// Why [`TypeFinder::step`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every byte is used.
    More,
    /// `type` is known since the byte before this position.
    Type(usize),
    /// `item.type` is known.
    Item(usize),
    /// The object is over, or it was none.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Key,
    EventType,
    ItemType,
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    Type,
    Item,
    #[default]
    Other,
}

/// The string being read, if it is short.
#[derive(Debug)]
struct Text {
    bytes: [u8; MAX_TEXT],
    len: usize,
    too_long: bool,
}

// === impl TypeFinder ===

impl TypeFinder {
    /// Ready for another object.
    pub(crate) fn reset(&mut self) {
        if self.depth > 0 || self.ended {
            *self = Self::default();
        }
    }

    /// Reads until the type is known and, where that is a finished item's, the item's type.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Step::Type(used) | Step::Item(used) = self.step(&bytes[at..]) {
            at += used;
            if self.item_type.is_some() || self.event_type() != Some("response.output_item.done") {
                // `item` may stand before `type`.
                if self.event_type.is_some() {
                    return;
                }
            }
        }
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    pub(crate) fn item_type(&self) -> Option<&str> {
        self.item_type.as_deref()
    }

    /// Reads on until something is learnt.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while !self.ended {
            if let Some(role) = self.string {
                let Some(closed) = self.read_string(role, &bytes[at..]) else {
                    return Step::More;
                };
                at += closed;
                self.string = None;
                match self.string_ended(role) {
                    Some(Role::EventType) => return Step::Type(at),
                    Some(Role::ItemType) => return Step::Item(at),
                    _ => continue,
                }
            }
            let Some(byte) = bytes.get(at) else {
                return Step::More;
            };
            at += 1;
            self.structural(*byte);
        }
        Step::Ended
    }

    fn structural(&mut self, byte: u8) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'"' if self.depth > 0 => {
                self.string = Some(self.role());
                self.text.clear();
            }
            b'{' => {
                self.depth = self.depth.saturating_add(1);
                self.in_item |= self.depth == 2 && self.key == Key::Item;
                self.expects_key = true;
            }
            // The data of an event that Codex understands is an object.
            _ if self.depth == 0 => self.ended = true,
            b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.expects_key = false;
            }
            b'}' | b']' => {
                self.depth -= 1;
                self.in_item &= self.depth >= 2;
                self.ended = self.depth == 0;
            }
            b',' => {
                self.expects_key = self.depth == 1 || (self.depth == 2 && self.in_item);
                if self.depth == 1 {
                    self.key = Key::Other;
                }
                self.at_item_type &= self.depth != 2;
            }
            b':' => self.expects_key = false,
            _ => {}
        }
    }

    fn role(&self) -> Role {
        match (self.depth, self.in_item) {
            (1, _) | (2, true) if self.expects_key => Role::Key,
            (1, _) if self.key == Key::Type && self.event_type.is_none() => Role::EventType,
            (2, true) if self.at_item_type && self.item_type.is_none() => Role::ItemType,
            _ => Role::Other,
        }
    }

    /// Reads on in a string; the length up to and with its closing quote, if that is there.
    fn read_string(&mut self, role: Role, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.escaped {
            self.text.push(bytes.get(..1)?);
            self.escaped = false;
            at = 1;
        }
        loop {
            let rest = &bytes[at..];
            let stop = memchr::memchr2(b'"', b'\\', rest);
            if role != Role::Other {
                self.text.push(&rest[..stop.unwrap_or(rest.len())]);
            }
            let stop = stop?;
            at += stop + 1;
            if rest[stop] == b'"' {
                return Some(at);
            }
            let Some(escaped) = bytes.get(at..=at) else {
                self.escaped = true;
                self.text.push(b"\\");
                return None;
            };
            if role != Role::Other {
                self.text.push(b"\\");
                self.text.push(escaped);
            }
            at += 1;
        }
    }

    /// Takes in a whole string; its role if it was one of the two that are looked for.
    fn string_ended(&mut self, role: Role) -> Option<Role> {
        match role {
            Role::Key => {
                self.expects_key = false;
                let text = self.text.read();
                if self.depth == 1 {
                    self.key = match &*text {
                        "type" => Key::Type,
                        "item" => Key::Item,
                        _ => Key::Other,
                    };
                } else {
                    self.at_item_type = &*text == "type";
                }
                None
            }
            Role::EventType => {
                self.event_type = Some(self.text.read());
                Some(role)
            }
            Role::ItemType => {
                self.item_type = Some(self.text.read());
                Some(role)
            }
            Role::Other => None,
        }
    }
}

// === impl Text ===

impl Default for Text {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_TEXT],
            len: 0,
            too_long: false,
        }
    }
}

impl Text {
    fn clear(&mut self) {
        self.len = 0;
        self.too_long = false;
    }

    fn push(&mut self, more: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + more.len()) {
            Some(room) => {
                room.copy_from_slice(more);
                self.len += more.len();
            }
            None => self.too_long = true,
        }
    }

    /// The text with its escapes undone; empty if it is too long or no text.
    fn read(&self) -> Box<str> {
        let written = if self.too_long {
            &[][..]
        } else {
            &self.bytes[..self.len]
        };
        if memchr::memchr(b'\\', written).is_none() {
            return std::str::from_utf8(written).unwrap_or_default().into();
        }
        let quoted = [b"\"", written, b"\""].concat();
        serde_json::from_slice::<Box<str>>(&quoted).unwrap_or_default()
    }
}

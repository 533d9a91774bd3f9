//! A client's body or frame, skimmed for what routing needs without building a tree; and stripped of what belongs to
//! another account (PROTOCOL §2, §5).

use std::borrow::Cow;

use crate::edit::{Edits, Members, cut_members};
use crate::json::{Cursor, NotJson};
use crate::turn::{self, Facts};

/// What a top-level scan of a request finds. Of a key that occurs twice the last one counts, as everywhere in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skim<'a> {
    pub kind: Kind<'a>,
    /// Session, thread, turn and model; `generate: false` is a prewarm.
    pub facts: Facts,
    pub has_previous_response_id: bool,
    /// The last input item is a tool's output: the request continues a turn.
    pub input_ends_in_tool_output: bool,
    /// The input holds a compaction item: only the account that made it can read it.
    pub has_compaction: bool,
    /// The last input item asks for a compaction.
    pub asks_for_compaction: bool,
    /// A reasoning item holds encrypted content, which [`strip_ciphertext`] would remove.
    pub has_encrypted_content: bool,
    /// `client_metadata` holds a turn state, which [`strip_turn_state`] would remove.
    pub has_turn_state: bool,
    /// Its value, where that is a string of at most 64 KiB.
    pub turn_state: Option<Cow<'a, str>>,
}

/// The frame's `type`. An HTTP body has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind<'a> {
    #[default]
    Absent,
    /// `response.create`
    Create,
    Other(Cow<'a, str>),
}

/// Longer types are cut off as unknown (bytes as written).
const MAX_KIND: usize = 256;

// === impl Skim ===

impl<'a> Skim<'a> {
    /// Reads the keys of the top level and of `input`'s items. Only as much grammar is checked as that needs.
    pub fn read(json: &'a [u8]) -> Result<Self, NotJson> {
        let mut skim = Self::default();
        let mut model = None;
        let mut metadata = Facts::default();
        let mut prewarm = false;
        Cursor::new(json).object(|cursor, key, _| {
            if key.is("type") {
                skim.kind = match cursor.string_or_skip()? {
                    None => Kind::Absent,
                    Some(raw) if raw.is("response.create") => Kind::Create,
                    Some(raw) => Kind::Other(raw.text(MAX_KIND).unwrap_or_default()),
                };
            } else if key.is("model") {
                model = cursor.string_or_skip()?.and_then(turn::model);
            } else if key.is("previous_response_id") {
                skim.has_previous_response_id = cursor.string_or_skip()?.is_some();
            } else if key.is("generate") {
                prewarm = cursor.skip_is("false")?;
            } else if key.is("client_metadata") {
                let mut again = cursor.clone();
                metadata = Facts::client_metadata(cursor)?;
                (skim.has_turn_state, skim.turn_state) = turn_state(&mut again)?;
            } else if key.is("input") {
                skim.input(cursor)?;
            } else {
                cursor.skip()?;
            }
            Ok(())
        })?;
        let prewarm = prewarm || metadata.prewarm;
        skim.facts = Facts {
            model,
            prewarm,
            ..Facts::default()
        }
        .or(metadata);
        Ok(skim)
    }

    fn input(&mut self, cursor: &mut Cursor<'a>) -> Result<(), NotJson> {
        self.input_ends_in_tool_output = false;
        self.asks_for_compaction = false;
        self.has_compaction = false;
        self.has_encrypted_content = false;
        if cursor.peek() != Some(b'[') {
            cursor.skip()?;
            return Ok(());
        }
        cursor.array(|cursor| {
            let item = Item::read(cursor)?;
            self.input_ends_in_tool_output = item.kind == ItemKind::ToolOutput;
            self.asks_for_compaction = item.kind == ItemKind::CompactionTrigger;
            self.has_compaction |= item.kind == ItemKind::Compaction;
            self.has_encrypted_content |= item.kind == ItemKind::Reasoning && item.encrypted;
            Ok(())
        })
    }
}

/// One element of `input`.
#[derive(Default)]
struct Item {
    kind: ItemKind,
    encrypted: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum ItemKind {
    #[default]
    Other,
    ToolOutput,
    Reasoning,
    Compaction,
    CompactionTrigger,
}

// === impl Item ===

impl Item {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, NotJson> {
        let mut item = Self::default();
        if cursor.peek() != Some(b'{') {
            cursor.skip()?;
            return Ok(item);
        }
        cursor.object(|cursor, key, _| {
            if key.is("type") {
                item.kind = ItemKind::read(cursor)?;
            } else if key.is("encrypted_content") {
                item.encrypted = !cursor.skip_is("null")?;
            } else {
                cursor.skip()?;
            }
            Ok(())
        })?;
        Ok(item)
    }
}

// === impl ItemKind ===

impl ItemKind {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, NotJson> {
        Ok(match cursor.string_or_skip()? {
            Some(raw) if raw.is("reasoning") => Self::Reasoning,
            Some(raw) if raw.is("compaction") || raw.is("compaction_summary") => Self::Compaction,
            Some(raw) if raw.is("compaction_trigger") => Self::CompactionTrigger,
            // function_call_output, custom_tool_call_output, local_shell_call_output, …
            Some(raw) if raw.ends_with("_output") => Self::ToolOutput,
            _ => Self::Other,
        })
    }
}

/// The document without `encrypted_content` of the reasoning items in `input`, every other byte as it was. Compaction
/// items keep theirs: they are nothing without. `None` if there is nothing to strip, or it is no JSON object.
pub fn strip_ciphertext(json: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::default();
    let mut members = Members::default();
    Cursor::new(json)
        .object(|cursor, key, _| {
            if !key.is("input") || cursor.peek() != Some(b'[') {
                cursor.skip()?;
                return Ok(());
            }
            cursor.array(|cursor| {
                if cursor.peek() != Some(b'{') {
                    cursor.skip()?;
                    return Ok(());
                }
                members.clear();
                let mut kind = ItemKind::Other;
                cursor.object(|cursor, key, key_at| {
                    if key.is("type") {
                        kind = ItemKind::read(&mut cursor.clone())?;
                    }
                    let null = cursor.clone().skip_is("null")?;
                    let value = cursor.skip()?;
                    members.push(key_at, value, !null && key.is("encrypted_content"));
                    Ok(())
                })?;
                if kind == ItemKind::Reasoning {
                    members.cut(&mut edits);
                }
                Ok(())
            })
        })
        .ok()?;
    (!edits.is_empty()).then(|| edits.apply(json))
}

/// The document without `client_metadata["x-codex-turn-state"]`, which belongs to one account; every other byte as it
/// was. `None` if there is nothing to strip, or it is no JSON object.
pub fn strip_turn_state(json: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::default();
    Cursor::new(json)
        .object(|cursor, key, _| {
            if key.is("client_metadata") && cursor.peek() == Some(b'{') {
                cut_members(cursor, &mut edits, |key| key.is(TURN_STATE))
            } else {
                cursor.skip().map(drop)
            }
        })
        .ok()?;
    (!edits.is_empty()).then(|| edits.apply(json))
}

const TURN_STATE: &str = "x-codex-turn-state";

/// The value of a longer turn state isn't read (bytes as written).
const MAX_TURN_STATE: usize = 64 * 1024;

fn turn_state<'a>(cursor: &mut Cursor<'a>) -> Result<(bool, Option<Cow<'a, str>>), NotJson> {
    let mut found = (false, None);
    if cursor.peek() == Some(b'{') {
        cursor.object(|cursor, key, _| {
            if key.is(TURN_STATE) {
                found = (
                    true,
                    cursor.string_or_skip()?.and_then(|raw| raw.text(MAX_TURN_STATE)),
                );
                return Ok(());
            }
            cursor.skip().map(drop)
        })?;
    }
    Ok(found)
}

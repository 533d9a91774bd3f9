//! One WebSocket text frame of the server, judged as an event of a stream would be.

use baton_core::Timestamp;

use crate::event::{Class, What, is_compaction};
use crate::type_finder::TypeFinder;

/// What the frame means. Its type is found first; only frames that matter are parsed, and only up to 1 MiB.
pub fn server(text: &str, now: Timestamp) -> What {
    let mut finder = TypeFinder::default();
    finder.feed(text.as_bytes());
    let Some(class) = finder.event_type().map(Class::of) else {
        return What::Output;
    };
    if class == Class::ItemDone && finder.item_type().is_some_and(is_compaction) {
        return What::Compaction;
    }
    class.read(Some(text.as_bytes()), now)
}

//! What a click in the menu asks for.

use baton_core::{AccountId, Strategy};

use crate::window::Place;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Use(Strategy),
    Switch(AccountId),
    Pin(AccountId),
    Unpin,
    Skip(AccountId, bool),
    Bypass(bool),
    Connect(bool),
    StartAtLogin(bool),
    /// The window.
    Open(Place),
    Quit,
    QuitNow,
}

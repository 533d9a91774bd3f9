//! Text for people and JSON for programs. Percent is percent *left*, everywhere.

mod diff;
mod doctor;
mod foresight;
mod log;
mod status;
mod style;
mod table;
mod why;

use std::io::{self, IsTerminal, Write};

use baton_core::{AccountId, Timestamp, explain::Words};
use baton_engine::{control::protocol::AccountView, words::clock_time};
use serde_json::Value;

pub(crate) use diff::diff;
pub(crate) use doctor::doctor;
pub(crate) use foresight::{forecast, replay, timeline};
pub(crate) use log::{happened, log};
pub(crate) use status::{accounts, percent_left, state, status, status_json, window_name};
pub(crate) use style::{Style, Tint};
pub(crate) use table::Table;
pub(crate) use why::{explained, why, why_json};

/// Standard output, as the person wants it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) json: bool,
    pub(crate) style: Style,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            style: Style::of(&io::stdout()),
        }
    }

    /// A reader that went away (`baton log | head`) is no error.
    pub(crate) fn print(self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = stdout.write_all(b"\n");
        }
        let _ = stdout.flush();
    }

    /// As it is, without a line's end.
    pub(crate) fn print_raw(self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes());
        let _ = stdout.flush();
    }

    pub(crate) fn print_json(self, value: &Value) {
        self.print(&value.to_string());
    }

    pub(crate) fn terminal(self) -> bool {
        io::stdout().is_terminal()
    }
}

/// Labels and clock times, from a snapshot.
pub(crate) struct Labels<'a> {
    accounts: &'a [AccountView],
    now: Timestamp,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(accounts: &'a [AccountView], now: Timestamp) -> Self {
        Self { accounts, now }
    }
}

impl Words for Labels<'_> {
    fn label(&self, account: AccountId) -> String {
        let known = self.accounts.iter().find(|view| view.id == account);
        known.map_or_else(
            || format!("account {account} (removed)"),
            |view| view.label.clone(),
        )
    }

    fn time(&self, at: Timestamp) -> String {
        clock_time(at, self.now)
    }
}

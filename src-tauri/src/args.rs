//! The command line of `baton-desktop`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::window::Place;

/// Baton in the tray: which Codex account is active, and what is left of each.
#[derive(Debug, Parser)]
#[command(name = "baton-desktop", version, disable_help_subcommand = true)]
pub struct Args {
    /// Show a Baton that already runs (`baton serve`, `baton demo`) instead of starting one here
    #[arg(long)]
    pub attach: bool,

    /// Where Baton keeps its settings and records, and finds a running Baton
    #[arg(long, value_name = "DIR", env = "BATON_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,

    /// Started by the desktop itself: no window opens
    #[arg(long, hide = true)]
    pub at_login: bool,

    /// Whoever has started it tells the person why it can't start: then it says so on standard output, and ends
    #[arg(long, hide = true)]
    pub told: bool,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What this program starts itself as.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Disconnects Codex should the Baton die that started it
    #[command(hide = true)]
    Guard,
    /// Shows the window of the Baton that runs
    Window {
        /// Where in it: `now`, `outlook`, `activity`, `settings`, or `account/` and its number
        #[arg(long, default_value_t)]
        place: Place,
        /// Why there is no Baton
        #[arg(long, hide = true)]
        why: Option<String>,
    },
}

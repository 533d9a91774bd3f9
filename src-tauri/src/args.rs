//! The command line of `baton-desktop`.

use std::path::PathBuf;

use clap::Parser;

/// Baton in the tray: which Codex account is active, and what is left of each.
#[derive(Debug, Parser)]
#[command(name = "baton-desktop", version)]
pub struct Args {
    /// Show a Baton that already runs (`baton serve`, `baton demo`) instead of starting one here
    #[arg(long)]
    pub attach: bool,

    /// Where Baton keeps its settings and records, and finds a running Baton
    #[arg(long, value_name = "DIR", env = "BATON_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

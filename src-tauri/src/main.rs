//! `baton-desktop`: Baton in the tray.

// A console window would open beside the tray on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    baton_desktop::run(&baton_desktop::Args::parse())
}

//! The command `baton`: serves without a desktop, answers a person's questions, and shows itself on a simulated
//! backend.
//!
//! - [`args`]: the command line, and [`parse`]: what a person types for times, windows and percents
//! - [`baton`]: a running Baton over its control socket, else its data directory
//! - [`commands`]: commands that ask and print, [`accounts`], [`sign_in`], [`browser`]: adding an account;
//!   [`serve`]: Baton itself
//! - [`history`]: what is stored of the past
//! - [`codex`]: Codex's config.toml, connected and disconnected, whether or not Baton runs
//! - [`doctor`]: how everything is, each with what to do
//! - [`self_test`]: whether a Codex CLI works through Baton, before it is connected
//! - [`show`]: status, explanations and log as text
//! - [`demo`]: the main job on a simulated backend, with a verdict; [`simulated`]: the Baton on it, and [`installed`]: the
//!   Codex CLI that is driven there
//! - [`error`]: what went wrong, as text or JSON, and the exit status

mod accounts;
mod args;
mod baton;
mod codex;
mod commands;
mod demo;
mod doctor;
mod error;
mod foresight;
mod history;
mod installed;
mod parse;
mod self_test;
mod serve;
mod show;
mod sign_in;
mod simulated;

use std::process::ExitCode;

use args::{Args, Command};
use clap::{Parser, error::ErrorKind};
use error::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse().and_then(Args::checked) {
        Ok(args) => args,
        Err(error) => return not_understood(&error),
    };
    let json = args.json;
    let runtime = match baton_engine::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            return error::report(
                &Failure::new(format!("no event loop can be started: {error}")),
                json,
            );
        }
    };
    let done = runtime.block_on(Box::pin(run(args)));
    // What still runs has been drained, or is not worth waiting for.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(failure) => error::report(&failure, json),
    }
}

async fn run(args: Args) -> Result<ExitCode, Failure> {
    let out = show::Out::new(args.json);
    let data_dir = args.data_dir.as_deref();
    match args.command {
        Command::Serve(serve) => serve::run(data_dir, &serve, args.log.as_deref(), out).await,
        Command::Demo(demo) => demo::run(data_dir, demo, args.log.as_deref(), out).await,
        Command::Guard => {
            let options = baton_engine::Options::from_env(data_dir, None)?;
            baton_engine::codex::guard(&options.data_dir).await;
            Ok(ExitCode::SUCCESS)
        }
        Command::SelfTest { mode } => self_test::run(data_dir, mode, out).await,
        command => commands::run(data_dir, command, args.log.as_deref(), out).await,
    }
}

/// A usage error has status 2; help and version are none.
fn not_understood(error: &clap::Error) -> ExitCode {
    let asked_for_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if !asked_for_help && std::env::args_os().any(|arg| arg == "--json") {
        let text = error.to_string();
        let message = text
            .trim_start_matches("error: ")
            .split("\n\n")
            .next()
            .unwrap_or_default();
        error::print_json(message);
    } else {
        // Nobody reads it any more.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

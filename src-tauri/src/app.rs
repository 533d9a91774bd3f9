//! Puts the parts together: one source of views, one tray, and what ends them.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use baton_engine::Options;
use tauri::{AppHandle, RunEvent};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Command};
use crate::display;
use crate::engine::{self, Source};
use crate::tray::menu::Action;
use crate::tray::{Clicks, Tray};
use crate::view::View;

/// The tray shows at most one change in this time, and the newest: each change of the icon is a file written for the
/// panel to read.
const SETTLE: Duration = Duration::from_millis(250);

/// Runs the tray until the person quits. On success the process ends in here: the toolkit's loop does not return.
pub fn run(args: &Args) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("BATON_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();

    let options = match Options::from_env(args.data_dir.as_deref(), None) {
        Ok(options) => options,
        Err(error) => return failed(&error),
    };
    if let Some(Command::Guard) = args.command {
        return guard(&options);
    }
    if let Err(reason) = display::check() {
        eprintln!("baton-desktop: {reason}");
        return reason.exit_code();
    }
    match start(args, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn guard(options: &Options) -> ExitCode {
    match baton_engine::runtime() {
        Ok(runtime) => {
            runtime.block_on(baton_engine::codex::guard(&options.data_dir));
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("baton-desktop: {error}");
    ExitCode::FAILURE
}

fn start(args: &Args, options: Options) -> tauri::Result<()> {
    let attach = args.attach;
    tauri::Builder::default()
        .setup(move |app| {
            let source = if attach {
                engine::attach(options.data_dir)
            } else {
                engine::host(options, std::env::current_exe().ok())
            };
            let (clicks, clicked) = mpsc::unbounded_channel();
            let tray = Tray::new(app.handle(), &source.view(), clicks)?;
            tauri::async_runtime::spawn(show_and_quit(app.handle().clone(), tray, source, clicked));
            Ok(())
        })
        .build(tauri::generate_context!())?
        .run(|_, event| {
            // Without a code it only means that the last window was closed. The tray stays.
            if let RunEvent::ExitRequested { code: None, api, .. } = event {
                api.prevent_exit();
            }
        });
    Ok(())
}

async fn show_and_quit(app: AppHandle, mut tray: Tray, mut source: Source, mut clicked: Clicks) {
    tokio::select! {
        () = show(&mut tray, &mut source) => {}
        () = asked_to_quit(&mut clicked) => {}
    }
    tray.show(&View::Quitting);
    // Running requests are let finish. Asked again, don't wait for them.
    tokio::select! {
        () = source.close() => {}
        () = asked_to_quit(&mut clicked) => tracing::warn!("asked to quit twice: running requests are cut"),
    }
    app.exit(0);
}

/// Ends when the source has nothing more to say.
async fn show(tray: &mut Tray, source: &mut Source) {
    loop {
        tray.show(&source.view());
        tokio::time::sleep(SETTLE).await;
        if !source.changed().await {
            return;
        }
    }
}

/// Ends on a click on Quit, or on a signal. Without the latter the icon's file would be left behind.
async fn asked_to_quit(clicked: &mut Clicks) {
    tokio::select! {
        Some(Action::Quit) = clicked.recv() => {}
        () = signal() => {}
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        _ => {
            tracing::warn!("signals cannot be listened to; use Quit in the menu");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

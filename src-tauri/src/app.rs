//! Puts the parts together: one source of views, one tray, and what ends them.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use baton_core::AccountId;
use baton_engine::control::protocol::Command;
use baton_engine::{Options, doctor, instance};
use tauri::{AppHandle, RunEvent};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

use crate::args::{self, Args};
use crate::engine::{self, Happened, Refused, Source};
use crate::notices::{self, Notice, Notices};
use crate::tray::action::Action;
use crate::tray::{Clicks, Tray};
use crate::view::View;
use crate::window::{self, Place};
use crate::{autostart, display, program};

/// The tray shows at most one change in this time, and the newest: each change of the icon is a file written for the
/// panel to read.
const SETTLE: Duration = Duration::from_millis(80);
/// A panel that starts with the session may come after Baton.
const PANEL_COMES_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 5 });
const PANEL_COMES_AFTER_LOGIN_WITHIN: Duration =
    Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 60 });

/// Runs the tray until the person quits. On success the process ends in here: the toolkit's loop does not return.
pub fn run(args: &Args) -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("BATON_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();

    program::remember();
    let options = match Options::from_env(args.data_dir.as_deref(), None) {
        Ok(options) => options,
        Err(error) => return failed(&error),
    };
    if let Some(args::Command::Guard) = args.command {
        return guard(&options);
    }
    if let Err(reason) = display::check() {
        eprintln!("baton-desktop: {reason}");
        return reason.exit_code();
    }
    let ended = match args.command {
        Some(args::Command::Window { place, ref why }) => window::run(options.data_dir, place, why.clone()),
        // Whoever starts what runs already wants to see it.
        None if !args.attach && instance::is_held(&options.data_dir) && !args.at_login => {
            window::run(options.data_dir, Place::Now, None)
        }
        // What starts at login shows the Baton that is there already, such as a `baton serve`.
        None => start(
            args.attach || instance::is_held(&options.data_dir),
            args.at_login,
            args.told,
            options,
        ),
        Some(args::Command::Guard) => Ok(()),
    };
    match ended {
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

fn start(attach: bool, at_login_only: bool, told: bool, options: Options) -> tauri::Result<()> {
    let data_dir = options.data_dir.clone();
    autostart::prepared(tauri::Builder::default())
        .setup(move |app| {
            let app = app.handle().clone();
            let signals = tauri::async_runtime::block_on(async { Signals::listen() });
            if !attach {
                autostart::renew(&app);
            }
            let source = if attach {
                engine::attach(options.data_dir)
            } else {
                engine::host(options, program::path().ok())
            };
            let (clicks, clicked) = mpsc::unbounded_channel();
            let at_login = autostart::is_on(&app);
            let tray = Tray::new(&app, &source.view(), at_login, clicks.clone())?;
            let desk = Desk {
                app,
                tray,
                source,
                data_dir,
                clicks,
                at_login,
                told,
                notices: Notices::default(),
                signals,
            };
            tauri::async_runtime::spawn(without_a_panel(desk.clicks.clone(), at_login_only));
            tauri::async_runtime::spawn(desk.run(clicked));
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

/// Where nothing shows the icon, whoever has started Baton by hand gets the window, and who hasn't is told once.
async fn without_a_panel(clicks: mpsc::UnboundedSender<Action>, at_login: bool) {
    tokio::time::sleep(if at_login {
        PANEL_COMES_AFTER_LOGIN_WITHIN
    } else {
        PANEL_COMES_WITHIN
    })
    .await;
    let shown = tokio::task::spawn_blocking(display::tray).await;
    if !matches!(shown, Ok(doctor::Tray::NoHost)) {
        return;
    }
    if at_login {
        notices::desktop::show(Notice::no_panel(), clicks);
    } else {
        // Nobody listens once the program is ending.
        let _ = clicks.send(Action::Open(Place::Now));
    }
}

/// Everything that the tray's process shows, and what it is asked.
struct Desk {
    app: AppHandle,
    tray: Tray,
    source: Source,
    data_dir: PathBuf,
    clicks: mpsc::UnboundedSender<Action>,
    at_login: Option<bool>,
    /// Whoever has started it says why there can be no Baton.
    told: bool,
    notices: Notices,
    signals: Signals,
}

/// How to end.
#[derive(PartialEq, Eq)]
enum End {
    /// Running requests first.
    Finish,
    Now,
    /// There was nothing to run.
    Failed,
}

impl Desk {
    async fn run(mut self, mut clicked: Clicks) {
        let end = self.show(&mut clicked).await;
        let Self {
            app,
            mut tray,
            source,
            at_login,
            mut signals,
            ..
        } = self;
        tray.show(&View::Quitting, at_login, false);
        if end == End::Finish {
            // Running requests are let finish. Asked again, don't wait for them.
            tokio::select! {
                () = source.close() => {}
                () = asked_again(&mut clicked, &mut signals) => tracing::warn!("asked to quit twice: running requests are cut"),
            }
        }
        app.exit(i32::from(end == End::Failed));
    }

    /// Until the person quits, or the source has nothing more to say.
    async fn show(&mut self, clicked: &mut Clicks) -> End {
        let (refused, mut refusals) = mpsc::unbounded_channel();
        let mut was_clicked = false;
        loop {
            // The window, or the desktop's own settings, may have changed it.
            self.at_login = autostart::is_on(&self.app);
            let failed = match self.source.view() {
                View::Failed { reason } => Some(reason),
                _ => None,
            };
            if let Some(reason) = failed.as_ref().filter(|_| self.told) {
                println!("{reason}");
                return End::Failed;
            }
            self.tray.show(
                &self.source.view(),
                self.at_login,
                std::mem::take(&mut was_clicked),
            );
            let settled = tokio::time::Instant::now() + SETTLE;
            loop {
                let next = async {
                    tokio::time::sleep_until(settled).await;
                    self.source.changed().await
                };
                tokio::select! {
                    changed = next => match changed {
                        true => break,
                        false => return End::Finish,
                    },
                    () = self.signals.next() => return End::Finish,
                    Some(why) = refusals.recv() => self.tell_refusal(why),
                    Some(action) = clicked.recv() => {
                        was_clicked = true;
                        match action {
                            Action::Quit => return End::Finish,
                            Action::QuitNow => return End::Now,
                            // The window says why, and can try again: this has nothing more to do.
                            Action::Open(place) if failed.is_some() => {
                                if self.open(place, failed.as_deref()) {
                                    return End::Failed;
                                }
                            }
                            action => self.act(action, &refused),
                        }
                        break;
                    }
                }
            }
            self.tell();
        }
    }

    fn act(&mut self, action: Action, refused: &mpsc::UnboundedSender<Refused>) {
        let account = |id: AccountId| id.to_string();
        let command = match action {
            Action::Use(strategy) => Command::Use { strategy },
            Action::Switch(id) => Command::Switch { account: account(id) },
            Action::Pin(id) => Command::Pin { account: account(id) },
            Action::Unpin => Command::Unpin,
            Action::Skip(id, skipped) => Command::Skip {
                account: account(id),
                skipped,
            },
            Action::Bypass(on) => Command::Bypass { on },
            Action::Connect(true) => Command::ConnectCodex {
                home: None,
                mode: None,
            },
            Action::Connect(false) => Command::DisconnectCodex { home: None },
            Action::StartAtLogin(on) => {
                if let Err(why) = autostart::set(&self.app, on) {
                    self.tell_refusal(format!("Starting at login can't be changed: {why}"));
                }
                return;
            }
            Action::Open(place) => {
                self.open(place, None);
                return;
            }
            Action::Quit | Action::QuitNow => return,
        };
        self.source.ask(command, refused.clone());
    }

    /// Whether that could be done.
    fn open(&self, place: Place, why: Option<&str>) -> bool {
        match window::open(&self.data_dir, place, why) {
            Ok(()) => true,
            Err(error) => {
                self.tell_refusal(format!("The window can't be opened: {error}"));
                false
            }
        }
    }

    /// What has happened since the last time.
    fn tell(&mut self) {
        while let Ok(Happened { events, after }) = self.source.happened().try_recv() {
            for notice in self.notices.of(&events, &after) {
                notices::desktop::show(notice, self.clicks.clone());
            }
        }
    }

    /// A menu can't answer: what a click came to is told like news.
    fn tell_refusal(&self, why: Refused) {
        notices::desktop::show(Notice::refused(why), self.clicks.clone());
    }
}

/// Ends on another click on either Quit, or on a signal.
async fn asked_again(clicked: &mut Clicks, signals: &mut Signals) {
    let quit = async {
        while let Some(action) = clicked.recv().await {
            if matches!(action, Action::Quit | Action::QuitNow) {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = quit => {}
        () = signals.next() => {}
    }
}

/// What ends a session. Heard from the beginning: before that it would end the program at once, with what runs, and leave the
/// icon's file behind.
#[cfg(unix)]
struct Signals(Option<[tokio::signal::unix::Signal; 3]>);

#[cfg(unix)]
impl Signals {
    /// Within a runtime.
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        match (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
            signal(SignalKind::hangup()),
        ) {
            (Ok(terminate), Ok(interrupt), Ok(hangup)) => Self(Some([terminate, interrupt, hangup])),
            _ => {
                tracing::warn!("signals cannot be listened to; use Quit in the menu");
                Self(None)
            }
        }
    }

    async fn next(&mut self) {
        let Some([terminate, interrupt, hangup]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

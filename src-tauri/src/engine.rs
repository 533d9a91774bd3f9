//! Where views come from: an engine hosted here, or another Baton's, looked at through its control socket. What is asked
//! in the tray goes there too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use baton_core::Event;
use baton_engine::control::Client;
use baton_engine::control::protocol::{Command, ControlError, ErrorKind, Message, Reply, Snapshot};
use baton_engine::{Engine, Options};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::display;
use crate::view::View;

/// Between two looks for a Baton that isn't there. Only who attaches waits for one.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What was foretold while nothing happens is no longer true after a while.
const FORETOLD_ANEW: Duration = Duration::from_secs(15 * 60);

/// The newest view, news of the next one, what has happened, and an orderly end.
pub(crate) struct Source {
    views: watch::Receiver<View>,
    happened: mpsc::UnboundedReceiver<Happened>,
    asks: mpsc::UnboundedSender<Ask>,
    /// Dropped or sent: the task winds down.
    stop: oneshot::Sender<()>,
    /// Sent once everything has ended; dropped, if that came to nothing.
    ended: oneshot::Receiver<()>,
}

/// Events, in order, and what is so after them. None, where only the latter is news.
#[derive(Debug)]
pub(crate) struct Happened {
    pub(crate) events: Vec<Event>,
    pub(crate) after: Box<Snapshot>,
}

/// What came of it is told in words.
pub(crate) type Refused = String;

#[derive(Debug)]
struct Ask {
    command: Command,
    refused: mpsc::UnboundedSender<Refused>,
}

impl Source {
    pub(crate) fn view(&self) -> View {
        self.views.borrow().clone()
    }

    /// Waits for another view. False when there will be none.
    pub(crate) async fn changed(&mut self) -> bool {
        self.views.changed().await.is_ok()
    }

    /// What has happened next; `None` when nothing will any more.
    pub(crate) fn happened(&mut self) -> &mut mpsc::UnboundedReceiver<Happened> {
        &mut self.happened
    }

    /// Asks in the background; why it was refused, if it was, is sent to `refused`.
    pub(crate) fn ask(&self, command: Command, refused: mpsc::UnboundedSender<Refused>) {
        if let Err(mpsc::error::SendError(ask)) = self.asks.send(Ask { command, refused }) {
            ask.refuse("Baton is not running".to_owned());
        }
    }

    /// Ends the source, and waits until it has.
    pub(crate) async fn close(self) {
        drop(self.stop);
        if self.ended.await.is_err() {
            tracing::error!("the engine's thread did not end as it should");
        }
    }

    /// On a thread and a runtime of its own: the engine's is the one that suits a proxy, and not Tauri's.
    fn spawn<T>(run: impl FnOnce(Ends, oneshot::Receiver<()>) -> T + Send + 'static) -> Self
    where
        T: Future<Output = ()>,
    {
        let (sender, views) = watch::channel(View::Starting);
        let (tell, happened) = mpsc::unbounded_channel();
        let (asks, asked) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let failed = sender.clone();
        let ends = Ends {
            views: sender,
            tell,
            asked,
        };
        let work = move || match baton_engine::runtime() {
            Ok(runtime) => {
                runtime.block_on(Box::pin(run(ends, stopped)));
                runtime.shutdown_background();
                let _ = done.send(());
            }
            Err(error) => {
                let reason = format!("no event loop can be started: {error}");
                ends.views.send_replace(View::Failed { reason });
                let _ = done.send(());
            }
        };
        let thread = std::thread::Builder::new().name("baton-engine".to_owned());
        if let Err(error) = thread.spawn(work) {
            let reason = format!("no thread can be started: {error}");
            failed.send_replace(View::Failed { reason });
        }
        Self {
            views,
            happened,
            asks,
            stop,
            ended,
        }
    }
}

impl Ask {
    fn refuse(self, why: Refused) {
        // Nobody is there to read it once the program is ending.
        let _ = self.refused.send(why);
    }

    fn answer(self, answer: Result<Reply, ControlError>) {
        if let Err(error) = answer {
            self.refuse(error.message);
        }
    }
}

/// The engine's ends of what a [`Source`] has.
struct Ends {
    views: watch::Sender<View>,
    tell: mpsc::UnboundedSender<Happened>,
    asked: mpsc::UnboundedReceiver<Ask>,
}

impl Ends {
    fn show(&self, events: Vec<Event>, snapshot: Snapshot) {
        let after = Box::new(snapshot);
        // Whoever sees the view finds there what has happened: told later, it would wait for another view.
        let _ = self.tell.send(Happened {
            events,
            after: after.clone(),
        });
        self.views.send_replace(View::Pool(after));
    }
}

/// Starts an engine in this process; `guardian` is the program that watches over it, where the command line isn't beside it.
pub(crate) fn host(options: Options, guardian: Option<PathBuf>) -> Source {
    Source::spawn(|ends, stopped| serve(options, guardian, ends, stopped))
}

/// Looks at the Baton that runs with this data directory, now or later.
pub(crate) fn attach(data_dir: PathBuf) -> Source {
    Source::spawn(|mut ends, mut stopped| async move {
        loop {
            tokio::select! {
                _ = &mut stopped => return,
                () = look(&data_dir, &mut ends) => {}
            }
            ends.views.send_replace(View::Away);
            tokio::select! {
                _ = &mut stopped => return,
                Some(ask) = ends.asked.recv() => ask.refuse("No Baton is running here".to_owned()),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    })
}

async fn serve(
    options: Options,
    guardian: Option<PathBuf>,
    mut ends: Ends,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut engine = match Engine::start(options).await {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!(%error, "Baton could not start");
            ends.views.send_replace(View::Failed {
                reason: error.to_string(),
            });
            // The menu says what is wrong until the person has seen it.
            let _ = stopped.await;
            return;
        }
    };
    engine.has_tray(display::tray);
    if let Some(program) = guardian {
        let baton = program.with_file_name(format!("baton{}", std::env::consts::EXE_SUFFIX));
        if baton.is_file() {
            // It sleeps for as long as Baton runs, and loads no desktop library meanwhile.
            engine.start_guardian(&baton);
            // Only the command line has a simulated service in it.
            engine.start_self_tests(&baton);
        } else {
            engine.start_guardian(&program);
        }
    }
    let (mut changes, mut events) = (engine.changes(), engine.events());
    loop {
        changes.mark_unchanged();
        let happened = so_far(&mut events);
        let snapshot = engine.look().await;
        let foretold = is_foretold(&snapshot);
        ends.show(happened, snapshot);
        tokio::select! {
            () = tokio::time::sleep(FORETOLD_ANEW), if foretold => {}
            _ = &mut stopped => break,
            () = engine.stop_requested() => break,
            Some(ask) = ends.asked.recv() => {
                let answer = engine.execute(ask.command.clone()).await;
                ask.answer(answer);
            }
            changed = changes.changed() => if changed.is_err() { break },
        }
    }
    ends.views.send_replace(View::Quitting);
    if let Some(why) = engine.shutdown().await {
        tracing::error!(%why, "what happened last could not be kept");
    }
}

/// A change follows its events, so they are there when it is.
fn so_far(events: &mut broadcast::Receiver<Event>) -> Vec<Event> {
    let mut happened = Vec::new();
    loop {
        match events.try_recv() {
            Ok(event) => happened.push(event),
            // What was missed shows all the same; it isn't told.
            Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                return happened;
            }
        }
    }
}

/// Shows a running Baton until it ends, or can't be understood. Returns at once where there is none.
async fn look(data_dir: &Path, ends: &mut Ends) {
    // One connection tells that something has changed, the other one what is.
    let (Ok(watching), Ok(mut asking)) = (Client::connect(data_dir).await, Client::connect(data_dir).await)
    else {
        return;
    };
    let mut changes = match watching.watch().await {
        Ok(changes) => changes,
        Err(error) => return tracing::warn!(%error, "Baton cannot be watched"),
    };
    let mut happened = Vec::new();
    let mut foretold = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(FORETOLD_ANEW), if foretold => {}
            Some(ask) = ends.asked.recv() => {
                let answer = asking.call(ask.command.clone()).await;
                ask.answer(answer);
                continue;
            }
            message = changes.next() => match message {
                None => return,
                Some(message) => happened.extend(event(message)),
            },
        }
        // What has come meanwhile is answered by the same snapshot.
        while let Some(Some(message)) = changes.next().now_or_never() {
            happened.extend(event(message));
        }
        match asking.call(Command::Status).await {
            Ok(Reply::Status { snapshot }) => {
                foretold = is_foretold(&snapshot);
                ends.show(std::mem::take(&mut happened), snapshot);
            }
            Ok(_) => return tracing::warn!("Baton answered something else than was asked"),
            Err(error) if error.kind == ErrorKind::OtherVersion => {
                return tracing::warn!(%error, "Baton was not understood");
            }
            Err(error) => return tracing::warn!(%error, "Baton did not answer"),
        }
    }
}

fn is_foretold(snapshot: &Snapshot) -> bool {
    let forecast = snapshot.forecast.as_ref();
    forecast.is_some_and(|forecast| forecast.is_known())
}

fn event(message: Message) -> Option<Event> {
    match message {
        Message::Event { event } => Some(event),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use baton_engine::vault::MemoryVault;

    use super::*;

    /// A Baton of its own: any free port, no keychain, nothing in the home folder.
    fn options(data_dir: &Path) -> Options {
        let mut options = Options::from_env(Some(data_dir), Some(0)).expect("options");
        options.vault = Some(Arc::new(MemoryVault::default()));
        options.codex_homes.clear();
        options.read_usage = false;
        options
    }

    async fn until(source: &mut Source, wanted: impl Fn(&View) -> bool) -> View {
        let found = async {
            while !wanted(&source.view()) {
                assert!(source.changed().await, "the source ended at {:?}", source.view());
            }
            source.view()
        };
        tokio::time::timeout(Duration::from_secs(20), found)
            .await
            .expect("the view that was waited for")
    }

    fn is_pool(view: &View) -> bool {
        matches!(view, View::Pool(_))
    }

    #[tokio::test]
    async fn a_hosted_engine_and_one_looked_at_show_the_same() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut attached = attach(dir.path().to_owned());
        until(&mut attached, |view| *view == View::Away).await;

        let mut hosted = host(options(dir.path()), None);
        let View::Pool(here) = until(&mut hosted, is_pool).await else {
            unreachable!()
        };
        let View::Pool(there) = until(&mut attached, is_pool).await else {
            unreachable!()
        };
        assert_eq!(here.base_urls, there.base_urls);
        assert_eq!(here.accounts, there.accounts);

        hosted.close().await;
        until(&mut attached, |view| *view == View::Away).await;
        attached.close().await;
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_guardian_is_the_command_line_where_that_is_there() {
        use std::process::Command;

        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        for (is_there, guards) in [("baton-desktop", "baton-desktop"), ("baton", "baton")] {
            // Written by a process of its own: a file that this one has open can't be run.
            let made = Command::new("sh")
                .current_dir(dir.path())
                .args([
                    "-c",
                    "rm -f said; mkfifo said; printf '%s' \"$2\" >\"$1\"; chmod +x \"$1\"",
                    "sh",
                    is_there,
                ])
                .arg("#!/bin/sh\necho \"$(basename \"$0\") $1\" >\"$(dirname \"$0\")/said\"\n")
                .status()
                .expect("sh");
            assert!(made.success());
            let mut hosted = host(options(&path("data")), Some(path("baton-desktop")));
            until(&mut hosted, is_pool).await;
            let said = path("said");
            let said = tokio::task::spawn_blocking(move || std::fs::read_to_string(said));
            let said = tokio::time::timeout(Duration::from_secs(20), said).await;
            assert_eq!(said.unwrap().unwrap().unwrap(), format!("{guards} guard\n"));
            hosted.close().await;
        }
    }

    #[tokio::test]
    async fn a_second_engine_on_the_same_folder_says_why_it_cannot_start() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut first = host(options(dir.path()), None);
        until(&mut first, is_pool).await;

        let mut second = host(options(dir.path()), None);
        let view = until(&mut second, |view| *view != View::Starting).await;
        assert!(
            matches!(&view, View::Failed { reason } if reason.contains("runs already")),
            "{view:?}"
        );
        second.close().await;
        first.close().await;
    }

    #[tokio::test]
    async fn a_stop_over_the_control_socket_ends_a_hosted_engine() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut hosted = host(options(dir.path()), None);
        until(&mut hosted, is_pool).await;

        let mut client = Client::connect(dir.path()).await.expect("a running Baton");
        client.call(Command::Stop).await.expect("an answer");
        while hosted.changed().await {}
        hosted.close().await;
    }
}

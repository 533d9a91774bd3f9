//! `baton accounts add`: signing in, with the Baton that runs or with one for just this.

use std::{
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use baton_engine::{
    Engine, browser,
    control::{
        client::Client,
        protocol::{Command, ControlError, Pasted, Reply, SignInView, SignInWay},
    },
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    args::AddArgs,
    baton::{Baton, unexpected},
    commands,
    error::{Failure, not_kept},
    serve::Signals,
    show::Out,
};

/// Whom each question is put to. A connection of its own for each: one that waits is in nobody's way.
enum Host {
    Running(PathBuf),
    Here(Box<Engine>),
}

impl Host {
    async fn call(&self, command: Command) -> Result<Reply, Failure> {
        Ok(match self {
            Self::Running(data_dir) => Client::connect(data_dir).await?.call(command).await?,
            Self::Here(engine) => engine.execute(command).await?,
        })
    }

    /// A paste that is refused is no reason to end.
    async fn paste(&self, id: u64, line: &str) -> Result<(), Failure> {
        let address = Pasted::new(line);
        let command = Command::SignInPaste { id, address };
        let answer: Result<Reply, ControlError> = match self {
            Self::Running(data_dir) => Client::connect(data_dir).await?.call(command).await,
            Self::Here(engine) => engine.execute(command).await,
        };
        if let Err(error) = answer {
            say(&format!("{}.", error.message));
        }
        Ok(())
    }

    /// `baton stop`, for one that is there for just this.
    async fn stopped(&self) {
        match self {
            Self::Running(_) => std::future::pending().await,
            Self::Here(engine) => engine.stop_requested().await,
        }
    }

    async fn close(self) -> Option<String> {
        match self {
            Self::Running(_) => None,
            Self::Here(engine) => engine.shutdown().await,
        }
    }
}

pub(crate) async fn run(
    data_dir: Option<&Path>,
    label: String,
    add: &AddArgs,
    out: Out,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    let host = match Box::pin(Baton::find_or_answer(data_dir)).await? {
        (Baton::Running(_), data_dir) => Host::Running(data_dir),
        (Baton::Offline(engine), _) => Host::Here(engine),
    };
    let done = sign_in(&host, label, add, &mut signals, out).await;
    let kept = host.close().await.map_or(Ok(()), |why| Err(not_kept(&why)));
    done.and(kept).map(|()| ExitCode::SUCCESS)
}

async fn sign_in(
    host: &Host,
    label: String,
    add: &AddArgs,
    signals: &mut Signals,
    out: Out,
) -> Result<(), Failure> {
    let way = if add.device {
        SignInWay::Device
    } else {
        SignInWay::Browser
    };
    let begun = tokio::select! {
        begun = host.call(Command::SignIn { label, way }) => begun?,
        // A running Baton may begin all the same; nobody sees its page or code, and the next sign-in ends it.
        () = signals.next() => return Err(Failure::new("the sign-in was cancelled: nothing was added")),
    };
    let mut view = match begun {
        Reply::SignIn { sign_in } => sign_in,
        other => return Err(unexpected(&other)),
    };
    begin(&view, add, out);
    let mut pasted = if add.device { None } else { Some(lines()) };
    loop {
        if let Some(note) = &view.note {
            say(note);
        }
        let (id, seen) = (view.id, view.version);
        // Asked to the end: a line that is pasted meanwhile must not lose the answer.
        let news = host.call(Command::SignInWait { id, seen });
        let mut news = std::pin::pin!(news);
        let reply = loop {
            tokio::select! {
                reply = &mut news => break reply?,
                () = signals.next() => return cancel(host, id, out).await,
                () = host.stopped() => return cancel(host, id, out).await,
                line = next(&mut pasted) => host.paste(id, &line).await?,
            }
        };
        match reply {
            Reply::SignIn { sign_in } => {
                let news = sign_in.version > seen;
                view = sign_in;
                if !news {
                    view.note = None;
                }
            }
            done @ Reply::Added { .. } => return commands::answer(done, out),
            other => return Err(unexpected(&other)),
        }
    }
}

async fn cancel(host: &Host, id: u64, out: Out) -> Result<(), Failure> {
    match host.call(Command::SignInCancel { id }).await? {
        Reply::Done { message } => Err(Failure::new(message)),
        // Too late: it is there.
        done => commands::answer(done, out),
    }
}

/// What the person is to do.
fn begin(view: &SignInView, add: &AddArgs, out: Out) {
    if out.json {
        out.print_json(&json!({
            "sign_in": { "link": view.link, "code": view.code, "expires_at": view.expires_at },
        }));
    }
    let opened = if add.device || add.no_browser {
        None
    } else {
        Some(browser::open(&view.link))
    };
    let link = &view.link;
    say(&match (&view.code, opened) {
        (Some(code), _) => format!(
            "Open this page on any device, and enter the code {code} there:\n\n  {link}\n\nNever give a code to anybody who \
             asks for one. Waiting; Ctrl-C cancels."
        ),
        (None, Some(Ok(()))) => format!(
            "Your browser opens the sign-in page. If it doesn't, open this link:\n\n  {link}\n\nWaiting for you to sign in; \
             Ctrl-C cancels."
        ),
        (None, Some(Err(why))) => format!("No browser can be opened ({why}).\n{}", by_hand(link)),
        (None, None) => by_hand(link),
    });
}

fn by_hand(link: &str) -> String {
    format!(
        "Open this link; a private window asks which account you mean:\n\n  {link}\n\nWhere that browser ends at a page that it \
         can't load, paste that page's address here and press Enter. Ctrl-C cancels."
    )
}

/// Progress: on stderr, so that the answer stands alone on stdout.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// What is pasted. A thread of its own, which the program's end doesn't wait for.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() && sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The next line; none any more is no news.
async fn next(lines: &mut Option<mpsc::UnboundedReceiver<String>>) -> String {
    loop {
        match lines {
            Some(open) => match open.recv().await {
                Some(line) => return line,
                None => *lines = None,
            },
            None => std::future::pending().await,
        }
    }
}

//! Commands that ask a Baton and print its answer.

use std::{path::Path, process::ExitCode};

use baton_core::explain;
use baton_engine::control::protocol::{About, Command as Ask, Reply};
use serde_json::json;

use crate::{
    accounts,
    args::{AccountsCommand, Command, Switch, UseArgs},
    baton::{self, Baton, unexpected},
    codex, doctor,
    error::Failure,
    foresight, history, serve,
    show::{self, Labels, Out, Table, Tint},
    sign_in,
};

pub(crate) async fn run(
    data_dir: Option<&Path>,
    command: Command,
    log: Option<&str>,
    out: Out,
) -> Result<ExitCode, Failure> {
    // A command's own output is what counts: only trouble is logged unless asked for, and a doctor's findings name that.
    let findings = matches!(command, Command::Doctor { .. });
    serve::log_to_stderr(log, if findings { "error" } else { "warn" })?;
    let asks = match command {
        Command::Status => return look(data_dir, async |baton| status(baton, data_dir, out).await).await,
        Command::Why { request: None } => {
            return look(data_dir, async |baton| why(baton, out).await).await;
        }
        Command::Why {
            request: Some(request),
        } => return look(data_dir, async |baton| history::why(baton, request, out).await).await,
        Command::Forecast => {
            return look(data_dir, async |baton| foresight::forecast(baton, out).await).await;
        }
        Command::Timeline(args) => {
            return look(data_dir, async |baton| {
                foresight::timeline(baton, args, out).await
            })
            .await;
        }
        Command::Replay { days } => {
            return look(data_dir, async |baton| foresight::replay(baton, days, out).await).await;
        }
        Command::Log(log) => return look(data_dir, async |baton| history::log(baton, log, out).await).await,
        Command::Export { file } => vec![history::export(&file)?],
        Command::DeleteHistory { yes } => vec![history::delete(yes, out)?],
        Command::Notifications { about, tell } => match about.zip(tell) {
            Some((about, tell)) => vec![Ask::SetNotification {
                about,
                on: tell == Switch::On,
            }],
            None => return look(data_dir, async |baton| notifications(baton, out).await).await,
        },
        Command::Accounts(AccountsCommand::List) => {
            return look(data_dir, async |baton| list(baton, out).await).await;
        }
        Command::Accounts(AccountsCommand::Add(add)) => {
            let label = accounts::label(add.label.as_deref(), out)?;
            match (&add.from, &add.link) {
                (Some(from), _) => {
                    let path = accounts::confirmed(from, add.yes, out)?;
                    vec![Ask::AddFrom { path, label }]
                }
                (None, Some(link)) => {
                    let path = baton::absolute(link)?;
                    vec![Ask::AddLink { path, label }]
                }
                (None, None) => return sign_in::run(data_dir, label, &add, out).await,
            }
        }
        Command::Connect(args) if args.renew => vec![Ask::RenewSecret],
        Command::Connect(args) => return codex::connect(data_dir, &args, out).await,
        Command::Disconnect(args) => return codex::disconnect(data_dir, &args, out).await,
        Command::Doctor { account } => return doctor::run(data_dir, account, out).await,
        Command::Stop => return stop(data_dir, out).await,
        Command::Use(wanted) => policy(&wanted),
        command => vec![simple(command)?],
    };
    with(data_dir, async |baton| {
        for ask in asks {
            answer(baton.call(ask).await?, out)?;
        }
        Ok(())
    })
    .await
}

/// Runs `act`, which changes nothing, on the Baton there is.
async fn look(
    data_dir: Option<&Path>,
    act: impl AsyncFnOnce(&mut Baton) -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    let mut baton = Box::pin(Baton::find(data_dir)).await?;
    let done = act(&mut baton).await;
    // Nothing of it has to be kept: a full disk is no news here.
    let _ = baton.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// Runs `act` on the Baton there is, and writes what is to be kept whatever came of it.
async fn with(
    data_dir: Option<&Path>,
    act: impl AsyncFnOnce(&mut Baton) -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    let mut baton = Box::pin(Baton::find(data_dir)).await?;
    let done = act(&mut baton).await;
    let kept = baton.close().await;
    done.and(kept).map(|()| ExitCode::SUCCESS)
}

/// What is one question, and answered by a sentence.
fn simple(command: Command) -> Result<Ask, Failure> {
    Ok(match command {
        Command::Switch { account } => Ask::Switch { account },
        Command::Pin { account } => Ask::Pin { account },
        Command::Unpin => Ask::Unpin,
        Command::Bypass { bypass } => Ask::Bypass {
            on: bypass == Switch::On,
        },
        Command::Threshold(threshold) => {
            let reserve = threshold.reserve();
            let (account, at) = threshold.account_and_percent().map_err(Failure::new)?;
            Ask::Threshold {
                account: account.map(str::to_owned),
                window: threshold.window,
                at,
                reserve,
            }
        }
        Command::Accounts(command) => match command {
            AccountsCommand::Remove { account } => Ask::Remove { account },
            AccountsCommand::Rename { account, label } => Ask::Rename { account, label },
            AccountsCommand::Move { account, position } => Ask::Move { account, position },
            AccountsCommand::Skip { account } => Ask::Skip {
                account,
                skipped: true,
            },
            AccountsCommand::Unskip { account } => Ask::Skip {
                account,
                skipped: false,
            },
            AccountsCommand::Credits { account, credits } => Ask::UseCredits {
                account,
                on: credits == Switch::On,
            },
            AccountsCommand::Add(_) | AccountsCommand::List => {
                return Err(Failure::new("this command is answered elsewhere"));
            }
        },
        other => {
            return Err(Failure::new(format!(
                "this command is answered elsewhere: {other:?}"
            )));
        }
    })
}

fn policy(wanted: &UseArgs) -> Vec<Ask> {
    let strategy = wanted.strategy.map(|strategy| Ask::Use { strategy });
    let on_recovery = wanted.on_recovery.map(|what| Ask::SetOnRecovery {
        on_recovery: what.into(),
    });
    let wait = wanted.wait.map(|wait| Ask::SetWaitForRecovery {
        seconds: wait.as_secs(),
    });
    strategy.into_iter().chain(on_recovery).chain(wait).collect()
}

pub(crate) fn answer(reply: Reply, out: Out) -> Result<(), Failure> {
    match reply {
        Reply::Done { message } if out.json => out.print_json(&json!({ "message": message })),
        Reply::Added { account, message } if out.json => {
            out.print_json(&json!({ "account": account, "message": message }));
        }
        Reply::Done { message } | Reply::Added { message, .. } => out.print(&message),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

async fn status(baton: &mut Baton, data_dir: Option<&Path>, out: Out) -> Result<(), Failure> {
    let snapshot = baton.snapshot().await?;
    let running = snapshot.base_urls.is_some();
    let codex = codex::ways(data_dir)?;
    if out.json {
        let mut json = show::status_json(&snapshot, running);
        json["codex"] = codex.iter().map(codex::Way::json).collect();
        out.print_json(&json);
        return Ok(());
    }
    let next = match baton.call(Ask::Why { request: None }).await? {
        Reply::Why { next, .. } => explain::decision(&next, &Labels::from(&snapshot)),
        other => return Err(unexpected(&other)),
    };
    out.print(&show::status(&snapshot, running, &next, out.style));
    for way in codex {
        out.print(&way.text());
    }
    Ok(())
}

async fn list(baton: &mut Baton, out: Out) -> Result<(), Failure> {
    let snapshot = baton.snapshot().await?;
    if out.json {
        out.print_json(&json!({ "accounts": snapshot.accounts }));
    } else if snapshot.accounts.is_empty() {
        out.print("No accounts yet. `baton accounts add` adds one.");
    } else {
        out.print(&show::accounts(&snapshot, out.style));
    }
    Ok(())
}

async fn why(baton: &mut Baton, out: Out) -> Result<(), Failure> {
    let snapshot = baton.snapshot().await?;
    match baton.call(Ask::Why { request: None }).await? {
        Reply::Why { next, last } if out.json => {
            out.print_json(&show::why_json(&next, last.as_ref(), &snapshot));
        }
        Reply::Why { next, last } => out.print(&show::why(&next, last.as_ref(), &snapshot, out.style)),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

async fn notifications(baton: &mut Baton, out: Out) -> Result<(), Failure> {
    let told = baton.snapshot().await?.preferences.notifications;
    if out.json {
        out.print_json(&json!({ "notifications": told }));
        return Ok(());
    }
    let mut table = Table::default();
    for about in About::ALL {
        let (is, tint) = if told.wants(about) {
            ("on", Tint::Good)
        } else {
            ("off", Tint::Faint)
        };
        table.row([(about.name().to_owned(), Tint::Plain), (is.to_owned(), tint)]);
    }
    out.print(&table.render(out.style, 0));
    Ok(())
}

async fn stop(data_dir: Option<&Path>, out: Out) -> Result<ExitCode, Failure> {
    let mut client = Baton::running(data_dir).await?;
    answer(client.call(Ask::Stop).await?, out)?;
    baton::ended(data_dir).await?;
    Ok(ExitCode::SUCCESS)
}

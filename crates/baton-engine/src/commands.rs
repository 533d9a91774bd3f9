//! A person's commands, from wherever they come: command line, tray, window.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use baton_core::{
    AccountId, CommandError, Event, Percent, Pool, Request, Timestamp, WindowLength, choose, explain,
};
use baton_wire::auth_json;

use crate::{
    admission::Admission,
    control::protocol::{Command, ControlError, ErrorKind, Reply},
    desk::Desk,
    door::Door,
    foresight::Foresight,
    grants::{
        Grants,
        import::{self, Imported, SignIn},
    },
    housekeeping::saved_or,
    settings::SettingsFile,
    signin::SignIns,
    store::{Store, Writer},
    words::PoolWords,
};

pub(crate) struct Commands {
    pub desk: Arc<Desk>,
    pub grants: Arc<Grants>,
    pub store: Arc<Store>,
    pub writer: Arc<Writer>,
    pub foresight: Arc<Foresight>,
    pub admission: Arc<Admission>,
    pub sign_ins: SignIns,
    pub settings: Arc<SettingsFile>,
    pub data_dir: PathBuf,
    pub codex_homes: Vec<PathBuf>,
    pub door: Arc<Door>,
    /// A `baton`, which can try a Codex CLI before it is connected.
    pub self_tester: OnceLock<PathBuf>,
}

pub(crate) type Answer = Result<Reply, ControlError>;

impl Commands {
    /// All but what concerns the process itself.
    pub(crate) async fn execute(&self, command: Command) -> Answer {
        match command {
            Command::Switch { account } => self.change(&account, |pool, id, now, events| {
                pool.switch_now(id, now, events)?;
                Ok(format!(
                    "{} is the active account; running turns end where they are.",
                    label(pool, id)
                ))
            }),
            Command::Pin { account } => self.change(&account, |pool, id, now, events| {
                pool.pin(id, now, events)?;
                Ok(format!(
                    "Only {} is used now (no failover), until `baton unpin`.",
                    label(pool, id)
                ))
            }),
            Command::Unpin => {
                let pinned = self.desk.change(|pool, now, events| {
                    let pinned = pool.pinned();
                    pool.unpin(now, events);
                    pinned
                });
                done(match pinned {
                    Some(_) => "Unpinned: the strategy chooses again.",
                    None => "Nothing was pinned.",
                })
            }
            Command::Use { strategy } => {
                let message = format!("Strategy: {}, from the next request on.", strategy.title());
                self.decide(message, move |pool, now, events| {
                    pool.set_strategy(strategy, now, events);
                })
                .await
            }
            Command::SetOnRecovery { on_recovery } => {
                let message = match on_recovery {
                    baton_core::OnRecovery::Stay => "The active account stays until exhausted.",
                    baton_core::OnRecovery::Return => "Returns to the primary when it recovers.",
                };
                self.decide(message, move |pool, _, _| pool.set_on_recovery(on_recovery))
                    .await
            }
            Command::SetWaitForRecovery { seconds } => {
                let wait = Duration::from_secs(seconds);
                if wait > baton_core::policy::LONGEST_WAIT {
                    return Err(invalid("Codex can be kept waiting for 6 hours at most"));
                }
                let message =
                    format!("Codex is kept waiting for up to {seconds} s when an account recovers by then.");
                self.decide(message, move |pool, _, _| pool.set_wait_for_recovery(wait))
                    .await
            }
            Command::Why {
                request: Some(request),
            } => self.explain(request).await,
            Command::Why { request: None } => Ok(Reply::Why {
                next: self.desk.read(|pool, now| choose(pool, &Request::default(), now)),
                last: self.desk.last_decision(),
            }),
            Command::Forecast => self.forecast().await,
            Command::Timeline { days, width } => self.timeline(days, width).await,
            Command::Replay { days } => self.replay(days).await,
            Command::Log { limit, only } => self.log(limit, only).await,
            Command::AddFrom { path, label } => self.add_from(&path, &label).await,
            Command::AddLink { path, label } => self.add_link(path, &label).await,
            Command::SignIn { label, way } => self.sign_ins.begin(&label, way).await,
            Command::SignInWait { id, seen } => self.sign_ins.wait(id, seen).await,
            Command::SignInPaste { id, address } => self.sign_ins.paste(id, &address).await,
            Command::SignInCancel { id } => self.sign_ins.cancel(id).await,
            Command::Remove { account } => self.remove(&account).await,
            Command::Rename { account, label: new } => self.change(&account, |pool, id, _, _| {
                let old = label(pool, id);
                pool.rename(id, new.trim())?;
                Ok(format!("{old} is called {} now.", new.trim()))
            }),
            Command::Move { account, position } => {
                if position == 0 {
                    return Err(invalid("positions start at 1, the primary"));
                }
                self.change(&account, |pool, id, _, _| {
                    pool.move_to(id, position - 1)?;
                    let order: Vec<&str> = pool
                        .accounts()
                        .iter()
                        .map(|state| &*state.account.label)
                        .collect();
                    Ok(format!("Order: {}", order.join(", ")))
                })
            }
            Command::Skip { account, skipped } => self.change(&account, |pool, id, now, events| {
                pool.skip(id, skipped, now, events)?;
                let what = if skipped {
                    "is skipped until you say otherwise"
                } else {
                    "is no longer skipped"
                };
                Ok(format!("{} {what}.", label(pool, id)))
            }),
            Command::UseCredits { account, on } => self.change(&account, |pool, id, _, _| {
                pool.set_use_credits(id, on)?;
                let what = if on {
                    "may be spent, after all included quota"
                } else {
                    "stay unspent"
                };
                Ok(format!("Credits of {} {what}.", label(pool, id)))
            }),
            Command::Threshold {
                account,
                window,
                at,
                reserve,
            } => self.threshold(account.as_deref(), window, at, reserve),
            command @ (Command::Bypass { .. }
            | Command::SetNotification { .. }
            | Command::SetAppearance { .. }
            | Command::AcceptTerms
            | Command::ConnectCodex { .. }
            | Command::DisconnectCodex { .. }
            | Command::LookAtCodex
            | Command::Data
            | Command::Export { .. }
            | Command::DeleteHistory) => self.keep_house(command).await,
            Command::Status
            | Command::Doctor { .. }
            | Command::Watch
            | Command::WatchFromWindow
            | Command::ShowWindow { .. }
            | Command::Stop
            | Command::StopNow
            | Command::RenewSecret => Err(ControlError::new(
                ErrorKind::Failed,
                "this command needs a running Baton",
            )),
        }
    }

    fn change(
        &self,
        account: &str,
        change: impl FnOnce(&mut Pool, AccountId, Timestamp, &mut Vec<Event>) -> Result<String, CommandError>,
    ) -> Answer {
        let message = self.desk.change(|pool, now, events| {
            let id = select(pool, account)?;
            change(pool, id, now, events).map_err(|error| refused(pool, &error, now))
        })?;
        done(message)
    }

    fn threshold(
        &self,
        account: Option<&str>,
        window: Option<WindowLength>,
        at: Percent,
        reserve: Option<bool>,
    ) -> Answer {
        let names = self.desk.change(|pool, now, _| {
            let ids: Vec<AccountId> = match account {
                Some(account) => vec![select(pool, account)?],
                None => pool.accounts().iter().map(|state| state.account.id).collect(),
            };
            for id in &ids {
                pool.set_threshold(*id, window, at, reserve)
                    .map_err(|error| refused(pool, &error, now))?;
            }
            let names: Vec<String> = ids.iter().map(|id| label(pool, *id)).collect();
            Ok::<_, ControlError>(names.join(", "))
        })?;
        let which = window.map_or("every window".to_owned(), |window| format!("the {window} window"));
        done(if at.is_full() {
            format!("{names}: no threshold on {which}.")
        } else {
            format!(
                "{names}: held back at {} % left of {which}.",
                explain::percent(at.left())
            )
        })
    }

    // === accounts ===

    async fn add_from(&self, path: &Path, label: &str) -> Answer {
        let mut homes = self.codex_homes.clone();
        homes.extend(self.linked_folders(path));
        let file = path.to_path_buf();
        let read = tokio::task::spawn_blocking(move || import::read(&file, &homes));
        let Imported { sign_in, source } = read
            .await
            .map_err(failed)?
            .map_err(|error| invalid(error.to_string()))?;
        let admitted = self.admission.add(sign_in, label).await?;
        let (id, message) = (admitted.id, admitted.message);
        if let Some(problem) = self.admission.recorded().await {
            let message = format!(
                "{message} But Baton can't record this account yet ({problem}), so {} was left where it is: once \
                 `baton status` shows no problem any more, remove that file, for two programs that refresh one sign-in \
                 log each other out.",
                path.display()
            );
            return Ok(Reply::Added { account: id, message });
        }
        // Only now, when keychain and store have it: a grant is never in no place at all.
        let finished = tokio::task::spawn_blocking(move || import::finish(&source))
            .await
            .map_err(failed)?;
        let message = match finished {
            Ok(()) => message,
            Err(error) => format!("{message} But {error}."),
        };
        Ok(Reply::Added { account: id, message })
    }

    /// Where the owners of linked accounts keep their sign-ins, but for the file that is moved: that ends its link.
    fn linked_folders(&self, moved: &Path) -> Vec<PathBuf> {
        let moved = moved.canonicalize().ok();
        let linked: Vec<PathBuf> = self.desk.read(|pool, _| {
            let accounts = pool.accounts().iter();
            accounts
                .filter_map(|state| state.account.linked.clone())
                .collect()
        });
        let files = linked.iter().filter_map(|path| path.canonicalize().ok());
        let others = files.filter(|file| Some(file) != moved.as_ref());
        others
            .filter_map(|file| Some(file.parent()?.to_path_buf()))
            .collect()
    }

    async fn add_link(&self, path: PathBuf, label: &str) -> Answer {
        let read = tokio::task::spawn_blocking(move || import::owner(&path));
        let (path, owner) = read
            .await
            .map_err(failed)?
            .map_err(|error| invalid(error.to_string()))?;
        let mut admitted = self.admission.link(path, owner, label).await?;
        if let Some(problem) = self.admission.recorded().await {
            admitted.message += &format!(
                " But Baton can't record this account yet ({problem}): should it end before it can, link it again."
            );
        }
        Ok(admitted.into())
    }

    pub(crate) async fn add_auth_json(&self, json: &[u8], label: &str) -> Result<AccountId, ControlError> {
        let file = auth_json::parse(json).map_err(|error| invalid(error.to_string()))?;
        let sign_in =
            SignIn::new(file.tokens).ok_or_else(|| invalid("this auth.json doesn't say whose it is"))?;
        Ok(self.admission.add(sign_in, label).await?.id)
    }

    async fn remove(&self, account: &str) -> Answer {
        let (id, name, linked) = self.desk.change(|pool, now, events| {
            let id = select(pool, account)?;
            let name = label(pool, id);
            let linked = pool.account(id).and_then(|state| state.account.linked.clone());
            pool.remove(id, now, events)
                .map_err(|error| refused(pool, &error, now))?;
            Ok::<_, ControlError>((id, name, linked))
        })?;
        if let Some(path) = linked {
            self.grants.unlink(id);
            return done(format!(
                "{name} is removed. {} is left as it is: it belongs to the Codex that uses it.",
                path.display()
            ));
        }
        match self.grants.remove(id).await {
            Ok(()) => done(format!("{name} is removed, and its grant from the keychain.")),
            Err(error) => done(format!(
                "{name} is removed, but its grant is still in the keychain: {error}."
            )),
        }
    }

    /// What is decided for the whole pool holds from now on, and is written into the settings.
    async fn decide(
        &self,
        message: impl Into<String>,
        change: impl FnOnce(&mut Pool, Timestamp, &mut Vec<Event>) + Send + 'static,
    ) -> Answer {
        let settings = Arc::clone(&self.settings);
        let saved = tokio::task::spawn_blocking(move || settings.decide(change)).await;
        saved_or(message, saved.map_err(failed)?)
    }
}

impl std::fmt::Debug for Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commands")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// By label, whatever its case, or by number.
pub(crate) fn select(pool: &Pool, wanted: &str) -> Result<AccountId, ControlError> {
    let wanted = wanted.trim();
    let accounts = || pool.accounts().iter().map(|state| &state.account);
    let by_label = accounts().find(|account| account.label.eq_ignore_ascii_case(wanted));
    let by_id = || accounts().find(|account| account.id.to_string() == wanted);
    if let Some(account) = by_label.or_else(by_id) {
        return Ok(account.id);
    }
    let labels: Vec<&str> = accounts().map(|account| &*account.label).collect();
    Err(invalid(match labels.is_empty() {
        true => {
            format!("there is no account `{wanted}`: there is none yet; add one with `baton accounts add`")
        }
        false => format!("there is no account `{wanted}`: there is {}", labels.join(", ")),
    }))
}

fn label(pool: &Pool, id: AccountId) -> String {
    pool.account(id)
        .map(|state| state.account.label.to_string())
        .unwrap_or_default()
}

fn refused(pool: &Pool, error: &CommandError, now: Timestamp) -> ControlError {
    invalid(match error {
        CommandError::NotUsable { account, state } => format!(
            "{} can't serve now, so nothing has changed: {}. `baton pin` insists on it.",
            label(pool, *account),
            explain::state(state, &PoolWords::new(pool, now))
        ),
        error => error.to_string(),
    })
}

pub(crate) fn done(message: impl Into<String>) -> Answer {
    Ok(Reply::Done {
        message: message.into(),
    })
}

pub(crate) fn invalid(message: impl Into<String>) -> ControlError {
    ControlError::new(ErrorKind::Invalid, message)
}

pub(crate) fn failed(error: impl std::fmt::Display) -> ControlError {
    ControlError::new(ErrorKind::Failed, error.to_string())
}

//! Commands about what is around the pool: Codex's connection, the bypass, preferences, stored data.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    codex::{self, HomeError, Made, Mode, Record},
    commands::{Answer, Commands, done, failed, invalid},
    control::protocol::{Command, ControlError, ErrorKind, Reply},
    desk::Chosen,
    store::Store,
};

impl Commands {
    pub(crate) async fn keep_house(&self, command: Command) -> Answer {
        match command {
            Command::Bypass { on } => {
                let said = if on {
                    "Baton is bypassed: Codex's requests go with its own sign-in, from the next one on."
                } else {
                    "Baton chooses the account again, from the next request on."
                };
                self.prefer(said, move |chosen| chosen.bypassed = on).await
            }
            Command::SetNotification { about, on } => {
                self.prefer("Saved.", move |chosen| {
                    chosen.preferences.notifications.set(about, on);
                })
                .await
            }
            Command::SetAppearance { appearance } => {
                self.prefer("Saved.", move |chosen| chosen.preferences.appearance = appearance)
                    .await
            }
            Command::AcceptTerms => {
                self.prefer("Saved.", |chosen| chosen.preferences.terms_accepted = true)
                    .await
            }
            Command::ConnectCodex { home, mode } => self.connect_codex(home, mode).await,
            Command::DisconnectCodex { home } => self.disconnect_codex(home).await,
            Command::LookAtCodex => {
                self.look_at_codex().await?;
                self.desk.changed();
                done("Looked.")
            }
            Command::Data => Ok(Reply::Data {
                data: self.stored(Store::summary).await?,
            }),
            Command::Export { path, format } => self.export(path, format).await,
            Command::DeleteHistory => {
                self.stored(Store::delete_history).await?;
                self.writer.forget_readings();
                self.foresight.forget();
                self.desk.forget_blocked();
                self.desk.changed();
                done("The history is deleted. Accounts and settings stay.")
            }
            _ => Err(failed("this command needs a running Baton")),
        }
    }

    async fn prefer(&self, message: &str, change: impl FnOnce(&mut Chosen) + Send + 'static) -> Answer {
        let settings = Arc::clone(&self.settings);
        let saved = tokio::task::spawn_blocking(move || settings.prefer(change)).await;
        saved_or(message, saved.map_err(failed)?)
    }

    // === Codex ===

    async fn connect_codex(&self, home: Option<PathBuf>, mode: Option<Mode>) -> Answer {
        let urls = self.door.base_urls();
        let urls =
            urls.ok_or_else(|| invalid("there is nothing to connect Codex to while Baton doesn't serve"))?;
        let homes = home.map_or_else(|| self.codex_homes.clone(), |home| vec![home]);
        let first = homes.first().cloned();
        let first = first.ok_or_else(|| invalid("there is no home folder to find Codex's in"))?;
        let known = match mode {
            Some(mode) => Some(mode),
            None => self.mode_before(first).await?,
        };
        let (mode, but) = self.works(known).await.map_err(|why| {
            let alone = match mode {
                Some(Mode::Default) => " `baton connect` tries its model requests alone.",
                _ => "",
            };
            failed(format!("{why}\nCodex was left alone.{alone}"))
        })?;
        let connected = self
            .with_codex(homes, false, move |record, home| {
                let change = codex::connecting(record, home, &urls, mode, false)?;
                codex::connect_home(record, home, mode, change)
            })
            .await?;
        match (connected, but) {
            (Reply::Done { message }, Some(but)) => done(format!("{message}\n! {but}")),
            (connected, _) => Ok(connected),
        }
    }

    async fn mode_before(&self, home: PathBuf) -> Result<Option<Mode>, ControlError> {
        let data_dir = self.data_dir.clone();
        let asked = tokio::task::spawn_blocking(move || Record::open(&data_dir).mode(&home));
        asked.await.map_err(failed)
    }

    /// The mode in which the installed CLI works: this one, or the first of those that do; and what a person should know of
    /// that. Where none can be tried, it is taken to work.
    async fn works(&self, mode: Option<Mode>) -> Result<(Mode, Option<String>), String> {
        let modes = mode.map_or_else(|| vec![Mode::Default, Mode::Requests], |mode| vec![mode]);
        let Some(program) = self.self_tester.get().cloned() else {
            return Ok((modes[0], None));
        };
        let data_dir = self.data_dir.clone();
        let trying = tokio::task::spawn_blocking(move || {
            let mut failed: Option<String> = None;
            for mode in modes {
                match codex::self_test(&program, &data_dir, Some(mode)) {
                    Ok(()) => return Ok((mode, failed.map(|why| only_requests(&why)))),
                    // The first one says most.
                    Err(why) => failed = failed.or(Some(why)),
                }
            }
            Err(failed.unwrap_or_default())
        });
        trying.await.map_err(|error| error.to_string())?
    }

    async fn disconnect_codex(&self, home: Option<PathBuf>) -> Answer {
        let all = home.is_none();
        let homes = home.map_or_else(|| self.codex_homes.clone(), |home| vec![home]);
        self.with_codex(homes, all, codex::disconnect_home).await
    }

    /// A folder that can't be changed keeps none of the others from it. `recorded`: those too that are to be connected.
    async fn with_codex(
        &self,
        mut homes: Vec<PathBuf>,
        recorded: bool,
        act: impl Fn(&Record, &Path) -> Result<Made, HomeError> + Send + 'static,
    ) -> Answer {
        let data_dir = self.data_dir.clone();
        let made = tokio::task::spawn_blocking(move || {
            let record = Record::open(&data_dir);
            if recorded {
                homes.extend(record.list().into_iter().map(|known| known.home));
                homes.sort();
                homes.dedup();
            }
            let (mut done, mut failed) = (Vec::new(), Vec::new());
            for home in homes {
                match act(&record, &home) {
                    Ok(made) => done.push(made.told()),
                    Err(error) => failed.push(error.to_string()),
                }
            }
            (done, failed)
        });
        let (texts, failures) = made.await.map_err(failed)?;
        self.look_at_codex().await?;
        if failures.is_empty() {
            return done(texts.join("\n"));
        }
        Err(ControlError::new(ErrorKind::Failed, failures.join("\n")))
    }

    async fn look_at_codex(&self) -> Result<(), ControlError> {
        let data_dir = self.data_dir.clone();
        let standing = tokio::task::spawn_blocking(move || codex::standing(&Record::open(&data_dir)));
        self.desk.stands(standing.await.map_err(failed)?);
        Ok(())
    }
}

fn only_requests(why: &str) -> String {
    format!(
        "With everything through Baton it doesn't work ({why}). Its model requests alone do, so these are connected."
    )
}

/// What a command came to that holds whatever becomes of the file.
pub(crate) fn saved_or(
    message: impl Into<String>,
    saved: Result<(), crate::store::settings::SettingsError>,
) -> Answer {
    match saved {
        Ok(()) => done(message),
        Err(error) => Err(failed(format!(
            "{} It holds until Baton ends: it could not be saved ({error}). Say it again once that is mended.",
            message.into()
        ))),
    }
}

//! Commands about what is around the pool: Codex's connection, the bypass, preferences, stored data.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    codex::{self, HomeError, Made, Mode, Record},
    commands::{Answer, Commands, done, failed, invalid},
    control::protocol::{Command, ControlError, ErrorKind, ExportFormat, LogEntry, Reply},
    desk::Chosen,
    store::{Store, StoreError, files},
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

    // === what is stored ===

    async fn stored<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ControlError> {
        self.writer.flush().await;
        let store = Arc::clone(&self.store);
        let acted = tokio::task::spawn_blocking(move || act(&store)).await;
        acted.map_err(failed)?.map_err(failed)
    }

    async fn export(&self, path: PathBuf, format: ExportFormat) -> Answer {
        let entries = self.stored(|store| store.log(usize::MAX)).await?;
        let count = entries.len();
        let file = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, format, &entries));
        match written.await.map_err(failed)? {
            Ok(()) => done(format!("{count} lines are in {}.", path.display())),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(invalid(format!(
                "{} is there already: name a file that isn't",
                path.display()
            ))),
            Err(error) => Err(invalid(format!("{} can't be written: {error}", path.display()))),
        }
    }
}

fn only_requests(why: &str) -> String {
    format!(
        "With everything through Baton it doesn't work ({why}). Its model requests alone do, so these are connected."
    )
}

/// A private file that isn't there yet.
fn write(path: &Path, format: ExportFormat, entries: &[LogEntry]) -> io::Result<()> {
    let file = files::private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    let written = fill(file, format, entries);
    if written.is_err() {
        // Half of it would be in the way of the next try.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn fill(file: File, format: ExportFormat, entries: &[LogEntry]) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    match format {
        ExportFormat::Json => serde_json::to_writer_pretty(&mut out, entries)?,
        ExportFormat::Csv => csv(&mut out, entries)?,
    }
    out.flush()?;
    out.get_ref().sync_all()
}

/// One line a request or event, in RFC 4180's way; times in milliseconds since 1970.
fn csv(out: &mut impl Write, entries: &[LogEntry]) -> io::Result<()> {
    const HEAD: &str = "at,kind,account,thread,model,transport,outcome,first_output_ms,failovers,input_tokens,output_tokens,\
                        event\r\n";
    out.write_all(HEAD.as_bytes())?;
    for entry in entries {
        let text = |value: Option<&str>| value.map(quoted).unwrap_or_default();
        let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let line = match entry {
            LogEntry::Request(line) => [
                line.at.as_millis().to_string(),
                "request".to_owned(),
                line.account.map(|id| id.to_string()).unwrap_or_default(),
                text(line.thread.as_deref()),
                text(line.model.as_deref()),
                json(&line.transport)?,
                quoted(&line.outcome),
                number(line.first_output_ms),
                line.failovers.to_string(),
                number(line.input_tokens),
                number(line.output_tokens),
                String::new(),
            ],
            LogEntry::Event { event } => {
                let mut cells = [const { String::new() }; 12];
                cells[0] = event.at.as_millis().to_string();
                "event".clone_into(&mut cells[1]);
                cells[11] = quoted(&serde_json::to_string(&event.kind)?);
                cells
            }
        };
        out.write_all(line.join(",").as_bytes())?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?.trim_matches('"').to_owned())
}

/// A spreadsheet takes what begins so for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn quoted(text: &str) -> String {
    let guard = if text.starts_with(FORMULA) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
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

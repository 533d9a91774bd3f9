//! What is decided for the whole pool stands in `settings.toml` too, and may be changed in either place: by a command,
//! which is written there, or by an edit, which holds from then on.

mod follow;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use baton_core::{Event, Pool, Timestamp};
use tokio::sync::watch;

pub(crate) use self::follow::follow;
use crate::{
    control::protocol::About,
    desk::{Chosen, Desk},
    store::settings::{self, Settings, SettingsError},
};

/// Calls block on the disk.
pub(crate) struct SettingsFile {
    desk: Arc<Desk>,
    dir: PathBuf,
    /// As last read or written. Held while either place is changed: so Baton's own write is never taken for an edit, and
    /// an edit is never written over by a command that came at the same time.
    known: Mutex<Settings>,
    /// Where Baton listens, unless that was named on the command line.
    port: OnceLock<u16>,
    notice: watch::Sender<Option<String>>,
}

impl SettingsFile {
    /// `known`: what the pool was made with.
    pub(crate) fn new(desk: Arc<Desk>, dir: &Path, known: Settings) -> Self {
        Self {
            desk,
            dir: dir.to_path_buf(),
            known: Mutex::new(known),
            port: OnceLock::new(),
            notice: watch::channel(None).0,
        }
    }

    /// The port that the settings could have named.
    pub(crate) fn listening_on(&self, port: u16) {
        let _ = self.port.set(port);
    }

    /// What a person should know of the file: that it can't be read, or what counts only later.
    pub(crate) fn notices(&self) -> watch::Receiver<Option<String>> {
        self.notice.subscribe()
    }

    /// Changes the pool, whatever becomes of the file.
    pub(crate) fn decide(
        &self,
        change: impl FnOnce(&mut Pool, Timestamp, &mut Vec<Event>),
    ) -> Result<(), SettingsError> {
        let mut known = self.lock();
        // An edit that hasn't been noticed yet comes first.
        self.take_over(&mut known);
        self.desk.change(change);
        self.save(&mut known)
    }

    /// [`Self::decide`], for what isn't the pool's.
    pub(crate) fn prefer(&self, change: impl FnOnce(&mut Chosen)) -> Result<(), SettingsError> {
        let mut known = self.lock();
        self.take_over(&mut known);
        self.desk.choose(change);
        self.save(&mut known)
    }

    fn save(&self, known: &mut Settings) -> Result<(), SettingsError> {
        let Chosen {
            bypassed,
            preferences,
        } = self.desk.chosen();
        let settings = Settings {
            policy: self.desk.read(|pool, _| *pool.policy()),
            port: known.port,
            bypass: bypassed,
            preferences,
            retention: known.retention,
        };
        settings::save(&self.dir, &settings)?;
        *known = settings;
        Ok(())
    }

    /// Takes over what has been edited. A file that can't be read changes nothing, until it can.
    pub(crate) fn reread(&self) {
        self.take_over(&mut self.lock());
    }

    fn take_over(&self, known: &mut Settings) {
        match Settings::load(&self.dir) {
            Ok(edited) => {
                self.apply(known, &edited);
                *known = edited;
                self.tell(self.other_port(known));
            }
            Err(error) => self.tell(Some(format!("The settings are those of before: {error}."))),
        }
    }

    /// Only what the edit changed: the rest may have been decided since, without reaching the file.
    fn apply(&self, known: &Settings, edited: &Settings) {
        if (known.bypass, known.preferences) != (edited.bypass, edited.preferences) {
            self.desk.choose(|chosen| {
                if known.bypass != edited.bypass {
                    chosen.bypassed = edited.bypass;
                }
                let (old, new, now) = (&known.preferences, &edited.preferences, &mut chosen.preferences);
                for about in About::ALL {
                    if old.notifications.wants(about) != new.notifications.wants(about) {
                        now.notifications.set(about, new.notifications.wants(about));
                    }
                }
                if old.appearance != new.appearance {
                    now.appearance = new.appearance;
                }
                if old.terms_accepted != new.terms_accepted {
                    now.terms_accepted = new.terms_accepted;
                }
            });
        }
        if let Some(ledger) = self.desk.ledger().filter(|_| known.retention != edited.retention) {
            ledger.retain(edited.retention);
        }
        let (old, new) = (&known.policy, &edited.policy);
        if old == new {
            return;
        }
        tracing::info!(policy = ?new, "settings.toml was edited");
        self.desk.change(|pool, now, events| {
            if old.strategy != new.strategy {
                pool.set_strategy(new.strategy, now, events);
            }
            if old.on_recovery != new.on_recovery {
                pool.set_on_recovery(new.on_recovery);
            }
            if old.wait_for_recovery() != new.wait_for_recovery() {
                pool.set_wait_for_recovery(new.wait_for_recovery());
            }
        });
    }

    fn other_port(&self, settings: &Settings) -> Option<String> {
        let (listening, named) = (*self.port.get()?, settings.port?);
        (listening != named).then(|| {
            format!(
                "settings.toml names port {named}, which counts from Baton's next start; until then it listens on {listening}."
            )
        })
    }

    fn tell(&self, notice: Option<String>) {
        self.notice.send_if_modified(|told| {
            let changed = *told != notice;
            if let Some(notice) = notice.as_ref().filter(|_| changed) {
                tracing::warn!("{notice}");
            }
            *told = notice;
            changed
        });
    }

    // Whatever panicked, `known` is one whole file's.
    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use baton_core::{Policy, Strategy};

    use super::*;
    use crate::clock::SystemClock;

    struct Place {
        dir: tempfile::TempDir,
        desk: Arc<Desk>,
        file: SettingsFile,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let desk = Arc::new(Desk::new(Pool::new(Policy::default()), Arc::new(SystemClock)));
            let file = SettingsFile::new(Arc::clone(&desk), dir.path(), Settings::default());
            Self { dir, desk, file }
        }

        fn edit(&self, text: &str) {
            fs::write(Settings::path(self.dir.path()), text).unwrap();
        }

        fn use_strategy(&self, strategy: Strategy) -> Result<(), SettingsError> {
            self.file
                .decide(|pool, now, events| pool.set_strategy(strategy, now, events))
        }

        fn policy(&self) -> Policy {
            self.desk.read(|pool, _| *pool.policy())
        }

        fn notice(&self) -> Option<String> {
            self.file.notices().borrow().clone()
        }
    }

    #[test]
    fn a_command_doesnt_write_over_an_edit_that_wasnt_noticed_yet() {
        let place = Place::new();
        place.edit("wait_for_recovery = \"2h\" # mine\n");
        place.use_strategy(Strategy::Balanced).unwrap();
        let kept = Settings::load(place.dir.path()).unwrap().policy;
        assert_eq!(kept, place.policy());
        assert_eq!(kept.wait_for_recovery(), Duration::from_secs(7200));
        assert_eq!(kept.strategy, Strategy::Balanced);
    }

    /// It holds until Baton ends, as the command has said.
    #[test]
    fn what_couldnt_be_written_isnt_undone_by_an_edit_of_something_else() {
        let place = Place::new();
        place.edit("port = = 3\n");
        place.use_strategy(Strategy::Affinity).unwrap_err();
        place.edit("wait_for_recovery = \"2h\"\n");
        place.file.reread();
        assert_eq!(place.policy().strategy, Strategy::Affinity);
        assert_eq!(place.policy().wait_for_recovery(), Duration::from_secs(7200));
        place.edit("strategy = \"balanced\"\n");
        place.file.reread();
        assert_eq!(place.policy().strategy, Strategy::Balanced);
    }

    #[test]
    fn another_port_is_said_to_count_from_the_next_start() {
        let place = Place::new();
        place.edit("port = 4000\n");
        place.file.reread();
        assert_eq!(place.notice(), None, "the command line names the port");
        place.file.listening_on(27_460);
        place.file.reread();
        let notice = place.notice().unwrap();
        assert!(
            notice.contains("port 4000") && notice.contains("next start") && notice.contains("27460"),
            "{notice}"
        );
        place.edit("port = 27460\n");
        place.file.reread();
        assert_eq!(place.notice(), None);
    }
}

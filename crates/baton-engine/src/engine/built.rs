//! What both kinds of engine are built from.

use std::sync::Arc;

use baton_core::Pool;

use super::StartError;
use crate::{
    Options,
    codex::Seen,
    desk::{Chosen, Desk},
    door::Door,
    grants::Grants,
    instance::Lock,
    net::Net,
    settings::SettingsFile,
    store::{Store, Writer, private::Private, settings::Settings},
    vault::{Keychain, KeyringVault},
};

/// What both kinds of engine are built from.
pub(super) struct Built {
    pub(super) lock: Lock,
    /// In the settings.
    pub(super) named_port: Option<u16>,
    pub(super) settings: Arc<SettingsFile>,
    pub(super) door: Arc<Door>,
    pub(super) seen: Arc<Seen>,
    pub(super) store: Arc<Store>,
    pub(super) writer: Arc<Writer>,
    pub(super) desk: Arc<Desk>,
    pub(super) grants: Arc<Grants>,
    pub(super) net: Arc<Net>,
    pub(super) at_start: Vec<String>,
}

impl Built {
    pub(super) fn new(options: &Options, lock: Lock) -> Result<Self, StartError> {
        let settings = Settings::load(&options.data_dir)?;
        let door = Arc::new(Door::new(Private::open(&options.data_dir)?));
        let store = Arc::new(Store::open_keeping(
            &options.data_dir,
            options.clock.now(),
            settings.retention,
        )?);
        let pool: Pool = store.load(settings.policy)?;
        let writer = Arc::new(Writer::start(Arc::clone(&store))?);
        let desk = Arc::new(Desk::new(pool, Arc::clone(&options.clock)));
        desk.keep_in(Arc::clone(&writer));
        desk.choose(|chosen| {
            *chosen = Chosen {
                bypassed: settings.bypass,
                preferences: settings.preferences,
            };
        });
        let named_port = settings.port;
        let settings = Arc::new(SettingsFile::new(Arc::clone(&desk), &options.data_dir, settings));
        let net = Arc::new(Net::new()?);
        let vault = match &options.vault {
            Some(vault) => Arc::clone(vault),
            None => Arc::new(KeyringVault::new(&options.data_dir)),
        };
        let grants = Arc::new(Grants::new(
            Keychain::new(vault),
            Arc::clone(&net),
            &options.issuer,
            Arc::clone(&options.clock),
            Arc::clone(&desk),
        ));
        Ok(Self {
            lock,
            named_port,
            settings,
            door,
            seen: Arc::new(Seen::new(&options.data_dir)),
            store,
            writer,
            desk,
            grants,
            net,
            at_start: Vec::new(),
        })
    }
}

//! How a sign-in becomes an account, or renews the one that it is: the keychain first, then the pool, so that a grant is
//! never in no place at all and no account is without one.

use std::{fmt, path::PathBuf, sync::Arc};

use baton_core::{Account, AccountId, Identity, Pool};
use tokio::sync::Mutex;

use crate::{
    control::protocol::{ControlError, ErrorKind, Reply},
    desk::Desk,
    grants::{
        GrantError, Grants,
        import::{Owner, SignIn},
    },
    store::{Store, Writer},
};

pub(crate) struct Admission {
    desk: Arc<Desk>,
    grants: Arc<Grants>,
    store: Arc<Store>,
    writer: Arc<Writer>,
    /// One at a time: the next account's number is free until the account is there.
    door: Mutex<()>,
}

/// An account that has a new grant.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    pub(crate) id: AccountId,
    pub(crate) message: String,
    /// The label of the account that was there already.
    renewed: Option<String>,
}

impl From<Admitted> for Reply {
    fn from(admitted: Admitted) -> Self {
        Self::Added {
            account: admitted.id,
            message: admitted.message,
        }
    }
}

impl Admission {
    pub(crate) fn new(desk: Arc<Desk>, grants: Arc<Grants>, store: Arc<Store>, writer: Arc<Writer>) -> Self {
        Self {
            desk,
            grants,
            store,
            writer,
            door: Mutex::default(),
        }
    }

    /// Before a person signs in: whether that can become an account of this label. The label of one that is there
    /// already is returned: signing in to that renews it.
    pub(crate) fn check_label(&self, label: &str) -> Result<Option<String>, ControlError> {
        let label = label.trim();
        self.desk.read(|pool, _| {
            let mut accounts = pool.accounts().iter().map(|state| &state.account);
            if let Some(taken) = accounts.find(|account| account.label.eq_ignore_ascii_case(label)) {
                return Ok(Some(taken.label.to_string()));
            }
            pool.check_label(label, None).map_err(invalid)?;
            Ok(None)
        })
    }

    /// Before a person signs in: whether the grant could be kept.
    pub(crate) async fn can_keep(&self) -> Result<(), ControlError> {
        let kept = self.grants.can_store().await.map_err(not_stored);
        kept.map_err(nothing_added)
    }

    pub(crate) async fn add(&self, sign_in: SignIn, label: &str) -> Result<Admitted, ControlError> {
        let _one_at_a_time = self.door.lock().await;
        let label = label.trim();
        let identity = sign_in.tokens.identity.clone();
        if let Some((id, label)) = self.desk.read(|pool, _| known(pool, &identity)) {
            self.grants.store(id, sign_in.tokens).await.map_err(not_stored)?;
            let linked = self.grants.linked(id);
            self.desk
                .change(|pool, now, events| {
                    pool.set_linked(id, None)?;
                    pool.renewed(id, now, events)
                })
                .map_err(failed)?;
            self.grants.unlink(id);
            let message = match linked {
                Some(path) => format!(
                    "This is {label}, which was linked to {}: from now on it has a sign-in of its own, which Baton renews. \
                     Nothing added.",
                    path.display()
                ),
                None => format!("This is {label} again, renewed; nothing added."),
            };
            return Ok(Admitted {
                id,
                message,
                renewed: Some(label),
            });
        }
        self.desk
            .read(|pool, _| pool.check_label(label, None))
            .map_err(invalid)?;
        let id = self.next_id().await?;
        self.grants.store(id, sign_in.tokens).await.map_err(not_stored)?;
        let mut account = Account::new(id, identity, label);
        account.plan = sign_in.plan;
        if let Err(error) = self
            .desk
            .change(|pool, now, events| pool.add(account, now, events))
        {
            // Somebody was quicker: nothing half-made stays behind.
            let _ = self.grants.remove(id).await;
            return Err(invalid(error));
        }
        Ok(Admitted {
            id,
            message: format!("{label} is added; its grant is in the keychain."),
            renewed: None,
        })
    }

    /// An account that is read from the auth.json at `path`, whose sign-in is `owner`. Nothing of it is kept here.
    pub(crate) async fn link(
        &self,
        path: PathBuf,
        owner: Owner,
        label: &str,
    ) -> Result<Admitted, ControlError> {
        let _one_at_a_time = self.door.lock().await;
        let label = label.trim();
        let shown = path.display().to_string();
        if let Some((id, label)) = self.desk.read(|pool, _| known(pool, &owner.identity)) {
            let Some(before) = self.grants.linked(id) else {
                return Err(invalid(format!(
                    "{shown} is {label}, which has a sign-in of its own in Baton already: nothing is changed. To have it \
                     linked instead, remove it first: `baton accounts remove {label}`"
                )));
            };
            let change = |pool: &mut Pool, now, events: &mut Vec<_>| {
                pool.set_linked(id, Some(path.clone()))?;
                pool.renewed(id, now, events)
            };
            self.desk.change(change).map_err(failed)?;
            self.grants.unlink(id);
            let message = match before == path {
                true => format!("This is {label} again, linked to {shown} as before; nothing added."),
                false => format!(
                    "This is {label}: it is linked to {shown} from now on, no longer to {}. Nothing added.",
                    before.display()
                ),
            };
            return Ok(Admitted {
                id,
                message,
                renewed: Some(label),
            });
        }
        self.desk
            .read(|pool, _| pool.check_label(label, None))
            .map_err(invalid)?;
        let id = self.next_id().await?;
        let mut account = Account::new(id, owner.identity, label);
        (account.plan, account.linked) = (owner.plan, Some(path));
        self.desk
            .change(|pool, now, events| pool.add(account, now, events))
            .map_err(invalid)?;
        Ok(Admitted {
            id,
            message: format!(
                "{label} is linked to {shown}. Baton reads that file and never changes it: the Codex that uses it renews it."
            ),
            renewed: None,
        })
    }

    async fn next_id(&self) -> Result<AccountId, ControlError> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.next_account_id())
            .await
            .map_err(failed)?
            .map_err(failed)
    }

    /// [`Self::add`] for what a person has just signed in to, who may have meant another account.
    pub(crate) async fn signed_in(&self, sign_in: SignIn, label: &str) -> Result<Admitted, ControlError> {
        let mut admitted = self.add(sign_in, label).await.map_err(nothing_added)?;
        match &admitted.renewed {
            Some(renewed) if !renewed.eq_ignore_ascii_case(label.trim()) => {
                admitted.message += &format!(
                    " Your browser is signed in to {renewed}. For another account open the link of `baton accounts add \
                     --no-browser` in a private window, or sign out on the service's page first; a workspace of the same \
                     e-mail is chosen on the sign-in page."
                );
            }
            Some(_) => {}
            None => {
                if let Some(problem) = self.recorded().await {
                    admitted.message += &format!(
                        " But Baton can't record this account yet ({problem}): should it end before it can, sign in again."
                    );
                }
            }
        }
        Ok(admitted)
    }

    /// The pool as it stands is on disk, or why not.
    pub(crate) async fn recorded(&self) -> Option<String> {
        self.writer.pool(self.desk.read(|pool, _| pool.clone()));
        self.writer.flush().await;
        self.writer.problem()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

fn known(pool: &Pool, identity: &Identity) -> Option<(AccountId, String)> {
    let state = pool
        .accounts()
        .iter()
        .find(|state| state.account.identity == *identity)?;
    Some((state.account.id, state.account.label.to_string()))
}

/// And what to do then.
fn nothing_added(mut error: ControlError) -> ControlError {
    let next = match error.kind {
        ErrorKind::Invalid => "Nothing was added; sign in again with another label",
        _ => "Nothing was added; sign in again once that is mended",
    };
    error.message = format!("{}. {next}", error.message.trim_end_matches('.'));
    error
}

fn not_stored(error: GrantError) -> ControlError {
    match error {
        GrantError::Keychain(error) => ControlError::new(ErrorKind::Keychain, error.to_string()),
        error => failed(error),
    }
}

fn invalid(error: impl fmt::Display) -> ControlError {
    ControlError::new(ErrorKind::Invalid, error.to_string())
}

fn failed(error: impl fmt::Display) -> ControlError {
    ControlError::new(ErrorKind::Failed, error.to_string())
}

//! Linked accounts: the access token is read from an auth.json that a Codex of the person's owns. Baton never renews and
//! never writes it: two refreshers of one sign-in log each other out. A token that is refused heals through its owner,
//! which renews it once it is told 401 (PROTOCOL §4); from then on the new one is read.

use std::{
    collections::HashMap,
    fs::Metadata,
    path::{Path, PathBuf},
    sync::PoisonError,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use baton_core::{
    AccountId, Effect, Eligibility, Identity, LimitFamily, Outcome, Refusal, Report, Timestamp,
};
use baton_wire::jwt::{self, Claims};
use secrecy::{ExposeSecret, SecretString};
use tokio::{task::spawn_blocking, time};

use super::{
    Access, GrantError, Grants, Inner,
    import::{self, ImportError, SignIn},
};

/// Codex writes its file in place: half of one, or none, is read again after this, so many times.
const HALF_WRITTEN: Duration = Duration::from_millis(50);
const READ_AGAIN: u32 = 4;
/// A file that has changed less than this before it was read may change again without its time telling.
const SETTLED: Duration = Duration::from_secs(3);
/// The owner is told 401 for this long: it asks again before it renews, and from several threads. An owner whose sign-in
/// is void would otherwise never be served by anybody else.
const OWNER_RENEWS: Duration = Duration::from_secs(30);
/// A refused token is tried again after this, should the refusal have been a mistake; and its owner is told again.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

/// What was read of each linked file.
pub(super) type Followed = HashMap<AccountId, Known>;

#[derive(Debug)]
pub(super) struct Known {
    path: PathBuf,
    /// `None`: to be read again whatever its metadata say.
    mark: Option<Mark>,
    access: Access,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// By the upstream, at this time.
    refused: Option<Timestamp>,
    /// Since when the owner is told so.
    told: Option<Timestamp>,
}

/// One who asks for something with credentials of a linked account's identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerAsks {
    /// Its own token.
    pub(crate) issued_at: Option<Timestamp>,
    /// Nobody else can serve it.
    pub(crate) no_other: bool,
}

/// A file as it can be known again without reading it. Links are followed.
#[derive(Clone, Debug, PartialEq)]
struct Mark {
    modified: SystemTime,
    length: u64,
    /// A file that is replaced in one step is another one.
    number: (u64, u64),
}

struct Content {
    mark: Option<Mark>,
    modified: Option<SystemTime>,
    identity: Identity,
    access_token: Option<SecretString>,
}

impl Grants {
    /// The path of its auth.json, if the account is a linked one.
    pub(crate) fn linked(&self, id: AccountId) -> Option<PathBuf> {
        self.0.linked(id)
    }

    /// Looks at the files of linked accounts that are waiting for theirs to be right again.
    pub(crate) async fn look_again(&self) {
        for (id, path) in self.waiting() {
            // Who waits here has waited for half a file before.
            let found = self.0.follow_in(1, id, path, None).await;
            self.0.tell(id, found.as_ref().err());
        }
    }

    /// How long the token in the account's file lasts, where it says so; else what is wrong with the file.
    pub(super) async fn look(&self, id: AccountId, path: PathBuf) -> Result<Option<Timestamp>, Refusal> {
        let found = self.0.follow(id, path, None).await;
        self.0.tell(id, found.as_ref().err());
        match found {
            Err(GrantError::NeedsAttention(reason)) => Err(reason),
            _ => Ok(self.0.followed().get(&id).and_then(|known| known.expires_at)),
        }
    }

    /// Linked accounts whose files are wrong or stale.
    pub(crate) fn waiting(&self) -> Vec<(AccountId, PathBuf)> {
        self.0.desk.read(|pool, now| {
            let accounts = pool.accounts().iter();
            let linked = accounts.filter_map(|state| Some((state, state.account.linked.as_ref()?)));
            linked
                .filter(|(state, _)| {
                    let eligibility = state.eligibility(&LimitFamily::General, now);
                    matches!(eligibility, Eligibility::NeedsAttention { reason } if reason.of_link())
                })
                .map(|(state, path)| (state.account.id, path.clone()))
                .collect()
        })
    }

    /// Whether the account's owner, which is asking, is to be told 401, so that it renews the sign-in in its file. One with
    /// a newer token than that has a sign-in of its own: to renew that would help nobody.
    pub(crate) fn tell_owner(&self, id: AccountId, asks: OwnerAsks) -> bool {
        let now = self.0.clock.now();
        let mut followed = self.0.followed();
        let Some(known) = followed.get_mut(&id) else {
            return false;
        };
        let stale = known.refused.is_some() || known.expired(now);
        let newer = matches!((asks.issued_at, known.issued_at), (Some(own), Some(read)) if own > read);
        if !stale || newer {
            return false;
        }
        if known
            .told
            .is_none_or(|at| at > now || now.since(at) >= REFUSED_FOR)
        {
            known.told = Some(now);
        }
        asks.no_other || known.told.is_some_and(|at| now.since(at) < OWNER_RENEWS)
    }

    /// What the upstream did to an attempt, in the light of who renews the account's sign-in: no code tells for good of one
    /// that isn't Baton's.
    pub(crate) fn as_linked(&self, id: AccountId, outcome: Outcome) -> Outcome {
        let of_sign_in = matches!(
            outcome,
            Outcome::Unauthorized { .. }
                | Outcome::AccountRefused(Refusal::TokenInvalidated | Refusal::GrantRefused)
        );
        if of_sign_in && self.linked(id).is_some() {
            return Outcome::LinkRefused;
        }
        outcome
    }

    /// It is linked no longer, or gone.
    pub(crate) fn unlink(&self, id: AccountId) {
        self.0.followed().remove(&id);
    }
}

impl Inner {
    pub(super) fn linked(&self, id: AccountId) -> Option<PathBuf> {
        self.desk.read(|pool, _| pool.account(id)?.account.linked.clone())
    }

    fn followed(&self) -> std::sync::MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token in the file, by which the account is served. `stale`: the version of one that was refused.
    pub(super) async fn follow(
        &self,
        id: AccountId,
        path: PathBuf,
        stale: Option<u64>,
    ) -> Result<Access, GrantError> {
        self.follow_in(READ_AGAIN, id, path, stale).await
    }

    async fn follow_in(
        &self,
        tries: u32,
        id: AccountId,
        path: PathBuf,
        stale: Option<u64>,
    ) -> Result<Access, GrantError> {
        let mark = self
            .followed()
            .get(&id)
            .filter(|known| known.path == path && stale.is_none())
            .and_then(|known| known.mark.clone());
        let read = read_whole(tries, path.clone(), mark).await;
        let now = self.clock.now();
        let mut followed = self.followed();
        match read {
            Ok(None) => {}
            Ok(Some(content)) => {
                let wanted = |identity: &Identity| {
                    self.desk
                        .read(|pool, _| Some(pool.account(id)?.account.identity == *identity))
                };
                if wanted(&content.identity) != Some(true) {
                    followed.remove(&id);
                    return Err(GrantError::NeedsAttention(Refusal::LinkOfAnother));
                }
                let Some(token) = content.access_token else {
                    followed.remove(&id);
                    return Err(GrantError::NeedsAttention(Refusal::LinkStale));
                };
                match followed.get_mut(&id) {
                    Some(known) if known.path == path && known.holds(&token) => known.mark = content.mark,
                    _ => {
                        let claims = jwt::claims(token.expose_secret()).unwrap_or_default();
                        let known = Known {
                            path,
                            mark: content.mark,
                            issued_at: claims.issued_at,
                            expires_at: expires_at(&claims, content.modified),
                            access: self.access_of(token, &content.identity.account),
                            refused: None,
                            told: None,
                        };
                        followed.insert(id, known);
                    }
                }
            }
            Err(refusal) => {
                followed.remove(&id);
                return Err(GrantError::NeedsAttention(refusal));
            }
        }
        let stale_now = Err(GrantError::NeedsAttention(Refusal::LinkStale));
        let Some(known) = followed.get_mut(&id) else {
            return stale_now;
        };
        if stale == Some(known.access.version) {
            known.refused.get_or_insert(now);
        }
        if known
            .refused
            .is_some_and(|at| at <= now && now.since(at) >= REFUSED_FOR)
        {
            known.refused = None;
        }
        if known.refused.is_some() || known.expired(now) {
            return stale_now;
        }
        Ok(known.access.clone())
    }

    /// What a look at an account's file has shown; only news is told.
    fn tell(&self, id: AccountId, error: Option<&GrantError>) {
        let known = self.desk.read(|pool, _| {
            let state = pool.account(id)?;
            Some((state.attention(), state.generation()))
        });
        let Some((attention, generation)) = known else {
            return;
        };
        match error {
            None if attention.is_some_and(Refusal::of_link) => self
                .desk
                .change(|pool, now, events| pool.link_mended(id, now, events)),
            // What is worse than its file, and doesn't end with that, stays.
            Some(GrantError::NeedsAttention(reason))
                if attention.is_none_or(Refusal::of_link) && attention != Some(*reason) =>
            {
                self.desk.report(&[Report {
                    account: id,
                    generation,
                    effect: Effect::NeedsAttention { reason: *reason },
                }]);
            }
            _ => {}
        }
    }
}

impl Known {
    fn holds(&self, token: &SecretString) -> bool {
        self.access.token.expose_secret() == token.expose_secret()
    }

    fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// By the issuer's clock, or by this machine's, which has dated the file: whichever is later. One that expires sooner is
/// refused by the upstream.
fn expires_at(claims: &Claims, written: Option<SystemTime>) -> Option<Timestamp> {
    let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let written = written.and_then(|at| i64::try_from(at.as_millis()).ok());
    let by_file = written.and_then(|at| claims.expires_by(Timestamp::from_millis(at)));
    claims.expires_at.max(by_file)
}

/// `None`: as it is marked.
async fn read_whole(tries: u32, path: PathBuf, known: Option<Mark>) -> Result<Option<Content>, Refusal> {
    for _ in 1..tries {
        match read_aside(path.clone(), known.clone()).await {
            Err(_) => time::sleep(HALF_WRITTEN).await,
            read => return read,
        }
    }
    read_aside(path, known).await
}

async fn read_aside(path: PathBuf, known: Option<Mark>) -> Result<Option<Content>, Refusal> {
    let read = spawn_blocking(move || read(&path, known.as_ref())).await;
    read.unwrap_or(Err(Refusal::LinkUnreadable))
}

fn read(path: &Path, known: Option<&Mark>) -> Result<Option<Content>, Refusal> {
    // Before the content: what changes in between is read again.
    let metadata = std::fs::metadata(path).ok();
    let mark = metadata.as_ref().and_then(Mark::of);
    if mark.is_some() && mark.as_ref() == known {
        return Ok(None);
    }
    let SignIn { tokens, .. } = import::sign_in(path).map_err(|error| match error {
        ImportError::NotThere(_) => Refusal::LinkGone,
        _ => Refusal::LinkUnreadable,
    })?;
    let modified = metadata.and_then(|metadata| metadata.modified().ok());
    let settled = modified.is_some_and(|at| at.elapsed().is_ok_and(|age| age >= SETTLED));
    Ok(Some(Content {
        mark: mark.filter(|_| settled),
        modified,
        identity: tokens.identity,
        // The refresh token goes no further.
        access_token: tokens.access_token,
    }))
}

impl Mark {
    fn of(metadata: &Metadata) -> Option<Self> {
        #[cfg(unix)]
        let number = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let number = (0, 0);
        Some(Self {
            modified: metadata.modified().ok()?,
            length: metadata.len(),
            number,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    fn login() -> String {
        let claims =
            json!({"https://api.openai.com/auth": {"chatgpt_user_id": "user", "chatgpt_account_id": "team"}});
        let token = format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        json!({"tokens": {"access_token": token, "refresh_token": "x", "account_id": "team"}}).to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_file_is_read_again_until_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        let whole = login();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let writes = async {
            time::sleep(HALF_WRITTEN * 3 / 2).await;
            fs::write(&path, &whole).unwrap();
        };
        let (read, ()) = tokio::join!(read_whole(READ_AGAIN, path.clone(), None), writes);
        assert_eq!(&*read.unwrap().unwrap().identity.user, "user");
        fs::write(&path, "{").unwrap();
        let read = read_whole(READ_AGAIN, path, None).await;
        assert_eq!(read.err(), Some(Refusal::LinkUnreadable));
    }

    /// The time of a file that may still change within the same tick isn't relied on.
    #[test]
    fn a_file_is_known_again_once_it_has_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        fs::write(&path, login()).unwrap();
        assert_eq!(read(&path, None).unwrap().unwrap().mark, None);
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - SETTLED * 2).unwrap();
        let mark = read(&path, None).unwrap().unwrap().mark;
        assert!(mark.is_some() && read(&path, mark.as_ref()).unwrap().is_none());
        fs::write(&path, login()).unwrap();
        assert!(read(&path, mark.as_ref()).unwrap().is_some());
    }

    /// A clock that is hours wrong, either way, makes no token look expired that isn't.
    #[test]
    fn a_token_expires_by_the_later_of_two_clocks() {
        let claims = Claims {
            issued_at: Some(Timestamp::from_secs(1000)),
            expires_at: Some(Timestamp::from_secs(1600)),
            ..Claims::default()
        };
        let written = |secs| Some(UNIX_EPOCH + Duration::from_secs(secs));
        let expires = |written| expires_at(&claims, written).map(Timestamp::as_secs_ceil);
        assert_eq!(expires(written(1000)), Some(1600));
        assert_eq!(expires(written(9000)), Some(9600), "this clock is ahead");
        assert_eq!(expires(written(10)), Some(1600), "this clock is behind");
        assert_eq!(expires(None), Some(1600));
        assert_eq!(expires_at(&Claims::default(), written(10)), None, "a 401 tells");
    }
}

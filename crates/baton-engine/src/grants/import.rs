//! A sign-in made by `codex login`, taken over: from then on only Baton refreshes it.
//!
//! Two refreshers of one grant log each other out (refresh tokens are single-use), so the file that Codex itself works
//! with is refused, and one that was taken over is removed.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use baton_core::Identity;
use baton_wire::{
    auth_json::{self, AuthFile, AuthFileError, MAX_FILE},
    jwt,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Tokens;

const FILE: &str = "auth.json";

/// Whose sign-in an auth.json is, with its tokens.
pub struct SignIn {
    pub tokens: Tokens,
    pub plan: Option<Box<str>>,
}

/// A sign-in read from a file; [`finish`] removes that once the tokens are in the keychain.
#[derive(Debug)]
pub struct Imported {
    pub sign_in: SignIn,
    pub source: Source,
}

impl SignIn {
    /// `None`: it doesn't say whose it is.
    pub fn new(tokens: auth_json::Tokens) -> Option<Self> {
        let claims = |token: &Option<SecretString>| {
            token
                .as_ref()
                .and_then(|token| jwt::claims(token.expose_secret()))
                .unwrap_or_default()
        };
        let (id, access) = (claims(&tokens.id_token), claims(&tokens.access_token));
        let account = tokens.account_id.or(id.account_id).or(access.account_id)?;
        let identity = Identity {
            user: id.user_id.or(access.user_id)?,
            account,
        };
        let tokens = Tokens {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            identity,
            email: id.email.or(access.email),
        };
        Some(Self {
            tokens,
            plan: id.plan.or(access.plan),
        })
    }
}

/// Neither tokens nor the e-mail.
impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

/// The file as it was when read.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    hash: [u8; 32],
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{} isn't there", .0.display())]
    NotThere(PathBuf),
    #[error("{} isn't a file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} can't be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the name of {} isn't UTF-8, so it can't be kept", .0.display())]
    OddName(PathBuf),
    #[error("{} isn't text: name the auth.json that `codex login` wrote", .0.display())]
    NotText(PathBuf),
    #[error("{} can't be used: {source}", .path.display())]
    NotALogin { path: PathBuf, source: AuthFileError },
    #[error("{} doesn't say whose sign-in it is: sign in again with `codex login`", .0.display())]
    NoIdentity(PathBuf),
    #[error("{} lies in {}, where Codex keeps the sign-in that it uses itself. {SEPARATE}", .path.display(), .home.display())]
    CodexHome { path: PathBuf, home: PathBuf },
    #[error("{} is the sign-in that Codex itself uses (it is in {} too). {SEPARATE}", .path.display(), .home.display())]
    SameGrant { path: PathBuf, home: PathBuf },
    #[error("the account is in the keychain, but {} can't be removed: {source}. Remove it yourself", .path.display())]
    NotRemoved { path: PathBuf, source: io::Error },
    #[error(
        "the account is in the keychain, but {} has changed meanwhile and was left alone. If it still holds this \
         sign-in, remove it: two programs that refresh one sign-in log each other out", .0.display()
    )]
    Changed(PathBuf),
}

const SEPARATE: &str = "Two programs that refresh one sign-in log each other out, so Baton needs one of its own: `mkdir \
                        /tmp/for-baton && CODEX_HOME=/tmp/for-baton codex login`, then take /tmp/for-baton/auth.json";

/// Reads an auth.json, and refuses what can't be taken over. Nothing is changed yet.
pub fn read(path: &Path, codex_homes: &[PathBuf]) -> Result<Imported, ImportError> {
    let bytes = contents(path)?;
    let sign_in = parsed(path, &bytes)?;
    for home in codex_homes {
        refuse_codex_s_own(path, &sign_in.tokens.refresh_token, home)?;
    }
    Ok(Imported {
        sign_in,
        source: Source {
            path: path.to_path_buf(),
            hash: hash(&bytes),
        },
    })
}

/// Whose sign-in a file is; its tokens stay there.
#[derive(Debug)]
pub struct Owner {
    pub identity: Identity,
    pub plan: Option<Box<str>>,
}

/// For an account that is to be linked: the file that `path` names, or the auth.json in it, and its owner.
pub fn owner(path: &Path) -> Result<(PathBuf, Owner), ImportError> {
    let path = match path.is_dir() {
        true => path.join(FILE),
        false => path.to_path_buf(),
    };
    if path.to_str().is_none() {
        return Err(ImportError::OddName(path));
    }
    let SignIn { tokens, plan } = sign_in(&path)?;
    let identity = tokens.identity;
    Ok((path, Owner { identity, plan }))
}

/// Whose sign-in it is. Nothing is changed, and nothing is meant to be: [`read`] is for what is taken over.
pub(super) fn sign_in(path: &Path) -> Result<SignIn, ImportError> {
    parsed(path, &contents(path)?)
}

fn parsed(path: &Path, bytes: &SecretString) -> Result<SignIn, ImportError> {
    let AuthFile { tokens, .. } =
        auth_json::parse(bytes.expose_secret().as_bytes()).map_err(|source| ImportError::NotALogin {
            path: path.to_path_buf(),
            source,
        })?;
    SignIn::new(tokens).ok_or_else(|| ImportError::NoIdentity(path.to_path_buf()))
}

/// Removes the file, now that its tokens are in the keychain; one that has changed since it was read is left alone.
pub fn finish(source: &Source) -> Result<(), ImportError> {
    let path = || source.path.clone();
    match contents(&source.path) {
        Ok(bytes) if hash(&bytes) == source.hash => {
            fs::remove_file(&source.path).map_err(|error| ImportError::NotRemoved {
                path: path(),
                source: error,
            })
        }
        // Gone already: what was wanted.
        Err(ImportError::NotThere(_)) => Ok(()),
        _ => Err(ImportError::Changed(path())),
    }
}

fn hash(contents: &SecretString) -> [u8; 32] {
    Sha256::digest(contents.expose_secret()).into()
}

/// At most a little more than an auth.json may have, which is then refused as too large.
fn contents(path: &Path) -> Result<SecretString, ImportError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ImportError::NotThere(path.to_path_buf()),
        io::ErrorKind::InvalidData => ImportError::NotText(path.to_path_buf()),
        _ => ImportError::Unreadable {
            path: path.to_path_buf(),
            source,
        },
    };
    // Before opening: opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ImportError::NotAFile(path.to_path_buf()));
    }
    let mut text = String::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE as u64 + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text.into())
}

fn refuse_codex_s_own(path: &Path, refresh_token: &SecretString, home: &Path) -> Result<(), ImportError> {
    let refused = |wrong: fn(PathBuf, PathBuf) -> ImportError| wrong(path.to_path_buf(), home.to_path_buf());
    let folder = path
        .canonicalize()
        .ok()
        .and_then(|path| path.parent().map(Path::to_path_buf));
    if folder.is_some() && folder == home.canonicalize().ok() {
        return Err(refused(|path, home| ImportError::CodexHome { path, home }));
    }
    let own = match contents(&home.join(FILE)) {
        Ok(own) => own,
        Err(ImportError::NotThere(_)) => return Ok(()),
        // What can't be compared may be the same.
        Err(error) => return Err(error),
    };
    // One without a grant has none to share.
    let Ok(own) = auth_json::parse(own.expose_secret().as_bytes()) else {
        return Ok(());
    };
    if own.tokens.refresh_token.expose_secret() == refresh_token.expose_secret() {
        return Err(refused(|path, home| ImportError::SameGrant { path, home }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    struct Machine {
        dir: tempfile::TempDir,
        homes: Vec<PathBuf>,
    }

    fn machine() -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join(".codex");
        fs::create_dir_all(&home).unwrap();
        fs::create_dir(dir.path().join("second")).unwrap();
        let missing = dir.path().join("not-there");
        Machine {
            homes: vec![missing, home],
            dir,
        }
    }

    impl Machine {
        fn file(&self, name: &str, contents: &str) -> PathBuf {
            let path = self.dir.path().join(name);
            fs::write(&path, contents).unwrap();
            path
        }

        fn refused(&self, path: &Path) -> String {
            let error = read(path, &self.homes).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert!(!error.contains("secret"), "{error}");
            error
        }
    }

    fn token(claims: &Value) -> String {
        format!("e30.{}.secret", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn login(refresh_token: &str) -> Value {
        let id = json!({
            "email": "someone@example.org",
            "https://api.openai.com/auth": {
                "chatgpt_user_id": "user-1", "chatgpt_account_id": "team-1", "chatgpt_plan_type": "plus",
            },
        });
        json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "tokens": {
                "id_token": token(&id),
                "access_token": token(&json!({ "exp": 5 })),
                "refresh_token": refresh_token,
                "account_id": "team-1",
            },
            "last_refresh": "2026-11-22T06:49:33.709276612Z",
        })
    }

    #[test]
    fn a_sign_in_of_its_own_is_read_and_its_file_removed_at_the_end() {
        let machine = machine();
        machine.file(".codex/auth.json", &login("codex's own secret").to_string());
        let path = machine.file("second/auth.json", &login("another secret").to_string());
        let imported = read(&path, &machine.homes).unwrap();
        let SignIn { tokens, plan } = &imported.sign_in;
        assert_eq!(
            tokens.identity,
            Identity {
                user: "user-1".into(),
                account: "team-1".into()
            }
        );
        assert_eq!(plan.as_deref(), Some("plus"));
        assert_eq!(tokens.email.as_deref(), Some("someone@example.org"));
        assert_eq!(tokens.refresh_token.expose_secret(), "another secret");
        let printed = format!("{imported:?} {tokens:?}");
        assert!(
            !printed.contains("secret") && !printed.contains("someone"),
            "{printed}"
        );
        assert!(path.exists(), "reading changes nothing");
        finish(&imported.source).unwrap();
        assert!(!path.exists());
        finish(&imported.source).unwrap();
    }

    #[test]
    fn a_file_that_has_changed_meanwhile_is_left_alone() {
        let machine = machine();
        let path = machine.file("second/auth.json", &login("one secret").to_string());
        let imported = read(&path, &machine.homes).unwrap();
        machine.file("second/auth.json", &login("newer secret").to_string());
        assert!(matches!(finish(&imported.source), Err(ImportError::Changed(_))));
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_sign_in_is_refused_with_the_reason() {
        let machine = machine();
        let refused = |contents: &str| machine.refused(&machine.file("second/auth.json", contents));
        assert!(refused("").contains("the file is empty: sign in"));
        assert!(refused("secret = 1").contains("not the JSON that Codex writes (line 1"));
        assert!(refused(r#"{"OPENAI_API_KEY":"sk-secret","tokens":null}"#).contains("API key"));
        assert!(refused(r#"{"auth_mode":"chatgpt"}"#).contains("no tokens"));
        assert!(refused(&login("").to_string()).contains("no refresh token"));
        let mut anonymous = login("a secret");
        anonymous["tokens"]["id_token"] = json!("secret");
        assert!(refused(&anonymous.to_string()).contains("whose sign-in"));
        assert!(refused(&"x".repeat(2 * MAX_FILE)).contains("larger than 1 MiB"));
        assert!(
            machine
                .refused(&machine.dir.path().join("nowhere.json"))
                .contains("isn't there")
        );
        assert!(machine.refused(machine.dir.path()).contains("isn't a file"));
        let bytes = machine.file("second/auth.json", "");
        fs::write(&bytes, b"\xff\xfe secret").unwrap();
        assert!(machine.refused(&bytes).contains("isn't text"));
    }

    #[test]
    fn the_sign_in_that_codex_itself_uses_is_refused_wherever_it_lies() {
        let machine = machine();
        let own = machine.file(".codex/auth.json", &login("codex's own secret").to_string());
        assert!(machine.refused(&own).contains("log each other out"));
        let backup = machine.file(".codex/auth.json.bak", &login("older secret").to_string());
        assert!(machine.refused(&backup).contains("where Codex keeps"));
        let copy = machine.file("second/auth.json", &login("codex's own secret").to_string());
        assert!(machine.refused(&copy).contains("Codex itself uses"));
        assert!(
            machine
                .refused(&copy)
                .contains("CODEX_HOME=/tmp/for-baton codex login")
        );
        #[cfg(unix)]
        {
            let link = machine.dir.path().join("link.json");
            std::os::unix::fs::symlink(&own, &link).unwrap();
            assert!(machine.refused(&link).contains("where Codex keeps"));
        }
        for path in [own, backup, copy] {
            assert!(path.exists());
        }
    }

    #[test]
    fn an_own_sign_in_of_codex_that_can_not_be_a_grant_stands_in_nobodys_way() {
        let machine = machine();
        let path = machine.file("second/auth.json", &login("another secret").to_string());
        for own in ["", "{", r#"{"OPENAI_API_KEY":"sk-1"}"#] {
            machine.file(".codex/auth.json", own);
            read(&path, &machine.homes).unwrap();
        }
    }
}

//! What Baton keeps on this machine, and others may have changed meanwhile.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use baton_core::{
    Account, AccountId, Choice, Identity, OnRecovery, Policy, Pool, Request, Strategy, Timestamp, Turn,
    explain,
};
use baton_engine::{
    control::protocol::About,
    store::{
        private::{Private, PrivateError},
        restored,
        settings::{Settings, SettingsError, with_settings},
    },
    vault::{ChunkedVault, MemoryVault, Vault},
    words::PoolWords,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{NOW, json::alike};

/// A person's file is read to one meaning; what Baton writes into it is read as meant, and all else stays.
pub(crate) fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let path = Path::new("settings.toml");
    let settings = match Settings::parse(path, text) {
        Ok(settings) => settings,
        Err(SettingsError::Invalid { line, column, .. }) => {
            let lines = text.split('\n').count();
            let longest = text
                .split('\n')
                .map(|line| line.chars().count())
                .max()
                .unwrap_or(0);
            assert!(
                (1..=lines).contains(&line) && (1..=longest + 1).contains(&column),
                "{line}:{column}"
            );
            return;
        }
        Err(error @ SettingsError::Io { .. }) => panic!("{error}"),
    };
    assert!(settings.policy.wait_for_recovery() <= Duration::from_secs(6 * 3600));
    assert!(settings.port.is_none_or(|port| port >= 1024));
    let unchanged = with_settings(path, text, &settings).expect("as before");
    assert_eq!(unchanged, text, "what stands there already isn't written");
    for strategy in Strategy::ALL {
        let mut policy = settings.policy;
        policy.strategy = strategy;
        policy.on_recovery = match policy.on_recovery {
            OnRecovery::Stay => OnRecovery::Return,
            OnRecovery::Return => OnRecovery::Stay,
        };
        policy.set_wait_for_recovery(Duration::from_secs(data.len() as u64 * 7));
        let mut wanted = Settings { policy, ..settings };
        wanted.bypass = !wanted.bypass;
        let told = &mut wanted.preferences.notifications;
        told.set(About::Low, !told.wants(About::Low));
        let written = with_settings(path, text, &wanted).expect("what was read can be written");
        let again = Settings::parse(path, &written).expect("what was written can be read");
        assert_eq!(again, wanted, "{written}");
        assert_eq!(
            with_settings(path, &written, &wanted).ok().as_ref(),
            Some(&written)
        );
        // No value that is allowed has a `#` in it, so each begins a comment.
        let mut rest = written.as_str();
        for comment in text.split('#').skip(1) {
            let comment = comment.lines().next().unwrap_or_default();
            let at = rest
                .find(&format!("#{comment}"))
                .expect("every comment stays, in order");
            rest = &rest[at + 1..];
        }
    }
}

pub(crate) fn private(data: &[u8]) {
    match Private::parse(PathBuf::from("private.json"), data) {
        Ok(private) => {
            let secret = private.path_secret().expose_secret();
            assert_eq!(secret.len(), 43);
            assert!(
                secret
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            );
            assert!(!format!("{private:?}").contains(secret));
        }
        Err(PrivateError::Damaged { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// The routing memory on the first line, and an account's state on each of the others.
pub(crate) fn state(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.lines();
    let routing = lines.next();
    let columns: Vec<(Account, String)> = lines
        .take(4)
        .zip(1..)
        .map(|(state, id)| {
            let identity = Identity {
                user: format!("user-{id}").into(),
                account: "team".into(),
            };
            let account = Account::new(AccountId::new(id), identity, format!("Account {id}"));
            (account, state.to_owned())
        })
        .collect();
    let mut pool =
        restored(Policy::default(), columns.clone(), routing).expect("accounts outlive their states");
    assert_eq!(pool.accounts().len(), columns.len());
    for (state, (column, _)) in pool.accounts().iter().zip(&columns) {
        let account = &state.account;
        assert_eq!(
            (account.id, &account.identity, &account.label),
            (column.id, &column.identity, &column.label)
        );
    }
    let again = saved_and_restored(&pool);
    assert!(alike(&again, &tree(&pool)), "what is saved comes back");
    serves(&mut pool);
}

/// As the store does it.
fn saved_and_restored(pool: &Pool) -> Value {
    let accounts = pool
        .accounts()
        .iter()
        .map(|state| (state.account.clone(), tree(state).to_string()));
    let pool = restored(*pool.policy(), accounts.collect(), Some(&tree(pool).to_string()));
    tree(&pool.expect("what was saved"))
}

/// Whatever was remembered, requests are decided on, and the decision can be told.
fn serves(pool: &mut Pool) {
    let mut events = Vec::new();
    for strategy in Strategy::ALL {
        pool.set_strategy(strategy, NOW, &mut events);
        for (at, turn) in [
            (NOW, Turn::New),
            (Timestamp::from_millis(0), Turn::Id(7)),
            (NOW, Turn::Continues),
            (NOW + Duration::from_secs(40 * 86_400), Turn::Prewarm),
        ] {
            pool.settle(at, &mut events);
            let request = Request {
                session: Some(1),
                thread: Some(2),
                turn,
                model: Some("gpt-5.3-codex-spark"),
                tried: &[],
            };
            let decision = pool.route(&request, at, &mut events);
            assert_eq!(decision.lines.len(), pool.accounts().len());
            match decision.choice {
                Choice::Use { account, .. } => assert!(pool.account(account).is_some()),
                Choice::Wait { until, account } => {
                    assert!(pool.account(account).is_some());
                    assert!(until.since(at) <= pool.policy().wait_for_recovery());
                }
                Choice::Refuse { .. } => {}
            }
            assert!(pool.next_change(at).is_none_or(|next| next > at), "time goes on");
            let words = PoolWords::new(pool, at);
            for line in &decision.lines {
                assert!(!explain::line(line, &words).is_empty());
            }
            if let Choice::Refuse { reason } = &decision.choice {
                assert!(!explain::refused(reason, &words).is_empty());
            }
        }
    }
}

fn tree<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("JSON")
}

/// A token of any length comes back whole from a keychain of small entries, and leaves nothing behind when it goes.
pub(crate) fn keychain(data: &[u8]) {
    let Some((limit, value)) = data.split_first() else {
        return;
    };
    let Ok(value) = std::str::from_utf8(value) else {
        return;
    };
    let secret = SecretString::from(value);
    // What a head looks like is for heads; it must be long enough to be written.
    let limit = 100 + usize::from(*limit);
    let get = |vault: &dyn Vault| {
        let found = vault.get("token").expect("well");
        found.map(|secret| secret.expose_secret().to_owned())
    };
    let vault = ChunkedVault::new(MemoryVault::with_limit(limit), Some(limit));
    for once in [&secret, &SecretString::from("x".repeat(3 * limit)), &secret] {
        vault.set("token", once).expect("well");
    }
    let found = get(&vault);
    assert!(
        found.as_deref() == Some(value) || value.starts_with("baton-chunks:1:"),
        "{found:?}"
    );
    vault.delete("token").expect("well");
    assert_eq!(get(&vault), None);

    // Anything may stand there; what is no head of Baton's is a value.
    let vault = ChunkedVault::new(MemoryVault::new(), None);
    vault.set("token", &secret).expect("well");
    let found = get(&vault);
    assert!(found.as_deref() == Some(value) || (found.is_none() && value.starts_with("baton-chunks:1:")));
}

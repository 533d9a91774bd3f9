//! The pool in the database: public facts in columns, the rest of each account's state and the routing memory as JSON.
//!
//! States come and go with versions, accounts don't: what can't be read of a state falls back to its default, and an
//! account that can be made out from its columns alone stays in the pool.

use std::path::{Path, PathBuf};

use baton_core::{Account, AccountId, AccountState, Identity, Policy, Pool};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Store, StoreError};

impl Store {
    /// The pool as saved, under the policy of the settings.
    pub fn load(&self, policy: Policy) -> Result<Pool, StoreError> {
        self.with(|connection| load(connection, policy))
    }

    pub fn save(&self, pool: &Pool) -> Result<(), StoreError> {
        self.with(|connection| save(connection, pool))
    }

    /// Never one that was given before, whatever was removed since.
    pub fn next_account_id(&self) -> Result<AccountId, StoreError> {
        self.with(|connection| {
            let id = connection.query_row(
                "INSERT INTO issued (one, last_account_id)
                     VALUES (1, 1 + (SELECT coalesce(max(id), 0) FROM accounts))
                 ON CONFLICT (one) DO UPDATE
                     SET last_account_id = 1 + max(last_account_id, (SELECT coalesce(max(id), 0) FROM accounts))
                 RETURNING last_account_id",
                [],
                |row| row.get(0),
            )?;
            Ok(AccountId::new(id))
        })
    }
}

fn save(connection: &mut Connection, pool: &Pool) -> rusqlite::Result<()> {
    let mut routing = object(pool).map_err(no_json)?;
    // Accounts have rows of their own; the policy is in the settings.
    routing.remove("accounts");
    routing.remove("policy");
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM accounts", [])?;
    for (position, state) in pool.accounts().iter().enumerate() {
        let account = &state.account;
        transaction
            .prepare_cached("INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
                account.id.get(),
                i64::try_from(position).unwrap_or(i64::MAX),
                account.identity.user,
                account.identity.account,
                account.label,
                account.plan,
                Value::Object(object(state).map_err(no_json)?).to_string(),
                account.linked.as_deref().and_then(Path::to_str),
            ])?;
    }
    transaction.execute(
        "INSERT INTO routing VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET state = excluded.state",
        [Value::Object(routing).to_string()],
    )?;
    transaction.commit()
}

fn load(connection: &Connection, policy: Policy) -> rusqlite::Result<Pool> {
    let mut query = connection.prepare(
        "SELECT id, user_id, account_id, label, plan, state, linked FROM accounts ORDER BY position, id",
    )?;
    let rows = query.query_map([], |row| {
        let identity = Identity {
            user: row.get(1)?,
            account: row.get(2)?,
        };
        let mut account = Account::new(AccountId::new(row.get(0)?), identity, row.get::<_, String>(3)?);
        account.plan = row.get(4)?;
        account.linked = row.get::<_, Option<String>>(6)?.map(PathBuf::from);
        Ok((account, row.get::<_, String>(5)?))
    })?;
    let accounts = rows.collect::<rusqlite::Result<_>>()?;
    let routing: Option<String> = connection
        .query_row("SELECT state FROM routing", [], |row| row.get(0))
        .optional()?;
    restored(policy, accounts, routing.as_deref()).map_err(no_json)
}

/// The pool from each account's columns and stored state, and from the stored routing memory.
pub fn restored(
    policy: Policy,
    accounts: Vec<(Account, String)>,
    routing: Option<&str>,
) -> serde_json::Result<Pool> {
    let mut states = Vec::new();
    for (columns, stored) in accounts {
        states.push(Value::Object(object(&account_state(columns, &stored)?)?));
    }
    let mut fresh = object(&Pool::new(policy))?;
    fresh.insert("accounts".to_owned(), Value::Array(states));
    let routing = routing.map_or(Some(Map::new()), |routing| serde_json::from_str(routing).ok());
    if let Some(pool) = routing.and_then(|routing| overlaid(&fresh, routing)) {
        return Ok(pool);
    }
    tracing::warn!("the routing memory can't be read and starts anew");
    serde_json::from_value(Value::Object(fresh))
}

/// `columns`: what the account is known by if nothing else of it can be read.
fn account_state(columns: Account, stored: &str) -> serde_json::Result<AccountState> {
    let mut stored: Map<String, Value> = serde_json::from_str(stored).unwrap_or_default();
    let settings = stored.remove("account").and_then(|account| match account {
        Value::Object(account) => Some(account),
        _ => None,
    });
    let account = settings.and_then(|mut settings| {
        // What has a column stands there alone: two accounts never get one id.
        for column in ["id", "identity", "label", "plan", "linked"] {
            settings.remove(column);
        }
        overlaid(&object(&columns).ok()?, settings)
    });
    if account.is_none() {
        tracing::warn!(account = %columns.id, "an account's settings can't be read and start anew");
    }
    let fresh = AccountState::new(account.unwrap_or(columns));
    let state = overlaid(&object(&fresh)?, stored);
    if state.is_none() {
        tracing::warn!(account = %fresh.account.id, "an account's state can't be read and starts anew");
    }
    Ok(state.unwrap_or(fresh))
}

/// `base` with the stored members over it: members added since keep their default, those dropped since are ignored.
fn overlaid<T: DeserializeOwned>(base: &Map<String, Value>, stored: Map<String, Value>) -> Option<T> {
    let mut whole = base.clone();
    whole.extend(stored);
    serde_json::from_value(Value::Object(whole)).ok()
}

fn object<T: Serialize>(value: &T) -> serde_json::Result<Map<String, Value>> {
    match serde_json::to_value(value)? {
        Value::Object(object) => Ok(object),
        _ => Ok(Map::new()),
    }
}

fn no_json(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

#[cfg(test)]
mod tests {
    use baton_core::{OnRecovery, Percent, Request, Strategy, Timestamp, Turn, WindowLength};

    use super::*;

    fn pool() -> Pool {
        let mut pool = Pool::new(Policy::default());
        let (now, events) = (Timestamp::from_secs(1000), &mut Vec::new());
        for id in [3, 1] {
            let identity = Identity {
                user: format!("u{id}").into(),
                account: "team".into(),
            };
            let mut account = Account::new(AccountId::new(id), identity, format!("Label {id}"));
            account.plan = Some("plus".into());
            account.linked = (id == 3).then(|| "/home/someone/.codex/auth.json".into());
            pool.add(account, now, events).unwrap();
        }
        let at = Percent::new(94.9).unwrap();
        pool.set_threshold(AccountId::new(3), Some(WindowLength::WEEK), at, Some(true))
            .unwrap();
        let request = Request {
            session: Some(u64::MAX),
            thread: Some(u64::MAX - 1),
            turn: Turn::Id(7),
            ..Request::default()
        };
        pool.route(&request, now, events);
        pool
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn a_pool_comes_back_as_it_was_under_the_policy_of_the_settings() {
        let (dir, store) = store();
        let mut pool = pool();
        store.save(&pool).unwrap();
        store.save(&pool).unwrap();
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.load(Policy::default()).unwrap(), pool);

        let mut policy = Policy::default();
        policy.strategy = Strategy::Balanced;
        policy.on_recovery = OnRecovery::Return;
        pool.set_strategy(Strategy::Balanced, Timestamp::from_secs(1), &mut Vec::new());
        pool.set_on_recovery(OnRecovery::Return);
        assert_eq!(store.load(policy).unwrap(), pool);
    }

    #[test]
    fn an_empty_store_is_an_empty_pool() {
        let (_dir, store) = store();
        assert_eq!(
            store.load(Policy::default()).unwrap(),
            Pool::new(Policy::default())
        );
    }

    #[test]
    fn accounts_outlive_states_that_can_not_be_read() {
        let (_dir, store) = store();
        let pool = pool();
        store.save(&pool).unwrap();
        let thresholds = &pool.accounts()[0].account.thresholds;
        for (column, kept) in [
            ("json_set(state, '$.blocks', 'of another version')", true),
            ("json_set(state, '$.account.thresholds', 3)", false),
            ("json_set(state, '$.account.id', 1, '$.account.label', 'x')", true),
            ("json_remove(state, '$.blocks', '$.last_probe')", true),
            ("'[]'", false),
            ("'not json'", false),
        ] {
            store.save(&pool).unwrap();
            let broken =
                format!("UPDATE accounts SET state = {column}; UPDATE routing SET state = '{{\"brake\":1}}'");
            store.lock().execute_batch(&broken).unwrap();
            let loaded = store.load(Policy::default()).unwrap();
            let found: Vec<_> = loaded.accounts().iter().map(|state| &state.account).collect();
            assert_eq!(found.len(), 2, "{column}");
            assert_eq!(found[0].id, AccountId::new(3), "{column}");
            assert_eq!(
                (&*found[0].label, found[0].plan.as_deref()),
                ("Label 3", Some("plus")),
                "{column}"
            );
            assert!(found[0].linked.is_some() && found[1].linked.is_none(), "{column}");
            assert_eq!(found[0].thresholds == *thresholds, kept, "{column}");
        }
    }

    #[test]
    fn ids_are_never_given_twice() {
        let (dir, store) = store();
        assert_eq!(store.next_account_id().unwrap(), AccountId::new(1));
        store.save(&pool()).unwrap();
        assert_eq!(store.next_account_id().unwrap(), AccountId::new(4));
        store.save(&Pool::new(Policy::default())).unwrap();
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.next_account_id().unwrap(), AccountId::new(5));
    }
}

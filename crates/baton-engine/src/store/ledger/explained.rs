//! Why each request went where it went. Most requests of a day have the same explanation, so each is kept once, under
//! the hash of its content, and requests point at it.

use std::hash::{DefaultHasher, Hash, Hasher};

use baton_core::{Choice, Decision, Eligibility, Percent, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::rows::{self, no_json};
use crate::{
    control::protocol::RequestLine,
    store::{Store, StoreError},
};

/// Its mark of use is renewed so often, rather than with every request (milliseconds).
const RENEWED: i64 = 86_400_000;

/// The decision's number in `explanations`.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    decision: Option<&Decision>,
    at: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let Some(decision) = decision else { return Ok(None) };
    let json = serde_json::to_string(&timeless(decision)).map_err(no_json)?;
    // Should another Rust hash otherwise, it is kept twice.
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    let id = hasher.finish().cast_signed();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO explanations (id, used, decision) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET used = excluded.used WHERE used < excluded.used - ?4",
    )?;
    insert.execute(params![id, at.as_millis(), json, RENEWED])?;
    Ok(Some(id))
}

/// Without what differs from request to request and explains nothing; percents are whole, and so are the minutes of a
/// reset, which the service computes a little differently each time.
fn timeless(decision: &Decision) -> Decision {
    let mut decision = Decision {
        at: Timestamp::from_millis(0),
        ..decision.clone()
    };
    if let Choice::Use { generation, .. } = &mut decision.choice {
        *generation = 0;
    }
    for line in &mut decision.lines {
        if let Eligibility::HeldBack { used, until, .. } = &mut line.state {
            *used = Percent::clamped(used.used().floor()).unwrap_or(*used);
            *until = until.map(|at| Timestamp::from_secs(at.as_millis().div_euclid(60_000) * 60));
        }
    }
    decision
}

/// Those that no line points at any more.
pub(super) fn prune(connection: &Connection, oldest: i64) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM explanations WHERE used < ?1",
        [oldest.saturating_sub(RENEWED)],
    )?;
    Ok(())
}

impl Store {
    /// A request's line, and the decisions that it brought, its own last. `None`: nothing is known of it.
    #[allow(clippy::type_complexity)]
    pub fn explained(
        &self,
        request: u64,
    ) -> Result<Option<(Option<RequestLine>, Vec<Decision>)>, StoreError> {
        let Ok(id) = i64::try_from(request) else {
            return Ok(None);
        };
        self.with(|connection| {
            let mut decisions: Vec<(i64, Decision)> = Vec::new();
            let mut events = connection.prepare_cached(
                "SELECT DISTINCT events.at, explanations.id, decision FROM events
                 JOIN explanations ON explanations.id = events.explanation WHERE request = ?1 ORDER BY events.id",
            )?;
            let mut found = events.query([id])?;
            while let Some(row) = found.next()? {
                decisions.extend(decision(row.get(1)?, row.get(0)?, &row.get::<_, String>(2)?));
            }
            let line = connection
                .prepare_cached(&format!("SELECT {} FROM requests WHERE id = ?1", rows::REQUEST))?
                .query_row([id], rows::request)
                .optional()?;
            let own = connection
                .prepare_cached(
                    "SELECT requests.at, explanations.id, decision FROM requests
                     JOIN explanations ON explanations.id = requests.explanation WHERE requests.id = ?1",
                )?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))
                .optional()?;
            let own = own.and_then(|(at, id, json)| decision(id, at, &json));
            if let Some(own) = own {
                // What brought the switch is often the request's own.
                decisions.retain(|(id, _)| *id != own.0);
                decisions.push(own);
            }
            let decisions: Vec<Decision> = decisions.into_iter().map(|(_, decision)| decision).collect();
            Ok((line.is_some() || !decisions.is_empty()).then_some((line, decisions)))
        })
    }
}

/// One of another version can't be read, and is none.
fn decision(id: i64, at: i64, json: &str) -> Option<(i64, Decision)> {
    let kept: Decision = serde_json::from_str(json).ok()?;
    let at = Timestamp::from_millis(at);
    Some((id, Decision { at, ..kept }))
}

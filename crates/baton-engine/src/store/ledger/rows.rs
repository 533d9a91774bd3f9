//! Each kind of line, as it is written and read.

use baton_core::{AccountId, Event, EventKind, LimitFamily, Percent, Source, Timestamp, WindowLength};
use rusqlite::{Row, Transaction, params};

use super::EventRecord;
use crate::control::protocol::{BlockedTime, BlockedWhy, ReadingLine, RequestLine, Transport, TurnMark};

// SQLite's numbers are signed.
fn signed(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

fn unsigned(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

/// A hash, written as 16 hexadecimal digits, in 8 bytes.
fn packed(hash: Option<&str>) -> Option<i64> {
    u64::from_str_radix(hash?, 16).ok().map(u64::cast_signed)
}

fn unpacked(hash: Option<i64>) -> Option<String> {
    hash.map(|hash| format!("{:016x}", hash.cast_unsigned()))
}

pub(super) fn no_json(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

// === events ===

/// As the index of kinds has it.
fn kind(event: &EventKind) -> serde_json::Result<String> {
    let json = serde_json::to_value(event)?;
    Ok(json["event"].as_str().unwrap_or_default().to_owned())
}

pub(super) fn insert_event(
    transaction: &Transaction<'_>,
    record: &EventRecord,
    explanation: Option<i64>,
) -> rusqlite::Result<()> {
    let event = &record.event;
    let json = serde_json::to_string(event).map_err(no_json)?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (at, event, kind, request, explanation) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![
        event.at.as_millis(),
        json,
        kind(&event.kind).map_err(no_json)?,
        signed(record.request),
        explanation,
    ])?;
    Ok(())
}

pub(super) const EVENT: &str = "event, request";

/// An event that this version doesn't know is no reason to show none.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Option<(Event, Option<u64>)>> {
    let event = serde_json::from_str(&row.get::<_, String>(0)?).ok();
    let request = unsigned(row.get(1)?);
    Ok(event.map(|event| (event, request)))
}

// === requests ===

/// As [`RequestLine::answered_by`] has it.
pub(super) const ANSWERED: &str = "(outcome = 'completed' OR first_output_ms IS NOT NULL)";

pub(super) const REQUEST: &str = "id, at, account, session, thread, turn, turn_mark, model, transport, outcome, \
                                  first_byte_ms, first_output_ms, waited_ms, failovers, input_tokens, cached_tokens, \
                                  output_tokens";

pub(super) fn insert_request(
    transaction: &Transaction<'_>,
    line: &RequestLine,
    explanation: Option<i64>,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO requests ({REQUEST}, explanation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
    ))?;
    let (mark, turn) = match &line.turn {
        TurnMark::Id(turn) => ("id", packed(Some(turn))),
        TurnMark::Continues => ("continues", None),
        TurnMark::New => ("new", None),
        TurnMark::Prewarm => ("prewarm", None),
    };
    insert.execute(params![
        signed(Some(line.id)),
        line.at.as_millis(),
        line.account.map(AccountId::get),
        packed(line.session.as_deref()),
        packed(line.thread.as_deref()),
        turn,
        mark,
        line.model,
        match line.transport {
            Transport::Http => "http",
            Transport::WebSocket => "web_socket",
        },
        line.outcome,
        signed(line.first_byte_ms),
        signed(line.first_output_ms),
        signed(Some(line.waited_ms)),
        line.failovers,
        signed(line.input_tokens),
        signed(line.cached_tokens),
        signed(line.output_tokens),
        explanation,
    ])?;
    Ok(())
}

pub(super) fn request(row: &Row<'_>) -> rusqlite::Result<RequestLine> {
    let turn = unpacked(row.get(5)?);
    Ok(RequestLine {
        id: unsigned(row.get(0)?).unwrap_or(0),
        at: Timestamp::from_millis(row.get(1)?),
        account: row.get::<_, Option<u32>>(2)?.map(AccountId::new),
        session: unpacked(row.get(3)?),
        thread: unpacked(row.get(4)?),
        turn: match (row.get_ref(6)?.as_str()?, turn) {
            ("id", Some(turn)) => TurnMark::Id(turn),
            ("continues", _) => TurnMark::Continues,
            ("prewarm", _) => TurnMark::Prewarm,
            _ => TurnMark::New,
        },
        model: row.get(7)?,
        transport: match row.get_ref(8)?.as_str()? {
            "http" => Transport::Http,
            _ => Transport::WebSocket,
        },
        outcome: row.get(9)?,
        first_byte_ms: unsigned(row.get(10)?),
        first_output_ms: unsigned(row.get(11)?),
        waited_ms: unsigned(row.get(12)?).unwrap_or(0),
        failovers: row.get(13)?,
        input_tokens: unsigned(row.get(14)?),
        cached_tokens: unsigned(row.get(15)?),
        output_tokens: unsigned(row.get(16)?),
    })
}

// === readings ===

/// The general family has no name.
fn family_name(family: &LimitFamily) -> &str {
    match family {
        LimitFamily::General => "",
        LimitFamily::Named(name) => name,
    }
}

/// A window as readings point at it.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub id: i64,
    pub account: AccountId,
    pub family: LimitFamily,
    pub length: WindowLength,
}

pub(super) fn windows(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<Window>> {
    let mut query = connection.prepare_cached(
        "SELECT id, account, family, minutes FROM windows ORDER BY account, family, minutes",
    )?;
    let windows = query.query_map([], |row| {
        Ok(Window {
            id: row.get(0)?,
            account: AccountId::new(row.get(1)?),
            family: match row.get::<_, String>(2)? {
                name if name.is_empty() => LimitFamily::General,
                name => LimitFamily::Named(name.into()),
            },
            length: WindowLength::from_minutes(row.get(3)?),
        })
    })?;
    windows.collect()
}

pub(super) fn insert_reading(transaction: &Transaction<'_>, line: &ReadingLine) -> rusqlite::Result<()> {
    let window = params![
        line.account.get(),
        family_name(&line.family),
        line.window.minutes()
    ];
    transaction
        .prepare_cached("INSERT OR IGNORE INTO windows (account, family, minutes) VALUES (?1, ?2, ?3)")?
        .execute(window)?;
    let id: i64 = transaction
        .prepare_cached("SELECT id FROM windows WHERE account = ?1 AND family = ?2 AND minutes = ?3")?
        .query_row(window, |row| row.get(0))?;
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO readings (window, at, used, resets_at, source) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![
        id,
        line.at.as_millis(),
        line.used.used(),
        line.resets_at.map(Timestamp::as_millis),
        match line.source {
            Source::Headers => "headers",
            Source::Frame => "frame",
            Source::UsageRoute => "usage_route",
        },
    ])?;
    Ok(())
}

pub(super) const SAMPLE: &str = "at, used, resets_at, source";

pub(super) fn sample(row: &Row<'_>) -> rusqlite::Result<super::Sample> {
    Ok(super::Sample {
        at: Timestamp::from_millis(row.get(0)?),
        used: Percent::clamped(row.get(1)?).unwrap_or(Percent::ZERO),
        resets_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
        source: match row.get_ref(3)?.as_str()? {
            "headers" => Source::Headers,
            "frame" => Source::Frame,
            _ => Source::UsageRoute,
        },
    })
}

// === blocked time ===

pub(super) fn upsert_blocked(transaction: &Transaction<'_>, time: &BlockedTime) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO blocked ({BLOCKED}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    ))?;
    insert.execute(params![
        time.began.as_millis(),
        time.ended.map(Timestamp::as_millis),
        time.until.map(Timestamp::as_millis),
        time.why.name(),
        signed(time.request),
        signed(Some(time.requests)),
        time.asked_last.as_millis(),
    ])?;
    Ok(())
}

pub(super) const BLOCKED: &str = "began, ended, until, why, request, requests, asked_last";

pub(super) fn blocked(row: &Row<'_>) -> rusqlite::Result<BlockedTime> {
    let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    let why = row.get_ref(3)?.as_str()?;
    Ok(BlockedTime {
        began: Timestamp::from_millis(row.get(0)?),
        ended: at(row.get(1)?),
        until: at(row.get(2)?),
        why: BlockedWhy::ALL
            .into_iter()
            .find(|known| known.name() == why)
            .unwrap_or(BlockedWhy::NobodyUsable),
        request: unsigned(row.get(4)?),
        requests: unsigned(row.get(5)?).unwrap_or(0),
        asked_last: Timestamp::from_millis(row.get(6)?),
    })
}

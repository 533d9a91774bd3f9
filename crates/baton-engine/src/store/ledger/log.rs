//! The log: lines of every kind, newest first.

use std::ops::ControlFlow;

use baton_core::{AccountId, Event, EventKind, Timestamp};
use rusqlite::{Connection, Row, Rows, params};

use super::rows;
use crate::{
    control::protocol::{LogEntry, LogKind, ReadingLine},
    store::{Store, StoreError},
};

/// Which lines, with the account as the store knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Only {
    pub account: Option<AccountId>,
    /// `None`: all but readings.
    pub kind: Option<LogKind>,
    pub since: Option<Timestamp>,
}

impl Store {
    /// Newest first.
    pub fn log(&self, limit: usize, only: Only) -> Result<Vec<LogEntry>, StoreError> {
        let mut entries = Vec::new();
        self.each(only, |entry| {
            if entries.len() < limit {
                entries.push(entry);
            }
            if entries.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(entries)
    }

    /// Hands over line after line, newest first, for as long as they are wanted.
    pub fn each(&self, only: Only, take: impl FnMut(LogEntry) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.with(|connection| match only.kind {
            Some(LogKind::Readings) => readings(connection, only, take),
            _ => merged(connection, only, take),
        })
    }
}

type Read<'a> = Box<dyn Fn(&Row<'_>) -> rusqlite::Result<Option<LogEntry>> + 'a>;

/// Rows of one kind, of which the newest has been read.
struct Source<'a> {
    rows: Rows<'a>,
    read: Read<'a>,
    head: Option<LogEntry>,
}

impl<'a> Source<'a> {
    fn new(rows: Rows<'a>, read: Read<'a>) -> rusqlite::Result<Self> {
        let mut source = Self {
            rows,
            read,
            head: None,
        };
        source.next()?;
        Ok(source)
    }

    /// The line at hand; the one after it is read.
    fn next(&mut self) -> rusqlite::Result<Option<LogEntry>> {
        let head = self.head.take();
        while let Some(row) = self.rows.next()? {
            self.head = (self.read)(row)?;
            if self.head.is_some() {
                break;
            }
        }
        Ok(head)
    }
}

/// The newest of all sources first; of what has the same time, the first source's.
fn hand_over(
    mut sources: Vec<Source<'_>>,
    mut take: impl FnMut(LogEntry) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    loop {
        let newest = |source: &&mut Source<'_>| source.head.as_ref().map(LogEntry::at);
        let Some(source) = sources.iter_mut().rev().max_by_key(newest) else {
            return Ok(());
        };
        let Some(entry) = source.next()? else {
            return Ok(());
        };
        if take(entry).is_break() {
            return Ok(());
        }
    }
}

fn merged(
    connection: &Connection,
    only: Only,
    take: impl FnMut(LogEntry) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let since = only.since.map_or(i64::MIN, Timestamp::as_millis);
    let wanted = |kind| only.kind.is_none() || only.kind == Some(kind);
    let (of_kind, of_account) = (
        match only.kind {
            Some(LogKind::Switches) => "kind IN ('switched', 'temporary_failover') AND",
            _ => "",
        },
        match only.account {
            Some(_) => "account = ?2",
            None => "?2 IS NULL",
        },
    );
    let mut events = connection.prepare_cached(&format!(
        "SELECT {} FROM events WHERE {of_kind} at >= ?1 ORDER BY at DESC, id DESC",
        rows::EVENT
    ))?;
    let mut requests = connection.prepare_cached(&format!(
        "SELECT {} FROM requests WHERE {of_account} AND at >= ?1 ORDER BY at DESC, id DESC",
        rows::REQUEST
    ))?;
    let mut blocked = connection.prepare_cached(&format!(
        "SELECT {} FROM blocked WHERE began >= ?1 ORDER BY began DESC",
        rows::BLOCKED
    ))?;
    let mut sources = Vec::new();
    if wanted(LogKind::Events) || wanted(LogKind::Switches) {
        let read = move |row: &Row<'_>| {
            let event = rows::event(row)?;
            let concerns = |event: &Event| only.account.is_none_or(|account| concerns(&event.kind, account));
            Ok(event
                .filter(|(event, _)| concerns(event))
                .map(|(event, request)| LogEntry::Event { event, request }))
        };
        sources.push(Source::new(events.query([since])?, Box::new(read))?);
    }
    // It is everybody's.
    if wanted(LogKind::Blocked) && only.account.is_none() {
        let read = |row: &Row<'_>| rows::blocked(row).map(LogEntry::Blocked).map(Some);
        sources.push(Source::new(blocked.query([since])?, Box::new(read))?);
    }
    if wanted(LogKind::Requests) {
        let account = only.account.map(AccountId::get);
        let read = |row: &Row<'_>| rows::request(row).map(LogEntry::Request).map(Some);
        sources.push(Source::new(
            requests.query(params![since, account])?,
            Box::new(read),
        )?);
    }
    hand_over(sources, take)
}

/// Window by window: so the index has them in order.
fn readings(
    connection: &Connection,
    only: Only,
    take: impl FnMut(LogEntry) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let since = only.since.map_or(i64::MIN, Timestamp::as_millis);
    let mut queries = Vec::new();
    for window in rows::windows(connection)? {
        if only.account.is_none_or(|account| account == window.account) {
            let query = connection.prepare_cached(&format!(
                "SELECT {} FROM readings WHERE window = ?1 AND at >= ?2 ORDER BY at DESC",
                rows::SAMPLE
            ))?;
            queries.push((window, query));
        }
    }
    let mut sources = Vec::new();
    for (window, query) in &mut queries {
        let found = query.query(params![window.id, since])?;
        let window = &*window;
        let read = move |row: &Row<'_>| {
            let sample = rows::sample(row)?;
            Ok(Some(LogEntry::Reading(ReadingLine {
                at: sample.at,
                account: window.account,
                family: window.family.clone(),
                window: window.length,
                used: sample.used,
                resets_at: sample.resets_at,
                source: sample.source,
            })))
        };
        sources.push(Source::new(found, Box::new(read))?);
    }
    hand_over(sources, take)
}

fn concerns(kind: &EventKind, wanted: AccountId) -> bool {
    match kind {
        EventKind::Switched(switch) => switch.to == wanted || switch.from == Some(wanted),
        EventKind::TemporaryFailover { from, to } => *from == wanted || *to == wanted,
        EventKind::StateChanged { account, .. }
        | EventKind::Added { account }
        | EventKind::Removed { account, .. }
        | EventKind::Pinned { account }
        | EventKind::Unpinned { account } => *account == wanted,
        EventKind::StrategyChanged { .. }
        | EventKind::BrakeEngaged
        | EventKind::BrakeReleased
        | EventKind::AllExhausted { .. }
        | EventKind::Serving => false,
    }
}

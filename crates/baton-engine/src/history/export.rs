//! The ledger as a file: the log newest first, then the readings of each window. Line by line: a year of them is more
//! than should lie in memory.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::Path,
};

use baton_core::LimitFamily;

use crate::{
    control::protocol::{ExportFormat, LogEntry, LogKind, RequestLine, TurnMark},
    store::{Only, Store, StoreError, files},
};

pub(super) enum ExportError {
    File(io::Error),
    Store(StoreError),
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// Into a private file that isn't there yet; how many lines there are.
pub(super) fn write(store: &Store, path: &Path, format: ExportFormat) -> Result<u64, ExportError> {
    let file = files::private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    let mut out = BufWriter::new(file);
    let written = fill(&mut out, store, format).and_then(|count| {
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(count)
    });
    if written.is_err() {
        // Half of it would be in the way of the next try.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn fill(out: &mut impl Write, store: &Store, format: ExportFormat) -> Result<u64, ExportError> {
    let mut count = 0;
    match format {
        ExportFormat::Json => out.write_all(b"[")?,
        ExportFormat::Csv => writeln(out, &COLUMNS.map(str::to_owned))?,
    }
    for kind in [None, Some(LogKind::Readings)] {
        let mut failed = None;
        let only = Only {
            kind,
            ..Only::default()
        };
        let each = store.each(only, |entry| {
            let line = match format {
                ExportFormat::Json => json(out, &entry, count == 0),
                ExportFormat::Csv => cells(&entry).and_then(|cells| writeln(out, &cells)),
            };
            count += 1;
            match line {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        each.map_err(ExportError::Store)?;
        failed.map_or(Ok(()), Err)?;
    }
    if format == ExportFormat::Json {
        out.write_all(b"\n]\n")?;
    }
    Ok(count)
}

fn json(out: &mut impl Write, entry: &LogEntry, first: bool) -> io::Result<()> {
    out.write_all(if first { b"\n" } else { b",\n" })?;
    serde_json::to_writer(out, entry)?;
    Ok(())
}

/// In RFC 4180's way; times in milliseconds since 1970.
const COLUMNS: [&str; 28] = [
    "at",
    "kind",
    "account",
    "request",
    "session",
    "thread",
    "turn",
    "turn_mark",
    "model",
    "transport",
    "outcome",
    "first_byte_ms",
    "first_output_ms",
    "waited_ms",
    "failovers",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "event",
    "ended",
    "until",
    "why",
    "requests",
    "family",
    "window_minutes",
    "used",
    "resets_at",
    "source",
];

/// Of the kinds of lines each fills its own columns.
fn cells(entry: &LogEntry) -> io::Result<Vec<String>> {
    let mut cells = vec![String::new(); COLUMNS.len()];
    let mut set = |column: &str, value: String| {
        if let Some(at) = COLUMNS.iter().position(|known| *known == column) {
            cells[at] = value;
        }
    };
    set("at", entry.at().as_millis().to_string());
    match entry {
        LogEntry::Event { event, request } => {
            set("kind", "event".to_owned());
            set("request", number(*request));
            set("event", quoted(&serde_json::to_string(&event.kind)?));
        }
        LogEntry::Request(line) => of_request(line, &mut set)?,
        LogEntry::Blocked(time) => {
            set("kind", "blocked".to_owned());
            set("request", number(time.request));
            set("ended", number(time.ended.map(baton_core::Timestamp::as_millis)));
            set("until", number(time.until.map(baton_core::Timestamp::as_millis)));
            set("why", time.why.name().to_owned());
            set("requests", time.requests.to_string());
        }
        LogEntry::Reading(line) => {
            set("kind", "reading".to_owned());
            set("account", line.account.to_string());
            set(
                "family",
                match &line.family {
                    LimitFamily::General => String::new(),
                    LimitFamily::Named(name) => quoted(name),
                },
            );
            set("window_minutes", line.window.minutes().to_string());
            set("used", line.used.used().to_string());
            set(
                "resets_at",
                number(line.resets_at.map(baton_core::Timestamp::as_millis)),
            );
            set("source", name(&line.source)?);
        }
    }
    Ok(cells)
}

fn of_request(line: &RequestLine, set: &mut impl FnMut(&str, String)) -> io::Result<()> {
    let text = |value: Option<&str>| value.map(quoted).unwrap_or_default();
    set("kind", "request".to_owned());
    set("account", number(line.account));
    set("request", line.id.to_string());
    set("session", text(line.session.as_deref()));
    set("thread", text(line.thread.as_deref()));
    match &line.turn {
        TurnMark::Id(turn) => {
            set("turn", quoted(turn));
            set("turn_mark", "id".to_owned());
        }
        mark => set("turn_mark", name(mark)?),
    }
    set("model", text(line.model.as_deref()));
    set("transport", name(&line.transport)?);
    set("outcome", quoted(&line.outcome));
    set("first_byte_ms", number(line.first_byte_ms));
    set("first_output_ms", number(line.first_output_ms));
    set("waited_ms", line.waited_ms.to_string());
    set("failovers", line.failovers.to_string());
    set("input_tokens", number(line.input_tokens));
    set("cached_tokens", number(line.cached_tokens));
    set("output_tokens", number(line.output_tokens));
    Ok(())
}

fn number(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn name(value: &impl serde::Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?.trim_matches('"').to_owned())
}

fn writeln(out: &mut impl Write, cells: &[String]) -> io::Result<()> {
    out.write_all(cells.join(",").as_bytes())?;
    out.write_all(b"\r\n")
}

/// A spreadsheet takes what begins so for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn quoted(text: &str) -> String {
    let guard = if text.starts_with(FORMULA) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

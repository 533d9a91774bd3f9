//! Commands about what is stored of the past: the log, why a request went where it went, export and deletion.

use std::path::Path;

use baton_engine::control::protocol::{Command as Ask, ExportFormat, LogFilter, Reply};
use serde_json::json;

use crate::{
    accounts::agreed,
    args::LogArgs,
    baton::{Baton, absolute, unexpected},
    error::Failure,
    show::{self, Out},
};

pub(crate) async fn log(baton: &mut Baton, log: LogArgs, out: Out) -> Result<(), Failure> {
    let snapshot = baton.snapshot().await?;
    let ask = Ask::Log {
        limit: log.limit.into(),
        only: LogFilter {
            account: log.account,
            kind: log.kind.map(Into::into),
            since: log.since,
        },
    };
    match baton.call(ask).await? {
        Reply::Log { entries } if out.json => out.print_json(&json!({ "entries": entries })),
        Reply::Log { entries } => out.print(&show::log(&entries, &snapshot, out.style)),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

/// Of a past request.
pub(crate) async fn why(baton: &mut Baton, request: u64, out: Out) -> Result<(), Failure> {
    let snapshot = baton.snapshot().await?;
    let request = Some(request);
    match baton.call(Ask::Why { request }).await? {
        Reply::Explained {
            request,
            explanations,
        } if out.json => {
            out.print_json(&json!({ "request": request, "explanations": explanations }));
        }
        Reply::Explained {
            request,
            explanations,
        } => out.print(&show::explained(
            request.as_ref(),
            &explanations,
            &snapshot,
            out.style,
        )),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

/// The file's name says in which form.
pub(crate) fn export(file: &Path) -> Result<Ask, Failure> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    let format = match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => ExportFormat::Csv,
        Some("json") => ExportFormat::Json,
        _ => {
            return Err(Failure::new(format!(
                "{} says neither .csv nor .json: name the file by what is to be in it",
                file.display()
            )));
        }
    };
    let path = absolute(file)?;
    Ok(Ask::Export { path, format })
}

/// Once the person has agreed.
pub(crate) fn delete(yes: bool, out: Out) -> Result<Ask, Failure> {
    let what = "Requests, switches, readings and blocked times would be deleted for good; accounts and settings stay.";
    agreed(what, "Delete them?", yes, out)?;
    Ok(Ask::DeleteHistory)
}

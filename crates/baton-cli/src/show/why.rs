//! `baton why`: the explanation of the next request, and of the latest one made.

use std::fmt::Write as _;

use baton_core::{Choice, Decision, Standing, explain, explain::Words};
use baton_engine::control::protocol::Snapshot;
use serde_json::{Value, json};

use super::{Labels, Style, Table, Tint};

pub(crate) fn why(next: &Decision, last: Option<&Decision>, snapshot: &Snapshot, style: Style) -> String {
    let words = Labels::from(snapshot);
    let mut out = String::new();
    let _ = writeln!(out, "Next request: {}", sentence(next, &words));
    out.push_str(&lines(next, &words, style));
    if let Some(last) = last {
        let _ = writeln!(
            out,
            "\nLatest request ({}): {}",
            words.time(last.at),
            sentence(last, &words)
        );
        out.push_str(&lines(last, &words, style));
    }
    out
}

/// The decisions, with the sentences that a person reads beside them.
pub(crate) fn why_json(next: &Decision, last: Option<&Decision>, snapshot: &Snapshot) -> Value {
    let words = Labels::from(snapshot);
    let told = |decision: &Decision| {
        let mut value = json!(decision);
        value["text"] = sentence(decision, &words).into();
        for (line, json) in decision
            .lines
            .iter()
            .zip(value["lines"].as_array_mut().into_iter().flatten())
        {
            json["label"] = words.label(line.account).into();
            json["text"] = explain::line(line, &words).into();
        }
        value
    };
    json!({ "next": told(next), "last": last.map(told) })
}

/// In one sentence.
pub(crate) fn sentence(decision: &Decision, words: &dyn Words) -> String {
    match &decision.choice {
        Choice::Use { account, .. } => {
            let line = decision.lines.iter().find(|line| line.account == *account);
            let because = line.map(|line| explain::line(line, words)).unwrap_or_default();
            format!(
                "{} ({})",
                words.label(*account),
                because.trim_start_matches("chosen: ")
            )
        }
        Choice::Wait { until, account } => {
            format!("waits for {} until {}", words.label(*account), words.time(*until))
        }
        Choice::Refuse { reason } => explain::refused(reason, words),
    }
}

fn lines(decision: &Decision, words: &dyn Words, style: Style) -> String {
    let mut table = Table::default();
    for line in &decision.lines {
        let chosen = matches!(line.standing, Standing::Chosen(_));
        let (mark, tint) = if chosen {
            ("●", Tint::Strong)
        } else {
            (" ", Tint::Plain)
        };
        table.row([
            (mark.to_owned(), Tint::Good),
            (words.label(line.account), tint),
            (
                explain::line(line, words),
                if chosen {
                    Tint::Plain
                } else {
                    Tint::of(&line.state)
                },
            ),
        ]);
    }
    table.render(style, 2)
}

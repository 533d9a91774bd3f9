//! `baton why`: the explanation of the next request, of the latest one made, and of a past one.

use std::fmt::Write as _;

use baton_core::{Decision, Standing, explain, explain::Words};
use baton_engine::control::protocol::{Explanation, RequestLine, Snapshot};
use serde_json::{Value, json};

use super::{Labels, Style, Table, Tint, log::line};

pub(crate) fn why(next: &Decision, last: Option<&Decision>, snapshot: &Snapshot, style: Style) -> String {
    let words = Labels::from(snapshot);
    let mut out = String::new();
    let _ = writeln!(out, "Next request: {}", explain::decision(next, &words));
    out.push_str(&lines(next, &words, style));
    if let Some(last) = last {
        let _ = writeln!(
            out,
            "\nLatest request ({}): {}",
            words.time(last.at),
            explain::decision(last, &words)
        );
        out.push_str(&lines(last, &words, style));
    }
    out
}

/// Of a past request: what became of it, and the choices that it brought, its own last.
pub(crate) fn explained(
    request: Option<&RequestLine>,
    explanations: &[Explanation],
    snapshot: &Snapshot,
    style: Style,
) -> String {
    let words = Labels::from(snapshot);
    let mut out = String::new();
    if let Some(request) = request {
        let at = words.time(request.at);
        let _ = writeln!(out, "Request {} ({at}): {}", request.id, line(request));
    }
    if explanations.is_empty() {
        out.push_str("Why it went there isn't known.\n");
    }
    for why in explanations {
        let (at, strategy) = (words.time(why.at), why.strategy.title());
        let _ = writeln!(out, "\n{at}, {strategy}: {}", why.text);
        let mut table = Table::default();
        for line in &why.lines {
            let (mark, tint) = if line.chosen {
                ("●", Tint::Strong)
            } else {
                (" ", Tint::Plain)
            };
            table.row([
                (mark.to_owned(), Tint::Good),
                (line.label.clone(), tint),
                (line.text.clone(), Tint::Plain),
            ]);
        }
        out.push_str(&table.render(style, 2));
    }
    out.trim_start().to_owned()
}

/// The decisions, with the sentences that a person reads beside them.
pub(crate) fn why_json(next: &Decision, last: Option<&Decision>, snapshot: &Snapshot) -> Value {
    let words = Labels::from(snapshot);
    let told = |decision: &Decision| {
        let mut value = json!(decision);
        value["text"] = explain::decision(decision, &words).into();
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

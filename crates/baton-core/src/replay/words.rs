//! A comparison in a sentence. Never a promise: it says what would have been.

use super::{Basis, Comparison, Verdict};
use crate::{AccountId, Strategy, explain::Words};

pub fn sentence(comparison: &Comparison, words: &dyn Words) -> String {
    let present = name(comparison.present);
    let time = time(comparison);
    let verdict = match comparison.verdict {
        Verdict::TooLittle => {
            let days = count(comparison.working_days, "working day");
            return format!(
                "Only {days} of yours are recorded: the data can't tell yet which strategy is best for you."
            );
        }
        Verdict::NeverBlocked => format!("{time} no strategy would have blocked you: your quota lasted."),
        Verdict::Better {
            strategy,
            minutes_less,
            interruptions_fewer,
            sure,
        } => format!(
            "{time} {} would have blocked you {} less than {present}, with {}{}.",
            name(strategy),
            length(minutes_less),
            interruptions(interruptions_fewer),
            agreed(sure)
        ),
        Verdict::PresentIsBest { sure } => format!(
            "{time} no strategy would have blocked you less than {present}, which you use{}.",
            agreed(sure)
        ),
        Verdict::CannotTell { strategy, sure, .. } if strategy == comparison.present => format!(
            "{time} no strategy would have blocked you less than {present}, but that may be chance ({}): the data can't \
             tell which is best for you.",
            share(sure)
        ),
        Verdict::CannotTell {
            strategy,
            minutes_less,
            sure,
        } => format!(
            "{time} {} would have blocked you {} less than {present}, but that may be chance ({}): the data can't \
             tell which is better for you.",
            name(strategy),
            length(minutes_less),
            share(sure)
        ),
    };
    match &comparison.basis {
        Basis::BuiltIn => format!("{verdict} Yours may be quite different."),
        Basis::Recorded {
            assumed,
            used_elsewhere,
        } => {
            let labels = |accounts: &[AccountId]| {
                let labels: Vec<_> = accounts.iter().map(|account| words.label(*account)).collect();
                labels.join(", ")
            };
            let mut said = verdict;
            if !assumed.is_empty() {
                said.push_str(&format!(
                    " What a request costs {} isn't known yet, so equal plans are assumed.",
                    labels(assumed)
                ));
            }
            if !used_elsewhere.is_empty() {
                said.push_str(&format!(
                    " Other clients used {} as well, which isn't replayed.",
                    labels(used_elsewhere)
                ));
            }
            said
        }
    }
}

/// Within a sentence.
fn name(strategy: Strategy) -> String {
    strategy.title().to_lowercase()
}

fn time(comparison: &Comparison) -> String {
    if comparison.basis == Basis::BuiltIn {
        return "Too little is recorded of you yet. In a made-up working week with two equal accounts,"
            .to_owned();
    }
    let hours = comparison.to.since(comparison.from).as_secs_f64() / 3600.0;
    match (hours / 24.0).ceil() {
        days if days > 1.0 => format!("In the last {days:.0} days"),
        _ => "In the last day".to_owned(),
    }
}

fn length(minutes: f64) -> String {
    let minutes = minutes.round() as u32;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => count(minutes, "minute"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn interruptions(fewer: i32) -> String {
    let number = fewer.unsigned_abs();
    match fewer {
        0 => "as many interruptions".to_owned(),
        1.. => format!("{number} fewer interruption{}", plural(number)),
        _ => format!("{number} more interruption{}", plural(number)),
    }
}

fn agreed(sure: Option<f64>) -> String {
    sure.map_or(String::new(), |sure| format!(" ({})", share(sure)))
}

/// Rounded down: 100 % are all.
fn share(sure: f64) -> String {
    format!("so in {:.0} % of redrawn histories", (sure * 100.0).floor())
}

fn count(number: u32, noun: &str) -> String {
    format!("{number} {noun}{}", plural(number))
}

fn plural(number: u32) -> &'static str {
    if number == 1 { "" } else { "s" }
}

//! Decisions and states in words: the same for tray, window, log and `baton why`.

use crate::{
    AccountId, Because, Cause, Choice, CoolingReason, Decision, Eligibility, ExhaustedReason, Forecast, Line,
    PassedOver, Refusal, RefuseReason, Standing, Timestamp,
    forecast::{Basis, Change, Outlook, When},
};

/// How accounts and times are written; a pure crate knows neither labels of removed accounts nor time zones.
pub trait Words {
    fn label(&self, account: AccountId) -> String;
    /// A clock time near now, e.g. `16:40`.
    fn time(&self, at: Timestamp) -> String;
}

/// A state as a person reads it, e.g. `Limit reached · back 16:40`.
pub fn state(state: &Eligibility, words: &dyn Words) -> String {
    let back = |until: &Option<Timestamp>| match until {
        Some(until) => format!("back {}", words.time(*until)),
        None => "return unknown".to_owned(),
    };
    match state {
        Eligibility::Eligible => "Eligible".to_owned(),
        Eligibility::HeldBack {
            window,
            used,
            reserve,
            ..
        } => {
            let kept = if *reserve { ", kept in reserve" } else { "" };
            format!(
                "Set aside at {} % left ({window} window{kept})",
                percent(used.left())
            )
        }
        Eligibility::CoolingDown { until, reason, .. } => {
            let why = match reason {
                CoolingReason::Throttled => "throttled",
                CoolingReason::ServerTrouble => "server errors",
            };
            format!("Cooling down until {} ({why})", words.time(*until))
        }
        Eligibility::Exhausted {
            until,
            on_credits: true,
            ..
        } => {
            format!("Included quota used up, on credits · {}", back(until))
        }
        Eligibility::Exhausted {
            until,
            reason: ExhaustedReason::UsedUp,
            ..
        } => {
            format!("Used up · {}", back(until))
        }
        Eligibility::Exhausted { until, .. } => format!("Limit reached · {}", back(until)),
        Eligibility::NeedsAttention { reason } => format!("Needs you: {}", refusal(*reason)),
        Eligibility::Skipped => "Skipped".to_owned(),
    }
}

/// What is the matter, and what to do.
pub fn refusal(reason: Refusal) -> &'static str {
    match reason {
        Refusal::DeactivatedWorkspace => "its workspace is deactivated",
        Refusal::UsageNotIncluded => "its plan doesn't include Codex",
        Refusal::TokenInvalidated => "its sign-in was refused; sign in again",
        Refusal::GrantRefused => "its sign-in has expired; sign in again",
        Refusal::RefreshInterrupted => "needs sign-in (refresh interrupted)",
        Refusal::UnsupportedBackend => "it is bound to another backend, which Baton doesn't support",
        Refusal::AccountBlocked => "the service refuses it; see its account page",
        Refusal::LinkGone => "the auth.json that it is linked to is gone; sign in there with `codex login`",
        Refusal::LinkUnreadable => {
            "the auth.json that it is linked to can't be read as a sign-in; sign in there with `codex login`"
        }
        Refusal::LinkOfAnother => {
            "the auth.json that it is linked to is another account's now; sign in there as this one, or remove it"
        }
        Refusal::LinkStale => "run the Codex once that it is linked to: only that can renew its sign-in",
    }
}

/// Why the active account changed.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::FirstUse => "first use",
        Cause::LimitReached => "limit reached",
        Cause::ThresholdReached => "threshold reached",
        Cause::CoolingDown => "cooling down for more than a minute",
        Cause::NeedsAttention => "needs attention",
        Cause::Skipped => "skipped",
        Cause::Removed => "removed",
        Cause::ReturnedToPrimary => "returned to primary",
        Cause::SwitchedByPerson => "switched by you",
        Cause::StrategyChanged => "strategy changed",
    }
}

/// A decision in one sentence.
pub fn decision(decision: &Decision, words: &dyn Words) -> String {
    match &decision.choice {
        Choice::Use { account, because, .. } => {
            format!("{} ({})", words.label(*account), chosen(*because, words))
        }
        Choice::Wait { until, account } => {
            format!("waits for {} until {}", words.label(*account), words.time(*until))
        }
        Choice::Refuse { reason } => refused(reason, words),
    }
}

/// One account's line of an explanation, without its label.
pub fn line(line: &Line, words: &dyn Words) -> String {
    match line.standing {
        Standing::Chosen(because) => format!("chosen: {}", chosen(because, words)),
        Standing::PassedOver(PassedOver::NotUsable) => state(&line.state, words),
        Standing::PassedOver(why) => format!("{}; {}", state(&line.state, words), passed_over(why)),
    }
}

fn chosen(because: Because, words: &dyn Words) -> String {
    match because {
        Because::Pinned => "use only this (no failover)".to_owned(),
        Because::TurnStays => "a running turn stays with its account".to_owned(),
        Because::Active => "the active account".to_owned(),
        Because::BecameActive { cause: why } => format!("the active account from now on ({})", cause(why)),
        Because::TemporaryFailover { instead_of } => {
            format!(
                "temporarily, instead of {}, until the end of the turn",
                words.label(instead_of)
            )
        }
        Because::MadeCompaction => "it made the compacted history of this thread".to_owned(),
        Because::ChosenByPerson => "you switched to it".to_owned(),
        Because::MostHeadroom => "most headroom".to_owned(),
        Because::SessionStays => "the session keeps its account".to_owned(),
        Because::UsedLongestAgo => "used longest ago".to_owned(),
        Because::ResetsSoonest => "its quota would be lost soonest".to_owned(),
        Because::Probe => "one request to see whether it is back".to_owned(),
    }
}

fn passed_over(why: PassedOver) -> &'static str {
    match why {
        PassedOver::NotUsable => "can't serve",
        PassedOver::Tried => "has failed for this request",
        PassedOver::LacksModel => "its plan lacks the model",
        PassedOver::BreaksOff => "its answers broke off twice in this turn",
        PassedOver::WaitsItsTurn => "waits its turn in the order",
        PassedOver::LaterTier => "serves only when nobody below the threshold can",
        PassedOver::OtherPinned => "another account is pinned",
        PassedOver::OtherChosenByPerson => "you switched to another account",
        PassedOver::TurnElsewhere => "the turn runs on another account",
        PassedOver::CompactionElsewhere => "another account made the thread's compacted history",
        PassedOver::SessionElsewhere => "the session is with another account",
        PassedOver::LessHeadroom => "less headroom",
        PassedOver::UsedMoreRecently => "used more recently",
        PassedOver::ResetsLater => "its quota resets later",
        PassedOver::Braked => "automatic failover is stopped",
    }
}

/// Why a request was refused, as Codex shows it, and what to do.
pub fn refused(reason: &RefuseReason, words: &dyn Words) -> String {
    match reason {
        RefuseReason::NoAccounts => "Baton has no account yet: run `baton accounts add`.".to_owned(),
        RefuseReason::NobodyUsable { earliest: Some(at) } => {
            format!(
                "Baton: every account is exhausted; the first is back {}.",
                words.time(*at)
            )
        }
        RefuseReason::NobodyUsable { earliest: None } => {
            "Baton: no account can serve, and no return is known. `baton status` says what each one needs."
                .to_owned()
        }
        RefuseReason::PinnedUnusable { account, state: now } => format!(
            "Baton uses only {} (no failover), and it can't serve: {}. `baton unpin` lets the others serve.",
            words.label(*account),
            state(now, words)
        ),
        RefuseReason::Braked => {
            "Baton has stopped switching: two accounts were refused for good within half an hour. \
             Run `baton status`, then `baton switch <account>` to go on."
                .to_owned()
        }
        RefuseReason::AllTried => {
            "Baton: every account that could serve has failed for this request.".to_owned()
        }
    }
}

/// How long it goes on, in one sentence.
pub fn forecast(forecast: &Forecast, words: &dyn Words) -> String {
    match forecast.pool {
        Outlook::Until(when) if forecast.in_use => format!("Uninterrupted until {}", about(&when, words)),
        Outlook::Until(when) => format!(
            "Idle: if you work as usual, uninterrupted until {}",
            about(&when, words)
        ),
        Outlook::Beyond { .. } => "No interruption in sight (7 days)".to_owned(),
        Outlook::Interrupted { until: Some(until) } => {
            format!("No account can serve until {}", words.time(until))
        }
        Outlook::Interrupted { until: None } => "No account can serve, and no return is known".to_owned(),
        Outlook::Unknown {
            account: Some(account),
            from,
        } if from > forecast.at => format!(
            "Uninterrupted until {} at least; then it is the turn of {}, of whose use too little is known",
            words.time(from),
            words.label(account)
        ),
        Outlook::Unknown {
            account: Some(account),
            ..
        } => {
            format!(
                "Unknown: too little is known of {}'s use yet",
                words.label(account)
            )
        }
        Outlook::Unknown { account: None, .. } => "Unknown: nothing is known of any use yet".to_owned(),
        Outlook::Resting => match forecast.work_left {
            Some(minutes) => {
                format!(
                    "Idle: at your usual pace about {} of work are left",
                    duration(minutes)
                )
            }
            None => "Idle: how much work is left isn't known, or it is more than a week's".to_owned(),
        },
    }
}

/// Who is expected to end when, and who serves then.
pub fn expected(change: &Change, words: &dyn Words) -> String {
    let (from, why) = (words.label(change.from), cause(change.cause));
    let at = words.time(change.at);
    match change.to {
        Some(to) => format!("About {at}: from {from} to {} ({why})", words.label(to)),
        None => format!("About {at}: nobody can serve ({from}: {why})"),
    }
}

/// How much a forecast has to go by.
pub fn rests_on(basis: &Basis, words: &dyn Words) -> String {
    let labels = |accounts: &[AccountId]| {
        let labels: Vec<_> = accounts.iter().map(|account| words.label(*account)).collect();
        labels.join(", ")
    };
    let mut said = match basis.days {
        days if days <= 0.0 => "Nothing that was used could be measured yet.".to_owned(),
        days if days < 1.0 => format!("From {} of readings.", duration((days * 1440.0) as u64)),
        days => format!(
            "From {days:.0} day{} of readings.",
            if days < 1.5 { "" } else { "s" }
        ),
    };
    said.push_str(if basis.usual_hours {
        " Your usual hours count."
    } else {
        " Your usual hours aren't known yet: that takes three days."
    });
    if !basis.assumed.is_empty() {
        said.push_str(&format!(
            " Nothing was used of {} yet: taken to last as long as others of the plan.",
            labels(&basis.assumed)
        ));
    }
    if !basis.unknown.is_empty() {
        said.push_str(&format!(" Nothing is known of {}.", labels(&basis.unknown)));
    }
    said
}

/// A moment with its range, e.g. `about 16:40 (between 16:10 and 17:30)`.
pub fn about(when: &When, words: &dyn Words) -> String {
    let earliest = words.time(when.earliest);
    match (when.likely, when.latest) {
        (Some(likely), Some(latest)) => {
            format!(
                "about {} (between {earliest} and {})",
                words.time(likely),
                words.time(latest)
            )
        }
        (Some(likely), None) => format!("about {} (not before {earliest})", words.time(likely)),
        (None, _) => format!("{earliest} at least, probably for more than 7 days"),
    }
}

/// In minutes under an hour, in tens of minutes under half a day, then in hours: nobody knows it better.
fn duration(minutes: u64) -> String {
    match minutes {
        0..60 => format!("{minutes} min"),
        60..720 => match (minutes / 60, minutes % 60 / 10 * 10) {
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        },
        _ => format!("{} h", minutes / 60),
    }
}

/// Whole percents where they are whole, one decimal elsewhere; a little is never shown as nothing.
pub fn percent(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    if value > 0.0 && tenths == 0.0 {
        return "under 0.1".to_owned();
    }
    if tenths.fract() == 0.0 {
        format!("{tenths:.0}")
    } else {
        format!("{tenths:.1}")
    }
}

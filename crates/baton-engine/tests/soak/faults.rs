//! What the upstream does wrong, and how often.

use std::time::Duration;

use baton_sim::{At, Failure, Fault, FaultRule, Kind};

/// A few percent of all requests meet one of these.
pub(crate) fn faults() -> Vec<FaultRule> {
    let seconds = Duration::from_secs;
    let page = |status| Fault::Respond {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: "<html>the edge</html>".to_owned(),
    };
    let often = [
        // === in place of an answer ===
        (At::Head, Fault::Refuse(Failure::internal())),
        (At::Head, Fault::Refuse(Failure::bad_gateway())),
        (At::Head, Fault::Refuse(Failure::unavailable())),
        (At::Head, Fault::Refuse(Failure::server_is_overloaded())),
        (At::Head, Fault::Refuse(Failure::slow_down())),
        (
            At::Head,
            Fault::Refuse(Failure::rate_limit_exceeded().retry_after(30)),
        ),
        (At::Head, Fault::Refuse(Failure::usage_limit_reached())),
        (At::Head, Fault::Refuse(Failure::insufficient_quota())),
        (
            At::Head,
            Fault::Refuse(Failure::workspace_owner_credits_depleted()),
        ),
        (At::Head, Fault::Refuse(Failure::token_expired())),
        (At::Head, Fault::Refuse(Failure::token_invalidated())),
        (At::Head, page(520)),
        (At::Head, Fault::Cut),
        (At::Head, Fault::Reset),
        (At::Head, Fault::Close(1011)),
        (At::Head, Fault::Delay(seconds(60))),
        (
            At::Head,
            Fault::Drip {
                bytes: 200,
                pause: seconds(1),
            },
        ),
        (At::Head, Fault::ContentType("text/plain".to_owned())),
        // === held back ===
        (At::Created, Fault::Failed(Failure::usage_limit_reached())),
        (At::Created, Fault::Failed(Failure::rate_limit_exceeded())),
        (At::Created, Fault::Failed(Failure::server_is_overloaded())),
        (At::Created, Fault::ErrorEvent(Failure::internal())),
        (At::Created, Fault::Cut),
        (At::Created, Fault::Reset),
        (At::Created, Fault::End),
        (At::Created, Fault::TruncateEvent),
        (At::Created, Fault::UnknownEvent),
        // === after output ===
        (At::Output(1), Fault::Reset),
        (At::Output(2), Fault::Cut),
        (At::Output(2), Fault::Failed(Failure::usage_limit_reached())),
        (At::Output(3), Fault::ErrorEvent(Failure::slow_down())),
        (At::Output(3), Fault::BadUtf8),
        (At::Output(3), Fault::BadJson),
        (At::Output(3), Fault::GiantEvent(300_000)),
        (At::Output(4), Fault::TruncateEvent),
        (At::Output(4), Fault::Close(1012)),
        (At::ToolCall, Fault::Reset),
        (At::ToolCall, Fault::Failed(Failure::internal())),
        (At::BeforeCompleted, Fault::Cut),
        (At::BeforeCompleted, Fault::End),
        (At::AfterCompleted, Fault::Reset),
        // === connections ===
        (At::Accept, Fault::Reset),
        (At::Accept, Fault::Cut),
        (At::Upgrade, Fault::Refuse(Failure::bad_gateway())),
        (At::Upgrade, Fault::Refuse(Failure::token_expired())),
        (At::Upgrade, Fault::Refuse(Failure::usage_limit_reached())),
        (At::Upgrade, Fault::Reset),
        (At::Upgrade, page(200)),
    ];
    let rarely = [
        (At::Head, Fault::Stall),
        (At::Created, Fault::Stall),
        (At::Output(2), Fault::Stall),
        (At::Upgrade, Fault::Stall),
    ];
    let rule = |chance: f64| move |(at, fault)| FaultRule::new(at, fault).probability(chance);
    let sign_in = FaultRule::new(At::Route(Kind::Token), Fault::Refuse(Failure::unavailable()));
    let trailing = [Fault::DuplicateCompletion, Fault::TrailingData]
        .map(|fault| FaultRule::new(At::AfterCompleted, fault).probability(0.0024));
    let prewarm = FaultRule::new(At::Head, Fault::Reset).prewarm();
    // The one account whose workspace closes. An invalidated token (above) may be anybody's: where two are refused for
    // good within half an hour, which is half a second here, Baton rightly makes the person decide.
    let closed = FaultRule::new(At::Head, Fault::Refuse(Failure::deactivated_workspace())).account("e");
    often
        .into_iter()
        .map(rule(0.0012))
        .chain(rarely.into_iter().map(rule(0.0002)))
        .chain(trailing)
        .chain([
            sign_in.probability(0.1),
            prewarm.probability(0.01),
            closed.probability(0.002),
        ])
        .collect()
}

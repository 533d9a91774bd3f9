//! The account for a request's next attempt: chosen, with its credentials, or why there is none.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use baton_core::{
    AccountId, Choice, Effect, Outcome, Pool, Refusal, RefuseReason, Report, Request, SendState, Step, Trial,
    Trouble, Turn, policy::LONGEST_WAIT, trial::Pick,
};
use baton_wire::Facts;

use super::{Shared, asker::Asker, ledger::Entry};
use crate::{
    grants::{Access, GrantError, OwnerAsks},
    vault::VaultError,
};

/// Real time that a request is held here; longer waits are the client's, which knows how to (PROTOCOL §4).
const HELD_HERE: Duration = Duration::from_secs(5);
/// An account is back just after its reset, not at it.
const FIRST_MOMENT: Duration = Duration::from_millis(5);
/// A locked keychain heals when a person unlocks it: Codex is asked to come back after this.
const KEYCHAIN_AGAIN: u64 = 10;

/// Whose request it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Who {
    pub session: Option<u64>,
    pub thread: Option<u64>,
    pub turn: Turn,
    pub model: Option<Box<str>>,
    pub asker: Asker,
}

impl Who {
    /// `answers_tool`: the input ends in a tool's output.
    pub(super) fn new(facts: Facts, answers_tool: bool, asker: Asker) -> Self {
        let turn = match facts.turn {
            _ if facts.prewarm => Turn::Prewarm,
            Some(id) => Turn::Id(id),
            None if answers_tool => Turn::Continues,
            None => Turn::New,
        };
        Self {
            session: facts.session,
            thread: facts.thread,
            turn,
            model: facts.model,
            asker,
        }
    }

    fn request<'a>(&'a self, trial: &'a Trial) -> Request<'a> {
        Request {
            session: self.session,
            thread: self.thread,
            turn: self.turn,
            model: self.model.as_deref(),
            tried: trial.tried(),
        }
    }
}

/// An account with what it takes to use it.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub pick: Pick,
    pub access: Access,
    pub routing_override: Option<Box<str>>,
}

#[derive(Debug)]
pub(super) enum Next {
    Serve(Chosen),
    Later(Later),
    Refuse(RefuseReason),
    /// The asker owns a linked account whose token is stale: 401 makes it renew that, and ask again.
    OwnerRenews,
}

/// Why there is no account at the moment, though no account is to blame for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// The client is asked to come back after `secs` of real time.
    Wait { secs: u64, message: String },
    /// Sign-in can't be reached for anyone's token.
    Unreachable(String),
}

/// Chooses until there is an account whose credentials can be had; short waits are waited out here. `entry` has why.
pub(super) async fn next(shared: &Arc<Shared>, who: &Who, trial: &mut Trial, entry: &mut Entry) -> Next {
    let mut changes = shared.desk.changes();
    shared.grants.look_again().await;
    // It alone can mend that, whoever else could serve meanwhile.
    if owner_of_any(shared, who, false) {
        return Next::OwnerRenews;
    }
    loop {
        changes.mark_unchanged();
        let decision = shared.desk.route(&who.request(trial), entry.number());
        let choice = decision.choice;
        entry.decided(decision);
        let pick = match choice {
            Choice::Use {
                account, generation, ..
            } => Pick { account, generation },
            Choice::Wait { until, account } => {
                let clock = shared.desk.clock();
                let real = clock.real(until.since(clock.now()));
                if real > HELD_HERE {
                    let message = shared.words(|words| {
                        format!(
                            "Baton waits for {} until {}.",
                            words.label(account),
                            words.time(until)
                        )
                    });
                    return Next::Later(Later::Wait {
                        secs: real.min(LONGEST_WAIT).as_secs() + 1,
                        message,
                    });
                }
                // Whatever changes meanwhile (a switch, an early reset) may end the wait.
                let since = Instant::now();
                tokio::select! {
                    () = tokio::time::sleep(real + FIRST_MOMENT) => {}
                    _ = changes.changed() => {}
                }
                entry.waited(since.elapsed());
                continue;
            }
            Choice::Refuse {
                reason: RefuseReason::AllTried,
            } => {
                let stand = trial.given_up();
                if stand.is_empty() {
                    return Next::Refuse(RefuseReason::AllTried);
                }
                // Known to need attention now, rather than failing this request only: whoever else comes back counts.
                shared.desk.report(&stand);
                continue;
            }
            Choice::Refuse { .. } if owner_of_any(shared, who, true) => return Next::OwnerRenews,
            Choice::Refuse { reason } => return Next::Refuse(reason),
        };
        match credentials(shared, pick).await {
            Ok(chosen) => return Next::Serve(chosen),
            Err(GrantError::NeedsAttention(Refusal::LinkStale))
                if owner_renews(shared, who, pick.account, false) =>
            {
                return Next::OwnerRenews;
            }
            Err(GrantError::NeedsAttention(reason)) => needs_attention(shared, pick, reason),
            Err(GrantError::Keychain(error)) => return Next::Later(keychain(&error)),
            Err(GrantError::Transient(why)) => {
                if !sign_in_trouble(shared, trial, pick) {
                    return Next::Later(Later::Unreachable(why));
                }
            }
        }
    }
}

async fn credentials(shared: &Arc<Shared>, pick: Pick) -> Result<Chosen, GrantError> {
    let access = shared.grants.access(pick.account).await?;
    let routing_override = shared.routings.of(shared, pick.account, &access).await?;
    Ok(Chosen {
        pick,
        access,
        routing_override,
    })
}

/// Whether `asker` is the Codex that a linked account's auth.json belongs to.
pub(super) fn is_owner(shared: &Shared, asker: &Asker, account: AccountId) -> bool {
    let linked = |pool: &Pool, _| {
        let account = &pool.account(account)?.account;
        account.linked.is_some().then(|| account.identity.clone())
    };
    shared
        .desk
        .read(linked)
        .is_some_and(|identity| asker.is(&identity))
}

/// `no_other`: no other account can serve.
fn owner_renews(shared: &Shared, who: &Who, account: AccountId, no_other: bool) -> bool {
    let asks = || OwnerAsks {
        issued_at: who.asker.claims().issued_at,
        no_other,
    };
    is_owner(shared, &who.asker, account) && shared.grants.tell_owner(account, asks())
}

fn owner_of_any(shared: &Shared, who: &Who, no_other: bool) -> bool {
    let waiting = shared.grants.waiting();
    waiting
        .iter()
        .any(|(account, _)| owner_renews(shared, who, *account, no_other))
}

/// One refresh for all who wait.
pub(super) async fn refresh(shared: &Arc<Shared>, chosen: &Chosen) -> Result<(), GrantError> {
    let pick = chosen.pick;
    let refreshed = shared.grants.refresh(pick.account, chosen.access.version).await;
    // What becomes of a stale link is for the next choice: it depends on who asks.
    if let Err(GrantError::NeedsAttention(reason)) = &refreshed
        && *reason != Refusal::LinkStale
    {
        needs_attention(shared, pick, *reason);
    }
    refreshed.map(drop)
}

fn needs_attention(shared: &Shared, pick: Pick, reason: Refusal) {
    shared.desk.report(&[Report {
        account: pick.account,
        generation: pick.generation,
        effect: Effect::NeedsAttention { reason },
    }]);
}

fn keychain(error: &VaultError) -> Later {
    Later::Wait {
        secs: KEYCHAIN_AGAIN,
        message: format!("Baton: {error}"),
    }
}

/// Sign-in can't be reached: judged as an upstream that can't be. True if another account is to be tried.
fn sign_in_trouble(shared: &Shared, trial: &mut Trial, pick: Pick) -> bool {
    let outcome = Outcome::ServerTrouble(Trouble::Connect);
    loop {
        let ruling = trial.judge(pick, &outcome, SendState::Unsent, true, shared.desk.now());
        shared.desk.report(ruling.report.as_slice());
        match ruling.step {
            // A refresh has tried often enough by itself.
            Step::Retry { .. } => {}
            step => return step == Step::FailOver,
        }
    }
}

/// After a 401. A refresh that fails for now says nothing of the account: it isn't tried with the refused token again.
async fn renew(shared: &Arc<Shared>, trial: &mut Trial, chosen: &Chosen) -> After {
    match refresh(shared, chosen).await {
        // If it is refused for good, the pool knows, and the next choice goes on from there.
        Ok(()) | Err(GrantError::NeedsAttention(_)) => After::Again,
        Err(GrantError::Keychain(error)) => After::Later(keychain(&error)),
        Err(GrantError::Transient(_)) if sign_in_trouble(shared, trial, chosen.pick) => After::Again,
        Err(GrantError::Transient(why)) => After::Later(Later::Unreachable(why)),
    }
}

/// Half to the whole of `after`: requests that failed together don't come back together.
async fn back_off(after: Duration) {
    tokio::time::sleep(after.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
}

/// What a failed attempt leads to, once everything that can be done here has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Choose again.
    Again,
    Later(Later),
    /// Without the encrypted content.
    Strip,
    /// The upstream's answer stands.
    PassOn,
    /// The client asks again.
    Resend,
}

pub(super) struct Judged {
    pub after: After,
    /// The upstream's own words on it are the client's answer should nobody do better.
    pub stands: bool,
}

/// Judges a failed attempt, tells the pool, and does what has to happen before the next one: backing off, a refresh.
pub(super) async fn judge(
    shared: &Arc<Shared>,
    trial: &mut Trial,
    chosen: &Chosen,
    outcome: &Outcome,
    sent: SendState,
    replayable: bool,
) -> Judged {
    let outcome = &shared.grants.as_linked(chosen.pick.account, outcome.clone());
    let ruling = trial.judge(chosen.pick, outcome, sent, replayable, shared.desk.now());
    tracing::debug!(account = %chosen.pick.account, ?outcome, ?sent, step = ?ruling.step, "attempt failed");
    shared.desk.report(ruling.report.as_slice());
    let after = match ruling.step {
        Step::FailOver => After::Again,
        Step::Retry { after } => {
            back_off(after).await;
            After::Again
        }
        Step::Refresh => renew(shared, trial, chosen).await,
        Step::Strip => After::Strip,
        Step::PassOn => After::PassOn,
        Step::Resend => {
            if matches!(outcome, Outcome::Unauthorized { .. } | Outcome::LinkRefused) {
                // The client comes back at once: with a fresh token, then.
                let _ = refresh(shared, chosen).await;
            }
            After::Resend
        }
    };
    Judged {
        after,
        stands: ruling.stands,
    }
}

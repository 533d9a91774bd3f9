//! What the connections share: accounts, tokens, the log, and who a request comes from.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use crate::answer::{Step, delta};
use crate::ask::Context;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::fault::{At, Facts, Fault, Faults};
use crate::ids::Ids;
use crate::log::{Entry, Kind, Log, Outcome, Transport, ViolationKind};
use crate::meter::Account;
use crate::quota;
use crate::scenario::Scenario;
use crate::sign_in::SignIns;
use crate::token::{BearerError, Grants, jti, seal, unseal};

/// The prefix of turn states.
const TURN_STATE: &str = "ts_";

/// What changes while the simulation runs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    pub(crate) grants: Grants,
    pub(crate) sign_ins: SignIns,
}

/// Everything that the connections share.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) scenario: Scenario,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) ids: Ids,
    state: Mutex<State>,
    pub(crate) responses: AtomicU64,
    /// The shared delta event of bulk answers.
    pub(crate) bulk: Option<Bytes>,
}

/// A request for output, read.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) entry: u64,
    pub(crate) account: usize,
    pub(crate) facts: Facts,
    pub(crate) context: Context,
    pub(crate) bytes: usize,
}

/// An answer ready to be played.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) response_id: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Backend {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let clock = match scenario.start_millis {
            Some(start) => Clock::starting_at(start, scenario.speed),
            None => Clock::new(scenario.speed),
        };
        let now = clock.now_unix_millis();
        let ids = Ids::new(scenario.seed);
        let mut grants = Grants::default();
        let mut accounts = Vec::new();
        // The CLI's own login is the last one.
        for script in scenario.accounts.iter().chain([&scenario.cli]) {
            grants.sign_in(accounts.len(), script, &ids, now);
            accounts.push(Account::new(script.clone(), now));
        }
        let bulk = scenario
            .output
            .bulk
            .map(|(_, event)| delta("msg_bulk", 0, &"x".repeat(event)).into());
        let faults = Faults::default();
        for rule in &scenario.faults {
            faults.add(rule.clone());
        }
        Self {
            clock,
            log: Log::new(),
            faults,
            ids,
            state: Mutex::new(State {
                accounts,
                grants,
                sign_ins: SignIns::default(),
            }),
            responses: AtomicU64::new(0),
            bulk,
            scenario,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name_of(&self, account: usize) -> String {
        self.state().accounts[account].script.name.clone()
    }

    /// A log entry with what the head says; the rest is filled in as it becomes known.
    pub(crate) fn entry(&self, method: &str, path: &str, headers: &HeaderMap) -> Entry {
        let mut shown = BTreeMap::new();
        let kept = if self.scenario.keep_bodies {
            Some(headers)
        } else {
            None
        };
        for (name, value) in kept.into_iter().flatten() {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let text = if name == hyper::header::AUTHORIZATION {
                let token = text.strip_prefix("Bearer ").unwrap_or(&text);
                format!(
                    "Bearer <jti={}>",
                    jti(token).unwrap_or_else(|| "unknown".to_owned())
                )
            } else {
                text
            };
            shown.insert(name.as_str().to_owned(), text);
        }
        Entry {
            id: 0,
            at_millis: self.clock.now_unix_millis(),
            ended_millis: None,
            account: self.account_of(headers).ok().map(|account| self.name_of(account)),
            method: method.to_owned(),
            path: path.to_owned(),
            transport: Transport::Http,
            kind: Kind::Other,
            connection: 0,
            tls: false,
            thread_id: None,
            turn_id: None,
            model: None,
            previous_response_id: None,
            user_text: None,
            foreign_ciphertext: false,
            response_id: None,
            tokens: None,
            outcome: Outcome::Running,
            items: Vec::new(),
            fault: None,
            headers: shown,
            bytes_received: 0,
            body: Bytes::new(),
        }
    }

    /// Ends an entry, once: the first outcome stays.
    pub(crate) fn end(&self, entry: u64, outcome: Outcome) {
        let now = self.clock.now_unix_millis();
        self.log.edit(entry, |entry| {
            if entry.outcome == Outcome::Running {
                entry.outcome = outcome;
                entry.ended_millis = Some(now);
            }
        });
    }

    pub(crate) fn refuse(&self, entry: u64, failure: &Failure) {
        self.end(
            entry,
            Outcome::Refused {
                status: failure.status,
                code: failure.code(),
            },
        );
    }

    fn account_of(&self, headers: &HeaderMap) -> Result<usize, Failure> {
        let bearer = headers
            .get(hyper::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "));
        let now = self.clock.now_unix_millis();
        self.state()
            .grants
            .account_of(bearer, now)
            .map_err(|(error, _)| match error {
                BearerError::Missing | BearerError::Unknown => Failure::invalid_token(),
                BearerError::Expired => Failure::token_expired(),
                BearerError::Revoked => Failure::token_invalidated(),
            })
    }

    /// Whose request this is: a good bearer, and an account header that agrees with it.
    pub(crate) fn authorise(&self, entry: u64, headers: &HeaderMap) -> Result<usize, Failure> {
        let account = self.account_of(headers)?;
        let header = headers
            .get("chatgpt-account-id")
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let (name, id) = {
            let state = self.state();
            let script = &state.accounts[account].script;
            (script.name.clone(), script.account_id.clone())
        };
        match header {
            Some(header) if header != id => {
                let kind = ViolationKind::AccountMismatch {
                    header: header.into_owned(),
                };
                self.log.violate(entry, Some(name), kind);
                Err(Failure::account_mismatch())
            }
            _ => Ok(account),
        }
    }

    /// Notes what the client sent that belongs to another account.
    pub(crate) fn check_bindings(&self, entry: u64, account: usize, headers: &HeaderMap, body: &Value) {
        let text = |value: Option<&hyper::header::HeaderValue>| {
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (name, wanted) = {
            let state = self.state();
            let script = &state.accounts[account].script;
            (script.name.clone(), script.routing_override.clone())
        };
        let in_header = text(headers.get("x-codex-turn-state"));
        let in_body = body["client_metadata"]["x-codex-turn-state"]
            .as_str()
            .map(str::to_owned);
        for turn_state in [in_header, in_body].into_iter().flatten() {
            let made_by = unseal(TURN_STATE, &turn_state).unwrap_or(turn_state);
            if made_by != name {
                let kind = ViolationKind::ForeignTurnState { made_by };
                self.log.violate(entry, Some(name.clone()), kind);
            }
        }
        let sent = text(headers.get("x-openai-account-routing-override"));
        let wanted = (wanted != "NO_CONSTRAINT").then_some(wanted);
        if sent != wanted {
            self.log
                .violate(entry, Some(name), ViolationKind::WrongRoutingOverride { sent });
        }
    }

    /// The turn state that an answer of this account carries.
    pub(crate) fn turn_state(&self, account: usize) -> String {
        seal(TURN_STATE, &self.name_of(account), &self.ids.hex())
    }

    /// The quota headers of an account now.
    pub(crate) fn quota_headers(&self, account: usize) -> Vec<(String, String)> {
        let now = self.clock.now_unix_millis();
        let mut state = self.state();
        let account = &mut state.accounts[account];
        account.roll(now);
        quota::headers(account, now, self.scenario.percent)
    }

    /// The fault that strikes in place of a head, if any.
    pub(crate) fn fault_at(&self, entry: u64, facts: &Facts, at: impl Fn(At) -> bool) -> Option<Fault> {
        let (at, fault) = self.faults.pick(facts, &self.ids, at)?;
        self.log.edit(entry, |entry| {
            entry.fault = Some(format!("{} at {at:?}", fault.name()));
        });
        Some(fault)
    }
}

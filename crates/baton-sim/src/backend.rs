//! The backend's state, and the one place that decides what a request for output gets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::Value;

use crate::answer::{Class, Composer, Event, Step, delta};
use crate::ask::Context;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::fault::{At, Facts, Fault, Faults};
use crate::ids::Ids;
use crate::log::{Entry, Kind, Log, Outcome, Transport, ViolationKind};
use crate::meter::{Account, Admission};
use crate::quota;
use crate::scenario::{Crossing, LimitForm, Scenario};
use crate::strike;
use crate::token::{BearerError, Grants, jti, seal, unseal};

/// The prefix of turn states.
const TURN_STATE: &str = "ts_";

/// What changes while the simulation runs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    pub(crate) grants: Grants,
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
    responses: AtomicU64,
    /// The shared delta event of bulk answers.
    bulk: Option<Bytes>,
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
            state: Mutex::new(State { accounts, grants }),
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
        for (name, value) in headers {
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

    /// The refusal of a spent account.
    fn limit(&self, account: &Account, resets_at: i64, now: i64) -> Failure {
        let mut failure = Failure::usage_limit_reached()
            .field("plan_type", account.script.plan.clone().into())
            .resets_at(resets_at)
            .field(
                "resets_in_seconds",
                (resets_at - now.div_euclid(1000)).max(0).into(),
            );
        failure.headers = quota::headers(account, now, self.scenario.percent);
        failure
    }

    /// The refusal of an upgrade, where the scenario refuses spent accounts there.
    pub(crate) fn refuse_upgrade(&self, account: usize) -> Option<Failure> {
        if self.scenario.limit_on_websocket != LimitForm::Upgrade {
            return None;
        }
        self.spent(account, None)
    }

    /// The refusal of an account whose limit for a model is used up.
    fn spent(&self, account: usize, model: Option<&str>) -> Option<Failure> {
        let now = self.clock.now_unix_millis();
        let mut state = self.state();
        let account = &mut state.accounts[account];
        account.roll(now);
        let family = model.and_then(|model| account.family_of(model));
        match account.admit(family, 0.0, now) {
            Admission::Spent { resets_at } => Some(self.limit(account, resets_at, now)),
            _ => None,
        }
    }

    fn composer<'a>(&'a self, ask: &'a Ask, account: &'a str, unique: &'a str) -> Composer<'a> {
        Composer {
            output: &self.scenario.output,
            bulk: self.bulk.as_ref(),
            context: &ask.context,
            account,
            model: ask.facts.model.as_deref().unwrap_or("gpt-unknown"),
            number: self.responses.fetch_add(1, Ordering::AcqRel) + 1,
            unique,
            input_tokens: ask.bytes / 4,
        }
    }

    /// The answer to a prewarm: it costs nothing.
    pub(crate) fn prewarm(&self, ask: &Ask) -> Result<Script, Failure> {
        if !self.scenario.prewarm_when_spent
            && let Some(failure) = self.spent(ask.account, ask.facts.model.as_deref())
        {
            return Err(failure);
        }
        let (name, unique) = (self.name_of(ask.account), self.ids.hex());
        let answer = self.composer(ask, &name, &unique).prewarm();
        self.log.edit(ask.entry, |entry| {
            entry.response_id = Some(answer.response_id.clone());
        });
        Ok(self.struck(
            ask,
            Script {
                response_id: answer.response_id,
                steps: answer.steps,
                headers: Vec::new(),
            },
        ))
    }

    /// What a request for output gets: refused, or charged and answered.
    pub(crate) fn generate(&self, ask: &Ask) -> Result<Script, Failure> {
        let (name, unique) = (self.name_of(ask.account), self.ids.hex());
        let model = ask.facts.model.as_deref().unwrap_or_default();
        let foreign = ask.context.ciphertext_of.iter().any(|made_by| *made_by != name);
        if foreign {
            self.log.edit(ask.entry, |entry| entry.foreign_ciphertext = true);
            if self.scenario.refuse_foreign_ciphertext {
                return Err(Failure::invalid_encrypted_content());
            }
        }
        let composer = self.composer(ask, &name, &unique);
        let mut answer = composer.compose();
        let now = self.clock.now_unix_millis();
        let percent = self.scenario.percent;
        let headers;
        {
            let mut state = self.state();
            let account = &mut state.accounts[ask.account];
            if account.script.lacks.iter().any(|lacking| lacking == model) {
                return Err(Failure::model_not_supported(model));
            }
            account.roll(now);
            let family = account.family_of(model);
            let tokens = (composer.input_tokens + answer.output_tokens) as f64;
            let cost = account.script.cost + account.script.cost_per_token * tokens;
            let mut readings = (
                quota::headers(account, now, percent),
                quota::frame(account, family, now, percent),
            );
            match (account.admit(family, cost, now), self.scenario.crossing) {
                (Admission::Spent { resets_at }, _) => {
                    let failure = self.limit(account, resets_at, now);
                    drop(state);
                    return self.limited(ask, failure, answer.steps, answer.response_id);
                }
                (Admission::Crosses { resets_at }, Crossing::Refused) => {
                    account.exhaust(family, now);
                    let failure = self.limit(account, resets_at, now);
                    drop(state);
                    return self.limited(ask, failure, answer.steps, answer.response_id);
                }
                (Admission::Crosses { resets_at }, Crossing::CutAfterOutput) => {
                    account.exhaust(family, now);
                    let failure = self.limit(account, resets_at, now);
                    strike::insert(&mut answer.steps, At::Output(2), Fault::Failed(failure));
                }
                (Admission::Crosses { .. }, Crossing::Completes) | (Admission::Fits, _) => {
                    account.charge(family, cost, now);
                    if self.scenario.readings_include_request {
                        readings = (
                            quota::headers(account, now, percent),
                            quota::frame(account, family, now, percent),
                        );
                    }
                }
            }
            headers = readings.0;
            if ask.facts.transport == Transport::WebSocket {
                answer
                    .steps
                    .insert(0, Step::Event(Event::new(Class::Held, readings.1)));
            }
        }
        self.log.edit(ask.entry, |entry| {
            entry.response_id = Some(answer.response_id.clone());
        });
        if ask.facts.transport == Transport::WebSocket {
            let state = self.turn_state(ask.account);
            let metadata = format!(
                r#"{{"type":"response.metadata","response_id":"{}","headers":{{"x-codex-turn-state":"{state}"}}}}"#,
                answer.response_id
            );
            answer
                .steps
                .insert(2, Step::Event(Event::new(Class::Held, metadata)));
        }
        Ok(self.struck(
            ask,
            Script {
                response_id: answer.response_id,
                steps: answer.steps,
                headers,
            },
        ))
    }

    /// The limit in the form that the scenario wants.
    fn limited(
        &self,
        ask: &Ask,
        failure: Failure,
        mut steps: Vec<Step>,
        response_id: String,
    ) -> Result<Script, Failure> {
        let form = match ask.facts.transport {
            Transport::Http => self.scenario.limit_on_http,
            Transport::WebSocket => self.scenario.limit_on_websocket,
        };
        let headers = failure.headers.clone();
        match form {
            LimitForm::Head | LimitForm::Upgrade => return Err(failure),
            LimitForm::Failed => strike::insert(&mut steps, At::Created, Fault::Failed(failure)),
            LimitForm::ErrorEvent => strike::insert(&mut steps, At::Created, Fault::ErrorEvent(failure)),
            LimitForm::AfterOutput => strike::insert(&mut steps, At::Output(2), Fault::Failed(failure)),
        }
        Ok(Script {
            response_id,
            steps,
            headers,
        })
    }

    /// The script with a fault of the rules in it, if one strikes inside the stream.
    fn struck(&self, ask: &Ask, mut script: Script) -> Script {
        let has_tool_call = script
            .steps
            .iter()
            .any(|step| matches!(step, Step::Event(event) if event.class == Class::ToolCall));
        let reaches = |at| match at {
            At::Created | At::Output(_) | At::BeforeCompleted | At::AfterCompleted => true,
            At::ToolCall => has_tool_call,
            At::Accept | At::Upgrade | At::Head | At::Route(_) => false,
        };
        if let Some((at, fault)) = self.faults.pick(&ask.facts, &self.ids, reaches) {
            self.log.edit(ask.entry, |entry| {
                entry.fault = Some(format!("{} at {at:?}", fault.name()));
            });
            strike::insert(&mut script.steps, at, fault);
        }
        script
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

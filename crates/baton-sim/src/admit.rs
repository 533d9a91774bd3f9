//! Admission: the one place that decides what a request for output gets, refused or charged and answered.

use std::sync::atomic::Ordering;

use crate::answer::{Class, Composer, Event, Step};
use crate::backend::{Ask, Backend, Script};
use crate::failure::Failure;
use crate::fault::{At, Fault};
use crate::log::Transport;
use crate::meter::{Account, Admission};
use crate::quota;
use crate::scenario::{Crossing, LimitForm};
use crate::strike;

impl Backend {
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
                    strike::insert(&mut answer.steps, At::Output(2), Fault::Refuse(failure));
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
            entry.tokens = Some((ask.bytes / 4, answer.output_tokens));
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
            LimitForm::AfterOutput => strike::insert(&mut steps, At::Output(2), Fault::Refuse(failure)),
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
            At::Accept | At::Upgrade | At::Head | At::Route(_) | At::AfterRoute(_) => false,
        };
        if let Some((at, fault)) = self.faults.pick(&ask.facts, &self.ids, reaches) {
            self.log.edit(ask.entry, |entry| {
                entry.fault = Some(format!("{} at {at:?}", fault.name()));
            });
            strike::insert(&mut script.steps, at, fault);
        }
        script
    }
}

//! A pool, a clock and what was told so far: what a story needs.

use std::time::Duration;

use baton_core::{
    Account, AccountId, Because, Cause, Choice, CoolingReason, Decision, Effect, Eligibility, Event,
    EventKind, ExhaustedReason, Identity, LimitFamily, LimitKind, LimitReading, Percent, Policy, Pool,
    Reading, Refusal, Report, Request, Source, Strategy, Switch, Timestamp, Turn, Window, WindowLength,
};

pub(crate) const A: AccountId = AccountId::new(1);
pub(crate) const B: AccountId = AccountId::new(2);
pub(crate) const C: AccountId = AccountId::new(3);
pub(crate) const D: AccountId = AccountId::new(4);

pub(crate) const SPARK: &str = "GPT-5.3-Codex-Spark";
pub(crate) const SPARK_MODEL: &str = "gpt-5.3-codex-spark";
pub(crate) const HOUR: u64 = 3600;

pub(crate) fn spark() -> LimitFamily {
    LimitFamily::Named("bengalfox".into())
}

pub(crate) fn percent(value: f64) -> Percent {
    Percent::new(value).unwrap()
}

pub(crate) fn account(number: u32) -> Account {
    let identity = Identity {
        user: format!("user-{number}").into(),
        account: "team".into(),
    };
    let label = char::from_u32(64 + number).unwrap_or('?').to_string();
    Account::new(AccountId::new(number), identity, label)
}

pub(crate) struct Story {
    pub(crate) pool: Pool,
    pub(crate) now: Timestamp,
    events: Vec<Event>,
}

impl Story {
    /// Accounts A, B, C …, in this order, eligible and of unknown usage.
    pub(crate) fn under(strategy: Strategy, accounts: u32) -> Self {
        let mut policy = Policy::default();
        policy.strategy = strategy;
        let mut story = Self {
            pool: Pool::new(policy),
            now: Timestamp::from_secs(1_800_000_000),
            events: Vec::new(),
        };
        for number in 1..=accounts {
            story
                .pool
                .add(account(number), story.now, &mut story.events)
                .unwrap();
        }
        story.events.clear();
        story
    }

    pub(crate) fn sequential(accounts: u32) -> Self {
        Self::under(Strategy::Sequential, accounts)
    }

    /// Sequential, with A active.
    pub(crate) fn draining(accounts: u32) -> Self {
        let mut story = Self::sequential(accounts);
        assert_eq!(story.serves(), A);
        story.told();
        story
    }

    // === asking ===

    pub(crate) fn route(&mut self, request: &Request<'_>) -> Decision {
        let decision = self.pool.route(request, self.now, &mut self.events);
        explains_itself(&decision);
        decision
    }

    /// A turn of its own, of no thread.
    pub(crate) fn ask(&mut self) -> Decision {
        self.route(&Request::default())
    }

    pub(crate) fn ask_model(&mut self, model: &str) -> Decision {
        self.route(&Request {
            model: Some(model),
            ..Request::default()
        })
    }

    /// One of the requests of a turn.
    pub(crate) fn turn(&mut self, thread: u64, turn: u64) -> Decision {
        self.route(&Request {
            session: Some(thread),
            thread: Some(thread),
            turn: Turn::Id(turn),
            ..Request::default()
        })
    }

    pub(crate) fn serves(&mut self) -> AccountId {
        self.ask().choice.account().expect("somebody serves")
    }

    pub(crate) fn serves_turn(&mut self, thread: u64, turn: u64) -> AccountId {
        self.turn(thread, turn).choice.account().expect("somebody serves")
    }

    // === what happens ===

    pub(crate) fn after(&mut self, secs: u64) -> &mut Self {
        self.now = self.now + Duration::from_secs(secs);
        self
    }

    /// The clock is set back.
    pub(crate) fn set_back(&mut self, secs: u64) -> &mut Self {
        let millis = i64::try_from(secs * 1000).unwrap();
        self.now = Timestamp::from_millis(self.now.as_millis() - millis);
        self
    }

    pub(crate) fn at(&self, secs_from_now: u64) -> Timestamp {
        self.now + Duration::from_secs(secs_from_now)
    }

    pub(crate) fn report_of(&self, account: AccountId, effect: Effect) -> Report {
        let generation = self.pool.account(account).unwrap().generation();
        Report {
            account,
            generation,
            effect,
        }
    }

    pub(crate) fn report(&mut self, report: &Report) -> &mut Self {
        self.pool.report(report, self.now, &mut self.events);
        self
    }

    fn reports(&mut self, account: AccountId, effect: Effect) -> &mut Self {
        let report = self.report_of(account, effect);
        self.report(&report)
    }

    pub(crate) fn succeeds(&mut self, account: AccountId) -> &mut Self {
        self.reports(account, Effect::Success)
    }

    pub(crate) fn hits_limit(&mut self, account: AccountId, resets_in: Option<u64>) -> &mut Self {
        self.hits_limit_of(account, Some(LimitFamily::General), resets_in)
    }

    pub(crate) fn hits_limit_of(
        &mut self,
        account: AccountId,
        family: Option<LimitFamily>,
        resets_in: Option<u64>,
    ) -> &mut Self {
        let until = resets_in.map(|secs| self.at(secs));
        self.reports(
            account,
            Effect::Exhausted {
                family,
                until,
                reason: ExhaustedReason::Limit(LimitKind::UsageLimit),
            },
        )
    }

    pub(crate) fn is_throttled(&mut self, account: AccountId, secs: u64) -> &mut Self {
        let effect = self.cooling(secs, CoolingReason::Throttled);
        self.reports(account, effect)
    }

    pub(crate) fn has_server_trouble(&mut self, account: AccountId, secs: u64) -> &mut Self {
        let effect = self.cooling(secs, CoolingReason::ServerTrouble);
        self.reports(account, effect)
    }

    fn cooling(&self, secs: u64, reason: CoolingReason) -> Effect {
        Effect::CoolingDown {
            lasting: Duration::from_secs(secs),
            reason,
            first_failure: self.now,
        }
    }

    pub(crate) fn is_refused(&mut self, account: AccountId) -> &mut Self {
        self.is_refused_for(account, Refusal::DeactivatedWorkspace)
    }

    pub(crate) fn is_refused_for(&mut self, account: AccountId, reason: Refusal) -> &mut Self {
        self.reports(account, Effect::NeedsAttention { reason })
    }

    pub(crate) fn lacks(&mut self, account: AccountId, model: &str) -> &mut Self {
        self.reports(account, Effect::LacksModel { model: model.into() })
    }

    pub(crate) fn reading(
        &self,
        source: Source,
        family: LimitFamily,
        windows: &[(WindowLength, f64, Option<u64>)],
    ) -> Reading {
        let windows = windows.iter().map(|(length, used, resets_in)| Window {
            length: *length,
            used: percent(*used),
            resets_at: resets_in.map(|secs| self.at(secs)),
            observed_at: self.now,
            source,
        });
        let name = (family == spark()).then(|| SPARK.into());
        Reading {
            observed_at: self.now,
            source,
            plan: None,
            limits: vec![LimitReading {
                family,
                name,
                windows: windows.collect(),
                reached: None,
            }],
            credits: None,
        }
    }

    pub(crate) fn learns(&mut self, account: AccountId, reading: &Reading) -> &mut Self {
        let generation = self.pool.account(account).unwrap().generation();
        self.pool
            .learn(account, generation, reading, self.now, &mut self.events);
        self
    }

    /// Headers that say so much is used of the five hours, resetting in an hour.
    pub(crate) fn has_used(&mut self, account: AccountId, used: f64) -> &mut Self {
        self.has_used_of(account, WindowLength::FIVE_HOURS, used, HOUR)
    }

    pub(crate) fn has_used_of(
        &mut self,
        account: AccountId,
        length: WindowLength,
        used: f64,
        resets_in: u64,
    ) -> &mut Self {
        let windows = [(length, used, Some(resets_in))];
        let reading = self.reading(Source::Headers, LimitFamily::General, &windows);
        self.learns(account, &reading)
    }

    // === the person ===

    pub(crate) fn command<T>(
        &mut self,
        command: impl FnOnce(&mut Pool, Timestamp, &mut Vec<Event>) -> T,
    ) -> T {
        command(&mut self.pool, self.now, &mut self.events)
    }

    pub(crate) fn switches_to(&mut self, account: AccountId) -> &mut Self {
        self.command(|pool, now, events| pool.switch_now(account, now, events))
            .unwrap();
        self
    }

    pub(crate) fn sets_threshold(&mut self, account: AccountId, at: f64) -> &mut Self {
        self.pool.set_threshold(account, None, percent(at), None).unwrap();
        self
    }

    pub(crate) fn reserves(&mut self, account: AccountId, at: f64) -> &mut Self {
        self.pool
            .set_threshold(account, None, percent(at), Some(true))
            .unwrap();
        self
    }

    // === what came of it ===

    pub(crate) fn state(&self, account: AccountId) -> Eligibility {
        let account = self.pool.account(account).unwrap();
        account.eligibility(&LimitFamily::General, self.now)
    }

    /// What was told since the last look.
    pub(crate) fn told(&mut self) -> Vec<EventKind> {
        self.events.drain(..).map(|event| event.kind).collect()
    }

    /// The switches told since the last look.
    pub(crate) fn switches(&mut self) -> Vec<(Option<AccountId>, AccountId, Cause)> {
        self.told()
            .into_iter()
            .filter_map(|kind| match kind {
                EventKind::Switched(Switch { from, to, cause }) => Some((from, to, cause)),
                _ => None,
            })
            .collect()
    }
}

pub(crate) fn because(decision: &Decision) -> Because {
    match decision.choice {
        Choice::Use { because, .. } => because,
        other => panic!("nobody was chosen: {other:?}"),
    }
}

/// Holds for every decision: each account has its line, one is chosen if any serves, and nobody who could serve is
/// passed over without a reason.
pub(crate) fn explains_itself(decision: &Decision) {
    use baton_core::{PassedOver, Standing};
    let chosen: Vec<_> = decision
        .lines
        .iter()
        .filter(|line| matches!(line.standing, Standing::Chosen(_)))
        .collect();
    match decision.choice {
        Choice::Use { account, because, .. } => {
            assert_eq!(chosen.len(), 1, "{decision:?}");
            assert_eq!(chosen[0].account, account);
            assert_eq!(chosen[0].standing, Standing::Chosen(because));
        }
        _ => assert!(chosen.is_empty(), "{decision:?}"),
    }
    for line in &decision.lines {
        let silent = line.standing == Standing::PassedOver(PassedOver::NotUsable);
        assert!(
            !(silent && line.state.usable()),
            "no reason is given: {decision:?}"
        );
    }
}

//! When whose usage is read.

use std::{collections::HashMap, time::Duration};

use baton_core::{
    AccountId, Pool, Strategy, Timestamp,
    polling::{Demand, EVERY, Failure, IN_USE, LEAST_GAP, LONGEST_BACKOFF, Next, Polling, STALE_AFTER, Why},
};
use proptest::{
    prelude::{Just, any, prop, prop_oneof, proptest},
    strategy::Strategy as _,
};

use crate::pools::{A, B, C, HOUR, Story};

/// A schedule beside a pool, with what was read and when.
struct Reader {
    story: Story,
    polling: Polling,
    demand: Demand,
    failing: Option<Failure>,
    read: Vec<(Timestamp, AccountId, Why)>,
}

impl Reader {
    fn of(story: Story) -> Self {
        Self {
            story,
            polling: Polling::new(7),
            demand: Demand::default(),
            failing: None,
            read: Vec::new(),
        }
    }

    fn next(&mut self) -> Next {
        self.polling.next(&self.story.pool, &self.demand, self.story.now)
    }

    /// Reads whatever is due now; returns when the next one is.
    fn catch_up(&mut self) -> Option<Timestamp> {
        loop {
            let now = self.story.now;
            match self.next() {
                Next::Sleep(until) => {
                    assert!(until.is_none_or(|until| until > now), "it would spin");
                    return until;
                }
                Next::Read(account, why) => {
                    self.read.push((now, account, why));
                    match self.failing {
                        Some(failure) => self.polling.failed(account, failure, now),
                        None => self.polling.answered(account, now),
                    }
                }
            }
        }
    }

    /// Lets time pass as the engine does, woken by the schedule alone.
    fn passes(&mut self, lasting: Duration) -> &mut Self {
        let end = self.story.now + lasting;
        while let Some(at) = self.catch_up().filter(|at| *at <= end) {
            self.story.now = at;
        }
        self.story.now = end;
        self
    }

    fn used(&mut self) -> &mut Self {
        self.demand.last_request = Some(self.story.now);
        self.catch_up();
        self
    }

    /// Somebody sends requests all the time.
    fn used_for(&mut self, lasting: Duration) -> &mut Self {
        self.demand.running = true;
        self.passes(lasting);
        self.demand.running = false;
        self
    }

    fn told(&mut self) -> Vec<(AccountId, Why)> {
        let read = std::mem::take(&mut self.read);
        read.into_iter().map(|(_, account, why)| (account, why)).collect()
    }

    fn times(&self, of: AccountId) -> Vec<Timestamp> {
        let read = self.read.iter().filter(|(_, account, _)| *account == of);
        read.map(|(at, ..)| *at).collect()
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn all_are_read_at_the_start_and_none_again_while_nobody_uses_baton() {
    let mut reader = Reader::of(Story::sequential(2));
    reader.passes(Duration::from_secs(48 * HOUR));
    assert_eq!(reader.told(), [(A, Why::First), (B, Why::First)]);
    assert_eq!(reader.next(), Next::Sleep(None));
}

#[test]
fn in_use_each_is_read_every_five_minutes_or_a_little_more() {
    let mut reader = Reader::of(Story::sequential(2));
    reader.used_for(Duration::from_secs(HOUR));
    for account in [A, B] {
        let times = reader.times(account);
        assert!((11..=12).contains(&(times.len())), "{times:?}");
        for pair in times.windows(2) {
            let gap = pair[1].since(pair[0]);
            assert!((EVERY..=EVERY * 6 / 5).contains(&gap), "{gap:?}");
        }
    }
    // Their jitter isn't the same.
    assert_ne!(reader.times(A), reader.times(B));
}

#[test]
fn the_first_use_after_a_while_reads_again_the_serving_account_first() {
    let mut reader = Reader::of(Story::draining(3));
    reader.story.switches_to(B);
    reader.passes(Duration::from_secs(6 * HOUR));
    reader.told();
    reader.used();
    let read = reader.told();
    assert_eq!(read[0], (B, Why::Regular));
    assert_eq!(read.len(), 3);
    // And then it goes quiet again.
    reader.passes(Duration::from_secs(6 * HOUR));
    assert!(reader.told().len() <= 3 * (IN_USE.as_secs() / EVERY.as_secs()) as usize);
}

#[test]
fn who_serves_from_now_on_is_read_at_once_but_not_twice_within_a_minute() {
    let mut reader = Reader::of(Story::draining(2));
    reader.catch_up();
    reader.passes(2 * MINUTE).told();
    reader.story.switches_to(B);
    reader.catch_up();
    assert_eq!(reader.told(), [(B, Why::Switched)]);
    reader.story.switches_to(A);
    reader.catch_up();
    reader.story.switches_to(B);
    assert_eq!(reader.catch_up(), Some(reader.story.at(LEAST_GAP.as_secs())));
    reader.passes(MINUTE);
    reader.catch_up();
    assert_eq!(reader.told(), [(A, Why::Switched), (B, Why::Switched)]);
}

#[test]
fn a_reset_is_read_just_after_it_and_only_while_in_use() {
    for in_use in [true, false] {
        let mut reader = Reader::of(Story::draining(1));
        reader.story.has_used(A, 40.0);
        let reset = reader.story.pool.account(A).unwrap().quota.limits[0].windows[0]
            .resets_at
            .unwrap();
        let before = reset.since(reader.story.now) - 3 * MINUTE;
        reader.passes(before);
        reader.used();
        reader.told();
        reader.demand.running = in_use;
        reader.demand.last_request = None;
        let until = reader.catch_up();
        if in_use {
            assert!(
                until.is_some_and(|at| at > reset && at < reset + MINUTE),
                "{until:?}"
            );
            reader.story.now = until.unwrap();
            reader.catch_up();
            assert_eq!(reader.told(), [(A, Why::Reset)]);
        } else {
            assert_eq!(until, None);
        }
    }
}

#[test]
fn an_exhausted_account_that_is_waited_for_is_read_and_the_others_rest() {
    let mut reader = Reader::of(Story::draining(2));
    reader.story.hits_limit(A, Some(4 * HOUR));
    reader.catch_up();
    reader.told();
    reader.demand.awaited_until = Some(reader.story.at(2 * HOUR));
    reader.passes(Duration::from_secs(4 * HOUR));
    let (a, b) = (reader.times(A).len(), reader.times(B).len());
    assert!((20..=24).contains(&a), "every five minutes of two hours: {a}");
    assert_eq!(b, 0);
}

#[test]
fn passing_answers_put_a_read_off_but_not_for_ever() {
    let mut reader = Reader::of(Story::draining(1));
    reader.catch_up();
    reader.demand.running = true;
    for _ in 0..60 {
        reader.story.has_used(A, 40.0);
        reader.passes(MINUTE);
    }
    let times = reader.times(A);
    for pair in times.windows(2) {
        assert!(pair[1].since(pair[0]) >= STALE_AFTER - 2 * MINUTE, "{times:?}");
    }
    assert!(times.len() >= 4, "{times:?}");
}

#[test]
fn what_fails_is_asked_ever_more_seldom_up_to_an_hour_and_an_answer_ends_that() {
    let mut reader = Reader::of(Story::draining(1));
    reader.failing = Some(Failure::Refused);
    reader.used_for(Duration::from_secs(12 * HOUR));
    let times = reader.times(A);
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(
        gaps[0] >= 2 * EVERY && gaps[1] >= 4 * EVERY && gaps[2] >= 8 * EVERY,
        "{gaps:?}"
    );
    assert!(gaps.iter().all(|gap| *gap <= LONGEST_BACKOFF), "{gaps:?}");
    assert!(
        gaps[3..].iter().all(|gap| *gap >= LONGEST_BACKOFF / 2),
        "{gaps:?}"
    );
    assert_eq!(reader.polling.unreadable().collect::<Vec<_>>(), [A]);
    // No event hurries it.
    reader.polling.woke();
    reader.demand.running = true;
    reader.told();
    reader.passes(MINUTE);
    assert_eq!(reader.told(), []);
    reader.failing = None;
    reader.passes(LONGEST_BACKOFF);
    assert_eq!(reader.polling.unreadable().count(), 0);
    reader.read.clear();
    reader.passes(Duration::from_secs(HOUR));
    assert!(reader.times(A).len() >= 9);
}

#[test]
fn after_a_sleep_all_are_read_again_also_those_that_could_not_be_reached() {
    let mut reader = Reader::of(Story::draining(2));
    reader.failing = Some(Failure::Unreached);
    reader.catch_up();
    reader.failing = None;
    reader.passes(2 * MINUTE).told();
    reader.polling.woke();
    reader.used();
    assert_eq!(reader.told(), [(A, Why::Woke), (B, Why::Woke)]);
}

#[test]
fn who_needs_attention_is_not_read_until_that_is_mended() {
    let mut reader = Reader::of(Story::draining(2));
    reader.catch_up();
    reader.told();
    reader.story.is_refused(B);
    reader.used_for(Duration::from_secs(HOUR));
    assert_eq!(reader.times(B), []);
    reader.told();
    reader
        .story
        .command(|pool, now, events| pool.renewed(B, now, events))
        .unwrap();
    reader.catch_up();
    assert_eq!(reader.told(), [(B, Why::First)]);
}

#[test]
fn with_the_brake_engaged_only_the_active_account_is_read() {
    let mut reader = Reader::of(Story::draining(4));
    reader.catch_up();
    reader.story.is_refused(B).is_refused(C);
    assert!(reader.story.pool.brake().engaged());
    reader.told();
    reader.used_for(Duration::from_secs(HOUR));
    assert!(reader.read.iter().all(|(_, account, _)| *account == A));
    assert!(!reader.read.is_empty());
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_it() {
    let mut reader = Reader::of(Story::draining(1));
    reader.catch_up();
    reader.told();
    reader.story.set_back(10 * HOUR);
    reader.used_for(Duration::from_secs(HOUR));
    assert!(reader.times(A).len() >= 9);
}

#[derive(Clone, Debug)]
enum Happens {
    Used,
    Runs(bool),
    Awaited(u64),
    Switches(u32),
    Limit(u32),
    Seen(u32),
    Fails(Option<Failure>),
    Woke,
}

fn happenings() -> impl proptest::strategy::Strategy<Value = Vec<(u64, Happens)>> {
    let happens = prop_oneof![
        Just(Happens::Used),
        any::<bool>().prop_map(Happens::Runs),
        (0..20_000u64).prop_map(Happens::Awaited),
        (1..=3u32).prop_map(Happens::Switches),
        (1..=3u32).prop_map(Happens::Limit),
        (1..=3u32).prop_map(Happens::Seen),
        prop_oneof![
            Just(None),
            Just(Some(Failure::Refused)),
            Just(Some(Failure::Unreached))
        ]
        .prop_map(Happens::Fails),
        Just(Happens::Woke),
    ];
    prop::collection::vec((0..2400u64, happens), 1..40)
}

fn usable(pool: &Pool, id: AccountId, now: Timestamp) -> bool {
    pool.account(id)
        .unwrap()
        .eligibility(&baton_core::LimitFamily::General, now)
        .usable()
}

proptest! {
    #[test]
    fn whatever_happens_nobody_is_asked_too_often_or_without_need(happenings in happenings()) {
        let mut reader = Reader::of(Story::under(Strategy::Sequential, 3));
        let mut failed: HashMap<AccountId, Failure> = HashMap::new();
        let mut last: HashMap<AccountId, Timestamp> = HashMap::new();
        for (secs, happens) in happenings {
            let checked = reader.read.len();
            let (demand, pool) = (reader.demand, reader.story.pool.clone());
            reader.passes(Duration::from_secs(secs));
            for &(at, account, why) in &reader.read[checked..] {
                let gap = last.insert(account, at).map(|before| at.since(before));
                let least = match failed.get(&account) {
                    Some(Failure::Refused) => 2 * EVERY,
                    _ if why == Why::Regular => EVERY,
                    _ => LEAST_GAP,
                };
                assert!(gap.is_none_or(|gap| gap >= least), "{why:?} after {gap:?}");
                let awaited = demand.awaited_until.is_some_and(|until| until > at) && !usable(&pool, account, at);
                let event = matches!(why, Why::First | Why::Switched);
                assert!(event || demand.in_use(at) || awaited, "nobody needs it: {why:?}");
                match reader.failing {
                    Some(failure) => failed.insert(account, failure),
                    None => failed.remove(&account),
                };
            }
            match happens {
                Happens::Used => reader.demand.last_request = Some(reader.story.now),
                Happens::Runs(runs) => reader.demand.running = runs,
                Happens::Awaited(secs) => reader.demand.awaited_until = Some(reader.story.at(secs)),
                Happens::Switches(to) => {
                    let (now, mut events) = (reader.story.now, Vec::new());
                    // One that can't serve is refused, which is fine here.
                    let _ = reader.story.pool.switch_now(AccountId::new(to), now, &mut events);
                }
                Happens::Limit(of) => {
                    reader.story.hits_limit(AccountId::new(of), Some(3 * HOUR));
                }
                Happens::Seen(of) => {
                    reader.story.has_used(AccountId::new(of), 40.0);
                }
                Happens::Fails(failing) => reader.failing = failing,
                Happens::Woke => reader.polling.woke(),
            }
        }
        // Left alone it sleeps, and nothing wakes it.
        reader.demand = Demand::default();
        reader.passes(LONGEST_BACKOFF);
        assert_eq!(reader.next(), Next::Sleep(None));
    }
}

//! Usage is read beside the requests: when it is of use, and never otherwise.

use std::time::Duration;

use baton_core::{Eligibility, LimitFamily, Refusal, Strategy, Timestamp, WindowLength};
use baton_engine::control::protocol::{AccountView, Command};
use baton_sim::{At, Entry, Failure, FamilyScript, Fault, FaultRule, Kind, Mode, Scenario, WindowScript};

use crate::stage::{Stage, account, scenario};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn reads(entry: &Entry, account: &str) -> bool {
    entry.kind == Kind::Usage && entry.account.as_deref() == Some(account)
}

impl Stage {
    /// One on which usage is read; every account has been, once.
    async fn reading(scenario: Scenario, accounts: &[&str]) -> Self {
        let stage = Self::with_usage(scenario, accounts).await;
        for account in accounts {
            stage.read(account, 1).await;
        }
        stage
    }

    fn times_read(&self, account: &str) -> usize {
        self.sim.log().count(|entry| reads(entry, account))
    }

    /// Waits until the account's usage was asked for that often, and answered.
    async fn read(&self, account: &str, times: usize) {
        let ended = |entry: &&Entry| reads(entry, account) && entry.ended_millis.is_some();
        let log = self.sim.log();
        log.wait_for(|entries| entries.iter().filter(ended).count() >= times)
            .await;
    }

    /// Waits until the account's snapshot is so.
    async fn shows(&self, label: &str, so: impl Fn(&AccountView) -> bool) -> AccountView {
        let mut changes = self.baton.changes();
        loop {
            changes.mark_unchanged();
            let views = self.baton.snapshot().accounts;
            let view = views.into_iter().find(|view| view.label == label);
            if let Some(view) = view.filter(&so) {
                return view;
            }
            changes.changed().await.expect("Baton lives");
        }
    }

    /// Something happens that makes Baton look whether there is anything to read.
    async fn stirs(&self) {
        for strategy in [Strategy::Balanced, Strategy::Sequential] {
            self.run(Command::Use { strategy }).await;
            // What that set off has reached the upstream before this has.
            let _ = crate::routes::get(&format!("{}/ps/anything", self.base_url()), &[]).await;
        }
    }
}

#[tokio::test]
async fn at_the_start_every_account_is_read_and_what_is_skipped_stays_so() {
    let accounts = [
        account("a", 10.0),
        account("b", 10.0).window(WindowScript::five_hours(10.0).used(3.0)),
    ];
    let stage = Stage::reading(scenario(accounts), &["a", "b"]).await;
    let skip = Command::Skip {
        account: "b".to_owned(),
        skipped: true,
    };
    stage.run(skip).await;
    let stage = stage.restart().await;
    stage.read("a", 2).await;
    stage.read("b", 2).await;
    let b = stage.shows("b", |view| !view.windows.is_empty()).await;
    assert_eq!(b.state, Eligibility::Skipped);
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("hello").await.completed);
    assert_eq!((stage.served("a"), stage.served("b")), (1, 0));
    // It spends nothing.
    assert_eq!(stage.sim.log().requests("b").len(), 0);
}

#[tokio::test]
async fn who_is_switched_to_is_read() {
    let stage = Stage::reading(scenario([account("a", 10.0), account("b", 10.0)]), &["a", "b"]).await;
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("hello").await.completed);
    stage.sim.clock().advance(20 * MINUTE);
    let account = "b".to_owned();
    stage.run(Command::Switch { account }).await;
    stage.read("b", 2).await;
    stage.stirs().await;
    assert_eq!((stage.times_read("a"), stage.times_read("b")), (1, 2));
}

/// Two minutes are long before five have passed.
#[tokio::test]
async fn a_reset_is_read_when_it_comes() {
    let window = WindowScript::new(2 * MINUTE, 10.0).used(1.0);
    let accounts = [baton_sim::AccountScript::new("a").window(window)];
    let stage = Stage::reading(scenario(accounts).speed(120.0), &["a"]).await;
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("hello").await.completed);
    stage.read("a", 2).await;
    let read = stage.sim.log().find(|entry| reads(entry, "a"));
    let apart = read[1].at_millis - read[0].at_millis;
    assert!((60_000..300_000).contains(&apart), "{apart}");
}

#[tokio::test]
async fn an_early_reset_brings_an_exhausted_account_back() {
    let stage = Stage::reading(scenario([account("a", 1.0)]), &["a"]).await;
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("hello").await.completed);
    assert!(!client.turn("too much").await.completed);
    stage.shows("a", |view| !view.state.usable()).await;
    stage.sim.account("a").lift_limits();
    stage.sim.clock().advance(7 * MINUTE);
    // Hours before its time; who asks is refused once more, and has it read.
    assert!(!client.turn("still too much").await.completed);
    stage.shows("a", |view| view.state == Eligibility::Eligible).await;
    assert!(client.turn("again").await.completed);
}

#[tokio::test]
async fn all_families_are_read_and_no_windows_are_no_quota_at_all() {
    let spark = FamilyScript::new("GPT-5.3-Codex-Spark", "codex_bengalfox")
        .window(WindowScript::five_hours(10.0).used(4.0));
    let accounts = [
        account("a", 10.0).family(spark),
        baton_sim::AccountScript::new("none").user("user-none"),
    ];
    let stage = Stage::reading(scenario(accounts), &["a", "none"]).await;
    let a = stage.shows("a", |view| !view.windows.is_empty()).await;
    let windows: Vec<_> = a
        .windows
        .iter()
        .map(|window| (window.family.clone(), window.length, window.left))
        .collect();
    let spark = LimitFamily::Named("bengalfox".into());
    assert_eq!(
        windows,
        [
            (LimitFamily::General, WindowLength::FIVE_HOURS, 100.0),
            (LimitFamily::General, WindowLength::WEEK, 100.0),
            (spark, WindowLength::FIVE_HOURS, 60.0)
        ]
    );
    let none = stage.shows("none", |view| view.plan.is_some()).await;
    assert_eq!((none.windows, none.state), (vec![], Eligibility::Eligible));
}

#[tokio::test]
async fn resets_in_the_bank_are_shown_with_their_expiry_and_never_used() {
    let answer = |kind, body: &str| {
        let fault = Fault::Respond {
            status: 200,
            headers: Vec::new(),
            body: body.to_owned(),
        };
        FaultRule::new(At::Route(kind), fault)
    };
    let usage = r#"{"plan_type":"plus","rate_limit":null,"rate_limit_reset_credits":{"available_count":1}}"#;
    let credits = r#"{"available_count":1,"credits":[
        {"id":"r1","status":"available","expires_at":"2099-01-01T00:00:00Z"}]}"#;
    let accounts = scenario([account("a", 10.0)])
        .fault(answer(Kind::Usage, usage))
        .fault(answer(Kind::ResetCredits, credits));
    let stage = Stage::reading(accounts, &["a"]).await;
    let view = stage.shows("a", |view| view.banked.count > 0).await;
    assert_eq!(view.banked.expire, [Timestamp::from_secs(4_070_908_800)]);
    stage.sim.clock().advance(20 * MINUTE);
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    stage.read("a", 2).await;
    stage.stirs().await;
    // The same number is no news.
    let asked = stage.sim.log().find(|entry| entry.path.contains("reset-credits"));
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].method, "GET");
}

#[tokio::test]
async fn idle_it_asks_for_nothing_and_in_use_again_it_does() {
    let stage = Stage::reading(scenario([account("a", 10.0), account("b", 10.0)]), &["a", "b"]).await;
    let asked = || stage.sim.log().count(|entry| entry.kind != Kind::Other);
    let before = asked();
    for _ in 0..12 {
        stage.sim.clock().advance(HOUR);
        stage.stirs().await;
    }
    assert_eq!(asked(), before);
    let stale = |view: &AccountView| view.windows.iter().all(|window| window.stale);
    stage
        .shows("a", |view| stale(view) && !view.windows.is_empty())
        .await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    stage.read("a", 2).await;
    stage.read("b", 2).await;
    stage.shows("a", |view| !stale(view)).await;
    stage.shows("b", |view| !stale(view)).await;
}

/// HTML, as an edge says it, and a service that has trouble: what they say here isn't held against the account.
#[tokio::test]
async fn an_edge_that_refuses_is_asked_ever_more_seldom_and_requests_go_on() {
    for (status, body) in [
        (403, "<html>Just a moment…</html>"),
        (429, "{}"),
        (503, ""),
        (200, "<html>"),
    ] {
        let stage = Stage::with_usage(scenario([account("a", 1000.0)]), &[]).await;
        let fault = stage.sim.fault(FaultRule::new(
            At::Route(Kind::Usage),
            Fault::Respond {
                status,
                headers: Vec::new(),
                body: body.to_owned(),
            },
        ));
        let json = stage.sim.account("a").auth_json();
        let added = stage.baton.add_auth_json(json.as_bytes(), "a").await;
        added.expect("an account");
        stage.read("a", 1).await;
        let mut client = stage.client(Mode::Http);
        for _ in 0..36 {
            assert!(client.turn("hello").await.completed, "{status}");
            stage.sim.clock().advance(5 * MINUTE);
            stage.stirs().await;
        }
        // 10, 20, 40 minutes and then one an hour, or a little more often where the clock leaps over a moment.
        assert!((4..=7).contains(&fault.hits()), "{status}: {}", fault.hits());
        let snapshot = stage.baton.snapshot();
        assert_eq!(snapshot.accounts[0].state, Eligibility::Eligible, "{status}");
        let [problem] = snapshot.problems.as_slice() else {
            panic!("{status}: {:?}", snapshot.problems)
        };
        assert!(problem.starts_with("The usage of a can't be read"), "{problem}");
        assert!(!problem.contains("example.invalid"), "{problem}");
        // What passes tells enough.
        assert!(!snapshot.accounts[0].windows.is_empty());

        fault.remove();
        stage.sim.clock().advance(HOUR);
        assert!(client.turn("hello").await.completed);
        stage
            .read("a", usize::try_from(fault.hits()).expect("few") + 1)
            .await;
        let mut changes = stage.baton.changes();
        while !stage.baton.snapshot().problems.is_empty() {
            changes.changed().await.expect("Baton lives");
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_one_that_is_void_needs_attention() {
    let stage = Stage::reading(scenario([account("a", 10.0)]), &["a"]).await;
    let tokens = || stage.sim.log().count(|entry| entry.kind == Kind::Token);
    stage.sim.account("a").expire_access_tokens();
    let before = tokens();
    let stage = stage.restart().await;
    // With the refused token nobody can tell whose it was.
    stage.read("a", 2).await;
    let tokens = || stage.sim.log().count(|entry| entry.kind == Kind::Token);
    assert_eq!(tokens(), before + 1);
    let reads = stage.sim.log().find(|entry| entry.kind == Kind::Usage);
    let completed: Vec<_> = reads.iter().map(Entry::completed).collect();
    assert_eq!(completed, [true, false, true], "{reads:?}");

    stage.sim.account("a").revoke();
    let stage = stage.restart().await;
    let view = stage
        .shows("a", |view| {
            matches!(view.state, Eligibility::NeedsAttention { .. })
        })
        .await;
    let refused = [Refusal::GrantRefused, Refusal::TokenInvalidated];
    assert!(
        matches!(view.state, Eligibility::NeedsAttention { reason } if refused.contains(&reason)),
        "{:?}",
        view.state
    );
    // Nobody asks with a void token again.
    let asked = || stage.sim.log().count(|entry| entry.kind == Kind::Usage);
    let before = asked();
    stage.sim.clock().advance(HOUR);
    assert!(!stage.client(Mode::Http).turn("hello").await.completed);
    stage.stirs().await;
    assert_eq!(asked(), before);
}

#[tokio::test]
async fn an_account_that_is_refused_for_good_is_found_out_before_a_request_is() {
    let rule = FaultRule::new(
        At::Route(Kind::Usage),
        Fault::Refuse(Failure::deactivated_workspace()),
    );
    let accounts = scenario([account("a", 10.0), account("b", 10.0)]).fault(rule.account("a"));
    let stage = Stage::reading(accounts, &["a", "b"]).await;
    stage
        .shows("a", |view| {
            matches!(view.state, Eligibility::NeedsAttention { .. })
        })
        .await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    assert_eq!((stage.sim.log().requests("a").len(), stage.served("b")), (0, 1));
}

/// A laptop that was closed: hours have passed of which Baton's timers know nothing.
#[tokio::test]
async fn after_a_sleep_the_next_request_has_all_read_again_on_new_connections() {
    let stage = Stage::reading(scenario([account("a", 10.0), account("b", 10.0)]), &["a", "b"]).await;
    let mut client = stage.client(Mode::Http);
    assert!(client.turn("hello").await.completed);
    let before: Vec<_> = stage
        .sim
        .log()
        .entries()
        .iter()
        .map(|entry| entry.connection)
        .collect();
    stage.sim.clock().advance(4 * MINUTE);
    stage.stirs().await;
    stage.read("a", 2).await;
    stage.read("b", 2).await;
    let read = stage.sim.log().find(|entry| entry.kind == Kind::Usage);
    assert!(!before.contains(&read[2].connection), "{read:?}");
}

/// A laptop that was carried elsewhere. Else they would be read after five minutes.
#[tokio::test]
async fn in_another_network_all_are_read_again_on_new_connections() {
    let accounts = scenario([account("a", 10.0), account("b", 10.0)]);
    let stage = Stage::reading(accounts.speed(120.0), &["a", "b"]).await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    let before = stage.sim.log().entries();
    stage.baton.network_changed();
    stage.read("a", 2).await;
    stage.read("b", 2).await;
    for name in ["a", "b"] {
        let read = stage.sim.log().find(|entry| reads(entry, name));
        let apart = read[1].at_millis - read[0].at_millis;
        assert!((60_000..240_000).contains(&apart), "{name}: {apart}");
        assert!(
            before.iter().all(|entry| entry.connection != read[1].connection),
            "{read:?}"
        );
    }
}

#[tokio::test]
async fn in_another_network_a_baton_that_nobody_uses_asks_for_nothing() {
    let stage = Stage::reading(scenario([account("a", 10.0)]), &["a"]).await;
    stage.sim.clock().advance(20 * MINUTE);
    stage.baton.network_changed();
    stage.stirs().await;
    assert_eq!(stage.times_read("a"), 1);
}

//! `baton doctor`: what it finds is what the pool goes by, and it costs nothing.

use std::{fs, time::Duration};

use baton_core::Eligibility;
use baton_engine::{
    control::protocol::{Command, Reply},
    doctor::{Check, CheckId, Outcome, Subject, Tray},
};
use baton_sim::{At, Failure, Fault, FaultRule, Kind, Mode, WindowScript};

use crate::{
    linked::Linked,
    stage::{Stage, account, scenario},
};

impl Stage {
    async fn doctor(&self, account: Option<&str>) -> Vec<Check> {
        let account = account.map(str::to_owned);
        match self.baton.execute(Command::Doctor { account }).await {
            Ok(Reply::Checks { checks }) => checks,
            other => panic!("{other:?}"),
        }
    }

    fn asked_for_usage(&self, account: &str) -> usize {
        self.sim
            .log()
            .count(|entry| entry.kind == Kind::Usage && entry.account.as_deref() == Some(account))
    }
}

#[track_caller]
fn of<'a>(checks: &'a [Check], subject: &Subject, id: CheckId) -> &'a Check {
    let mut found = checks
        .iter()
        .filter(|check| check.id == id && check.subject == *subject);
    let first = found.next();
    assert!(found.next().is_none(), "{id:?} twice: {checks:?}");
    first.unwrap_or_else(|| panic!("no {id:?} of {subject:?}: {checks:?}"))
}

fn label(name: &str) -> Subject {
    Subject::Account(name.to_owned())
}

#[track_caller]
fn machine(checks: &[Check], id: CheckId) -> (Outcome, &str) {
    let check = of(checks, &Subject::Machine, id);
    (check.outcome, &check.said)
}

#[tokio::test]
async fn doctor_status_and_the_next_choice_agree_and_no_quota_is_spent() {
    let spent = account("spent", 10.0).window(WindowScript::five_hours(10.0));
    let accounts = [
        account("refused", 10.0),
        spent,
        account("left-out", 10.0),
        account("fine", 10.0),
    ];
    let stage = Stage::with_usage(scenario(accounts), &["refused", "spent", "left-out", "fine"]).await;
    stage
        .run(Command::Skip {
            account: "left-out".to_owned(),
            skipped: true,
        })
        .await;
    // Nobody has told Baton yet.
    stage.doctor(None).await;
    stage.sim.account("refused").revoke();
    stage.sim.account("spent").exhaust();
    let before = stage.asked_for_usage("left-out");

    let checks = stage.doctor(None).await;
    assert_eq!(
        stage.asked_for_usage("left-out"),
        before + 1,
        "what is skipped is checked, too"
    );
    let snapshot = stage.baton.snapshot();
    for view in &snapshot.accounts {
        let state = of(&checks, &label(&view.label), CheckId::State);
        assert_eq!(state.said, format!("{}.", view.state_text));
        let outcome = match view.label.as_str() {
            "refused" => {
                assert!(
                    matches!(view.state, Eligibility::NeedsAttention { .. }),
                    "{view:?}"
                );
                Outcome::Problem
            }
            "spent" => {
                assert!(matches!(view.state, Eligibility::Exhausted { .. }), "{view:?}");
                Outcome::Note
            }
            "left-out" => {
                assert_eq!(view.state, Eligibility::Skipped);
                Outcome::Note
            }
            _ => Outcome::Fine,
        };
        assert_eq!(state.outcome, outcome, "{state:?}");
        assert_eq!(
            state.to_do.is_some(),
            ["refused", "left-out"].contains(&view.label.as_str())
        );
    }
    let usage = of(&checks, &label("spent"), CheckId::Usage);
    assert!(
        usage.said.contains("0 %") && usage.outcome == Outcome::Fine,
        "{usage:?}"
    );
    let sign_in = of(&checks, &label("refused"), CheckId::SignIn);
    assert!(sign_in.outcome == Outcome::Problem, "{sign_in:?}");
    assert_eq!(
        machine(&checks, CheckId::Pool),
        (Outcome::Fine, "1 of 4 accounts can serve.")
    );
    assert!(stage.sim.log().entries().iter().all(|entry| !entry.generates()));

    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    assert_eq!(stage.served("fine"), 1);
    assert_eq!(
        stage.sim.log().requests("refused").len() + stage.sim.log().requests("left-out").len(),
        0
    );
    // A void token isn't sent again, however often somebody asks.
    let before = stage.asked_for_usage("refused");
    let again = stage.doctor(Some("refused")).await;
    assert_eq!(stage.asked_for_usage("refused"), before);
    assert!(
        again.iter().all(|check| check.subject == label("refused")),
        "{again:?}"
    );
}

#[tokio::test]
async fn with_the_brake_engaged_only_the_current_account_is_asked() {
    let refuse = |name| {
        let fault = Fault::Refuse(Failure::deactivated_workspace());
        FaultRule::new(At::Route(Kind::Usage), fault).account(name)
    };
    let names = ["a", "b", "c", "d"];
    let accounts = scenario(names.map(|name| account(name, 10.0)));
    let stage = Stage::with_usage(accounts, &names).await;
    stage.doctor(None).await;
    assert!(stage.client(Mode::Http).turn("hello").await.completed);
    stage.sim.fault(refuse("b"));
    stage.sim.fault(refuse("c"));
    let before = (stage.asked_for_usage("a"), stage.asked_for_usage("d"));
    let checks = stage.doctor(None).await;
    let (outcome, said) = machine(&checks, CheckId::Pool);
    assert!(
        outcome == Outcome::Problem && said.contains("failover is stopped"),
        "{said}"
    );
    assert_eq!(
        of(&checks, &label("d"), CheckId::Usage).outcome,
        Outcome::NotChecked
    );
    let asked = (stage.asked_for_usage("a"), stage.asked_for_usage("d"));
    assert_eq!(
        asked,
        (before.0 + 1, before.1),
        "the brake engaged while they were asked"
    );
    assert!(stage.baton.snapshot().braked);
}

#[tokio::test]
async fn a_service_that_gives_no_reading_is_told_and_nobody_is_blamed() {
    let fault = Fault::Respond {
        status: 503,
        headers: Vec::new(),
        body: String::new(),
    };
    let stage = Stage::with_usage(
        scenario([account("a", 10.0)]).fault(FaultRule::new(At::Route(Kind::Usage), fault)),
        &["a"],
    )
    .await;
    let checks = stage.doctor(None).await;
    let usage = of(&checks, &label("a"), CheckId::Usage);
    assert!(
        usage.outcome == Outcome::Problem && usage.said.contains("503"),
        "{usage:?}"
    );
    assert!(usage.to_do.is_some());
    assert_eq!(of(&checks, &label("a"), CheckId::State).outcome, Outcome::Fine);
}

#[tokio::test]
async fn a_clock_that_is_off_is_a_problem() {
    let stage = Stage::with_usage(scenario([account("a", 10.0)]), &["a"]).await;
    assert_eq!(
        machine(&stage.doctor(None).await, CheckId::Clock).0,
        Outcome::Fine
    );
    // The service's answers bear the real date.
    stage.sim.clock().advance(Duration::from_secs(300));
    let checks = stage.doctor(None).await;
    let (outcome, said) = machine(&checks, CheckId::Clock);
    assert_eq!(outcome, Outcome::Problem);
    assert!(said.contains(" min ahead of the service's"), "{said}");
}

#[tokio::test]
async fn the_machine_is_looked_at_and_when_codex_came_through_outlives_a_restart() {
    let stage = Stage::with_usage(scenario([account("a", 10.0)]), &["a"]).await;
    let checks = stage.doctor(None).await;
    assert_eq!(machine(&checks, CheckId::LastRequest).0, Outcome::Note);
    for id in [
        CheckId::Baton,
        CheckId::Ports,
        CheckId::Keychain,
        CheckId::Pool,
        CheckId::Tray,
    ] {
        assert_eq!(machine(&checks, id).0, Outcome::Fine, "{id:?}");
    }
    let (_, said) = machine(&checks, CheckId::Ports);
    assert!(
        said.contains("127.0.0.1") && said.contains("only to who knows its secret"),
        "{said}"
    );
    assert!(stage.client(Mode::WebSocket).turn("hello").await.completed);
    let stage = stage.restart().await;
    stage.baton.has_tray(|| Tray::NoHost);
    stage.sim.clock().advance(Duration::from_secs(20 * 60));
    let checks = stage.doctor(None).await;
    let (outcome, said) = machine(&checks, CheckId::LastRequest);
    assert_eq!(
        (outcome, said),
        (Outcome::Fine, "Codex (0.169.0) came through last 20 min ago.")
    );
    assert_eq!(machine(&checks, CheckId::Tray).0, Outcome::Note);
    let secrets = [stage.base_url(), "example.invalid".to_owned(), "eyJ".to_owned()];
    let said = format!("{checks:?}");
    assert!(secrets.iter().all(|secret| !said.contains(secret)), "{said}");
}

/// Nobody has asked for the account since its file changed: doctor is the first to see it, and status agrees.
#[tokio::test]
async fn of_a_linked_account_the_file_is_told_and_what_to_do_about_it() {
    let linked = Linked::with(&["b"]).await;
    let (file, home) = (linked.file(), linked.file().with_file_name(""));
    let home = home.display().to_string();
    let home = home.trim_end_matches('/');
    let told = async |outcome: Outcome, what: &str, to_do: Option<&str>| {
        let checks = linked.stage.doctor(Some("a")).await;
        let sign_in = of(&checks, &label("a"), CheckId::SignIn);
        assert_eq!(sign_in.outcome, outcome, "{what}: {sign_in:?}");
        let linked_to = format!("Linked to {}", file.display());
        assert!(
            sign_in.said.starts_with(&linked_to) && sign_in.said.contains(what),
            "{what}: {sign_in:?}"
        );
        let state = of(&checks, &label("a"), CheckId::State);
        assert_eq!(state.outcome, outcome, "{what}: {state:?}");
        for check in [sign_in, state] {
            let to_do = to_do.map(|to_do| to_do.replace('~', home));
            match (&check.to_do, to_do) {
                (None, None) => {}
                (Some(said), Some(to_do)) if said.starts_with(&to_do) => {}
                other => panic!("{what}: {other:?}"),
            }
        }
    };
    let own = fs::read_to_string(&file).unwrap();
    let another = linked.stage.sim.account("b").auth_json();
    told(Outcome::Fine, "renewed by its owner only", None).await;
    let sign_in_there = "Sign in there: `codex login` with CODEX_HOME=~;";
    for (content, what, to_do) in [
        (None, "is gone", sign_in_there),
        (
            Some(&own[..own.len() / 2]),
            "can't be read as a sign-in",
            sign_in_there,
        ),
        (
            Some(another.as_str()),
            "is another account's by now",
            "Sign in there as this account: `codex login` with CODEX_HOME=~;",
        ),
    ] {
        match content {
            Some(content) => linked.write(content),
            None => fs::remove_file(&file).unwrap(),
        }
        told(Outcome::Problem, what, Some(to_do)).await;
        linked.write(&own);
        told(Outcome::Fine, "renewed by its owner only", None).await;
    }
    linked.stage.sim.clock().advance(Duration::from_secs(11 * 86_400));
    let run_once = "Run `codex` once with CODEX_HOME=~;";
    told(Outcome::Problem, "expired or was refused", Some(run_once)).await;
    linked.only_followed();
}

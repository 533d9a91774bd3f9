//! The CLI's own auth.json as a linked account: Baton follows it, the CLI renews it.

use baton_core::{Eligibility, Refusal};
use baton_engine::control::protocol::Command;
use baton_sim::{AccountHandle, Entry, Kind, Scenario};

use crate::{
    cli::Codex,
    stage::{BOTH, On, Stage, answer_to, two},
};

impl Stage {
    /// The CLI is signed in as `a`, which is linked; `b` is Baton's own.
    async fn linked(on: On, scenario: Scenario) -> Self {
        let mut stage = Self::of(&[], on, scenario).await;
        let urls = stage.baton.base_urls().expect("it serves");
        let codex = Codex::connected(&stage.sim.account("a").auth_json(), &urls).await;
        stage.codex = codex.renewing_at(format!("{}/oauth/token", stage.sim.issuer_url()));
        let (path, label) = (stage.codex.folder(), "a".to_owned());
        stage.tell(Command::AddLink { path, label }).await;
        let b = stage.sim.account("b").auth_json();
        stage
            .baton
            .add_auth_json(b.as_bytes(), "b")
            .await
            .expect("an account");
        stage
    }

    fn renewals(&self) -> Vec<Entry> {
        self.sim.log().find(|entry| entry.kind == Kind::Token)
    }
}

/// Its token becomes void, one way or another: the CLI is told, renews its own sign-in, and its turn goes on with it. The
/// person sees one answer.
#[tokio::test]
async fn the_cli_renews_its_own_sign_in_and_baton_goes_on_with_it() {
    let ways: [fn(&AccountHandle); 2] = [
        AccountHandle::revoke_access_tokens,
        AccountHandle::expire_access_tokens,
    ];
    for on in BOTH {
        for make_void in ways {
            let mut stage = Stage::linked(on, two(10.0, 10.0)).await;
            stage.codex("one").await.answered(&answer_to("one"));
            let before = stage.codex.auth_json();
            assert!(stage.renewals().is_empty(), "{on:?}");

            make_void(&stage.sim.account("a"));
            stage.codex("two").await.answered(&answer_to("two"));
            let renewals = stage.renewals();
            assert_eq!(renewals.len(), 1, "{on:?}: {renewals:#?}");
            let agent = renewals[0].headers.get("user-agent").map(String::as_str);
            assert!(
                agent.is_some_and(|agent| agent.starts_with("codex_")),
                "{on:?}: {agent:?}"
            );
            let after = stage.codex.auth_json();
            assert!(before != after, "{on:?}");
            assert!(
                after.contains(&stage.sim.account("a").access_token()),
                "{on:?}: written by the CLI"
            );

            stage.codex("three").await.answered(&answer_to("three"));
            assert_eq!(stage.codex.auth_json(), after, "{on:?}");
            assert_eq!(stage.renewals().len(), 1, "{on:?}");
            assert_eq!(stage.both_served(), (3, 0), "{on:?}");
            assert_eq!(stage.switches().len(), 1, "{on:?}: first use");
            stage.all_in_order();
        }
    }
}

/// Another CLI, with a login of its own, runs into the void token and is served by `b`. Then the owner runs once, as
/// `baton status` asks for, and the linked account is back.
#[tokio::test]
async fn another_cli_renews_nothing_and_the_owner_mends_it_by_running_once() {
    for on in BOTH {
        let stage = Stage::linked(on, two(10.0, 10.0)).await;
        let urls = stage.baton.base_urls().expect("it serves");
        let other = Codex::connected(&stage.sim.cli().auth_json(), &urls).await;
        stage.sim.account("a").revoke_access_tokens();
        let before = stage.codex.auth_json();
        other.exec("one").await.answered(&answer_to("one"));
        assert_eq!(stage.both_served(), (0, 1), "{on:?}");
        let reason = Refusal::LinkStale;
        assert_eq!(stage.state("a"), Eligibility::NeedsAttention { reason }, "{on:?}");
        assert!(stage.renewals().is_empty(), "{on:?}");
        assert_eq!(stage.codex.auth_json(), before, "{on:?}");

        stage.codex("two").await.answered(&answer_to("two"));
        assert_eq!(stage.state("a"), Eligibility::Eligible, "{on:?}");
        assert_eq!(stage.renewals().len(), 1, "{on:?}");
        assert_ne!(stage.codex.auth_json(), before, "{on:?}");
        let account = "a".to_owned();
        stage.tell(Command::Switch { account }).await;
        other.exec("three").await.answered(&answer_to("three"));
        assert_eq!(stage.both_served(), (1, 2), "{on:?}");
        stage.all_in_order();
    }
}

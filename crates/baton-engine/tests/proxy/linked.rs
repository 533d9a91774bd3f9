//! Linked accounts: their auth.json is followed, and only its owner renews it.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use baton_core::{Eligibility, Refusal};
use baton_engine::control::protocol::{AccountView, Command, ControlError, Reply};
use baton_sim::{At, Client, Entry, Failure, Fault, FaultRule, Kind, Login, Mode};
use http::Request;
use serde_json::Value;

use crate::{
    routes::get,
    stage::{Stage, account, scenario},
    stub::{CREATE, say, socket_with, text},
};

const BOTH: [Mode; 2] = [Mode::Http, Mode::WebSocket];

/// A Codex of the person's, with the account `a`, that Baton knows only by its file. The account `b` is Baton's own.
pub(crate) struct Linked {
    pub(crate) stage: Stage,
    home: tempfile::TempDir,
}

impl Linked {
    pub(crate) async fn with(others: &[&str]) -> Self {
        let stage = Stage::with(scenario([account("a", 100.0), account("b", 100.0)]), &[]).await;
        let linked = Self {
            stage,
            home: tempfile::tempdir().unwrap(),
        };
        linked.write(&linked.stage.sim.account("a").auth_json());
        linked.link("a").await.unwrap();
        for name in others {
            linked.add(name, name).await.unwrap();
        }
        linked
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.home.path().join("auth.json")
    }

    /// In place, as Codex does.
    pub(crate) fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    async fn link(&self, label: &str) -> Result<String, ControlError> {
        self.link_at(self.home.path(), label).await
    }

    async fn link_at(&self, path: &Path, label: &str) -> Result<String, ControlError> {
        let (path, label) = (path.to_path_buf(), label.to_owned());
        let reply = self.stage.baton.execute(Command::AddLink { path, label }).await?;
        Ok(message(reply))
    }

    /// A sign-in of its own.
    async fn add(&self, name: &str, label: &str) -> Result<String, ControlError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.json");
        fs::write(&path, self.stage.sim.account(name).sign_in()).unwrap();
        let label = label.to_owned();
        let reply = self.stage.baton.execute(Command::AddFrom { path, label }).await?;
        Ok(message(reply))
    }

    /// Renewed by the owner; Baton isn't told.
    fn renewed(&self) -> String {
        self.stage.sim.account("a").sign_in()
    }

    /// The Codex that the file belongs to.
    fn owner(&self, mode: Mode) -> Client {
        let login = Login::from_auth_json(&fs::read_to_string(self.file()).unwrap()).unwrap();
        Client::new(self.stage.base_url(), login)
            .mode(mode)
            .clock(self.stage.sim.clock())
    }

    /// The owner asks in a new thread, and is told 401: of its request, or of its upgrade.
    async fn owner_is_told(&self, mode: Mode) {
        let told = match mode {
            Mode::Http => self.owner(mode).turn("hello").await.error.unwrap().code,
            Mode::WebSocket => {
                let url = format!("{}/codex/responses", self.stage.base_url());
                let file: Value = serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap();
                let of_file = |name: &str| file["tokens"][name].as_str().unwrap().to_owned();
                let (token, account) = (
                    format!("Bearer {}", of_file("access_token")),
                    of_file("account_id"),
                );
                let headers = [
                    ("connection", "upgrade"),
                    ("upgrade", "websocket"),
                    ("sec-websocket-version", "13"),
                    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
                    ("authorization", &token),
                    ("chatgpt-account-id", &account),
                ];
                let (status, body) = get(&url, &headers).await;
                assert_eq!(status, 401, "{body:?}");
                let body: Value = serde_json::from_slice(&body).unwrap();
                body["error"]["code"].as_str().unwrap().to_owned()
            }
        };
        assert_eq!(told, "token_expired", "{mode:?}");
    }

    fn view(&self, label: &str) -> AccountView {
        let views = self.stage.baton.snapshot().accounts;
        views.into_iter().find(|view| view.label == label).unwrap()
    }

    fn needs(&self, reason: Refusal) {
        assert_eq!(self.view("a").state, Eligibility::NeedsAttention { reason });
        assert!(!self.stage.baton.snapshot().braked);
    }

    /// Another CLI's turn, in a thread of its own, is served by this account.
    async fn served_by(&self, name: &str, mode: Mode) {
        let before = self.stage.served(name);
        let report = self.stage.client(mode).turn("hello").await;
        assert!(
            report.completed && report.repeated.is_empty(),
            "{mode:?}: {report:?}"
        );
        assert_eq!(self.stage.served(name), before + 1, "{mode:?}: {name} serves");
    }

    fn refused(&self) -> usize {
        self.stage
            .sim
            .log()
            .count(|entry: &Entry| entry.code() == Some("token_invalidated"))
    }

    /// Whatever has happened, Baton has renewed nothing of the account's, and nobody was served what is another's.
    pub(crate) fn only_followed(&self) {
        let renewed = |entry: &Entry| entry.kind == Kind::Token && entry.account.as_deref() == Some("a");
        assert_eq!(self.stage.sim.log().count(renewed), 0);
        self.stage.no_violations();
    }
}

fn message(reply: Reply) -> String {
    match reply {
        Reply::Added { message, .. } | Reply::Done { message } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn its_token_is_read_and_its_file_stays_as_it_is_also_over_a_restart_and_a_removal() {
    let mut linked = Linked::with(&["b"]).await;
    let before = fs::read(linked.file()).unwrap();
    let view = linked.view("a");
    assert_eq!(
        (view.linked, view.plan.as_deref()),
        (Some(linked.file()), Some("plus"))
    );
    assert_eq!(linked.view("b").linked, None);
    for mode in BOTH {
        linked.served_by("a", mode).await;
    }
    linked.stage = linked.stage.restart().await;
    assert_eq!(linked.view("a").linked, Some(linked.file()));
    linked.served_by("a", Mode::Http).await;
    let account = "a".to_owned();
    let said = message(
        linked
            .stage
            .baton
            .execute(Command::Remove { account })
            .await
            .unwrap(),
    );
    assert!(
        said.contains(&linked.file().display().to_string()) && said.contains("left as it is"),
        "{said}"
    );
    assert_eq!(fs::read(linked.file()).unwrap(), before);
    linked.served_by("b", Mode::Http).await;
    linked.only_followed();
}

/// Another CLI asks: it is served by another account, and the linked one is back once its owner has renewed it.
#[tokio::test]
async fn a_refused_token_is_nobodys_to_renew_but_its_owners() {
    for mode in BOTH {
        let linked = Linked::with(&["b"]).await;
        linked.served_by("a", mode).await;
        linked.stage.sim.account("a").revoke_access_tokens();
        linked.served_by("b", mode).await;
        linked.needs(Refusal::LinkStale);
        let said = linked.view("a").state_text;
        let todo = format!(
            "run `codex` once with CODEX_HOME={}",
            linked.home.path().display()
        );
        assert!(said.contains(&todo), "{said}");
        // It isn't asked again with what was refused.
        let refused = linked.refused();
        linked.served_by("b", mode).await;
        assert_eq!(linked.refused(), refused, "{mode:?}");

        linked.write(&linked.renewed());
        linked.served_by("b", mode).await;
        assert_eq!(linked.view("a").state, Eligibility::Eligible);
        let account = "a".to_owned();
        linked.stage.run(Command::Switch { account }).await;
        linked.served_by("a", mode).await;
        linked.only_followed();
    }
}

/// Its owner asks: it is told 401, whoever else could serve, and its next request is served with the new token. The active
/// account stays what it was.
#[tokio::test]
async fn an_owner_that_asks_is_told_to_renew() {
    for mode in BOTH {
        let mut linked = Linked::with(&["b"]).await;
        assert!(linked.owner(mode).turn("hello").await.completed);
        linked.stage.sim.account("a").revoke_access_tokens();
        linked.owner_is_told(mode).await;
        assert_eq!(linked.view("a").state, Eligibility::Eligible, "{mode:?}");
        linked.write(&linked.renewed());
        assert!(linked.owner(mode).turn("again").await.completed);
        assert_eq!(
            (linked.stage.served("a"), linked.stage.served("b")),
            (2, 0),
            "{mode:?}"
        );
        assert_eq!(linked.stage.switches().len(), 1, "{mode:?}: first use");
        linked.only_followed();
    }
}

/// What "run it once" promises: although another account serves by now.
#[tokio::test]
async fn an_owner_that_comes_later_is_told_too() {
    for mode in BOTH {
        let linked = Linked::with(&["b"]).await;
        linked.stage.sim.account("a").revoke_access_tokens();
        linked.served_by("b", mode).await;
        linked.needs(Refusal::LinkStale);
        linked.owner_is_told(mode).await;
        linked.write(&linked.renewed());
        assert!(linked.owner(mode).turn("hello").await.completed);
        assert_eq!(linked.view("a").state, Eligibility::Eligible, "{mode:?}");
    }
}

/// A connection that goes on: its owner is sent to connect anew, which is where a 401 makes it renew.
#[tokio::test]
async fn an_owner_whose_connection_was_open_is_told_when_it_connects_anew() {
    let linked = Linked::with(&["b"]).await;
    let headers = |request: &mut Request<()>| {
        let a = linked.stage.sim.account("a");
        let bearer = format!("Bearer {}", a.access_token()).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let account = a.account_id().parse().unwrap();
        request.headers_mut().insert("chatgpt-account-id", account);
    };
    let mut owner = socket_with(&linked.stage, headers).await;
    linked.stage.sim.account("a").revoke_access_tokens();
    linked.served_by("b", Mode::Http).await;
    say(&mut owner, CREATE).await;
    let told = text(&mut owner).await;
    assert!(told.contains("websocket_connection_limit_reached"), "{told}");
    linked.owner_is_told(Mode::WebSocket).await;
}

/// An owner whose own sign-in is void can't renew anything: after a while it is served by the others.
#[tokio::test]
async fn an_owner_that_can_not_renew_is_served_by_others() {
    for mode in BOTH {
        let linked = Linked::with(&["b"]).await;
        linked.stage.sim.account("a").revoke();
        linked.owner_is_told(mode).await;
        linked.stage.sim.clock().advance(Duration::from_secs(31));
        let report = linked.owner(mode).turn("hello").await;
        assert!(report.completed, "{mode:?}: {report:?}");
        assert_eq!(linked.stage.served("b"), 1);
        linked.needs(Refusal::LinkStale);
        linked.only_followed();
    }
}

/// There is no better answer: the owner says itself what is wrong with its sign-in.
#[tokio::test]
async fn an_owner_that_nobody_else_can_serve_is_told_always() {
    for mode in BOTH {
        let linked = Linked::with(&[]).await;
        linked.stage.sim.account("a").revoke();
        for _ in 0..2 {
            linked.owner_is_told(mode).await;
            linked.stage.sim.clock().advance(Duration::from_secs(60));
            let other = linked.stage.client(Mode::Http).turn("hello").await.error.unwrap();
            assert_eq!(other.code, "usage_limit_reached", "{mode:?}");
        }
    }
}

/// The same person's other Codex, with a sign-in of its own: to renew that would change nothing.
#[tokio::test]
async fn another_codex_of_the_same_account_is_served_by_others() {
    let linked = Linked::with(&["b"]).await;
    linked.stage.sim.account("a").revoke_access_tokens();
    linked.stage.sim.clock().advance(Duration::from_secs(60));
    let login = Login::from_auth_json(&linked.renewed()).unwrap();
    for mode in BOTH {
        let client = Client::new(linked.stage.base_url(), login.clone());
        let report = client
            .mode(mode)
            .clock(linked.stage.sim.clock())
            .turn("hello")
            .await;
        assert!(report.completed, "{mode:?}: {report:?}");
    }
    assert_eq!((linked.stage.served("a"), linked.stage.served("b")), (0, 2));
    linked.owner_is_told(Mode::Http).await;
}

/// Renewed meanwhile without a trace in the file's metadata: a 401 has it read again, and the same request is served.
#[tokio::test]
async fn after_a_refusal_the_file_is_read_again() {
    for mode in BOTH {
        let linked = Linked::with(&["b"]).await;
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let backdate = || {
            let file = File::options().append(true).open(linked.file()).unwrap();
            file.set_modified(long_ago).unwrap();
        };
        backdate();
        linked.served_by("a", mode).await;
        let before = fs::metadata(linked.file()).unwrap();
        linked.stage.sim.account("a").revoke_access_tokens();
        linked.write(&linked.renewed());
        backdate();
        assert_eq!(fs::metadata(linked.file()).unwrap().len(), before.len());
        linked.served_by("a", mode).await;
        assert!(linked.refused() > 0, "{mode:?}");
        assert_eq!(linked.view("a").state, Eligibility::Eligible);
    }
}

/// Nobody has anything to renew: what was refused by mistake is tried again.
#[tokio::test]
async fn a_refused_token_is_tried_again_after_an_hour() {
    for mode in BOTH {
        let linked = Linked::with(&["b"]).await;
        let at = match mode {
            Mode::Http => At::Head,
            Mode::WebSocket => At::Upgrade,
        };
        let mistake = FaultRule::new(at, Fault::Refuse(Failure::token_invalidated()));
        linked.stage.sim.fault(mistake.account("a").first(1));
        linked.served_by("b", mode).await;
        linked.needs(Refusal::LinkStale);
        linked.stage.sim.clock().advance(Duration::from_secs(3601));
        linked.served_by("b", mode).await;
        assert_eq!(linked.view("a").state, Eligibility::Eligible, "{mode:?}");
        let account = "a".to_owned();
        linked.stage.run(Command::Switch { account }).await;
        linked.served_by("a", mode).await;
        linked.only_followed();
    }
}

/// No upstream call tells what the file says by itself.
#[tokio::test]
async fn an_expired_token_is_not_sent() {
    let linked = Linked::with(&["b"]).await;
    linked.served_by("a", Mode::Http).await;
    linked.stage.sim.clock().advance(Duration::from_secs(11 * 86_400));
    let asked = linked.stage.sim.log().requests("a").len();
    linked.served_by("b", Mode::Http).await;
    assert_eq!(linked.stage.sim.log().requests("a").len(), asked);
    linked.needs(Refusal::LinkStale);
    linked.owner_is_told(Mode::Http).await;
}

#[tokio::test]
async fn a_file_that_is_gone_or_wrong_is_named_and_heals_when_it_is_right() {
    let linked = Linked::with(&["b"]).await;
    let own = fs::read_to_string(linked.file()).unwrap();
    let another = linked.stage.sim.account("b").sign_in();
    let wrong: [(Option<&str>, Refusal); 4] = [
        (None, Refusal::LinkGone),
        (Some(&own[..own.len() / 2]), Refusal::LinkUnreadable),
        (Some(r#"{"OPENAI_API_KEY":"sk-1"}"#), Refusal::LinkUnreadable),
        (Some(&another), Refusal::LinkOfAnother),
    ];
    for (content, reason) in wrong {
        let account = "a".to_owned();
        linked.stage.run(Command::Switch { account }).await;
        linked.served_by("a", Mode::Http).await;
        match content {
            Some(content) => linked.write(content),
            None => fs::remove_file(linked.file()).unwrap(),
        }
        linked.served_by("b", Mode::Http).await;
        linked.needs(reason);
        let said = linked.view("a").state_text;
        assert!(said.contains(&linked.file().display().to_string()), "{said}");
        linked.write(&own);
        // Nobody has to ask for it.
        let mut changes = linked.stage.baton.changes();
        while linked.view("a").state != Eligibility::Eligible {
            changes.changed().await.unwrap();
        }
    }
    linked.only_followed();
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_behind_a_link_and_one_that_is_replaced_are_followed() {
    let linked = Linked::with(&[]).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (first, second) = (elsewhere.path().join("one"), elsewhere.path().join("two"));
    fs::rename(linked.file(), &first).unwrap();
    std::os::unix::fs::symlink(&first, linked.file()).unwrap();
    linked.served_by("a", Mode::Http).await;
    for _ in 0..2 {
        linked.stage.sim.account("a").revoke_access_tokens();
        fs::write(&second, linked.renewed()).unwrap();
        fs::rename(&second, &first).unwrap();
        linked.served_by("a", Mode::Http).await;
    }
    assert_eq!(linked.refused(), 0, "the old token isn't sent any more");
}

#[tokio::test]
async fn two_stale_links_engage_no_brake() {
    let linked = Linked::with(&[]).await;
    let second = tempfile::tempdir().unwrap();
    fs::write(
        second.path().join("auth.json"),
        linked.stage.sim.account("b").auth_json(),
    )
    .unwrap();
    linked.link_at(second.path(), "b").await.unwrap();
    for name in ["a", "b"] {
        linked.stage.sim.account(name).revoke_access_tokens();
    }
    let report = linked.stage.client(Mode::Http).turn("hello").await;
    assert!(report.error.is_some(), "{report:?}");
    linked.needs(Refusal::LinkStale);
    linked.write(&linked.renewed());
    linked.served_by("a", Mode::Http).await;
}

#[tokio::test]
async fn usage_is_read_with_it_and_renews_nothing() {
    let stage = Stage::with_usage(scenario([account("a", 100.0)]), &[]).await;
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("auth.json"), stage.sim.account("a").auth_json()).unwrap();
    stage.sim.account("a").revoke_access_tokens();
    let linked = Linked { stage, home };
    let mut changes = linked.stage.baton.changes();
    linked.link("a").await.unwrap();
    while linked.view("a").state == Eligibility::Eligible {
        changes.changed().await.unwrap();
    }
    linked.needs(Refusal::LinkStale);
    linked.write(&linked.renewed());
    // Read anew once that is right.
    while linked.view("a").windows.is_empty() {
        changes.changed().await.unwrap();
    }
    linked.only_followed();
}

#[tokio::test]
async fn an_account_is_linked_or_has_a_sign_in_of_its_own_never_both() {
    let linked = Linked::with(&["b"]).await;
    // Its own, to be linked.
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("auth.json");
    fs::write(&file, linked.stage.sim.account("b").sign_in()).unwrap();
    let error = linked.link_at(&file, "c").await.unwrap_err().to_string();
    assert!(
        error.contains("b, which has a sign-in of its own") && error.contains("baton accounts remove b"),
        "{error}"
    );
    assert_eq!(linked.view("b").linked, None);
    // Linked again, elsewhere.
    fs::write(&file, linked.renewed()).unwrap();
    let said = linked.link_at(&file, "c").await.unwrap();
    assert!(said.contains("This is a: it is linked to"), "{said}");
    assert_eq!(linked.view("a").linked, Some(file.clone()));
    // A copy of what is followed would be a second refresher.
    let copy = linked.home.path().join("copy.json");
    fs::copy(&file, &copy).unwrap();
    let (path, label) = (copy.clone(), "c".to_owned());
    let refused = linked.stage.baton.execute(Command::AddFrom { path, label }).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("log each other out") && copy.exists(), "{error}");
    // Linked, and signed in to.
    let said = linked.add("a", "a").await.unwrap();
    assert!(
        said.contains("was linked to") && said.contains("of its own"),
        "{said}"
    );
    assert_eq!(linked.view("a").linked, None);
    fs::remove_file(&file).unwrap();
    linked.served_by("a", Mode::Http).await;
    assert_eq!(linked.stage.baton.snapshot().accounts.len(), 2);
}

#[tokio::test]
async fn what_can_not_be_linked_is_told_and_nothing_is_added() {
    let linked = Linked::with(&[]).await;
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("auth.json");
    let own = linked.stage.sim.account("b").auth_json();
    let mut nobodys: Value = serde_json::from_str(&own).unwrap();
    nobodys["tokens"]["id_token"] = "x".into();
    nobodys["tokens"]["access_token"] = "x".into();
    let nobodys = nobodys.to_string();
    let contents: [(Option<&str>, &str); 5] = [
        (None, "isn't there"),
        (Some(r#"{"OPENAI_API_KEY":"sk-secret"}"#), "API key"),
        (Some(&own[..own.len() / 2]), "not the JSON that Codex writes"),
        (Some(""), "empty"),
        (Some(&nobodys), "whose sign-in"),
    ];
    for (content, why) in contents {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let error = linked.link_at(other.path(), "b").await.unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("sk-secret"), "{error}");
        assert!(error.contains(&file.display().to_string()), "{error}");
    }
    fs::write(&file, &own).unwrap();
    let error = linked.link_at(&file, "A").await.unwrap_err().to_string();
    assert!(error.contains("called `A` already"), "{error}");
    assert_eq!(linked.stage.baton.snapshot().accounts.len(), 1);
}

//! `baton accounts add` with the program, the simulated issuer, a keychain and a browser, which is a shell script.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use baton_engine::{Engine, Options, vault::MemoryVault};
use baton_sim::{AccountScript, Consent, Kind, Scenario, Sim};
use serde_json::Value;

use super::{Done, Place, SOON, lines};

/// The issuer, on threads of its own.
struct Issuer {
    sim: Sim,
    runtime: tokio::runtime::Runtime,
}

fn issuer() -> Issuer {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scenario = Scenario::new()
        .account(AccountScript::new("Personal"))
        .account(AccountScript::new("Work"));
    let sim = runtime.block_on(Sim::start(scenario));
    Issuer { sim, runtime }
}

impl Place {
    fn add(&self, issuer: &Issuer, args: &[&str]) -> Command {
        let mut command = self.command(&[["accounts", "add"].as_slice(), args].concat());
        command
            .env("BATON_ISSUER", issuer.sim.issuer_url())
            .env("BATON_SIGN_IN_PORTS", "0")
            .env("BROWSER", self.browser());
        command
    }

    /// A browser that goes where it is sent, and writes down what it is shown. While it runs it holds a lock on its
    /// own file: `baton` may end before it.
    fn browser(&self) -> PathBuf {
        let path = self.path("browser");
        let page = self.path("page.html");
        let script = format!(
            "#!/bin/sh\nexec flock \"$0\" curl --silent --location --noproxy '*' --output '{}' \"$1\"\n",
            page.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What the browser showed last, once it has ended. Only after a sign-in that came to an end: it has begun by then.
    fn page(&self) -> String {
        std::fs::File::open(self.path("browser")).unwrap().lock().unwrap();
        std::fs::read_to_string(self.path("page.html")).unwrap()
    }
}

/// Nothing that signs anybody in, and no e-mail. The link is to be shown, and its random letters may spell anything.
#[track_caller]
fn no_secrets(done: &Done, issuer: &Issuer) {
    let said = format!("{} {}", done.stdout(), done.stderr());
    for entry in issuer.sim.log().entries() {
        assert!(entry.kind != Kind::Token || !entry.body.is_empty());
        for (name, value) in url::form_urlencoded::parse(&entry.body) {
            assert!(
                !(name.starts_with("code") && said.contains(&*value)),
                "{name}: {said}"
            );
        }
    }
    let words = said
        .split([' ', '\n', '"'])
        .filter(|word| !word.contains("/oauth/authorize?"));
    for word in words {
        for secret in ["eyJ", "rt_", "ac_", "code=", "@example"] {
            assert!(!word.contains(secret), "{said}");
        }
    }
}

#[test]
fn the_browser_is_opened_and_what_comes_of_it_told() {
    let (place, issuer) = (Place::with_keychain(), issuer());
    let done = Done(place.add(&issuer, &["--label", "Personal"]).output().unwrap());
    no_secrets(&done, &issuer);
    let said = done.stderr();
    assert!(said.contains("Your browser opens the sign-in page"), "{said}");
    assert_eq!(done.fine(), "Personal is added; its grant is in the keychain.\n");
    assert_eq!(
        issuer
            .sim
            .log()
            .count(|entry| entry.kind == Kind::Token && entry.completed()),
        1
    );
    let accounts = place.baton(&["accounts", "list", "--json"]).json();
    assert_eq!(accounts["accounts"][0]["label"], "Personal");
}

/// Before a browser is opened or a code is shown; and once it is there and unlocked, the same command works.
#[test]
fn a_keychain_that_is_absent_or_locked_is_told_of_before_anybody_signs_in() {
    let issuer = issuer();
    let absent = Place::new();
    let mut place = Place::with_keychain();
    place.keychain.as_ref().unwrap().lock();
    for (place, why) in [(&absent, "there is no keychain service"), (&place, "is locked")] {
        for way in [&[][..], &["--no-browser"], &["--device"]] {
            let args = [&["--label", "Personal"], way].concat();
            let said = Done(place.add(&issuer, &args).output().unwrap()).refused(1);
            assert!(said.contains(why) && said.contains("Nothing was added"), "{said}");
            assert!(!said.contains("http"), "{said}");
        }
        assert!(!place.path("page.html").exists());
    }
    assert_eq!(issuer.sim.log().entries().len(), 0);
    place.keychain.as_mut().unwrap().unlock();
    Done(place.add(&issuer, &["--label", "Personal"]).output().unwrap()).fine();
}

/// In a real Secret Service. What was allowed to an item would be lost with it.
#[test]
fn each_data_folder_has_items_of_its_own_and_a_renewed_sign_in_those_it_had() {
    let (place, issuer) = (Place::with_keychain(), issuer());
    let other = place.path("other");
    let items = |data_dir: &Path| {
        let service = format!("baton-{}", baton_engine::instance::tag(data_dir));
        place.keychain.as_ref().unwrap().items(&service)
    };
    let add = |args: &[&str]| Done(place.add(&issuer, args).output().unwrap()).fine();
    add(&["--label", "Personal"]);
    let first = items(&place.data());
    assert_eq!(first.len(), 2, "a grant and an access token: {first:?}");
    let of_other = ["--data-dir", other.to_str().unwrap()];
    add(&[&of_other[..], &["--label", "Personal"]].concat());
    let second = items(&other);
    assert!(
        second.len() == 2 && first.is_disjoint(&second),
        "{first:?} {second:?}"
    );

    let said = add(&["--label", "Personal"]);
    assert!(said.contains("renewed"), "{said}");
    assert_eq!(items(&place.data()), first);
    let remove = [&["accounts", "remove", "Personal"], &of_other[..]].concat();
    place.baton(&remove).fine();
    assert_eq!((items(&place.data()), items(&other).len()), (first, 0));
}

#[test]
fn two_accounts_are_added_to_a_running_baton_and_the_first_renewed() {
    let (place, issuer) = (Place::new(), issuer());
    let mut options = Options::from_env(Some(&place.data()), Some(0)).unwrap();
    options.issuer = issuer.sim.issuer_url().parse().unwrap();
    options.sign_in_ports = vec![0];
    options.vault = Some(Arc::new(MemoryVault::new()));
    let engine = issuer.runtime.block_on(Box::pin(Engine::start(options))).unwrap();
    let add = |label: &str| {
        let mut command = place.reaching_this_process(place.add(&issuer, &["--label", label]));
        let done = Done(command.output().unwrap());
        no_secrets(&done, &issuer);
        done.fine()
    };
    assert_eq!(
        add("Personal"),
        "Personal is added; its grant is in the keychain.\n"
    );
    issuer.sim.consent(Consent::Agrees("Work".to_owned()));
    assert_eq!(add("Work"), "Work is added; its grant is in the keychain.\n");
    issuer.sim.consent(Consent::Agrees("Personal".to_owned()));
    let said = add("Third");
    assert!(
        said.starts_with("This is Personal again, renewed; nothing added."),
        "{said}"
    );
    let page = place.page();
    assert!(page.contains("<h1>Signed in</h1>"), "{page}");
    assert_eq!(engine.snapshot().accounts.len(), 2);
    assert_eq!(issuer.runtime.block_on(engine.shutdown()), None);
}

#[test]
fn a_refused_consent_is_told_by_way_of_the_baton_that_runs() {
    let (place, issuer) = (Place::with_keychain(), issuer());
    let mut serve = place.command(&["serve", "--port", "0", "--json"]);
    serve
        .env("BATON_ISSUER", issuer.sim.issuer_url())
        .env("BATON_SIGN_IN_PORTS", "0");
    let _serving = super::Serving::of(serve);
    issuer.sim.consent(Consent::Refuses);
    let done = Done(
        place
            .add(&issuer, &["--label", "Personal", "--json"])
            .output()
            .unwrap(),
    );
    no_secrets(&done, &issuer);
    assert_eq!(done.status(), Some(1));
    let begun: Value = serde_json::from_str(done.stdout().trim()).unwrap();
    assert!(
        begun["sign_in"]["link"]
            .as_str()
            .unwrap()
            .starts_with(&issuer.sim.issuer_url())
    );
    let error: Value = serde_json::from_str(done.stderr().lines().last().unwrap()).unwrap();
    let error = error["error"].as_str().unwrap();
    assert!(error.contains("didn't agree (access_denied)"), "{error}");
}

#[test]
fn without_a_browser_the_address_is_pasted() {
    let (place, issuer) = (Place::with_keychain(), issuer());
    let mut child = place
        .add(&issuer, &["--label", "Personal", "--no-browser", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = lines(child.stdout.take().unwrap()).recv_timeout(SOON).unwrap();
    let begun: Value = serde_json::from_str(&said).unwrap();
    // It goes where the page sends it, to a machine where nothing listens.
    let visited = Command::new("curl")
        .args([
            "--silent",
            "--noproxy",
            "*",
            "--output",
            "/dev/null",
            "--write-out",
            "%{redirect_url}",
        ])
        .arg(begun["sign_in"]["link"].as_str().unwrap())
        .output()
        .unwrap();
    let address = String::from_utf8(visited.stdout).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "http://localhost/what\n{address}").unwrap();
    let done = Done(child.wait_with_output().unwrap());
    no_secrets(&done, &issuer);
    let said = done.stderr();
    assert!(said.contains("that is no address"), "{said}");
    done.fine();
    assert_eq!(
        issuer
            .sim
            .log()
            .count(|entry| entry.kind == Kind::Token && entry.completed()),
        1
    );
}

#[test]
fn other_commands_are_answered_meanwhile_and_ctrl_c_leaves_nothing() {
    let (place, issuer) = (Place::with_keychain(), issuer());
    let mut child = place
        .add(&issuer, &["--label", "Personal", "--device", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = lines(child.stdout.take().unwrap()).recv_timeout(SOON).unwrap();
    let begun: Value = serde_json::from_str(&said).unwrap();
    assert!(
        begun["sign_in"]["link"]
            .as_str()
            .unwrap()
            .ends_with("/codex/device")
    );
    assert!(begun["sign_in"]["code"].is_string());
    assert_eq!(place.baton(&["status", "--json"]).json()["running"], false);
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let done = Done(child.wait_with_output().unwrap());
    assert_eq!(done.status(), Some(1));
    assert!(
        done.stderr()
            .contains("the sign-in was cancelled: nothing was added"),
        "{}",
        done.stderr()
    );
    assert_eq!(
        place.baton(&["accounts", "list", "--json"]).json()["accounts"],
        serde_json::json!([])
    );
}

/// The same command where somebody can be asked, who types this.
fn typed(command: &Command, input: &str) -> Done {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
    let mut terminal = Command::new("script");
    terminal.args(["-q", "-e", "-c", &line.join(" "), "/dev/null"]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let mut child = terminal
        .current_dir(command.get_current_dir().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("util-linux is installed");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    // The terminal stays until the command has ended.
    let done = child.wait_with_output().unwrap();
    drop(stdin);
    Done(done)
}

#[test]
fn a_person_is_asked_for_the_label_and_the_e_mail_never_becomes_one() {
    let (place, issuer) = (Place::with_keychain(), issuer());
    let question = "What to call this account (such as Personal, or Work)? ";
    let nothing = typed(&place.add(&issuer, &[]), "\n");
    let said = nothing.stdout();
    assert_eq!(nothing.status(), Some(1), "{said}");
    assert!(
        said.contains(question) && said.contains("a label can't be empty"),
        "{said}"
    );
    assert_eq!(issuer.sim.log().entries().len(), 0, "nobody was sent to sign in");

    let done = typed(&place.add(&issuer, &[]), " Mine \n");
    no_secrets(&done, &issuer);
    let said = done.fine();
    assert!(
        said.contains(question) && said.contains("Mine is added; its grant is in the keychain."),
        "{said}"
    );
    let accounts = place.baton(&["accounts", "list", "--json"]).json();
    assert_eq!(accounts["accounts"][0]["label"], "Mine");
    assert!(!accounts.to_string().contains('@'), "{accounts}");
}

#[test]
fn a_label_is_never_made_up() {
    let (place, issuer) = (Place::new(), issuer());
    let said = Done(place.add(&issuer, &[]).output().unwrap()).refused(1);
    assert!(said.contains("--label NAME"), "{said}");
    let said = Done(place.add(&issuer, &["--label", " "]).output().unwrap()).refused(1);
    assert!(said.contains("can't be empty"), "{said}");
    assert_eq!(issuer.sim.log().entries().len(), 0);
    for args in [
        ["--device", "--no-browser"].as_slice(),
        &["--from", "auth.json", "--device"],
        &["--link", "auth.json", "--device"],
        &["--link", "auth.json", "--from", "auth.json"],
        &["--link", "auth.json", "--yes"],
        &["--yes"],
    ] {
        Done(place.add(&issuer, args).output().unwrap()).refused(2);
    }
}

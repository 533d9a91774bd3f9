//! How a Codex folder is: where the Codex that lives there goes, and who else could.

use std::path::Path;

use toml_edit::{Document, Item};
use url::{Host, Url};

use super::{
    edit, exposure,
    file::ConfigFile,
    layers,
    lines::{ANOTHER, Owner},
    overrides,
};
use crate::{
    control::protocol::BaseUrls,
    doctor::{Check, CheckId, Outcome, Subject},
};

/// A Codex folder, and what is to become of what Codex asks.
#[derive(Clone, Copy, Debug)]
pub struct Home<'a> {
    pub path: &'a Path,
    /// This Baton.
    pub owner: &'a Owner,
    /// Baton's, running or not; `None` where it has never run.
    pub urls: Option<&'a BaseUrls>,
    pub running: bool,
    /// While Baton runs.
    pub to_be_connected: bool,
}

/// Where a configuration leads model requests.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// What of Codex goes through Baton.
    Baton(&'static str),
    /// Model requests only: the rest goes to this place.
    Half(String),
    /// To another program on this machine.
    Loopback(String),
    Elsewhere(String),
    Own,
}

pub(super) fn check(id: CheckId, outcome: Outcome, said: impl Into<String>) -> Check {
    Check::new(id, Subject::Codex, outcome, said)
}

impl Home<'_> {
    pub fn checks(&self) -> Vec<Check> {
        let file = ConfigFile::of(self.path, self.owner);
        let name = file.path().display().to_string();
        let text = match file.text() {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => {
                return vec![check(CheckId::Config, Outcome::Problem, format!("{error}."))];
            }
        };
        let document = match edit::parse(&text) {
            Ok(document) => document,
            Err(error) => {
                let said = format!("{name} can't be parsed ({error}), so Codex can't start with it.");
                return vec![check(CheckId::Config, Outcome::Problem, said).to_do("Mend that line.")];
            }
        };
        let way = way(&document, self.urls);
        let mut checks = vec![self.config(&name, &text, &document, &way)];
        if matches!(way, Way::Baton(_) | Way::Half(_)) || self.to_be_connected {
            let exposed = exposure::of(file.path()).into_iter();
            checks.extend(exposed.map(|said| check(CheckId::Config, Outcome::Note, said)));
            checks.extend(layers::profiles(self.path, &document));
        }
        checks
    }

    fn config(&self, name: &str, text: &str, document: &Document<&str>, way: &Way) -> Check {
        let connect = format!("`baton connect --home {}`.", self.path.display());
        let one = |outcome, said: String| check(CheckId::Config, outcome, said);
        let marked = edit::connected(text, self.owner);
        if let Some(mut past) = marked.and_then(|mode| overrides::provider(text, document, mode)) {
            past.said = format!("{name}: {}", past.said);
            return past;
        }
        if let Some(another) = edit::connected_by_another(text, self.owner) {
            let outcome = if self.to_be_connected {
                Outcome::Problem
            } else {
                Outcome::Note
            };
            let said = format!("{name} is connected to another Baton (by the lines with {another}).");
            return one(outcome, said).to_do(format!("To change that: {ANOTHER}."));
        }
        match way {
            Way::Baton(_) if !self.running => one(
                Outcome::Problem,
                format!("{name} leads to Baton, which isn't running: Codex finds nobody there."),
            )
            .to_do("Start Baton (`baton serve`), or let Codex go its own way: `baton disconnect`."),
            Way::Baton(what) => one(Outcome::Fine, format!("{what} through Baton ({name}).")),
            Way::Half(place) => one(
                Outcome::Problem,
                format!(
                    "In {name}, `chatgpt_base_url` leads to {place}: only model requests go through Baton."
                ),
            )
            .to_do(connect),
            _ if marked.is_some() => one(
                Outcome::Problem,
                format!("{name} has lines of Baton's, with another port or secret than it has now."),
            )
            .to_do(connect),
            Way::Own | Way::Loopback(_) | Way::Elsewhere(_) if self.to_be_connected && self.running => one(
                Outcome::Problem,
                format!(
                    "{name} is to be connected while Baton runs, and isn't{}.",
                    to(way)
                ),
            )
            .to_do(connect),
            Way::Own | Way::Loopback(_) | Way::Elsewhere(_) if self.to_be_connected => one(
                Outcome::Fine,
                format!("{name} is connected as soon as Baton runs."),
            ),
            _ => one(
                Outcome::Note,
                format!("Codex goes its own way ({name}){}.", to(way)),
            )
            .to_do(format!("To let it go through Baton: {connect}")),
        }
    }
}

/// Where else, if anywhere.
fn to(way: &Way) -> String {
    match way {
        Way::Loopback(place) => format!(", to another program on this machine ({place})"),
        Way::Elsewhere(place) => format!(", to {place}"),
        Way::Baton(_) | Way::Half(_) | Way::Own => String::new(),
    }
}

fn way(document: &Document<&str>, urls: Option<&BaseUrls>) -> Way {
    let text = |key| document.get(key).and_then(Item::as_str);
    let provider = text("model_provider").unwrap_or("openai");
    let own = provider == "openai";
    let base = if own {
        text("openai_base_url")
    } else {
        let named = document.get("model_providers").and_then(|all| all.get(provider));
        named.and_then(|named| named.get("base_url")?.as_str())
    };
    let Some(base) = base else {
        return if own {
            Way::Own
        } else {
            Way::Elsewhere(format!("the provider `{provider}`"))
        };
    };
    match urls {
        Some(urls) if same(base, &urls.openai_base_url) => match text("chatgpt_base_url") {
            _ if !own => Way::Baton("Codex goes, as a provider of its own,"),
            None => Way::Baton("Codex's model requests go"),
            Some(other) if same(other, &urls.chatgpt_base_url) => Way::Baton("Codex goes"),
            Some(other) => Way::Half(place(other).1),
        },
        _ => match place(base) {
            (true, place) => Way::Loopback(place),
            (false, place) => Way::Elsewhere(place),
        },
    }
}

fn same(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Host and port, without the path: a secret may be in it. And whether that is this machine.
pub(super) fn place(url: &str) -> (bool, String) {
    let Some(url) = Url::parse(url).ok().filter(Url::has_host) else {
        return (false, "what is no URL".to_owned());
    };
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    (here, format!("{}{port}", url.host_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::codex::{
        Mode,
        properties::{owner, rival, urls},
    };

    /// The first finding on a folder with this configuration.
    fn config(text: &str, running: bool, to_be_connected: bool) -> (Outcome, String) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        fs::write(folder.join("config.toml"), text).unwrap();
        let urls = urls(7);
        let home = Home {
            path: folder,
            owner: &owner(),
            urls: Some(&urls),
            running,
            to_be_connected,
        };
        let first = home.checks().remove(0);
        assert_eq!((first.id, &first.subject), (CheckId::Config, &Subject::Codex));
        assert!(!first.said.contains("/secret"), "{first:?}");
        assert_eq!(
            first.outcome == Outcome::Fine,
            first.to_do.is_none() && !first.said.contains("remove"),
            "{first:?}"
        );
        (
            first.outcome,
            first.said.replace(&folder.display().to_string(), "~"),
        )
    }

    #[test]
    fn what_is_connected_is_fine_while_baton_runs() {
        for (mode, said) in [
            (Mode::Default, "Codex goes through Baton"),
            (Mode::Requests, "Codex's model requests go through Baton"),
            (
                Mode::Provider,
                "Codex goes, as a provider of its own, through Baton",
            ),
        ] {
            let text = edit::connect(Some("a = 1\n"), &urls(7), mode, &owner()).unwrap();
            let expected = format!("{said} (~/config.toml).");
            assert_eq!(config(&text, true, true), (Outcome::Fine, expected), "{mode:?}");
            let (outcome, said) = config(&text, false, true);
            assert!(
                outcome == Outcome::Problem && said.contains("finds nobody"),
                "{said}"
            );
        }
        let by_hand = format!("openai_base_url = '{}'", urls(7).openai_base_url);
        assert_eq!(config(&by_hand, true, false).0, Outcome::Fine);
    }

    #[test]
    fn what_leads_elsewhere_is_named() {
        let stale = edit::connect(None, &urls(8), Mode::Default, &owner()).unwrap();
        let past = edit::connect(Some("model_provider = 'x'\n"), &urls(7), Mode::Default, &owner()).unwrap();
        let half = format!(
            "openai_base_url = '{}'\nchatgpt_base_url = 'http://localhost:9/'",
            urls(7).openai_base_url
        );
        let rival = "openai_base_url = 'http://127.0.0.1:15721/v1'";
        for (text, outcome, said) in [
            (stale.as_str(), Outcome::Problem, "another port or secret"),
            (&past, Outcome::Problem, "`model_provider = \"x\"`"),
            (&half, Outcome::Problem, "leads to localhost:9"),
            ("a = 1\n[tui\n", Outcome::Problem, "line 2"),
            (
                rival,
                Outcome::Note,
                "another program on this machine (127.0.0.1:15721)",
            ),
            ("model_provider = 'x'", Outcome::Note, "the provider `x`"),
            ("", Outcome::Note, "its own way"),
        ] {
            let found = config(text, true, false);
            assert!(found.0 == outcome && found.1.contains(said), "{text}: {found:?}");
        }
    }

    #[test]
    fn one_that_is_connected_to_another_baton_is_a_problem_only_where_this_one_is_to_be() {
        let another = edit::connect(None, &urls(7), Mode::Default, &rival()).unwrap();
        for (to_be_connected, outcome) in [(true, Outcome::Problem), (false, Outcome::Note)] {
            let found = config(&another, true, to_be_connected);
            assert!(
                found.0 == outcome
                    && found
                        .1
                        .contains(&format!("another Baton (by the lines with {})", rival())),
                "{found:?}"
            );
        }
    }

    #[test]
    fn one_that_is_to_be_connected_must_be_while_baton_runs_and_only_then() {
        let (outcome, said) = config("", true, true);
        assert!(
            outcome == Outcome::Problem && said.contains("is to be connected"),
            "{said}"
        );
        assert_eq!(config("", false, true).0, Outcome::Fine);
    }
}

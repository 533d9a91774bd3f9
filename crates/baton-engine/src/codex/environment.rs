//! What of the environment decides where a Codex started there goes, and what doesn't (docs/protocol.md §1).

use std::{fs, path::Path};

use super::health::check;
use crate::doctor::{Check, CheckId, Outcome};

const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
/// The two hosts of Baton's base URLs. Codex takes neither `*` nor a network for them on every route.
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

/// Of a Codex with this folder. `var`: the shell's variables; those in the folder's `.env` count as well.
pub fn environment(home: &Path, var: impl Fn(&str) -> Option<String>) -> Vec<Check> {
    let file = fs::read_to_string(home.join(".env")).unwrap_or_default();
    let value = |name: &str| {
        var(name)
            .or_else(|| of_file(&file, name))
            .filter(|value| !value.trim().is_empty())
    };
    let mut checks: Vec<Check> = proxied(&value).into_iter().collect();
    for name in ["CODEX_API_KEY", "CODEX_ACCESS_TOKEN"] {
        // Codex leaves names of its own unheeded in that file.
        if var(name).is_some_and(|value| !value.is_empty()) {
            let said = format!(
                "{name} is set: `codex exec` signs in with it. Its model requests go through Baton's accounts all the same."
            );
            checks.push(check(CheckId::Environment, Outcome::Note, said));
        }
    }
    if value("OPENAI_BASE_URL").is_some() {
        let said = "OPENAI_BASE_URL is set; Codex doesn't heed it.";
        checks.push(check(CheckId::Environment, Outcome::Note, said));
    }
    if checks.is_empty() {
        let said = "Nothing in this shell leads Codex past Baton.";
        checks.push(check(CheckId::Environment, Outcome::Fine, said));
    }
    checks
}

fn proxied(value: &impl Fn(&str) -> Option<String>) -> Option<Check> {
    let name = PROXIES.into_iter().find(|name| value(name).is_some())?;
    let spared = value("NO_PROXY")
        .or_else(|| value("no_proxy"))
        .unwrap_or_default();
    let missing: Vec<_> = HOSTS
        .into_iter()
        .filter(|host| !spared.split(',').any(|entry| entry.trim() == *host))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let all = [spared.trim(), &missing.join(",")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(",");
    let said = format!(
        "{name} is set, and NO_PROXY doesn't name {}: Codex sends that proxy what is meant for Baton, with its own token.",
        missing.join(" and ")
    );
    // The list may be anything, but it is the person's own.
    Some(check(CheckId::Environment, Outcome::Problem, said).to_do(format!(
        "Where Codex is started: `export NO_PROXY={all}`. It wants both written out: `*` or 127.0.0.0/8 don't do."
    )))
}

/// `NAME=value`, as in a shell.
fn of_file(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| {
        let line = line.trim();
        let (key, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found with these variables, and with this `.env`.
    fn found(vars: &[(&str, &str)], file: &str) -> Vec<(Outcome, String)> {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(".env"), file).unwrap();
        let var = |name: &str| {
            let found = vars.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let checks = environment(home.path(), var).into_iter();
        checks
            .map(|check| (check.outcome, check.said + &check.to_do.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_proxy_must_be_told_both_hosts_by_name() {
        let proxy = ("HTTP_PROXY", "http://proxy:3128");
        for (vars, file, names) in [
            (vec![proxy], "", Some("127.0.0.1 and localhost:")),
            (vec![("all_proxy", "socks5://x")], "", Some("all_proxy is set")),
            (
                vec![],
                "export http_proxy='http://x'\n",
                Some("http_proxy is set"),
            ),
            (
                vec![proxy, ("NO_PROXY", "*")],
                "",
                Some("NO_PROXY=*,127.0.0.1,localhost"),
            ),
            (
                vec![proxy, ("NO_PROXY", "127.0.0.0/8,localhost")],
                "",
                Some("doesn't name 127.0.0.1:"),
            ),
            (vec![proxy, ("no_proxy", "intra, 127.0.0.1 ,localhost")], "", None),
            (vec![proxy], "NO_PROXY=localhost,127.0.0.1", None),
            (vec![("HTTPS_PROXY", "http://x")], "", None),
            (vec![("HTTP_PROXY", "")], "", None),
        ] {
            let found = found(&vars, file);
            match names {
                Some(names) => assert!(
                    found[0].0 == Outcome::Problem && found[0].1.contains(names),
                    "{found:?}"
                ),
                None => assert_eq!(found[0].0, Outcome::Fine, "{vars:?} {file}"),
            }
        }
    }

    #[test]
    fn keys_and_urls_that_change_nothing_are_told_as_such_and_never_shown() {
        let vars = [
            ("CODEX_API_KEY", "sk-secret"),
            ("OPENAI_BASE_URL", "http://x/secret"),
        ];
        let found = found(&vars, "");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .all(|(outcome, said)| *outcome == Outcome::Note && !said.contains("secret"))
        );
    }
}

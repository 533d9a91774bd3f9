//! The other files in which Codex reads where to go (docs/protocol.md §1 says which of them count): profiles, a project's,
//! and an administrator's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use toml_edit::{Document, Item};

use super::health::check;
use crate::doctor::{Check, CheckId, Outcome};

/// What decides where Codex goes.
const KEYS: [&str; 3] = ["model_provider", "openai_base_url", "chatgpt_base_url"];
/// Of files that are looked for in a folder.
const MOST: usize = 100;

/// An administrator's file comes before the person's own.
pub const MANAGED: &str = "/etc/codex/managed_config.toml";

/// Which of the keys a table has.
fn keys<'a>(has: impl Fn(&str) -> bool + 'a) -> Option<String> {
    let found: Vec<_> = KEYS
        .into_iter()
        .filter(|key| has(key))
        .map(|key| format!("`{key}`"))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn keys_of(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let document = Document::parse(text.as_str()).ok()?;
    keys(|key| document.contains_key(key))
}

/// Of the folder with this config.toml.
pub(super) fn profiles(home: &Path, config: &Document<&str>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(name) = config.get("profile").and_then(Item::as_str) {
        let said =
            format!("`profile = \"{name}\"` in config.toml: Codex from 0.134 on doesn't start with that.");
        checks.push(check(CheckId::Profile, Outcome::Problem, said).to_do(format!(
            "Move what `[profiles.{name}]` says into {}, remove both from config.toml, and start `codex --profile {name}`.",
            home.join(format!("{name}.config.toml")).display()
        )));
    }
    let tables = config.get("profiles").and_then(Item::as_table_like);
    for (name, table) in tables.into_iter().flat_map(|tables| tables.iter()) {
        if let Some(keys) = keys(|key| table.get(key).is_some()) {
            let said = format!(
                "`[profiles.{name}]` in config.toml sets {keys}: a Codex before 0.134 goes past Baton with `--profile {name}`; \
                 later ones don't start with it."
            );
            checks.push(check(CheckId::Profile, Outcome::Note, said).to_do("Remove these keys from it."));
        }
    }
    let mut files: Vec<_> = fs::read_dir(home)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    for file in files.into_iter().take(MOST) {
        let name = file
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".config.toml"));
        if let (Some(name), Some(keys)) = (name, keys_of(&file)) {
            let said = format!(
                "`codex --profile {name}` goes past Baton: {} sets {keys}.",
                file.display()
            );
            checks.push(
                check(CheckId::Profile, Outcome::Note, said)
                    .to_do("To have it go through Baton, remove these keys."),
            );
        }
    }
    checks
}

/// From this folder up to its repository's. `homes` are no projects.
pub fn projects(folder: &Path, homes: &[PathBuf]) -> Vec<Check> {
    let root = folder
        .ancestors()
        .find(|folder| folder.join(".git").exists())
        .unwrap_or(folder);
    let folders = folder.ancestors().take_while(|folder| folder.starts_with(root));
    let files = folders
        .map(|folder| folder.join(".codex"))
        .filter(|codex| !homes.contains(codex));
    let found = files.filter_map(|codex| {
        let file = codex.join("config.toml");
        let keys = keys_of(&file)?;
        let said = format!(
            "{} sets {keys}, which Codex leaves unheeded in a project (and says so at each start).",
            file.display()
        );
        Some(
            check(CheckId::Project, Outcome::Note, said)
                .to_do("Remove them there; an older Codex would go past Baton."),
        )
    });
    found.collect()
}

/// [`MANAGED`], where there is one.
pub fn managed(file: &Path) -> Option<Check> {
    let keys = keys_of(file)?;
    let said = format!(
        "{} sets {keys}, and comes before your own config.toml: Codex goes past Baton.",
        file.display()
    );
    Some(
        check(CheckId::Config, Outcome::Problem, said)
            .to_do("Ask whoever administers this machine to take them out."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(checks: &[Check]) -> Vec<&str> {
        checks.iter().map(|check| check.said.as_str()).collect()
    }

    #[test]
    fn profiles_that_lead_past_baton_are_named_in_either_form() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("deep.config.toml"), "model_provider = 'x'").unwrap();
        fs::write(home.path().join("plain.config.toml"), "model = 'm'").unwrap();
        let text = "profile = 'old'\n[profiles.old]\nopenai_base_url = 'x'\n[profiles.fine]\nmodel = 'm'\n";
        let checks = profiles(home.path(), &Document::parse(text).unwrap());
        let said = said(&checks);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("doesn't start") && checks[0].outcome == Outcome::Problem);
        assert!(said[1].starts_with("`[profiles.old]` in config.toml sets `openai_base_url`"));
        assert!(
            said[2].starts_with("`codex --profile deep` goes past Baton")
                && checks[2].outcome == Outcome::Note
        );
    }

    #[test]
    fn a_projects_files_count_up_to_its_repository_and_a_codex_home_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("repository/a/b");
        for folder in [
            "repository/a/b/.codex",
            "repository/.git",
            "repository/.codex",
            ".codex",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for folder in ["", "repository", "repository/a/b"] {
            fs::write(
                dir.path().join(folder).join(".codex/config.toml"),
                "openai_base_url = 'x'",
            )
            .unwrap();
        }
        let checks = projects(&inside, &[]);
        assert_eq!(checks.len(), 2, "{:?}", said(&checks));
        let homes = [dir.path().join("repository/.codex")];
        assert_eq!(projects(&inside, &homes).len(), 1);
        assert_eq!(projects(dir.path(), &[dir.path().join(".codex")]), []);
    }

    #[test]
    fn an_administrators_file_is_a_problem_where_it_leads_past() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("managed_config.toml");
        assert_eq!(managed(&file), None);
        fs::write(&file, "chatgpt_base_url = 'x'").unwrap();
        assert!(managed(&file).unwrap().said.contains("comes before your own"));
    }
}

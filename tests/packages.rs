//! What the packages are made from agrees with the rest: versions, files and the release workflow.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn tauri() -> Value {
    serde_json::from_str(&read("tauri.conf.json")).expect("JSON")
}

#[test]
fn there_is_one_version() {
    // Tauri takes the manifest's where its own configuration has none.
    assert_eq!(tauri()["version"], Value::Null);
    let metainfo = read("packaging/dev.baton.desktop.metainfo.xml");
    let newest = metainfo
        .split_once("<release version=\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    assert_eq!(
        newest.map(|(version, _)| version),
        Some(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn every_file_that_a_package_takes_is_there_or_made_by_the_script() {
    let tauri = tauri();
    let linux = &tauri["bundle"]["linux"];
    let mut named = BTreeSet::new();
    for (kind, package) in linux.as_object().expect("kinds of packages") {
        for (to, from) in package["files"].as_object().expect("files") {
            assert!(to.starts_with("/usr/"), "{kind}: {to}");
            named.insert(from.as_str().expect("a path").to_owned());
        }
        let fields = package.as_object().expect("a package");
        let scripts = fields
            .iter()
            .filter(|(name, _)| name.ends_with("Script") || *name == "desktopTemplate");
        named.extend(scripts.map(|(_, path)| path.as_str().expect("a path").to_owned()));
    }
    named.extend(tauri["bundle"]["macOS"]["infoPlist"].as_str().map(str::to_owned));
    let (made, kept): (Vec<_>, Vec<_>) = named
        .iter()
        .partition(|path| path.starts_with("packaging/build/"));
    assert!(made.len() >= 4, "the pages: {made:?}");
    for path in kept {
        assert!(Path::new(ROOT).join(path).is_file(), "{path} is not there");
    }
}

/// Both begin and end the same way; only where zsh looks differs.
#[test]
fn the_deb_and_the_rpm_hold_the_same() {
    let tauri = tauri();
    let of = |kind: &str| {
        let package = &tauri["bundle"]["linux"][kind];
        let files: BTreeSet<_> = package["files"]
            .as_object()
            .expect("files")
            .values()
            .map(Value::to_string)
            .collect();
        let hooks =
            ["desktopTemplate", "postInstallScript", "preRemoveScript"].map(|hook| package[hook].to_string());
        (files, hooks)
    };
    assert_eq!(of("deb"), of("rpm"));
}

#[test]
fn the_release_takes_no_action_by_a_name_that_can_move_and_no_right_it_doesnt_need() {
    let workflow = read(".github/workflows/release.yml");
    let actions: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        .collect();
    assert!(!actions.is_empty());
    for action in actions {
        let commit = action.split_once('@').map_or("", |(_, commit)| commit);
        let commit = commit.split(' ').next().unwrap_or_default();
        let pinned = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(pinned, "{action}");
        assert!(action.starts_with("actions/"), "{action} is somebody else's");
    }
    // Nothing for everybody; what writes is one job.
    assert!(workflow.contains("\npermissions: {}\n"));
    assert_eq!(workflow.matches(": write").count(), 1);
}

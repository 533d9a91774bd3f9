//! Holds the house together: which crate leans on which, what the command line must not pull in, under which licences
//! everything comes, and what every manifest shares.
//!
//! Reads `cargo metadata --offline`, so nothing here needs the network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use toml_edit::DocumentMut;

/// What each crate may lean on when it is built for use. One way only, as docs/README.md draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("baton-core", &[]),
    ("baton-wire", &["baton-core"]),
    ("baton-engine", &["baton-core", "baton-wire"]),
    // Writes the literal bytes of the protocol itself: sharing a type with the decoder would hide a wrong field name.
    ("baton-sim", &[]),
    (
        "baton-cli",
        &["baton-core", "baton-engine", "baton-sim", "baton-wire"],
    ),
    ("baton-desktop", &["baton-core", "baton-engine", "baton-wire"]),
    // Writes the bytes of the protocol itself, as baton-sim does; the engine runs inside it.
    ("baton-bench", &["baton-core", "baton-engine", "baton-wire"]),
    ("baton-fuzz", &["baton-core", "baton-engine", "baton-wire"]),
];

/// What tests and benches may lean on besides: the simulated backend.
const TEST_ONLY: &[&str] = &["baton-sim"];

/// A program that has no desktop must not load one.
const DESKTOP_ONLY: &[&str] = &[
    "tauri",
    "wry",
    "tao",
    "muda",
    "tray-icon",
    "gtk",
    "gdk",
    "glib",
    "webkit2gtk",
    "webkit2gtk-sys",
];

/// Permissive licences: they ask that their notice is kept, and nothing of the program around them.
const LICENCES: &[&str] = &[
    "MIT",
    // Also grants patents. Fits beside "MIT OR Apache-2.0", which is what Baton itself comes under.
    "Apache-2.0",
    "BSD-3-Clause",
    "ISC",
    // Like MIT without the notice.
    "0BSD",
    "Zlib",
    // Tables made from the Unicode Consortium's data.
    "Unicode-3.0",
];

/// Licences that hold for one crate each, with the reason why that is acceptable there.
///
/// MPL-2.0 asks that changes to *those files* are published. These crates are used as they are published. CC0-1.0 gives up
/// every right of the author's but patents.
const FOR_ONE_CRATE: &[(&str, &str)] = &[
    ("cssparser", "MPL-2.0"),
    ("cssparser-macros", "MPL-2.0"),
    ("dtoa-short", "MPL-2.0"),
    ("notify", "CC0-1.0"),
    ("option-ext", "MPL-2.0"),
    ("selectors", "MPL-2.0"),
    // In tests only.
    ("webdriver", "MPL-2.0"),
];

#[test]
fn arrows_run_one_way() {
    let metadata = metadata();
    let house = house(&metadata);
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        house.keys().copied().collect::<BTreeSet<_>>(),
        drawn,
        "each crate of the workspace has its line in ARROWS"
    );

    for (name, allowed) in ARROWS {
        for dependency in &house[name].dependencies {
            let to = dependency.name.as_str();
            if !house.contains_key(to) {
                continue;
            }
            let fine = allowed.contains(&to)
                || (dependency.kind == DependencyKind::Development && TEST_ONLY.contains(&to));
            assert!(
                fine,
                "{name} must not lean on {to} ({:?} dependency)",
                dependency.kind
            );
        }
    }
}

#[test]
fn the_command_line_links_no_desktop() {
    let metadata = metadata();
    let names = reachable(&metadata, &house(&metadata)["baton-cli"].id);
    let found: Vec<&str> = DESKTOP_ONLY
        .iter()
        .copied()
        .filter(|name| names.contains(name))
        .collect();
    assert!(found.is_empty(), "`baton` would pull in {found:?}");
    // The same question must find them where they are, or it is not worth asking.
    let desktop = reachable(&metadata, &house(&metadata)["baton-desktop"].id);
    assert!(
        desktop.contains("tauri"),
        "the walk no longer finds what it should"
    );
}

#[test]
fn every_licence_is_one_we_accept() {
    let metadata = metadata();
    let refused: Vec<String> = metadata.packages.iter().filter_map(refusal).collect();
    assert!(
        refused.is_empty(),
        "not on the list in tests/house.rs:\n{}",
        refused.join("\n")
    );
}

#[test]
fn no_exception_outlives_its_crate() {
    let metadata = metadata();
    for (name, _) in FOR_ONE_CRATE {
        assert!(
            metadata
                .packages
                .iter()
                .any(|package| package.name.as_str() == *name),
            "{name} is no dependency any more: drop its line from FOR_ONE_CRATE"
        );
    }
}

#[test]
fn every_manifest_takes_what_is_shared_from_the_workspace() {
    for (name, package) in house(&metadata()) {
        let text = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        let manifest: DocumentMut = text.parse().expect("a manifest in TOML");
        let inherits = |table: &str, key: &str| manifest[table][key]["workspace"].as_bool() == Some(true);
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{name}: [lints] workspace = true"
        );
        for key in ["version", "edition", "rust-version", "license"] {
            assert!(inherits("package", key), "{name}: {key}.workspace = true");
        }
    }
}

/// A lock file written behind a mirror would send everybody to that mirror.
#[test]
fn lock_files_name_no_mirror() {
    let read = |file: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a lock file")
    };
    assert!(
        !read("tests/codex/package-lock.json").contains("\"resolved\""),
        "npm: omit-lockfile-registry-resolved"
    );
    for file in ["Cargo.lock", "fuzz/Cargo.lock"] {
        for line in read(file).lines().filter(|line| line.starts_with("source = ")) {
            assert!(
                line.contains("github.com/rust-lang/crates.io-index"),
                "{file}: {line}"
            );
        }
    }
}

/// The whole graph, for every platform. Where the crates of other platforms were never fetched (`make test` fetches
/// them), only this platform's.
fn metadata() -> Metadata {
    let command = |options: &[&str]| {
        MetadataCommand::new()
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .other_options(
                options
                    .iter()
                    .map(|&option| option.to_owned())
                    .collect::<Vec<_>>(),
            )
            .exec()
    };
    command(&["--offline"]).unwrap_or_else(|error| {
        eprintln!("only this platform's crates are looked at (`cargo fetch` brings the others): {error}");
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        command(&["--offline", "--filter-platform", &host]).expect("cargo metadata")
    })
}

fn house(metadata: &Metadata) -> BTreeMap<&str, &Package> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.as_str(), package))
        .collect()
}

/// Names of all packages that a build of this one pulls in.
fn reachable<'a>(metadata: &'a Metadata, from: &'a PackageId) -> BTreeSet<&'a str> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(nodes[id].deps.iter().filter_map(|dependency| {
                let built = dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind != DependencyKind::Development);
                built.then_some(&dependency.pkg)
            }));
        }
    }
    seen.into_iter().map(|id| names[id]).collect()
}

/// What is wrong with a package's licence, if anything is.
fn refusal(package: &Package) -> Option<String> {
    let name = package.name.as_str();
    let Some(licence) = package.license.as_deref() else {
        return Some(format!("{name}: names no licence"));
    };
    // Older manifests write `MIT/Apache-2.0`, which the lax mode reads as a choice.
    let expression = match spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Some(format!("{name}: {licence:?} is no licence expression: {error}")),
    };
    let accepted = expression.evaluate(|requirement| {
        requirement
            .license
            .id()
            .is_some_and(|id| LICENCES.contains(&id.name) || FOR_ONE_CRATE.contains(&(name, id.name)))
    });
    (!accepted).then(|| format!("{name} {}: {licence}", package.version))
}

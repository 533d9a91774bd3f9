//! Every input that is kept, through the check of its target: what the fuzzers have found once stays found, on stable
//! Rust and in every run of the tests.

#![allow(
    clippy::unwrap_used,
    reason = "a helper's panic fails the test that called it"
)]

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use baton_fuzz::{TARGETS, check};
use toml_edit::DocumentMut;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The kept inputs of a target; a folder that isn't there holds none.
fn inputs(folder: &str, target: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(fuzz().join(folder).join(target)) else {
        return Vec::new();
    };
    let mut inputs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn every_input_that_is_kept_holds() {
    let mut failed = Vec::new();
    for (target, _) in TARGETS {
        for path in [inputs("corpus", target), inputs("regressions", target)].concat() {
            let data = fs::read(&path).unwrap();
            if catch_unwind(AssertUnwindSafe(|| check(target, &data))).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_target_has_its_program_and_its_seeds_and_nothing_is_left_over() {
    assert_eq!(names("corpus"), targets());
    assert!(
        names("regressions").is_subset(
            &targets()
                .union(&["README.md".to_owned()].into())
                .cloned()
                .collect()
        )
    );
    let programs = targets().iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names("fuzz_targets"), programs);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let manifest: DocumentMut = manifest.parse().unwrap();
    let programs: BTreeSet<String> = manifest["bin"]
        .as_array_of_tables()
        .unwrap()
        .iter()
        .map(|program| program["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(programs, targets());
    for (target, _) in TARGETS {
        let kept = inputs("corpus", target);
        assert!(
            (1..=100).contains(&kept.len()),
            "{target} has {} inputs",
            kept.len()
        );
    }
}

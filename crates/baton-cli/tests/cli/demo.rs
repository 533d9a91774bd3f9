//! The demo's last word.

use super::Place;

#[test]
fn the_demo_passes_its_own_plan_and_says_so_in_one_line() {
    let place = Place::new();
    let svg = place.path("demo.svg");
    let done = place
        .baton(&[
            "demo",
            "--json",
            "--speed",
            "3000",
            "--svg",
            svg.to_str().unwrap(),
        ])
        .fine();
    let last = done.lines().last().unwrap();
    let json: serde_json::Value = serde_json::from_str(last).unwrap();
    let steps = json["validation"].as_array().unwrap();
    let numbers: Vec<u64> = steps.iter().filter_map(|step| step["step"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert!(
        steps
            .iter()
            .all(|step| step["passed"] == true && step["name"].is_string()),
        "{last}"
    );
    assert_eq!(
        (&json["lost"], &json["repeated"]),
        (&0.into(), &0.into()),
        "{last}"
    );
    let strategies = json["strategies"].as_array().unwrap();
    let names: Vec<&str> = strategies
        .iter()
        .filter_map(|one| one["strategy"].as_str())
        .collect();
    assert_eq!(names, ["sequential", "balanced"]);
    assert!(
        strategies.iter().all(|one| one["blocked_minutes"].is_u64()),
        "{last}"
    );
    assert!(
        std::fs::read_to_string(svg)
            .unwrap()
            .contains("Sequential (drain first)")
    );
    // A person's own data isn't touched.
    assert!(!place.data().exists());
}

#[test]
fn the_demo_keeps_off_a_directory_that_a_baton_uses() {
    let place = Place::new();
    place.baton(&["status"]).fine();
    let data = place.data();
    let said = place
        .baton(&["demo", "--data-dir", data.to_str().unwrap()])
        .refused(1);
    assert!(said.contains("holds a Baton's data"), "{said}");
}

#[test]
fn a_codex_that_is_not_there_is_named() {
    let said = Place::new()
        .baton(&["demo", "--codex", "--codex-bin", "/nonexistent/codex"])
        .refused(1);
    assert!(
        said.contains("/nonexistent/codex") && said.contains("--codex-bin"),
        "{said}"
    );
}

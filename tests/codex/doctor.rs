//! What `baton doctor` says of Codex's files is what the CLI makes of them.

use std::{fs, path::Path};

use baton_engine::{
    codex::{Home, Owner, projects},
    doctor::{Check, CheckId, Outcome},
};

use crate::{
    cli::exec,
    stage::{On, Stage, answer_to, two},
};

/// Of the stage's Codex, as the command has it.
fn found(stage: &Stage, id: CheckId) -> Vec<Check> {
    let (home, work) = (stage.codex.folder(), stage.codex.work());
    let urls = stage.baton.base_urls();
    let about = Home {
        path: &home,
        urls: urls.as_ref(),
        running: true,
        to_be_connected: false,
        owner: &Owner::of(&home),
    };
    let homes = [home.clone()];
    let checks = about.checks().into_iter().chain(projects(&work, &homes));
    checks.filter(|check| check.id == id).collect()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

#[tokio::test]
async fn a_profile_leads_past_baton_and_a_trusted_projects_file_does_not() {
    let stage = Stage::with(On::Http, two(10.0, 10.0)).await;
    let (home, work) = (stage.codex.folder(), stage.codex.work());
    let trusted = format!("[projects.\"{}\"]\ntrust_level = \"trusted\"\n", work.display());
    write(&home.join("config.toml"), &(stage.codex.config() + &trusted));
    // Straight to the backend, where the CLI's own account would serve.
    let past = format!("openai_base_url = \"{}/codex\"\n", stage.sim.base_url());

    write(&work.join(".codex/config.toml"), &past);
    let [project]: [Check; 1] = found(&stage, CheckId::Project).try_into().expect("one finding");
    assert_eq!(project.outcome, Outcome::Note);
    let run = stage.codex.exec("project").await;
    run.answered_in_the_end(&answer_to("project"));
    assert!(
        run.errors.iter().any(|error| error.contains("openai_base_url")),
        "{run}"
    );
    assert_eq!(stage.both_served(), (1, 0), "{run}");
    assert_eq!(found(&stage, CheckId::Config)[0].outcome, Outcome::Fine);
    fs::remove_dir_all(work.join(".codex")).expect("gone");

    write(&home.join("deep.config.toml"), &past);
    let [profile]: [Check; 1] = found(&stage, CheckId::Profile).try_into().expect("one finding");
    assert!(
        profile.said.starts_with("`codex --profile deep` goes past Baton"),
        "{profile:?}"
    );
    let deep = exec().iter().copied().chain(["--profile", "deep", "profile"]);
    let run = stage.codex.start(deep).await.end().await;
    run.answered_in_the_end(&answer_to("profile"));
    assert_eq!(
        (stage.served("acct-cli"), stage.both_served()),
        (1, (1, 0)),
        "{run}"
    );

    // The old way to choose one.
    fs::remove_file(home.join("deep.config.toml")).expect("gone");
    write(
        &home.join("config.toml"),
        &format!("profile = \"deep\"\n{}", stage.codex.config()),
    );
    assert_eq!(found(&stage, CheckId::Profile)[0].outcome, Outcome::Problem);
    let run = stage.codex.exec("old").await;
    assert!(
        !run.status.success() && run.stderr.contains("profile = \"deep\""),
        "{run}"
    );
    assert_eq!(
        (stage.served("acct-cli"), stage.both_served()),
        (1, (1, 0)),
        "{run}"
    );
}

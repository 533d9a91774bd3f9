//! `baton-desktop guard`: Codex is disconnected when the pipe closes without goodbye, on a machine without a screen too.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use baton_engine::{
    codex::{Mode, Record},
    control::protocol::BaseUrls,
};

const CONFIG: &str = "model = \"m\"\n";

/// A guardian's life, whose Baton says this before it ends; what Codex's configuration is then.
fn after(said: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("a folder");
    connect(dir.path(), &data);
    let mut guardian = Command::new(env!("CARGO_BIN_EXE_baton-desktop"))
        .arg("guard")
        .arg("--data-dir")
        .arg(&data)
        .env_remove("DISPLAY")
        .env("XDG_RUNTIME_DIR", dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = guardian.stdin.take().expect("piped");
    pipe.write_all(said).expect("it listens");
    drop(pipe);
    assert!(guardian.wait().expect("an end").success());
    fs::read_to_string(dir.path().join("config.toml")).expect("a config.toml")
}

fn connect(home: &Path, data: &Path) {
    fs::write(home.join("config.toml"), CONFIG).expect("a file");
    let urls = BaseUrls {
        openai_base_url: "http://127.0.0.1:1/secret/backend-api/codex".to_owned(),
        chatgpt_base_url: "http://localhost:1/secret/backend-api/".to_owned(),
    };
    let record = Record::open(data);
    record.add(home, Mode::Default).expect("a record");
    let change = record.file(home).connect(&urls, Mode::Default);
    change.and_then(|change| change.make()).expect("connected");
}

#[test]
fn the_guardian_of_the_desktop_disconnects_codex_unless_baton_said_goodbye() {
    assert_eq!(after(b""), CONFIG);
    assert_eq!(after(b"goodb"), CONFIG, "broken off");
    assert_ne!(after(b"goodbye\n"), CONFIG, "Baton has done it");
}

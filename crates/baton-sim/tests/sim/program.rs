//! The program `baton-sim`.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::call;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The CLI's own login is the one that a CLI without a proxy between presents.
#[tokio::test]
async fn the_backend_origin_is_said_to_every_login() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton-sim"));
    command
        .args(["--json", "--backend-origin", "https://chatgpt.com", "--auth-dir"])
        .arg(folder.path())
        .stdout(Stdio::piped());
    let mut running = Running(command.spawn().expect("it runs"));
    let mut line = String::new();
    // Kept: it goes on talking.
    let mut stdout = BufReader::new(running.0.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    let url = format!(
        "{}/wham/accounts/check",
        said["base_url"].as_str().expect("a URL")
    );
    for login in ["acct-a", "acct-b", "acct-cli"] {
        let auth = std::fs::read(folder.path().join(login).join("auth.json")).expect("a sign-in");
        let auth: Value = serde_json::from_slice(&auth).expect("JSON");
        let token = |name: &str| auth["tokens"][name].as_str().expect("a token").to_owned();
        let headers = [
            ("authorization", format!("Bearer {}", token("access_token"))),
            ("chatgpt-account-id", token("account_id")),
        ];
        let (_, _, body) = call(&url, "GET", &headers, "").await.expect("an answer");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let origin = &body["accounts"][0]["workspace_backend_origin"];
        assert_eq!(origin, "https://chatgpt.com", "{login}: {body}");
    }
}

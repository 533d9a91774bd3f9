//! Opening a page in the person's browser. No shell sees the address.

use std::process::{Command, Stdio};

/// Begins to open the page; `BROWSER` says in what, as elsewhere. Whether it comes up isn't known.
pub fn open(address: &str) -> Result<(), String> {
    let mut command = command(address).ok_or("there is no display here")?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        // Waited for aside, so that it doesn't stay as a zombie.
        .and_then(|mut child| std::thread::Builder::new().spawn(move || child.wait()).map(drop))
        .map_err(|error| error.to_string())
}

fn command(address: &str) -> Option<Command> {
    if let Some(named) = std::env::var("BROWSER").ok().filter(|named| !named.is_empty()) {
        // A list, of which the first is meant.
        let first = if cfg!(windows) {
            &*named
        } else {
            named.split(':').next()?
        };
        let mut command = Command::new(first);
        command.arg(address);
        return Some(command);
    }
    usual(address)
}

#[cfg(target_os = "macos")]
fn usual(address: &str) -> Option<Command> {
    let mut command = Command::new("/usr/bin/open");
    command.arg(address);
    Some(command)
}

#[cfg(windows)]
fn usual(address: &str) -> Option<Command> {
    // `start` would be the shell's, to which `&` is an operator.
    let mut command = Command::new("rundll32.exe");
    command.arg("url.dll,FileProtocolHandler").arg(address);
    Some(command)
}

#[cfg(not(any(target_os = "macos", windows)))]
fn usual(address: &str) -> Option<Command> {
    // Without a display xdg-open would begin a browser of text in this terminal.
    let there = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !there("DISPLAY") && !there("WAYLAND_DISPLAY") {
        return None;
    }
    let mut command = Command::new("xdg-open");
    command.arg(address);
    Some(command)
}

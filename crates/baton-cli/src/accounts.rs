//! Moving a sign-in into the keychain: said plainly before it is done.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use crate::{baton::absolute, error::Failure, show::Out};

/// The file as the running Baton finds it, once the person knows what will happen.
pub(crate) fn confirmed(from: &Path, yes: bool, out: Out) -> Result<PathBuf, Failure> {
    let path = absolute(from)?;
    if !path.exists() {
        return Err(Failure::new(format!(
            "there is no file {}; `CODEX_HOME=<folder> codex login` writes an auth.json into that folder",
            path.display()
        )));
    }
    if yes {
        return Ok(path);
    }
    if out.json || !io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "{} would be moved into the keychain and removed; nobody can be asked here, so nothing is done: \
             --yes says that you want that",
            path.display()
        )));
    }
    let _ = write!(io::stderr(), "{}\nMove it? [y/N] ", warning(&path));
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(format!("no answer can be read: {error}")))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(path)
    } else {
        Err(Failure::new("nothing is done"))
    }
}

fn warning(path: &Path) -> String {
    format!(
        "The sign-in in {} moves into your keychain, and the file is removed afterwards.\nWhichever Codex used that file \
         is signed out by this: two programs that refresh one sign-in log each other out.",
        path.display()
    )
}

//! Adding an account: what to call it, and moving a sign-in into the keychain, said plainly before it is done.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use crate::{baton::absolute, error::Failure, show::Out};

/// What to call the account. Never its e-mail: labels are shown to whoever looks over a shoulder.
pub(crate) fn label(given: Option<&str>, out: Out) -> Result<String, Failure> {
    let label = match given {
        Some(label) => label.to_owned(),
        None if out.json || !io::stdin().is_terminal() => {
            return Err(Failure::new(
                "what to call the account isn't said, and nobody can be asked here: --label NAME says it",
            ));
        }
        None => asked("What to call this account (such as Personal, or Work)? ")?,
    };
    match label.trim() {
        "" => Err(Failure::new(
            "a label can't be empty: --label NAME says what to call the account",
        )),
        label => Ok(label.to_owned()),
    }
}

/// The file as the running Baton finds it, once the person knows what will happen.
pub(crate) fn confirmed(from: &Path, yes: bool, out: Out) -> Result<PathBuf, Failure> {
    let path = absolute(from)?;
    if !path.exists() {
        return Err(Failure::new(format!(
            "there is no file {}; `CODEX_HOME=<folder> codex login` writes an auth.json into that folder",
            path.display()
        )));
    }
    let what = format!(
        "The sign-in in {} moves into your keychain, and the file is removed afterwards.\nWhichever Codex used that file \
         is signed out by this: two programs that refresh one sign-in log each other out.",
        path.display()
    );
    agreed(&what, "Move it?", yes, out)?;
    Ok(path)
}

/// `what` a person has to agree to; `yes`: they have.
pub(crate) fn agreed(what: &str, question: &str, yes: bool, out: Out) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if out.json || !io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "{what}\nNobody can be asked here, so nothing is done: --yes says that you want that"
        )));
    }
    let answer = asked(&format!("{what}\n{question} [y/N] "))?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("nothing is done"))
    }
}

fn asked(question: &str) -> Result<String, Failure> {
    let _ = write!(io::stderr(), "{question}");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::new(format!("no answer can be read: {error}")))?;
    Ok(answer)
}

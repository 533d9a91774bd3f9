//! The guardian: a process that sleeps on a pipe from Baton, and disconnects Codex when Baton dies without goodbye.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{keep, record::Record};
use crate::control::{
    client::{Client, ConnectError},
    protocol::Command as Call,
};

/// A process that dies takes less.
const CUT_WITHIN: Duration = Duration::from_secs(1);
const GOODBYE: &[u8] = b"goodbye\n";

/// Baton's end of the pipe, which closes however Baton ends.
#[derive(Debug)]
pub(crate) struct Guardian(Child);

impl Guardian {
    /// `program` understands `guard`, and calls [`guard`] for it.
    pub(crate) fn start(program: &Path, data_dir: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg("guard")
            .arg("--data-dir")
            .arg(std::path::absolute(data_dir)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        apart(&mut command);
        command.spawn().map(Self)
    }

    /// There is nothing left to disconnect.
    pub(crate) fn dismiss(mut self) {
        if let Some(mut pipe) = self.0.stdin.take()
            && let Err(error) = pipe.write_all(GOODBYE)
        {
            tracing::debug!(%error, "the guardian has gone before");
        }
    }
}

/// What ends Baton by a signal to its group (Ctrl-C, a closed terminal) must not end the guardian.
#[cfg(unix)]
fn apart(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0).current_dir("/");
}

#[cfg(windows)]
fn apart(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

/// The guardian's whole life; standard input is the pipe.
pub async fn guard(data_dir: &Path) {
    let mut said = Vec::new();
    // An end and an error are the same here: nobody is there any more.
    let _ = io::stdin().lock().read_to_end(&mut said);
    if said.ends_with(GOODBYE) {
        return;
    }
    // The next Baton connects after it has opened its socket, and with this lock: what it connects stays so.
    let record = Record::open(data_dir);
    if !somebody_is_there(data_dir).await {
        // Whatever is wrong, nobody is there to be told; the next start says it.
        keep::disconnect_all(&record);
    }
}

/// The socket of a Baton that is just dying may still take a connection; it is cut before there is an answer. One that is just
/// starting doesn't answer either, since it waits for the lock, but cuts nothing.
async fn somebody_is_there(data_dir: &Path) -> bool {
    match Client::connect(data_dir).await {
        Ok(mut client) => match tokio::time::timeout(CUT_WITHIN, client.call(Call::Status)).await {
            Ok(answer) => answer.is_ok(),
            Err(_) => true,
        },
        Err(ConnectError::NotRunning) => false,
        Err(_) => true,
    }
}

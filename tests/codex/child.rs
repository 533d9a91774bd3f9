//! Children that end with the test, whatever they have started themselves.

use std::io::ErrorKind;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A child, and everything that it starts: they are one process group, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

/// Starts a program. Where it is missing, `package` says what `scripts/setup test` would have installed.
pub(crate) fn spawn(command: &mut Command, package: &str) -> (Child, Group) {
    match command.kill_on_drop(true).process_group(0).spawn() {
        Ok(child) => {
            let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            (child, Group(group))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let program = command.as_std().get_program().display();
            panic!("there is no {program}: `scripts/setup test` installs it ({package})")
        }
        Err(error) => panic!("{:?}: {error}", command.as_std().get_program()),
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

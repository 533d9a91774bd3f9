//! The tray beside the demo: `baton-desktop`, looking at the demo's Baton.

use std::{path::Path, process::Stdio};

use tokio::process::{Child, Command};

use crate::error::Failure;

/// Ends when it is dropped.
pub(super) struct Tray {
    _program: Child,
}

impl Tray {
    pub(super) fn show(program: &Path, data_dir: &Path) -> Result<Self, Failure> {
        let started = Command::new(program)
            .arg("--attach")
            .arg("--data-dir")
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(program) => Ok(Self { _program: program }),
            Err(error) => Err(Failure::new(format!(
                "{} can't be started: {error}",
                program.display()
            ))),
        }
    }
}

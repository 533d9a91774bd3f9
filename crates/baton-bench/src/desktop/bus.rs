//! What passes on the session bus, as it passes: nobody is asked again and again while something is measured.

use std::{collections::BTreeSet, process::Stdio, time::Instant};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::Result;

/// The panel has an icon more.
const REGISTERED: &str = "StatusNotifierItemRegistered";
/// Somebody has clicked in a menu.
const CLICKED: &str = "Event";

pub(super) struct Bus {
    lines: Lines<BufReader<ChildStdout>>,
    /// Icons that have been on the panel: it tells of each more than once.
    seen: BTreeSet<String>,
    _monitor: Child,
}

impl Bus {
    pub(super) async fn listen() -> Result<Self> {
        let mut monitor = Command::new("dbus-monitor")
            .arg("--session")
            .arg(format!("type='signal',member='{REGISTERED}'"))
            .arg(format!(
                "type='method_call',interface='com.canonical.dbusmenu',member='{CLICKED}'"
            ))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = monitor.stdout.take().ok_or("dbus-monitor has no output")?;
        let mut bus = Self {
            lines: BufReader::new(stdout).lines(),
            seen: BTreeSet::new(),
            _monitor: monitor,
        };
        // The bus has told it its name, and then that it has none any more: from here on it listens.
        bus.next("NameLost").await?;
        Ok(bus)
    }

    /// When an icon that wasn't there before is on the panel.
    pub(super) async fn registered(&mut self) -> Result<Instant> {
        loop {
            let at = self.next(REGISTERED).await?;
            // Which one is in the line below.
            let icon = self.line().await?;
            if self.seen.insert(icon) {
                return Ok(at);
            }
        }
    }

    pub(super) async fn clicked(&mut self) -> Result<Instant> {
        self.next(CLICKED).await
    }

    /// When a message of this kind has passed.
    async fn next(&mut self, member: &str) -> Result<Instant> {
        let end = format!("member={member}");
        while !self.line().await?.ends_with(&end) {}
        Ok(Instant::now())
    }

    async fn line(&mut self) -> Result<String> {
        Ok(self.lines.next_line().await?.ok_or("dbus-monitor has ended")?)
    }
}

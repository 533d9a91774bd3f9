//! The parts of a measurement run in processes of their own, so that each has its own memory and processor time.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::Result;

/// A part that hasn't said that it is ready by then is broken.
const READY_WITHIN: Duration = Duration::from_secs(20);
const ENDED_WITHIN: Duration = Duration::from_secs(20);

/// By thread.
pub(crate) type WakeUps = BTreeMap<OsString, u64>;

/// A running part; ends when dropped, as does its standard input, for which it waits.
#[derive(Debug)]
pub(crate) struct Part {
    child: Child,
    /// The first line that it said.
    pub(crate) said: String,
    /// Until it said so.
    pub(crate) ready_after: Duration,
}

/// Says in a part's process that it is ready, and where.
pub(crate) fn announce(line: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// In a part's process: until the one that started it is gone.
pub(crate) async fn orphaned() {
    let (gone, heard) = tokio::sync::oneshot::channel();
    // Nothing is ever said there: it only ends.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = heard.await;
}

impl Part {
    /// This program in another role.
    pub(crate) async fn role<S: AsRef<OsStr>>(args: &[S]) -> Result<Self> {
        Self::start(&std::env::current_exe()?, args).await
    }

    /// Any program that says a line once it is ready.
    pub(crate) async fn start<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> Result<Self> {
        let started = Instant::now();
        let mut child = command(program, args).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("a part has no output")?;
        let mut stdout = BufReader::new(stdout);
        let mut said = String::new();
        tokio::time::timeout(READY_WITHIN, stdout.read_line(&mut said)).await??;
        if said.is_empty() {
            return Err(format!("{} ended without a word", program.display()).into());
        }
        // Unread words would stop it one day, and an end that nobody reads would end it.
        tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
        Ok(Self {
            child,
            said: said.trim_end().to_owned(),
            ready_after: started.elapsed(),
        })
    }

    /// A program that says nothing.
    pub(crate) fn silent<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> Result<Self> {
        Ok(Self {
            child: command(program, args).stdout(Stdio::null()).spawn()?,
            said: String::new(),
            ready_after: Duration::ZERO,
        })
    }

    /// Ends it, and waits until it is gone.
    pub(crate) async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Once it has ended by itself.
    pub(crate) async fn ended(mut self) -> Result<()> {
        tokio::time::timeout(ENDED_WITHIN, self.child.wait()).await??;
        Ok(())
    }

    pub(crate) fn id(&self) -> Result<u32> {
        Ok(self.child.id().ok_or("a part has ended")?)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<f64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("no VmRSS")?.trim().parse::<f64>()? * 1024.0)
    }

    /// Processor time so far. The kernel counts it in hundredths of a second.
    pub(crate) fn processor(&self) -> Result<Duration> {
        // 14 and 15 are user and system time.
        ticks(&self.proc("stat")?, 14)
    }

    /// How often each of its threads was woken so far.
    pub(crate) fn wake_ups(&self) -> Result<WakeUps> {
        let mut counts = WakeUps::new();
        for task in std::fs::read_dir(self.proc_dir()?.join("task"))? {
            let task = task?;
            // A thread may end just now.
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let switches = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
                .and_then(|count| count.trim().parse::<u64>().ok());
            counts.extend(switches.map(|count| (task.file_name(), count)));
        }
        Ok(counts)
    }

    /// How often they were woken since. One that has ended meanwhile was woken for that at least.
    pub(crate) fn woken_since(&self, before: &WakeUps) -> Result<u64> {
        let now = self.wake_ups()?;
        let ended = before.keys().filter(|thread| !now.contains_key(*thread)).count();
        let woken = now
            .iter()
            .map(|(thread, count)| count.saturating_sub(before.get(thread).copied().unwrap_or(0)));
        Ok(woken.sum::<u64>() + ended as u64)
    }

    fn proc(&self, file: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.proc_dir()?.join(file))?)
    }

    fn proc_dir(&self) -> Result<std::path::PathBuf> {
        Ok(Path::new("/proc").join(self.id()?.to_string()))
    }
}

/// Of one process or several, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// What others have mapped too counts in full.
    pub(crate) resident: f64,
    /// It counts by the share of each.
    pub(crate) proportional: f64,
}

impl Memory {
    pub(crate) fn of(processes: &[u32]) -> Result<Self> {
        let mut sum = Self::default();
        for process in processes {
            let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let field = |name: &str| -> Result<f64> {
                let line = rollup.lines().find_map(|line| line.strip_prefix(name));
                let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
                Ok(kib.ok_or("no such memory")?.trim().parse::<f64>()? * 1024.0)
            };
            sum.resident += field("Rss:")?;
            sum.proportional += field("Pss:")?;
        }
        Ok(sum)
    }
}

/// The processes that this one has started and they in turn, each after the one that started it.
pub(crate) fn started_by(process: u32) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // One that has ended meanwhile is no longer anybody's.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, fields)| fields.split_whitespace().nth(1));
        all.extend(parent.and_then(|parent| Some((parent.parse::<u32>().ok()?, child))));
    }
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(all.iter().filter(|(of, _)| *of == parent).map(|(_, child)| child));
        next += 1;
    }
    Ok(found.split_off(1))
}

/// Processor time of this process's children that have ended, with what they had started and waited for.
pub(crate) fn children() -> Result<Duration> {
    // 16 and 17 are theirs.
    ticks(&std::fs::read_to_string("/proc/self/stat")?, 16)
}

/// Two fields of a `stat` that count hundredths of a second.
fn ticks(stat: &str, first: usize) -> Result<Duration> {
    // The name before may hold spaces. Then come fields 3, 4, …
    let fields = stat.rsplit_once(')').ok_or("no stat")?.1;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(first - 3)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap_or(0))
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

fn command<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> Command {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).kill_on_drop(true);
    command
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_started_is_found_below_it() {
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sh -c 'echo ready; read wait; :'; :"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(&mut shell.stdout.take().unwrap(), &mut ready).unwrap();
        assert!(started_by(std::process::id()).unwrap().contains(&shell.id()));
        let below = started_by(shell.id()).unwrap();
        assert_eq!(below.len(), 1, "the inner one: {below:?}");
        let (one, both) = (
            Memory::of(&below).unwrap(),
            Memory::of(&[below[0], shell.id()]).unwrap(),
        );
        assert!(0.0 < one.proportional && one.proportional <= one.resident && one.resident < both.resident);
        drop(shell.stdin.take());
        assert!(shell.wait().unwrap().success());
    }
}

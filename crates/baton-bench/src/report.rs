//! The measurements as a table: on screen, and in docs/performance.md between its markers.

use std::{fmt::Write as _, path::Path, time::Duration};

use crate::Result;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

#[derive(Debug, Default)]
pub(crate) struct Report {
    text: String,
    missed: Vec<String>,
}

impl Report {
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn heading(&mut self, title: &str, columns: &[&str]) {
        let _ = write!(self.text, "\n**{title}**\n\n| {} |\n|---", columns.join(" | "));
        self.text.push_str(&"|---:".repeat(columns.len() - 1));
        self.text.push_str("|\n");
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    /// How a value stands to its aim.
    pub(crate) fn aim(&mut self, what: &str, met: bool, aim: &str, measured: &str) -> String {
        if met {
            format!("{aim}: met")
        } else {
            self.missed.push(format!("{what}: {measured}, aim {aim}"));
            format!("{aim}: **missed**")
        }
    }

    /// As Markdown.
    pub(crate) fn finish(mut self) -> String {
        if self.missed.is_empty() {
            self.line("\nEvery aim is met in this run.");
        } else {
            self.line("\nMissed in this run:\n");
            for missed in std::mem::take(&mut self.missed) {
                self.line(&format!("- {missed}"));
            }
        }
        self.text
    }
}

/// Puts `table` between the markers of the file.
pub(crate) fn write(path: &Path, table: &str) -> Result<()> {
    let text = std::fs::read_to_string(path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the page has no begin marker")?;
    let (_, after) = rest.split_once(END).ok_or("the page has no end marker")?;
    std::fs::write(path, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
    Ok(())
}

/// The machine in a line.
pub(crate) fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |line| {
            line.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix(" kB")?
                .parse::<f64>()
                .ok()
        })
        .map_or_else(String::new, |kib| format!(", {:.0} GiB", kib / 1024.0 / 1024.0));
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{model}, {cores} cores{memory}, {} {}; load before the run {}",
        std::env::consts::OS,
        kernel.trim(),
        load.split(' ').next().unwrap_or("unknown")
    )
}

pub(crate) fn micros(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    if micros < 10_000.0 {
        format!("{micros:.0} µs")
    } else {
        format!("{:.1} ms", micros / 1e3)
    }
}

pub(crate) fn nanos(nanos: f64) -> String {
    if nanos < 1_000.0 {
        format!("{nanos:.0} ns")
    } else {
        format!("{:.2} µs", nanos / 1e3)
    }
}

pub(crate) fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

pub(crate) fn times(ratio: f64) -> String {
    format!("{ratio:.2} ×")
}

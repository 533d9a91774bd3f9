//! What is left over: tasks, files, sockets, memory.

use std::fs;

use tokio::runtime::Handle;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    tasks: usize,
    files: usize,
}

impl Left {
    pub(crate) fn now() -> Self {
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }

    pub(crate) fn more_than(self, before: Self) -> bool {
        self.tasks > before.tasks || self.files > before.files
    }
}

pub(crate) fn port(url: &str) -> u16 {
    let url: url::Url = url.parse().expect("a URL");
    url.port().expect("a port")
}

/// Connections to one of these ports that the side which opened them still holds.
pub(crate) fn held_open(ports: [u16; 2]) -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap_or_default();
    let held = |line: &&str| {
        let mut columns = line.split_whitespace().skip(2);
        let to = columns.next().and_then(|address| address.split_once(':'));
        let to = to.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        // Established, or closed by the other side only.
        to.is_some_and(|port| ports.contains(&port)) && matches!(columns.next(), Some("01" | "08"))
    };
    table.lines().filter(held).count()
}

/// Resident memory over the run.
pub(crate) struct Memory {
    wanted: u64,
    /// In MB, one for each hundredth.
    samples: Vec<f64>,
}

impl Memory {
    pub(crate) fn new(wanted: u64) -> Self {
        let samples = Vec::new();
        Self { wanted, samples }
    }

    pub(crate) fn look(&mut self, requests: u64) {
        let due = usize::try_from(requests * 100 / self.wanted)
            .unwrap_or(0)
            .min(100);
        if self.samples.len() < due {
            let pages = fs::read_to_string("/proc/self/statm")
                .ok()
                .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok());
            self.samples.resize(due, pages.unwrap_or(0.0) * 4096.0 / 1e6);
        }
    }

    /// Means of the second and of the last third: what is kept for good is there after the first.
    fn thirds(&self) -> [f64; 2] {
        let third = self.samples.len() / 3;
        let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len().max(1) as f64;
        [
            mean(&self.samples[third..2 * third]),
            mean(&self.samples[2 * third..]),
        ]
    }

    pub(crate) fn check(&self) {
        let [second, last] = self.thirds();
        // Shorter runs haven't filled yet what is bounded.
        assert!(self.wanted < 50_000 || last < second * 1.1 + 4.0, "{self}");
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.samples.first().copied().unwrap_or_default();
        let [second, last] = self.thirds();
        write!(
            f,
            "{first:.0} MB at first, {second:.0} in the second third, {last:.0} in the last"
        )
    }
}

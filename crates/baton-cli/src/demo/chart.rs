//! Both strategies on one axis: who served how much when, resets, and where work stood still.

use std::time::Duration;

use baton_core::{Strategy, Timestamp};
use baton_engine::words::clock_time;

use super::{
    live::colour,
    measure::{Measures, hours},
    record::{Record, Span},
    scenario::{CAST, FIVE_HOURS},
};
use crate::show::{Style, Table, Tint};

/// Cells of the axis: ten minutes each on a day of ten hours.
pub(super) const CELLS: usize = 60;
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) struct Chart {
    pub(super) started: Timestamp,
    pub(super) cell: Duration,
    pub(super) lanes: Vec<Lane>,
    /// Requests in the fullest cell.
    pub(super) most: usize,
}

/// A measure in words.
type Told = fn(&Measures) -> String;

/// One strategy.
pub(super) struct Lane {
    pub(super) strategy: Strategy,
    pub(super) measures: Measures,
    /// For each account of the cast, requests in each cell.
    pub(super) served: Vec<Vec<usize>>,
    pub(super) resets: Vec<Vec<Timestamp>>,
    pub(super) blocked: Vec<Span>,
}

impl Chart {
    pub(super) fn new(records: &[&Record]) -> Self {
        let started = records
            .iter()
            .map(|record| record.started)
            .min()
            .unwrap_or(Timestamp::from_millis(0));
        // Each strategy has a clock of its own, started some moments apart: they are laid over each other.
        let longest = records
            .iter()
            .map(|record| record.ended.since(record.started))
            .max()
            .unwrap_or(FIVE_HOURS);
        let cell = longest.div_f64(CELLS as f64).max(Duration::from_secs(1));
        let lanes: Vec<Lane> = records
            .iter()
            .map(|record| Lane::new(record, started, cell))
            .collect();
        let counts = lanes.iter().flat_map(|lane| lane.served.iter().flatten());
        let most = counts.copied().max().unwrap_or(0).max(1);
        Self {
            started,
            cell,
            lanes,
            most,
        }
    }

    /// As a share of the axis, 0 to 1.
    pub(super) fn share(&self, at: Timestamp) -> f64 {
        let whole = self.cell.as_secs_f64() * CELLS as f64;
        (at.since(self.started).as_secs_f64() / whole).clamp(0.0, 1.0)
    }

    pub(super) fn end(&self) -> Timestamp {
        self.started + self.cell.mul_f64(CELLS as f64)
    }

    /// Clock times for the axis, and where they stand.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let hour = 3_600_000;
        let whole_hours = self.end().since(self.started).as_secs() / 3600;
        let step = if whole_hours > 6 { 2 } else { 1 };
        let first = self.started.as_millis().div_euclid(hour) + 1;
        (0..)
            .map(|number| Timestamp::from_millis((first + number * step) * hour))
            .take_while(|at| *at < self.end())
            .map(|at| (self.share(at), clock_time(at, self.started)))
            .collect()
    }

    pub(super) fn text(&self, style: Style) -> String {
        let mut axis = vec![' '; CELLS + 6];
        for (share, time) in self.ticks() {
            let at = (share * CELLS as f64).round() as usize;
            for (offset, letter) in time.chars().enumerate() {
                if let Some(place) = axis.get_mut(at + offset) {
                    *place = letter;
                }
            }
        }
        let axis: String = axis.into_iter().collect();
        let mut out = format!(
            "{:<11}{:<9}{}\n",
            "",
            "",
            style.paint(Tint::Faint, axis.trim_end())
        );
        for lane in &self.lanes {
            for (index, role) in CAST.iter().enumerate() {
                let title = if index == 0 { lane.strategy.name() } else { "" };
                let cells = self.row(lane, index);
                out.push_str(&format!(
                    "{}{:<9}{}\n",
                    style.paint(Tint::Strong, &format!("{title:<11}")),
                    role.label,
                    style.paint(colour(index), &cells)
                ));
            }
            let blocked: String = (0..CELLS)
                .map(|cell| if self.stands_still(lane, cell) { '×' } else { ' ' })
                .collect();
            if lane.blocked.is_empty() {
                continue;
            }
            out.push_str(&format!(
                "{:<11}{:<9}{}\n",
                "",
                "blocked",
                style.paint(Tint::Bad, blocked.trim_end())
            ));
        }
        out.push_str(&format!(
            "{:<20}{}\n",
            "",
            style.paint(
                Tint::Faint,
                "height: requests · ↺ the five hours reset · × nobody could serve"
            )
        ));
        out.push('\n');
        out.push_str(&self.table(style));
        out
    }

    /// Who served how much, with the resets in between.
    fn row(&self, lane: &Lane, account: usize) -> String {
        let reset_in = |cell: usize| {
            lane.resets[account]
                .iter()
                .any(|at| *at < self.end() && (self.share(*at) * CELLS as f64).floor() as usize == cell)
        };
        let height = |count: usize| HEIGHTS[(count * 8).div_ceil(self.most).min(8)];
        let counts = lane.served[account].iter().enumerate();
        let cells: String = counts
            .map(|(cell, count)| if reset_in(cell) { '↺' } else { height(*count) })
            .collect();
        cells.trim_end().to_owned()
    }

    /// At least half of the cell.
    fn stands_still(&self, lane: &Lane, cell: usize) -> bool {
        let middle = self.started + self.cell.mul_f64(cell as f64 + 0.5);
        lane.blocked
            .iter()
            .any(|(from, to)| *from <= middle && middle < *to)
    }

    fn table(&self, style: Style) -> String {
        let mut table = Table::default();
        let cell = |text: &str| (text.to_owned(), Tint::Plain);
        let mut head = vec![cell("")];
        head.extend(
            self.lanes
                .iter()
                .map(|lane| (lane.strategy.name().to_owned(), Tint::Strong)),
        );
        table.row(head);
        let measured: [(&str, Told); 6] = [
            ("turns done", |m| m.turns.to_string()),
            ("changes of account", |m| m.changes_of_account.to_string()),
            ("between the two resets", |m| {
                m.reset_gap.map_or("unknown".to_owned(), hours)
            }),
            ("longest stretch without interruption", |m| {
                hours(m.longest_stretch)
            }),
            ("blocked", |m| hours(m.blocked)),
            ("interruptions", |m| m.blocks.to_string()),
        ];
        for (name, value) in measured {
            let values = self.lanes.iter().map(|lane| cell(&value(&lane.measures)));
            table.row(std::iter::once(cell(name)).chain(values));
        }
        table.render(style, 0)
    }
}

impl Lane {
    /// Moved onto the chart's start.
    fn new(record: &Record, started: Timestamp, cell: Duration) -> Self {
        let moved = |at: Timestamp| started + at.since(record.started);
        let mut served = vec![vec![0; CELLS]; CAST.len()];
        for request in record.served() {
            let index = (request.at.since(record.started).as_secs_f64() / cell.as_secs_f64()) as usize;
            if let Some(count) = request.account.and_then(|account| served[account].get_mut(index)) {
                *count += 1;
            }
        }
        Self {
            strategy: record.strategy,
            measures: Measures::of(record),
            served,
            resets: (0..CAST.len())
                .map(|account| record.resets(account).into_iter().map(moved).collect())
                .collect(),
            blocked: record
                .blocked()
                .into_iter()
                .map(|(from, to)| (moved(from), moved(to)))
                .collect(),
        }
    }
}

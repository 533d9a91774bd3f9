//! Lanes and marks. Each mark with figures is one element that says them: to the mouse, the keyboard and screen readers.

use std::fmt::Write as _;

use super::{
    Blocked, Lane, Level, Stretch, SwitchMark, Timeline, Track,
    scale::{AXIS, SERVED, Scale},
};
use crate::{
    AccountId, Percent, Timestamp,
    explain::{self, Words, percent},
    forecast::When,
};

pub(super) struct Draw<'a> {
    pub(super) out: String,
    timeline: &'a Timeline,
    scale: Scale,
    words: &'a dyn Words,
}

impl<'a> Draw<'a> {
    pub(super) fn new(timeline: &'a Timeline, scale: Scale, words: &'a dyn Words) -> Self {
        Self {
            out: String::new(),
            timeline,
            scale,
            words,
        }
    }

    pub(super) fn everything(&mut self) {
        for (index, lane) in self.timeline.lanes.iter().enumerate() {
            self.lane(index, lane);
        }
        for blocked in &self.timeline.blocked {
            self.blocked(blocked);
        }
        for switch in &self.timeline.switches {
            self.switch(switch);
        }
        if let Some(range) = self.timeline.interruption {
            self.interruption(range);
        }
        for (index, lane) in self.timeline.lanes.iter().enumerate() {
            self.head(index, lane);
        }
    }

    fn lane(&mut self, index: usize, lane: &Lane) {
        let (left, right, base) = (self.scale.left(), self.scale.right(), self.scale.base(index));
        let top = self.scale.plot(index);
        let _ = write!(
            self.out,
            r#"<line class="tl-grid" x1="{left}" x2="{right:.1}" y1="{top:.1}" y2="{top:.1}"/><line class="tl-base" x1="{left}" x2="{right:.1}" y1="{base:.1}" y2="{base:.1}"/>"#
        );
        for (number, track) in lane.tracks.iter().enumerate() {
            for stretch in &track.stretches {
                self.stretch(index, lane, number, track, stretch);
            }
        }
        for span in lane
            .served
            .iter()
            .filter(|span| self.scale.shows(span.from, span.to))
        {
            let (from, to) = (self.scale.x(span.from), self.scale.x(span.to));
            let _ = write!(
                self.out,
                r#"<rect class="tl-served" x="{from:.1}" y="{:.1}" width="{:.1}" height="{SERVED}"/>"#,
                base + 2.0,
                (to - from).max(1.5)
            );
        }
        for track in &lane.tracks {
            self.expected(index, lane, track);
        }
    }

    /// Whose lane it is. Last of all: no mark may cross the words.
    fn head(&mut self, index: usize, lane: &Lane) {
        let left = self.scale.left();
        let head = self.scale.plot(index) - self.scale.head();
        let (label, said) = (text(&lane.label), text(&lane.said));
        let _ = if self.scale.narrow() {
            write!(
                self.out,
                r#"<text class="tl-text tl-halo" x="{left}" y="{:.1}">{label}</text><text class="tl-muted tl-halo" x="{left}" y="{:.1}">{said}</text>"#,
                head + 12.0,
                head + 29.0
            )
        } else {
            write!(
                self.out,
                r#"<text class="tl-halo" x="{left}" y="{:.1}"><tspan class="tl-text">{label}</tspan><tspan class="tl-muted" dx="10">{said}</tspan></text>"#,
                head + 12.0
            )
        };
    }

    fn stretch(&mut self, index: usize, lane: &Lane, number: usize, track: &Track, stretch: &Stretch) {
        let now = self.timeline.now;
        let Some(last) = stretch.levels.last() else {
            return;
        };
        let ends = stretch.resets_at.unwrap_or(last.at).max(last.at);
        if !self.scale.shows(stretch.from, ends) {
            return;
        }
        // Known up to now; what comes is another mark's.
        let known = ends.min(now).max(last.at);
        let line = self.steps(index, stretch, known);
        let shape = if number == 0 {
            let base = self.scale.base(index);
            let (from, to) = (self.scale.x(stretch.from), self.scale.x(known));
            format!(r#"<path class="tl-used" d="M{from:.1} {base:.1}{line}V{base:.1}H{to:.1}z"/>"#)
        } else {
            let dashed = if number > 1 { " tl-level-2" } else { "" };
            let base = self.scale.y(index, Percent::ZERO);
            let from = self.scale.x(stretch.from);
            format!(r#"<path class="tl-level{dashed}" d="M{from:.1} {base:.1}{line}"/>"#)
        };
        let until = stretch.resets_at.map_or("reset unknown".to_owned(), |at| {
            format!("to {}", self.words.time(at))
        });
        let said = format!(
            "{}, {} window from {} {until}: {} % used",
            lane.label,
            track.length,
            self.words.time(stretch.from),
            percent(last.used.used())
        );
        self.figure(&said, &shape);
    }

    /// From reading to reading: between two of them nobody knows, so it stays where it was.
    fn steps(&self, index: usize, stretch: &Stretch, known: Timestamp) -> String {
        let mut line = String::new();
        for Level { at, used } in &stretch.levels {
            let _ = write!(
                line,
                "H{:.1}V{:.1}",
                self.scale.x(*at),
                self.scale.y(index, *used)
            );
        }
        let _ = write!(line, "H{:.1}", self.scale.x(known));
        line
    }

    fn expected(&mut self, index: usize, lane: &Lane, track: &Track) {
        let Some(expected) = track.expected else {
            return;
        };
        let (top, base) = (self.scale.plot(index), self.scale.base(index));
        if let Some(when) = expected.depleted {
            let level = track.stretches.last().and_then(|stretch| stretch.levels.last());
            let used = level.map_or(Percent::ZERO, |level| level.used);
            let (now, y) = (self.scale.x(self.timeline.now), self.scale.y(index, used));
            let mut shape = self.band(when, top, base - top);
            if let Some(likely) = when.likely.filter(|at| *at < self.timeline.to) {
                let x = self.scale.x(likely);
                let _ = write!(
                    shape,
                    r#"<path class="tl-expected" d="M{now:.1} {y:.1}L{x:.1} {top:.1}"/><path class="tl-end" d="M{x:.1} {:.1}l6 6-6 6-6-6z"/>"#,
                    top - 6.0
                );
            }
            let said = format!(
                "{}, {} window: expected to be used up {}",
                lane.label,
                track.length,
                explain::about(&when, self.words)
            );
            self.figure(&said, &shape);
        }
        if let Some(at) = expected
            .recovers
            .filter(|at| self.scale.shows(self.timeline.now, *at) && *at < self.timeline.to)
        {
            let x = self.scale.x(at);
            let shape = format!(
                r#"<path class="tl-back" d="M{x:.1} {:.1}l6 9h-12z"/>"#,
                base - 9.0
            );
            let said = format!(
                "{}, {} window: whole again {}",
                lane.label,
                track.length,
                self.words.time(at)
            );
            self.figure(&said, &shape);
        }
    }

    fn band(&self, when: When, y: f64, height: f64) -> String {
        let from = self.scale.x(when.earliest);
        let to = when.latest.map_or(self.scale.right(), |at| self.scale.x(at));
        format!(
            r#"<rect class="tl-range" x="{from:.1}" y="{y:.1}" width="{:.1}" height="{height:.1}"/>"#,
            (to - from).max(1.0)
        )
    }

    fn blocked(&mut self, blocked: &Blocked) {
        let to = blocked.to.unwrap_or(self.timeline.now);
        if !self.scale.shows(blocked.from, to) {
            return;
        }
        let (from_x, to_x) = (self.scale.x(blocked.from), self.scale.x(to));
        let shape = format!(
            r#"<rect class="tl-blocked" x="{from_x:.1}" y="{AXIS}" width="{:.1}" height="{:.1}"/>"#,
            (to_x - from_x).max(2.0),
            self.scale.bottom(self.timeline.lanes.len()) - AXIS
        );
        let until = blocked
            .to
            .map_or("until now".to_owned(), |at| format!("to {}", self.words.time(at)));
        let said = format!(
            "Blocked from {} {until}: {}",
            self.words.time(blocked.from),
            blocked.said
        );
        self.figure(&said, &shape);
    }

    fn switch(&mut self, switch: &SwitchMark) {
        let Some(to) = self.lane_of(switch.to) else {
            return;
        };
        if !self.scale.shows(
            switch.at,
            Timestamp::from_millis(switch.at.as_millis().saturating_add(1)),
        ) {
            return;
        }
        let from = switch.from.and_then(|id| self.lane_of(id)).unwrap_or(to);
        let x = self.scale.x(switch.at);
        let foretold = if switch.expected { " tl-foretold" } else { "" };
        let middle = |lane| self.scale.base(lane) + 2.0 + SERVED / 2.0;
        let (start, end) = (middle(from), middle(to));
        let shape = format!(
            r#"<path class="tl-switch{foretold}" d="M{x:.1} {start:.1}V{end:.1}"/><circle class="tl-to" cx="{x:.1}" cy="{end:.1}" r="4.5"/>"#
        );
        let whence = switch
            .from
            .map_or(String::new(), |id| format!(" from {}", self.words.label(id)));
        let verb = if switch.expected {
            "Expected switch"
        } else {
            "Switched"
        };
        let said = format!(
            "{verb}{whence} to {}, {}: {}",
            self.words.label(switch.to),
            self.words.time(switch.at),
            switch.said
        );
        self.figure(&said, &shape);
    }

    fn interruption(&mut self, when: When) {
        if !self
            .scale
            .shows(when.earliest, when.latest.unwrap_or(self.timeline.to))
        {
            return;
        }
        let bottom = self.scale.bottom(self.timeline.lanes.len());
        let mut shape = self.band(when, AXIS, bottom - AXIS);
        if let Some(likely) = when.likely.filter(|at| *at < self.timeline.to) {
            let x = self.scale.x(likely);
            let _ = write!(
                shape,
                r#"<path class="tl-expected" d="M{x:.1} {AXIS}V{bottom:.1}"/>"#
            );
        }
        let said = format!("Uninterrupted until {}", explain::about(&when, self.words));
        self.figure(&said, &shape);
    }

    fn lane_of(&self, account: AccountId) -> Option<usize> {
        self.timeline
            .lanes
            .iter()
            .position(|lane| lane.account == account)
    }

    /// The first can be reached by Tab; a page moves on from it by the arrow keys.
    fn figure(&mut self, said: &str, shape: &str) {
        let first = !self.out.contains("tl-figure");
        let _ = write!(
            self.out,
            r#"<g class="tl-figure" role="img" tabindex="{}" aria-label="{}"><title>{}</title>{shape}</g>"#,
            if first { 0 } else { -1 },
            attribute(said),
            text(said)
        );
    }
}

pub(super) fn text(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

pub(super) fn attribute(words: &str) -> String {
    text(words).replace('"', "&quot;")
}

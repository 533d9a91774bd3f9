//! The timeline as a picture that reads on light and on dark.

use std::fmt::Write as _;

use super::{
    chart::{CELLS, Chart, Lane},
    measure::hours,
    scenario::CAST,
};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 20.0;
const AXIS: f64 = WIDTH - LEFT - RIGHT;
const TOP: f64 = 44.0;
const ROW: f64 = 34.0;
const ROW_GAP: f64 = 12.0;
const LANE: f64 = 2.0 * ROW + ROW_GAP + 74.0;
const COLOURS: [&str; 2] = ["#2f81c7", "#b5731b"];

pub(super) fn svg(chart: &Chart) -> String {
    let bottom = TOP + LANE * chart.lanes.len() as f64;
    let height = bottom + 34.0;
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" fill="#7d8590">
<title>Two accounts on the same work, under two strategies</title>
<defs><pattern id="blocked" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="6" fill="#d1495b"/></pattern></defs>
"##
    );
    for (share, time) in chart.ticks() {
        let x = LEFT + share * AXIS;
        let _ = writeln!(
            out,
            r#"<text x="{x:.1}" y="22" text-anchor="middle">{time}</text>"#
        );
    }
    for (index, lane) in chart.lanes.iter().enumerate() {
        draw(&mut out, chart, lane, TOP + LANE * index as f64);
    }
    legend(&mut out, bottom + 18.0);
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, chart: &Chart, lane: &Lane, top: f64) {
    let measures = &lane.measures;
    let told = format!(
        "longest stretch {} · blocked {} · {} between resets · account changed {} times",
        hours(measures.longest_stretch),
        hours(measures.blocked),
        measures.reset_gap.map_or("unknown".to_owned(), hours),
        measures.changes_of_account
    );
    let _ = writeln!(
        out,
        r#"<text x="{LEFT}" y="{:.1}"><tspan font-size="14" font-weight="600">{}</tspan><tspan dx="12" font-size="11.5">{told}</tspan></text>"#,
        top + 14.0,
        lane.strategy.title()
    );
    let rows = top + 28.0;
    let height = 2.0 * ROW + ROW_GAP;
    // Behind the bars, and clear of the words above them.
    for (share, _) in chart.ticks() {
        let x = LEFT + share * AXIS;
        let _ = writeln!(
            out,
            r##"<line x1="{x:.1}" x2="{x:.1}" y1="{rows:.1}" y2="{:.1}" stroke="#7d8590" stroke-opacity="0.25"/>"##,
            rows + height
        );
    }
    let cell = AXIS / CELLS as f64;
    for (account, role) in CAST.iter().enumerate() {
        let base = rows + ROW + account as f64 * (ROW + ROW_GAP);
        let _ = writeln!(
            out,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text><line x1="{LEFT}" x2="{:.1}" y1="{base:.1}" y2="{base:.1}" stroke="#7d8590" stroke-opacity="0.6"/>"##,
            LEFT - 10.0,
            base - 4.0,
            role.label,
            LEFT + AXIS
        );
        for (index, count) in lane.served[account]
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            let bar = *count as f64 / chart.most as f64 * ROW;
            let _ = writeln!(
                out,
                r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{bar:.1}" fill="{}"/>"#,
                LEFT + index as f64 * cell,
                base - bar,
                cell - 1.0,
                COLOURS[account % COLOURS.len()]
            );
        }
        for at in lane.resets[account].iter().filter(|at| **at < chart.end()) {
            let x = LEFT + chart.share(*at) * AXIS;
            let _ = writeln!(
                out,
                r#"<path d="M{:.1} {:.1} l5 8 h-10 z" fill="{}"/>"#,
                x,
                base + 1.0,
                COLOURS[account % COLOURS.len()]
            );
        }
    }
    for (from, to) in &lane.blocked {
        let (left, right) = (chart.share(*from) * AXIS, chart.share(*to) * AXIS);
        let _ = writeln!(
            out,
            r#"<rect x="{:.1}" y="{rows:.1}" width="{:.1}" height="{:.1}" fill="url(#blocked)" fill-opacity="0.7"/>"#,
            LEFT + left,
            (right - left).max(1.0),
            height
        );
    }
}

fn legend(out: &mut String, y: f64) {
    let _ = writeln!(
        out,
        r##"<g transform="translate({LEFT} {y:.1})"><rect y="-9" width="10" height="10" fill="{}"/><rect x="11" y="-6" width="10" height="7" fill="{}"/><text x="28">requests in ten minutes</text><path d="M190 -9 l5 8 h-10 z" fill="#7d8590"/><text x="202">five-hour window resets</text><rect x="356" y="-10" width="22" height="12" fill="url(#blocked)" fill-opacity="0.7"/><text x="386">blocked: nobody could serve</text></g>"##,
        COLOURS[0], COLOURS[1]
    );
}

//! The picture as SVG. Colours are classes: a page brings its own, a file of its own carries them along.

use std::fmt::Write as _;

use super::{
    Timeline,
    draw::{Draw, attribute, text},
    scale::{AXIS, Scale},
};
use crate::explain::Words;

/// How a picture is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// In pixels; 280 at least.
    pub width: f64,
    /// Complete by itself, with colours for light and dark; else a page styles its classes.
    pub standalone: bool,
}

const NARROWEST: f64 = 280.0;
/// Of the legend.
const LINE: f64 = 20.0;
/// Light, dark.
const COLOURS: [(&str, &str, &str); 8] = [
    ("TEXT", "#1b1e25", "#eceef2"),
    ("MUTED", "#59606e", "#a5acba"),
    ("PAGE", "#ffffff", "#1f2229"),
    ("LINE", "#dcdfe6", "#343945"),
    ("USED", "#8f9aae", "#7d879a"),
    ("ACCENT", "#2f56cf", "#8fabff"),
    ("ALERT", "#b3261e", "#ff9a90"),
    ("WAIT", "#8a5300", "#f0bb66"),
];
const RULES: &str = ".tl-page{fill:PAGE}.tl-text{fill:TEXT;font-weight:600}.tl-muted{fill:MUTED}.tl-grid{stroke:LINE}\
    .tl-base{stroke:MUTED}.tl-future{fill:MUTED;fill-opacity:.07}.tl-now{stroke:TEXT;stroke-width:1.5}\
    .tl-used{fill:USED;fill-opacity:.45;stroke:USED}.tl-level{fill:none;stroke:WAIT;stroke-width:1.75}\
    .tl-level-2{stroke-dasharray:5 3}.tl-served{fill:ACCENT}.tl-switch{stroke:ACCENT;stroke-width:1.5}\
    .tl-to{fill:ACCENT;stroke:PAGE}.tl-blocked{fill:url(#tl-hatch)}.tl-hatch{fill:ALERT}\
    .tl-end{fill:ALERT;stroke:PAGE}.tl-range{fill:ALERT;fill-opacity:.16}\
    .tl-expected{fill:none;stroke:ALERT;stroke-width:1.25;stroke-dasharray:3 3}.tl-back{fill:MUTED;stroke:PAGE}\
    .tl-halo{stroke:PAGE;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}.tl-foretold{stroke-dasharray:3 3}.tl-figure:focus{outline:2px solid ACCENT}";

pub fn svg(timeline: &Timeline, look: Look, words: &dyn Words) -> String {
    let scale = Scale::new(look.width.max(NARROWEST), timeline.from, timeline.to);
    let lanes = timeline.lanes.len();
    let bottom = scale.bottom(lanes);
    let (legend, ends) = legend(scale, bottom + 24.0);
    let (width, height) = (scale.width, ends);
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="tl" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="group" aria-label="{}" font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12">"#,
        attribute(&format!(
            "Timeline from {} to {}",
            words.time(timeline.from),
            words.time(timeline.to)
        ))
    );
    if look.standalone {
        let _ = write!(
            out,
            "<title>Baton: the accounts' quota over time</title><style>{}@media(prefers-color-scheme:dark){{{}}}</style>\
             <rect class=\"tl-page\" width=\"100%\" height=\"100%\"/>",
            rules(|(_, light, _)| light),
            rules(|(_, _, dark)| dark),
        );
    }
    out.push_str(
        r#"<defs><pattern id="tl-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="tl-hatch" width="2" height="6"/></pattern></defs>"#,
    );
    ahead(&mut out, timeline, scale, bottom);
    axis(&mut out, timeline, scale, bottom);
    let mut draw = Draw::new(timeline, scale, words);
    draw.everything();
    out.push_str(&draw.out);
    out.push_str(&legend);
    out.push_str("</svg>\n");
    out
}

fn rules(colour: impl Fn((&'static str, &'static str, &'static str)) -> &'static str) -> String {
    COLOURS.iter().fold(RULES.to_owned(), |rules, known| {
        rules.replace(known.0, colour(*known))
    })
}

/// What lies ahead looks it.
fn ahead(out: &mut String, timeline: &Timeline, scale: Scale, bottom: f64) {
    let now = scale.x(timeline.now);
    let _ = write!(
        out,
        r#"<rect class="tl-future" x="{now:.1}" y="{AXIS}" width="{:.1}" height="{:.1}"/>"#,
        scale.right() - now,
        bottom - AXIS
    );
}

fn axis(out: &mut String, timeline: &Timeline, scale: Scale, bottom: f64) {
    /// A label's room, in pixels.
    const ROOM: f64 = 52.0;
    let now = scale.x(timeline.now);
    let mut free_from = scale.left();
    for tick in &timeline.ticks {
        let x = scale.x(tick.at);
        let _ = write!(
            out,
            r#"<line class="tl-grid" x1="{x:.1}" x2="{x:.1}" y1="{AXIS}" y2="{bottom:.1}"/>"#
        );
        let (left, right) = (x - ROOM / 2.0, x + ROOM / 2.0);
        let clear_of_now = (x - now).abs() > ROOM * 0.8;
        if left >= free_from && right <= scale.right() + 4.0 && clear_of_now {
            let _ = write!(
                out,
                r#"<text class="tl-muted" x="{x:.1}" y="18" text-anchor="middle">{}</text>"#,
                text(&tick.label)
            );
            free_from = right;
        }
    }
    let _ = write!(
        out,
        r#"<line class="tl-now" x1="{now:.1}" x2="{now:.1}" y1="{:.1}" y2="{bottom:.1}"/><text class="tl-text" x="{now:.1}" y="18" text-anchor="middle">now</text>"#,
        AXIS - 6.0
    );
}

/// And where it ends.
fn legend(scale: Scale, top: f64) -> (String, f64) {
    let entries = [
        (
            r#"<rect class="tl-used" x="0" y="-9" width="14" height="10"/>"#,
            "shortest window, used",
            160.0,
        ),
        (r#"<path class="tl-level" d="M0 -4h16"/>"#, "longer window", 124.0),
        (
            r#"<rect class="tl-served" x="0" y="-6" width="14" height="4"/>"#,
            "served",
            76.0,
        ),
        (
            r#"<rect class="tl-blocked" x="0" y="-10" width="16" height="12"/>"#,
            "blocked",
            80.0,
        ),
        (
            r#"<path class="tl-end" d="M8 -11l6 6-6 6-6-6z"/>"#,
            "expected to be used up",
            168.0,
        ),
        (
            r#"<path class="tl-back" d="M8 -9l6 9h-12z"/>"#,
            "whole again",
            100.0,
        ),
    ];
    let (mut x, mut y) = (scale.left(), top);
    let mut out = r#"<g aria-hidden="true">"#.to_owned();
    for (mark, said, room) in entries {
        if x + room > scale.right() && x > scale.left() {
            (x, y) = (scale.left(), y + LINE);
        }
        let _ = write!(
            out,
            r#"<g transform="translate({x:.1} {y:.1})">{mark}<text class="tl-muted" x="22">{said}</text></g>"#
        );
        x += room;
    }
    out.push_str("</g>");
    (out, y + 10.0)
}

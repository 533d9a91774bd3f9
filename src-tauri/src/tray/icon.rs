//! The tray icon as a plain value: one bar for each window of the active account, as long as what is left of it, and a
//! mark for what there is to know at a glance. Every state has a shape of its own; colour only adds to it.

use crate::{
    glance::{Glance, LITTLE_LEFT, glance},
    view::{View, general_windows},
};

use super::canvas::{Canvas, Colour, Picture};

// Panels are light or dark and don't say which: every colour is of middle lightness, to be seen on both.
const PLENTY: Colour = [38, 166, 154, 255];
const LITTLE: Colour = [245, 158, 11, 255];
const NOTHING: Colour = [220, 38, 38, 255];
const PASSING: Colour = [59, 130, 246, 255];
const IDLE: Colour = [128, 128, 128, 255];
/// The part of a bar that is used up, in the bar's own colour.
const USED_ALPHA: u8 = 90;

/// More bars than this would be thinner than a pixel row's gap at 16 pixels. The shortest windows are drawn.
const MOST_BARS: usize = 3;

/// How a platform wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Colour,
    /// macOS: black, and the system colours it.
    Template,
}

/// One bar of the icon.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    /// 0 to 1; `None`: only its outline.
    full: Option<f64>,
    colour: Colour,
}

/// What is drawn over the lower right corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    None,
    /// Down: little is left.
    Down,
    /// To the right: somebody else serves for the moment.
    Right,
    Clock,
    Cross,
    Exclamation,
    /// A ring around a dot: only this one.
    Target,
    /// A bar through everything: not in the way of requests.
    Slash,
    /// A plug that is out: a minus.
    Minus,
}

/// The icon for a view. `size` is the edge in pixels, 16 or more.
pub(crate) fn draw(view: &View, size: u32, ink: Ink) -> Picture {
    let glance = glance(view);
    let (mark, colour) = mark(&glance);
    let mut canvas = Canvas::new(size);
    bars(&mut canvas, &bars_of(view, &glance));
    canvas.mark(mark, colour);
    let picture = canvas.picture();
    match ink {
        Ink::Colour => picture,
        Ink::Template => picture.black(),
    }
}

fn mark(glance: &Glance) -> (Mark, Colour) {
    match glance {
        Glance::Fine(_) | Glance::Ready | Glance::Between(_) | Glance::NoAccounts => (Mark::None, IDLE),
        Glance::Low(_) => (Mark::Down, LITTLE),
        Glance::Temporary { .. } => (Mark::Right, PASSING),
        Glance::Waiting { .. } => (Mark::Clock, PASSING),
        Glance::AllExhausted(_) => (Mark::Cross, NOTHING),
        Glance::NeedsPerson { .. } => (Mark::Exclamation, LITTLE),
        Glance::Stuck(_) => (Mark::Exclamation, NOTHING),
        Glance::OnlyThis(_) => (Mark::Target, PASSING),
        Glance::NotConnected => (Mark::Minus, IDLE),
        Glance::Bypassed => (Mark::Right, IDLE),
        Glance::Offline(_) => (Mark::Slash, IDLE),
    }
}

fn bars_of(view: &View, glance: &Glance) -> Vec<Bar> {
    let all = |full, colour| vec![Bar { full, colour }; 2];
    match glance {
        // Nothing goes through Baton.
        Glance::Offline(_) | Glance::Bypassed => return all(None, IDLE),
        Glance::Between(_) | Glance::NoAccounts | Glance::Ready => return all(Some(0.0), IDLE),
        Glance::AllExhausted(_) | Glance::Stuck(_) => return all(Some(0.0), NOTHING),
        _ => {}
    }
    let windows = view.active().map(general_windows).unwrap_or_default();
    if windows.is_empty() {
        return all(Some(0.0), IDLE);
    }
    let connected = *glance != Glance::NotConnected;
    let bar = |left: f64| Bar {
        full: Some(left / 100.0),
        colour: match left {
            _ if !connected => IDLE,
            left if left <= 0.0 => NOTHING,
            left if left <= LITTLE_LEFT => LITTLE,
            _ => PLENTY,
        },
    };
    windows
        .into_iter()
        .take(MOST_BARS)
        .map(|window| bar(window.left))
        .collect()
}

fn bars(canvas: &mut Canvas, bars: &[Bar]) {
    let size = canvas.size();
    let count = u32::try_from(bars.len()).unwrap_or(1).max(1);
    let margin = (size / 16).max(1);
    let gap = (size / 8).max(2);
    let thickness = (size - 2 * margin - (count - 1) * gap) / count;
    // One bar alone is not blown up to a block.
    let thickness = thickness.min(size * 3 / 8);
    let height = count * thickness + (count - 1) * gap;
    let top = (size - height) / 2;
    let width = size - 2 * margin;
    for (row, bar) in (0..).zip(bars) {
        let y = top + row * (thickness + gap);
        let [red, green, blue, _] = bar.colour;
        let rect = (margin, y, width, thickness);
        match bar.full {
            None => canvas.outline(rect, bar.colour),
            Some(full) => {
                canvas.rect(rect, [red, green, blue, USED_ALPHA]);
                let filled = filled(full, width);
                if filled > 0 {
                    canvas.clip(rect, filled, bar.colour);
                }
            }
        }
    }
}

/// Whole pixels of a bar. Only nothing is empty and only everything is full.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and width"
)]
fn filled(full: f64, width: u32) -> u32 {
    let pixels = (full * f64::from(width)).round() as u32;
    if full <= 0.0 {
        0
    } else if full >= 1.0 {
        width
    } else {
        pixels.clamp(1, width - 1)
    }
}

// === marks ===

impl Canvas {
    /// On a clear round space, so that it stands off from the bars.
    fn mark(&mut self, mark: Mark, colour: Colour) {
        // A unit is half a mark.
        let size = f64::from(self.size());
        let half = (size * 0.29).round().max(4.5);
        let centre = size - half;
        let unit = |x: f64, y: f64| ((x - centre) / half, (y - centre) / half);
        match mark {
            Mark::None => return,
            Mark::Slash => {
                // From corner to corner of the whole picture.
                let along = |x: f64, y: f64| (x + y - size) / std::f64::consts::SQRT_2;
                self.erase(|x, y| along(x, y).abs() < size * 0.16);
                self.fill(colour, |x, y| {
                    along(x, y).abs() < size * 0.07 && inside(x, size) && inside(y, size)
                });
                return;
            }
            _ => self.erase(|x, y| {
                let (x, y) = unit(x, y);
                x.hypot(y) < 1.22
            }),
        }
        self.fill(colour, |x, y| {
            let (x, y) = unit(x, y);
            match mark {
                Mark::None | Mark::Slash => false,
                Mark::Down => y < 0.8 && y > -0.7 && x.abs() < (0.8 - y) * 0.62,
                Mark::Right => x < 0.9 && x > -0.6 && y.abs() < (0.9 - x) * 0.62,
                Mark::Clock => {
                    let ring = (0.68..1.0).contains(&x.hypot(y));
                    let up = x.abs() < 0.17 && (-0.55..0.17).contains(&y);
                    let aside = y.abs() < 0.17 && (-0.17..0.5).contains(&x);
                    ring || up || aside
                }
                Mark::Cross => {
                    let (a, b) = ((x - y).abs(), (x + y).abs());
                    (a < 0.38 && b < 1.5) || (b < 0.38 && a < 1.5)
                }
                Mark::Exclamation => x.abs() < 0.26 && ((-1.0..0.3).contains(&y) || (0.52..1.0).contains(&y)),
                Mark::Target => {
                    let far = x.hypot(y);
                    far < 0.42 || (0.7..1.0).contains(&far)
                }
                Mark::Minus => x.abs() < 0.9 && y.abs() < 0.26,
            }
        });
    }
}

fn inside(at: f64, size: f64) -> bool {
    at > size / 16.0 && at < size - size / 16.0
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use baton_core::{Because, Choice, CoolingReason, Eligibility, Refusal, RefuseReason};
    use baton_engine::control::protocol::Snapshot;

    use super::*;
    use crate::view::samples::{NOW, account, pool, serving, snapshot, window};

    const SIZES: [u32; 8] = [16, 22, 24, 32, 44, 48, 64, 96];

    /// One active account with windows of which this much is left.
    fn active(left: &[f64]) -> View {
        let windows = (1..)
            .zip(left)
            .map(|(hours, &left)| window(hours * 60, left))
            .collect();
        pool(vec![account(1, "Personal", windows)])
    }

    fn pixel(picture: &Picture, x: u32, y: u32) -> Colour {
        let at = ((y * picture.size + x) * 4) as usize;
        picture.rgba[at..at + 4].try_into().expect("four bytes")
    }

    /// Rows of the first third that show something, as (first, last) runs: one for each bar.
    fn runs(picture: &Picture) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for y in 0..picture.size {
            if pixel(picture, picture.size / 4, y)[3] == 0 {
                continue;
            }
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == y => *last = y,
                _ => runs.push((y, y)),
            }
        }
        runs
    }

    /// How many pixels of a row are of this colour.
    fn count(picture: &Picture, y: u32, colour: Colour) -> u32 {
        (0..picture.size)
            .map(|x| u32::from(pixel(picture, x, y) == colour))
            .sum()
    }

    fn drawn(view: &View, size: u32) -> Picture {
        draw(view, size, Ink::Colour)
    }

    #[test]
    fn there_are_as_many_bars_as_windows() {
        for size in SIZES {
            for windows in 1..=3 {
                let picture = drawn(&active(&vec![50.0; windows]), size);
                assert_eq!(runs(&picture).len(), windows, "{windows} windows at {size}");
                assert_eq!(picture.rgba.len(), (size * size * 4) as usize);
            }
        }
    }

    #[test]
    fn a_bar_is_as_long_as_what_is_left() {
        let picture = drawn(&active(&[75.0, 25.0]), 32);
        let bars = runs(&picture);
        let middle = |bar: usize| u32::midpoint(bars[bar].0, bars[bar].1);
        // 28 pixels wide between the margins.
        assert_eq!(count(&picture, middle(0), PLENTY), 21);
        assert_eq!(count(&picture, middle(1), PLENTY), 7);
    }

    #[test]
    fn only_nothing_is_empty_and_only_everything_is_full() {
        assert_eq!(filled(1.0, 28), 28);
        assert_eq!(filled(0.996, 28), 27);
        assert_eq!(filled(0.004, 28), 1);
        assert_eq!(filled(0.0, 28), 0);
    }

    #[test]
    fn nothing_is_drawn_at_the_outermost_corner_and_edge() {
        for size in SIZES {
            let picture = drawn(&active(&[60.0, 70.0, 80.0]), size);
            for at in 0..size {
                for (x, y) in [(at, 0), (at, size - 1), (0, at), (size - 1, at)] {
                    assert_eq!(pixel(&picture, x, y)[3], 0, "{x},{y} at {size}");
                }
            }
        }
    }

    fn with(change: impl FnOnce(&mut Snapshot)) -> View {
        let windows = || vec![window(300, 60.0), window(10_080, 80.0)];
        let mut pool = snapshot(vec![
            account(1, "Personal", windows()),
            account(2, "Work", windows()),
        ]);
        change(&mut pool);
        View::Pool(Box::new(pool))
    }

    fn refusing(reason: RefuseReason) -> View {
        with(|pool| pool.next_request = Choice::Refuse { reason })
    }

    fn every_state() -> Vec<(&'static str, View)> {
        let ill = Eligibility::NeedsAttention {
            reason: Refusal::GrantRefused,
        };
        vec![
            ("fine", with(|_| {})),
            ("low", with(|pool| pool.accounts[0].windows[0].left = 9.0)),
            (
                "temporary",
                with(|pool| {
                    pool.accounts[0].state = Eligibility::CoolingDown {
                        since: NOW,
                        until: NOW,
                        reason: CoolingReason::Throttled,
                    };
                    let (personal, work) = (pool.accounts[0].id, pool.accounts[1].id);
                    pool.next_request = serving(work, Because::TemporaryFailover { instead_of: personal });
                }),
            ),
            (
                "waiting",
                with(|pool| {
                    pool.next_request = Choice::Wait {
                        until: NOW,
                        account: pool.accounts[0].id,
                    };
                }),
            ),
            (
                "all exhausted",
                refusing(RefuseReason::NobodyUsable { earliest: Some(NOW) }),
            ),
            ("needs a person", with(|pool| pool.accounts[1].state = ill)),
            ("only this", with(|pool| pool.pinned = pool.active)),
            ("bypassed", with(|pool| pool.bypassed = true)),
            ("not connected", with(|pool| pool.codex.comes_through = false)),
            ("offline", View::Away),
        ]
    }

    /// For whoever doesn't see colours, and on macOS for everybody.
    #[test]
    fn every_state_has_a_shape_of_its_own() {
        for size in SIZES {
            let mut seen: HashMap<Vec<u8>, &str> = HashMap::new();
            for (name, view) in every_state() {
                let shape = draw(&view, size, Ink::Template).rgba;
                assert!(shape.iter().skip(3).step_by(4).any(|alpha| *alpha > 0), "{name}");
                if let Some(other) = seen.insert(shape, name) {
                    panic!("{name} looks like {other} at {size}");
                }
            }
        }
    }

    /// Either is seen against black, white and what is between: no colour is near any panel's.
    #[test]
    fn every_state_can_be_seen_on_light_and_dark_panels() {
        let lightness = |[red, green, blue, _]: Colour| {
            (u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000
        };
        for (name, view) in every_state() {
            let picture = drawn(&view, 22);
            let solid = picture.rgba.chunks_exact(4).filter(|pixel| pixel[3] == 255);
            let solid: Vec<u32> = solid
                .map(|pixel| lightness([pixel[0], pixel[1], pixel[2], 255]))
                .collect();
            assert!(!solid.is_empty(), "{name} has nothing solid in it");
            assert!(
                solid.iter().all(|light| (60..200).contains(light)),
                "{name}: {solid:?}"
            );
        }
    }

    #[test]
    fn a_template_is_black_only() {
        for (name, view) in every_state() {
            let picture = draw(&view, 44, Ink::Template);
            assert!(
                picture.rgba.chunks_exact(4).all(|pixel| pixel[..3] == [0, 0, 0]),
                "{name}"
            );
        }
    }

    #[test]
    fn the_same_view_gives_the_same_pixels() {
        let view = active(&[94.9]);
        assert_eq!(drawn(&view, 24), drawn(&view, 24));
    }
}

//! The tray icon as a plain value: one bar for each window of the active account, as long as what is left of it.

use baton_core::Eligibility;

use crate::view::{View, general_windows};

/// Square, 8 bits each of red, green, blue, alpha, rows from the top.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) size: u32,
    pub(crate) rgba: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({0}x{0})", self.size)
    }
}

type Colour = [u8; 4];

// Panels are light or dark and don't say which: every colour is of middle lightness, to be seen on both.
const PLENTY: Colour = [38, 166, 154, 255];
const LITTLE: Colour = [245, 158, 11, 255];
const NOTHING: Colour = [220, 38, 38, 255];
const IDLE: Colour = [128, 128, 128, 255];
/// The part of a bar that is used up, in the bar's own colour.
const USED_ALPHA: u8 = 90;

/// At or under this many percent left a bar changes colour.
const LITTLE_LEFT: f64 = 20.0;
/// More bars than this would be thinner than a pixel row's gap at 16 pixels. The shortest windows are drawn.
const MOST_BARS: usize = 3;

/// One bar of the icon.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bar {
    /// 0 to 1.
    full: f64,
    colour: Colour,
}

/// The icon for a view. `size` is the edge in pixels, 16 or more.
pub(crate) fn draw(view: &View, size: u32) -> Picture {
    let bars = bars(view);
    let mut picture = Picture {
        size,
        rgba: vec![0; (size * size * 4) as usize],
    };
    let count = u32::try_from(bars.len()).unwrap_or(1).max(1);
    let margin = (size / 16).max(1);
    let gap = (size / 8).max(2);
    let thickness = (size - 2 * margin - (count - 1) * gap) / count;
    // One bar alone is not blown up to a block.
    let thickness = thickness.min(size * 3 / 8);
    let height = count * thickness + (count - 1) * gap;
    let top = (size - height) / 2;
    for (row, bar) in (0..).zip(&bars) {
        let y = top + row * (thickness + gap);
        picture.bar(*bar, margin, y, size - 2 * margin, thickness);
    }
    picture
}

fn bars(view: &View) -> Vec<Bar> {
    let idle = Bar {
        full: 0.0,
        colour: IDLE,
    };
    let trouble = Bar {
        full: 0.0,
        colour: NOTHING,
    };
    match view {
        View::Starting | View::Away | View::Quitting => vec![idle, idle],
        View::Failed { .. } => vec![trouble, trouble],
        View::Pool(snapshot) if snapshot.accounts.is_empty() => vec![idle, idle],
        View::Pool(_) => match view.active() {
            // Nothing was routed yet, or there is nobody to route to; the menu says which.
            None => vec![idle, idle],
            Some(account) => match account.state {
                Eligibility::Exhausted {
                    on_credits: false, ..
                }
                | Eligibility::NeedsAttention { .. } => {
                    vec![trouble, trouble]
                }
                Eligibility::Exhausted { on_credits: true, .. }
                | Eligibility::Eligible
                | Eligibility::HeldBack { .. }
                | Eligibility::CoolingDown { .. }
                | Eligibility::Skipped => {
                    let windows = general_windows(account);
                    if windows.is_empty() {
                        vec![idle, idle]
                    } else {
                        windows
                            .into_iter()
                            .take(MOST_BARS)
                            .map(|window| bar(window.left))
                            .collect()
                    }
                }
            },
        },
    }
}

fn bar(percent: f64) -> Bar {
    let colour = if percent <= 0.0 {
        NOTHING
    } else if percent <= LITTLE_LEFT {
        LITTLE
    } else {
        PLENTY
    };
    Bar {
        full: percent / 100.0,
        colour,
    }
}

// === impl Picture ===

impl Picture {
    fn bar(&mut self, bar: Bar, x: u32, y: u32, width: u32, height: u32) {
        let filled = filled(bar.full, width);
        let [red, green, blue, _] = bar.colour;
        for row in y..y + height {
            for column in 0..width {
                // The four corners are left out: bars read as bars, not as a flag.
                let at_end = column == 0 || column == width - 1;
                if at_end && (row == y || row == y + height - 1) {
                    continue;
                }
                let colour = if column < filled {
                    bar.colour
                } else {
                    [red, green, blue, USED_ALPHA]
                };
                self.set(x + column, row, colour);
            }
        }
    }

    fn set(&mut self, x: u32, y: u32, colour: Colour) {
        let at = ((y * self.size + x) * 4) as usize;
        if let Some(pixel) = self.rgba.get_mut(at..at + 4) {
            pixel.copy_from_slice(&colour);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::{account, exhausted, pool, window};

    const SIZES: [u32; 5] = [16, 22, 24, 32, 64];

    /// One active account with windows of which this much is left.
    fn active(state: Eligibility, left: &[f64]) -> View {
        let windows = (1..)
            .zip(left)
            .map(|(hours, &left)| window(hours * 60, left))
            .collect();
        let mut account = account(1, "Personal", windows);
        account.state = state;
        pool(vec![account])
    }

    fn pixel(picture: &Picture, x: u32, y: u32) -> Colour {
        let at = ((y * picture.size + x) * 4) as usize;
        picture.rgba[at..at + 4].try_into().expect("four bytes")
    }

    /// Rows of the middle column that show something, as (first, last) runs: one for each bar.
    fn runs(picture: &Picture) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for y in 0..picture.size {
            if pixel(picture, picture.size / 2, y)[3] == 0 {
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

    #[test]
    fn there_are_as_many_bars_as_windows() {
        for size in SIZES {
            for windows in 1..=3 {
                let picture = draw(&active(Eligibility::Eligible, &vec![50.0; windows]), size);
                assert_eq!(runs(&picture).len(), windows, "{windows} windows at {size}");
                assert_eq!(picture.rgba.len(), (size * size * 4) as usize);
            }
        }
    }

    #[test]
    fn a_bar_is_as_long_as_what_is_left() {
        let picture = draw(&active(Eligibility::Eligible, &[75.0, 25.0]), 32);
        let bars = runs(&picture);
        let middle = |bar: usize| u32::midpoint(bars[bar].0, bars[bar].1);
        // 28 pixels wide between the margins.
        assert_eq!(count(&picture, middle(0), PLENTY), 21);
        assert_eq!(count(&picture, middle(1), PLENTY), 7);
    }

    #[test]
    fn only_nothing_is_empty_and_only_everything_is_full() {
        let coloured = |left: f64, colour| {
            let picture = draw(&active(Eligibility::Eligible, &[left]), 32);
            let (first, last) = runs(&picture)[0];
            count(&picture, u32::midpoint(first, last), colour)
        };
        assert_eq!(coloured(100.0, PLENTY), 28);
        assert_eq!(coloured(99.6, PLENTY), 27);
        assert_eq!(coloured(0.4, LITTLE), 1);
        assert_eq!(coloured(0.0, NOTHING), 0);
    }

    #[test]
    fn trouble_is_red_and_idleness_grey() {
        let colour_of = |view: &View| {
            let picture = draw(view, 22);
            let (first, last) = runs(&picture)[0];
            let [red, green, blue, _] = pixel(&picture, 11, u32::midpoint(first, last));
            [red, green, blue]
        };
        assert_eq!(colour_of(&active(exhausted(), &[0.0])), NOTHING[..3]);
        assert_eq!(
            colour_of(&View::Failed {
                reason: String::new()
            }),
            NOTHING[..3]
        );
        assert_eq!(colour_of(&pool(Vec::new())), IDLE[..3]);
        assert_eq!(colour_of(&View::Away), IDLE[..3]);
    }

    #[test]
    fn nothing_is_drawn_at_the_edge() {
        for size in SIZES {
            let picture = draw(&active(Eligibility::Eligible, &[10.0, 20.0, 30.0]), size);
            for at in 0..size {
                for (x, y) in [(at, 0), (at, size - 1), (0, at), (size - 1, at)] {
                    assert_eq!(pixel(&picture, x, y)[3], 0, "{x},{y} at {size}");
                }
            }
        }
    }

    #[test]
    fn the_same_view_gives_the_same_pixels() {
        let view = active(Eligibility::Eligible, &[94.9]);
        assert_eq!(draw(&view, 24), draw(&view, 24));
    }
}

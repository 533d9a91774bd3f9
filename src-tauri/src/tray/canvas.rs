//! Pixels: rectangles that lie on them, and shapes with smooth edges.

/// Red, green, blue, alpha.
pub(crate) type Colour = [u8; 4];

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

impl Picture {
    /// The same shape in black.
    pub(crate) fn black(mut self) -> Self {
        for pixel in self.rgba.chunks_exact_mut(4) {
            pixel[..3].fill(0);
        }
        self
    }
}

/// Left, top, width, height.
pub(crate) type Rect = (u32, u32, u32, u32);

#[derive(Debug)]
pub(crate) struct Canvas {
    size: u32,
    rgba: Vec<u8>,
}

/// Points a pixel is asked at, each way.
const SAMPLES: u32 = 4;

impl Canvas {
    pub(crate) fn new(size: u32) -> Self {
        Self {
            size,
            rgba: vec![0; (size * size * 4) as usize],
        }
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    pub(crate) fn picture(self) -> Picture {
        Picture {
            size: self.size,
            rgba: self.rgba,
        }
    }

    /// The four corners are left out: bars read as bars, not as a flag.
    pub(crate) fn rect(&mut self, rect: Rect, colour: Colour) {
        self.clip(rect, rect.2, colour);
    }

    /// The first columns of it.
    pub(crate) fn clip(&mut self, (left, top, width, height): Rect, columns: u32, colour: Colour) {
        for row in 0..height {
            for column in 0..columns.min(width) {
                let corner = (column == 0 || column == width - 1) && (row == 0 || row == height - 1);
                if !corner {
                    self.set(left + column, top + row, colour);
                }
            }
        }
    }

    pub(crate) fn outline(&mut self, (left, top, width, height): Rect, colour: Colour) {
        let line = (self.size / 16).max(1);
        for row in 0..height {
            for column in 0..width {
                let corner = (column == 0 || column == width - 1) && (row == 0 || row == height - 1);
                let edge = column < line || row < line || column >= width - line || row >= height - line;
                if edge && !corner {
                    self.set(left + column, top + row, colour);
                }
            }
        }
    }

    /// What `shape` has in it takes this colour, as far as a pixel is covered.
    pub(crate) fn fill(&mut self, colour: Colour, shape: impl Fn(f64, f64) -> bool) {
        self.each(shape, |pixel, covered| {
            if covered >= u32::from(pixel[3]) * SAMPLES * SAMPLES / 255 {
                pixel[..3].copy_from_slice(&colour[..3]);
            }
            let alpha = covered * u32::from(colour[3]) / (SAMPLES * SAMPLES);
            pixel[3] = pixel[3].max(u8::try_from(alpha).unwrap_or(u8::MAX));
        });
    }

    /// What `shape` has in it becomes clear.
    pub(crate) fn erase(&mut self, shape: impl Fn(f64, f64) -> bool) {
        self.each(shape, |pixel, covered| {
            let all = SAMPLES * SAMPLES;
            let alpha = u32::from(pixel[3]) * (all - covered) / all;
            pixel[3] = u8::try_from(alpha).unwrap_or(u8::MAX);
            if pixel[3] == 0 {
                pixel.fill(0);
            }
        });
    }

    fn each(&mut self, shape: impl Fn(f64, f64) -> bool, change: impl Fn(&mut [u8], u32)) {
        let size = self.size;
        let point = |whole: u32, part: u32| f64::from(whole) + (f64::from(part) + 0.5) / f64::from(SAMPLES);
        for (y, row) in (0..).zip(self.rgba.chunks_exact_mut((size * 4) as usize)) {
            for (x, pixel) in (0..).zip(row.chunks_exact_mut(4)) {
                let points = (0..SAMPLES).flat_map(|dy| (0..SAMPLES).map(move |dx| (dx, dy)));
                let covered = points
                    .filter(|(dx, dy)| shape(point(x, *dx), point(y, *dy)))
                    .count();
                if covered > 0 {
                    change(pixel, u32::try_from(covered).unwrap_or(0));
                }
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

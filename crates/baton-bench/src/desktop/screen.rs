//! What is on the screen, by its pixels: a window that is there may still be empty.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use tokio::time::sleep;

use crate::Result;

/// A line of pixels that goes through letters, smooth as they are, has at least so many colours; an empty page's has three.
const COLOURS: usize = 8;
/// A page has more of these lines than the words that it is being asked for.
const LINES: usize = 60;
/// Below the panel and the window's title.
const FROM_LINE: u32 = 160;
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The picture that the virtual display keeps in a file, which `scripts/screen` names: reading it asks the display nothing.
pub(super) struct Screen {
    file: File,
    offset: u64,
    /// Bytes of a line.
    line: usize,
    bytes: Vec<u8>,
}

impl Screen {
    /// The file begins as an X window dump does: a header of big-endian words, then the colours, then the pixels.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let mut header = [0; 100];
        file.read_exact(&mut header)?;
        let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[4 * at + byte]));
        let (size, height, bits, line, colours) = (word(0), word(5), word(11), word(12), word(19));
        if bits != 32 || height <= FROM_LINE {
            return Err(format!("a screen of {height} lines and {bits} bits a pixel can't be read").into());
        }
        Ok(Self {
            file,
            offset: u64::from(size + colours * 12 + line * FROM_LINE),
            line: line as usize,
            bytes: vec![0; (line * (height - FROM_LINE)) as usize],
        })
    }

    /// Until a page can be read.
    pub(super) async fn drawn(&mut self) -> Result<()> {
        while self.lines_of(COLOURS)? < LINES {
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Until nothing is there any more but the pointer.
    pub(super) async fn empty(&mut self) -> Result<()> {
        while self.lines_of(2)? >= LINES {
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// How many lines have so many colours.
    fn lines_of(&mut self, colours: usize) -> Result<usize> {
        self.file.seek(SeekFrom::Start(self.offset))?;
        self.file.read_exact(&mut self.bytes)?;
        let lines = self.bytes.chunks_exact(self.line);
        Ok(lines.filter(|line| has_colours(line, colours)).count())
    }
}

fn has_colours(line: &[u8], wanted: usize) -> bool {
    let mut seen = Vec::with_capacity(wanted);
    for pixel in line.chunks_exact(4) {
        // The fourth byte says nothing, but isn't always the same.
        let pixel = &pixel[..3];
        if seen.last() != Some(&pixel) && !seen.contains(&pixel) {
            seen.push(pixel);
            if seen.len() == wanted {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const WIDTH: u32 = 64;
    const HEIGHT: u32 = FROM_LINE + 40;

    /// A display's file on which each pixel has the colour that is said for its place.
    fn screen(colour: impl Fn(u32, u32) -> u32) -> Screen {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let mut header = [0; 25];
        // Size, height, bits a pixel, bytes a line, colours.
        for (at, word) in [(0, 112_u32), (5, HEIGHT), (11, 32), (12, 4 * WIDTH), (19, 2)] {
            header[at] = word;
        }
        let mut bytes: Vec<u8> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        bytes.resize(112 + 2 * 12, 0xff);
        for line in 0..HEIGHT {
            bytes.extend((0..WIDTH).flat_map(|column| colour(line, column).to_le_bytes()));
        }
        file.write_all(&bytes).expect("written");
        Screen::open(file.path()).expect("a screen")
    }

    #[test]
    fn a_page_is_drawn_once_there_are_letters_on_it() {
        let lines = |colour: fn(u32, u32) -> u32| screen(colour).lines_of(COLOURS).unwrap();
        assert_eq!(
            lines(|line, column| if line < FROM_LINE { column } else { 0 }),
            0,
            "only the window's title"
        );
        assert_eq!(lines(|_, column| u32::from(column > 20)), 0, "an empty window");
        assert_eq!(
            lines(|line, column| if line == HEIGHT - 1 { column } else { 7 }),
            1
        );
        assert_eq!(lines(|_, column| column << 24), 0, "no colours");
    }
}

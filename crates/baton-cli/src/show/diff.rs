//! What a change does to a file, as a unified diff.

use std::{fmt::Write as _, path::Path};

const CONTEXT: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Both,
    Old,
    New,
}

/// Empty where both are the same. `None` is no file.
pub(crate) fn diff(path: &Path, old: Option<&str>, new: Option<&str>) -> String {
    let lines = compared(old.unwrap_or_default(), new.unwrap_or_default());
    let changed = |at: usize| lines[at].0 != Side::Both;
    let shown = |at: usize| (at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len())).any(changed);
    let name = |text: Option<&str>| text.map_or("/dev/null".to_owned(), |_| path.display().to_string());
    let mut out = String::new();
    if old != new {
        let _ = writeln!(out, "--- {}\n+++ {}", name(old), name(new));
    }
    // Lines before the hunk, in the old file and in the new one.
    let (mut before_old, mut before_new, mut at) = (0, 0, 0);
    while at < lines.len() {
        let hunk: Vec<_> = lines[at..]
            .iter()
            .zip(at..)
            .take_while(|(_, at)| shown(*at))
            .map(|(line, _)| *line)
            .collect();
        let count = |other: Side| hunk.iter().filter(|(side, _)| *side != other).count();
        if hunk.is_empty() {
            (before_old, before_new, at) = (before_old + 1, before_new + 1, at + 1);
            continue;
        }
        let (of_old, of_new) = (count(Side::New), count(Side::Old));
        let _ = writeln!(
            out,
            "@@ -{} +{} @@",
            range(before_old, of_old),
            range(before_new, of_new)
        );
        for (side, line) in &hunk {
            out.push(match side {
                Side::Both => ' ',
                Side::Old => '-',
                Side::New => '+',
            });
            out.push_str(line);
            if !line.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
        (before_old, before_new, at) = (before_old + of_old, before_new + of_new, at + hunk.len());
    }
    out
}

fn range(before: usize, count: usize) -> String {
    // A range without lines is named by the line before it.
    let first = if count == 0 { before } else { before + 1 };
    format!("{first},{count}")
}

/// The lines of both in one order. Changes go on until the nearest line that both have.
fn compared<'a>(old: &'a str, new: &'a str) -> Vec<(Side, &'a str)> {
    let split = |text: &'a str| text.split_inclusive('\n').collect::<Vec<_>>();
    let (old, new) = (split(old), split(new));
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        let (skip_old, skip_new) = nearest(&old[i..], &new[j..]);
        lines.extend(old[i..i + skip_old].iter().map(|line| (Side::Old, *line)));
        lines.extend(new[j..j + skip_new].iter().map(|line| (Side::New, *line)));
        (i, j) = (i + skip_old, j + skip_new);
        while i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((Side::Both, old[i]));
            (i, j) = (i + 1, j + 1);
        }
    }
    lines
}

/// How many lines of each are to be skipped until they agree.
fn nearest(old: &[&str], new: &[&str]) -> (usize, usize) {
    (0..old.len() + new.len())
        .flat_map(|sum| (0..=sum.min(old.len())).map(move |skip_old| (skip_old, sum - skip_old)))
        .find(|(skip_old, skip_new)| {
            old.get(*skip_old)
                .is_some_and(|line| new.get(*skip_new) == Some(line))
        })
        .unwrap_or((old.len(), new.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_patch_reads() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\nlast";
        let new = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n# last";
        assert_eq!(
            diff(Path::new("a"), Some(old), Some(new)),
            "--- a\n+++ a\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -7,4 +8,4 @@\n 7\n 8\n 9\n-last\n\\ No newline at end of \
             file\n+# last\n\\ No newline at end of file\n"
        );
        assert_eq!(diff(Path::new("a"), Some(old), Some(old)), "");
    }

    #[test]
    fn a_file_comes_and_goes() {
        let path = Path::new("a");
        assert_eq!(
            diff(path, None, Some("1\n")),
            "--- /dev/null\n+++ a\n@@ -0,0 +1,1 @@\n+1\n"
        );
        assert_eq!(
            diff(path, Some("1\n"), None),
            "--- a\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-1\n"
        );
    }
}

//! An entry of the desktop's autostart folder, as freedesktop.org's specifications have it. Tauri's plugin writes one too, but
//! by `HOME` alone, and without quotes around a path with blanks.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use super::AT_LOGIN;
use crate::program;

const FILE: &str = "autostart/Baton.desktop";

/// `None` where there is no home folder.
fn path() -> Option<PathBuf> {
    let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.filter(|config| config.is_absolute());
    Some(
        config
            .or_else(|| Some(env::home_dir()?.join(".config")))?
            .join(FILE),
    )
}

/// A desktop's own settings switch an entry off by a line in it.
pub(super) fn is_on() -> Option<bool> {
    let Ok(text) = fs::read_to_string(path()?) else {
        return Some(false);
    };
    let off = ["Hidden=true", "X-GNOME-Autostart-enabled=false"];
    Some(!text.lines().any(|line| off.contains(&line.trim())))
}

pub(super) fn set(on: bool) -> io::Result<()> {
    let path = path().ok_or_else(|| io::Error::other("there is no home folder"))?;
    if on {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        return fs::write(&path, text(&program::path()?)?);
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn names_a_program() -> bool {
    let text = path().and_then(|path| fs::read_to_string(path).ok());
    text.and_then(|text| program_of(&text))
        .is_some_and(|program| program.exists())
}

fn text(program: &Path) -> io::Result<String> {
    let program = program.to_str();
    let program = program.ok_or_else(|| io::Error::other("the program's path isn't readable as text"))?;
    Ok(format!(
        "[Desktop Entry]\nType=Application\nName=Baton\nComment=Uses your own Codex accounts one after the other\n\
         Icon=baton-desktop\nExec={} {AT_LOGIN}\nTerminal=false\nStartupNotify=false\n",
        argument(program)
    ))
}

/// In the Exec line: quoted where it needs to be, then escaped as every value is.
fn argument(text: &str) -> String {
    let fields = text.replace('%', "%%");
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || "/._-+%".contains(letter) || !letter.is_ascii();
    if fields.chars().all(plain) {
        return fields;
    }
    let mut quoted = String::from('"');
    for letter in fields.chars() {
        if "\"`$\\".contains(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted.replace('\\', "\\\\")
}

/// Of an entry of Baton's, one that Tauri's plugin has written included.
fn program_of(entry: &str) -> Option<PathBuf> {
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec="))?;
    let program = exec.trim().strip_suffix(AT_LOGIN)?.trim_end();
    let Some(quoted) = program.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Some(program.replace("%%", "%").into());
    };
    let escaped = quoted.replace("\\\\", "\\");
    let mut letters = escaped.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    Some(plain.replace("%%", "%").into())
}

#[cfg(test)]
mod tests {
    use gtk::glib::{KeyFile, KeyFileFlags, shell_parse_argv};

    use super::*;

    /// As a desktop reads it.
    #[test]
    fn an_entry_starts_its_program_whatever_is_in_the_path() {
        for program in [
            "/usr/bin/baton-desktop",
            "/opt/my apps/baton-desktop",
            "/opt/50%/it's \"so\"/$HOME/`x`/a\\b/baton-desktop",
            "/home/jürgen/baton-desktop",
        ] {
            let entry = text(Path::new(program)).expect("an entry");
            let file = KeyFile::new();
            file.load_from_data(&entry, KeyFileFlags::NONE).expect("an entry");
            let exec = file.string("Desktop Entry", "Exec").expect("a line");
            let arguments = shell_parse_argv(exec.as_str()).expect("arguments");
            let arguments: Vec<String> = arguments
                .iter()
                .map(|argument| argument.to_string_lossy().replace("%%", "%"))
                .collect();
            assert_eq!(arguments, [program, AT_LOGIN], "{entry}");
            assert_eq!(program_of(&entry).as_deref(), Some(Path::new(program)), "{entry}");
        }
    }

    #[test]
    fn the_program_of_an_entry_without_quotes_may_have_blanks_in_its_path() {
        let entry = "[Desktop Entry]\nName=Baton\nExec=/opt/my apps/baton-desktop --at-login\nTerminal=false";
        assert_eq!(program_of(entry), Some("/opt/my apps/baton-desktop".into()));
        assert_eq!(program_of("Exec=/usr/bin/other"), None);
        assert_eq!(program_of(""), None);
    }
}

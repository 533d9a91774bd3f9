//! Writes the manual pages and the shells' completions of `baton` into a folder, from the command line's own definition:
//! `cargo run -p baton-cli --example pages -- FOLDER`. `scripts/package` puts them into the packages.

#[path = "../src/args.rs"]
#[allow(dead_code, reason = "only its definition is read here")]
mod args;
#[path = "../src/parse.rs"]
#[allow(dead_code)]
mod parse;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

/// Each in a folder of its own.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: pages FOLDER");
        return ExitCode::from(2);
    };
    match write(&args::Args::command(), &folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pages: {} can't be written: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(command: &Command, folder: &Path) -> io::Result<()> {
    let manual = folder.join("man");
    fs::create_dir_all(&manual)?;
    clap_mangen::generate_to(command.clone(), &manual)?;
    for shell in SHELLS {
        let folder = folder.join(shell.to_string());
        fs::create_dir_all(&folder)?;
        clap_complete::generate_to(shell, &mut command.clone(), "baton", folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that a person may type, with those it belongs to: `accounts add`.
    fn commands(command: &Command, path: &[String]) -> Vec<Vec<String>> {
        let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
        shown
            .flat_map(|command| {
                let path: Vec<String> = path
                    .iter()
                    .cloned()
                    .chain([command.get_name().to_owned()])
                    .collect();
                let below = commands(command, &path);
                [path].into_iter().chain(below)
            })
            .collect()
    }

    fn written() -> (tempfile::TempDir, Vec<Vec<String>>) {
        let folder = tempfile::tempdir().expect("a folder");
        let command = args::Args::command();
        write(&command, folder.path()).expect("pages");
        let commands = commands(&command, &[]);
        assert!(
            commands.contains(&vec!["accounts".to_owned(), "add".to_owned()]),
            "{commands:?}"
        );
        (folder, commands)
    }

    #[test]
    fn every_command_has_its_page_and_stands_in_the_page_above() {
        let (folder, commands) = written();
        for path in commands {
            let page = |words: &[String]| {
                let name = [&["baton".to_owned()], words].concat().join("-");
                fs::read_to_string(folder.path().join("man").join(format!("{name}.1")))
                    .unwrap_or_else(|error| panic!("{name}.1: {error}"))
            };
            let (_, above) = path.split_last().expect("a name");
            // Hyphens are escaped in a page.
            let reference = format!("baton-{}(1)", path.join("-")).replace('-', "\\-");
            assert!(
                page(above).contains(&reference),
                "{reference} is not named in {above:?}"
            );
            assert!(page(&path).contains(".SH SYNOPSIS"), "{path:?}");
        }
    }

    #[test]
    fn every_shell_completes_every_command() {
        let (folder, commands) = written();
        for file in ["bash/baton.bash", "zsh/_baton", "fish/baton.fish"] {
            let text = fs::read_to_string(folder.path().join(file)).expect(file);
            for path in &commands {
                let name = path.last().expect("a name");
                assert!(text.contains(name.as_str()), "{file} doesn't know {name}");
            }
            for option in ["data-dir", "on-recovery", "no-browser"] {
                assert!(text.contains(option), "{file} doesn't know --{option}");
            }
        }
    }

    /// What Baton starts itself as is nobody's to type.
    #[test]
    fn the_guardian_has_no_page() {
        let (folder, _) = written();
        assert!(!folder.path().join("man/baton-guard.1").exists());
    }
}

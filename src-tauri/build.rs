//! Puts a placeholder page where the window's page would be, so that every cargo command works on a fresh clone.

use std::path::Path;
use std::{env, fs, io, process};

/// What Tauri embeds (`frontendDist` in tauri.conf.json).
const PAGE: &str = "ui/dist/index.html";
const PLACEHOLDER: &str = "ui/placeholder/index.html";
/// Stands in the placeholder, and in no page that was built.
const MARK: &str = "baton-placeholder";
/// Allows a release build with the placeholder: the tray needs no page.
const ALLOW: &str = "BATON_PLACEHOLDER_UI";

fn main() {
    println!("cargo:rerun-if-changed=ui/dist");
    println!("cargo:rerun-if-changed={PLACEHOLDER}");
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-env-changed={ALLOW}");

    match placeholder_in_place() {
        Err(error) => fail(&format!("cannot put {PLACEHOLDER} at {PAGE}: {error}")),
        Ok(true) if is_release() && env::var_os(ALLOW).is_none() => fail(&format!(
            "a release would ship the placeholder instead of the window: build the page into ui/dist first, \
             or set {ALLOW}=1 for a tray without a window"
        )),
        Ok(_) => {}
    }

    // Named, so that the page may call only what its capability allows.
    let commands = tauri_build::AppManifest::new().commands(&[
        "call",
        "place",
        "why",
        "autostart",
        "set_autostart",
        "open_link",
        "start",
    ]);
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/**/*.json")
        .app_manifest(commands);
    if let Err(error) = tauri_build::try_build(attributes) {
        fail(&format!("{error:#}"));
    }
}

/// Whether the page is the placeholder, after putting it there if there was none.
fn placeholder_in_place() -> io::Result<bool> {
    let page = Path::new(PAGE);
    let placeholder = fs::read_to_string(PLACEHOLDER)?;
    let current = if page.exists() {
        Some(fs::read_to_string(page)?)
    } else {
        None
    };
    match current {
        Some(text) if !text.contains(MARK) => Ok(false),
        // Written only when it differs: a fresh time on an unchanged file would rebuild the program each time.
        Some(text) if text == placeholder => Ok(true),
        _ => {
            if let Some(folder) = page.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(page, placeholder)?;
            Ok(true)
        }
    }
}

fn is_release() -> bool {
    env::var("PROFILE").is_ok_and(|profile| profile == "release")
}

fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    process::exit(1)
}

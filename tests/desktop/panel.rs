//! The panel that has a place for the icon: it is started again, comes late, isn't there, or its screen changes.

use std::path::PathBuf;

use crate::stage::{
    desktop, displayed_are, exists, menu_says, notifications, on_a_screen, panel, quit, said, told,
    tray_menu, until, windows, windows_are, without_a_panel,
};

#[test]
fn a_panel_that_is_started_again_has_the_icon_back() {
    on_a_screen(
        "panel::a_panel_that_is_started_again_has_the_icon_back",
        || async {
            let data = tempfile::tempdir().expect("a folder");
            let baton = desktop(&["--data-dir", &data.path().to_string_lossy()]);
            menu_says("No account yet");
            said("xfce4-panel", &["--quit"]);
            until("the panel's end", || tray_menu(&[]).is_empty().then_some(())).await;
            let _panel = panel();
            menu_says("No account yet");
            assert!(quit(baton).await.success());
        },
    );
}

#[test]
fn a_panel_that_comes_late_gets_icon_and_menu() {
    without_a_panel("panel::a_panel_that_comes_late_gets_icon_and_menu", || async {
        let data = tempfile::tempdir().expect("a folder");
        let data = data.path().to_string_lossy().into_owned();
        let baton = desktop(&["--data-dir", &data, "--at-login"]);
        until("Baton", || {
            baton_engine::instance::is_held(data.as_ref()).then_some(())
        })
        .await;
        assert_eq!(tray_menu(&[]), "", "there is no panel yet");
        let _panel = panel();
        menu_says("No account yet");
        let icon = PathBuf::from(tray_menu(&["icon"]).trim());
        assert!(icon.is_file(), "{}", icon.display());
        assert_eq!(windows(), 0);
        assert!(quit(baton).await.success());
    });
}

#[test]
fn without_a_panel_whoever_starts_baton_gets_the_window() {
    without_a_panel(
        "panel::without_a_panel_whoever_starts_baton_gets_the_window",
        || async {
            let data = tempfile::tempdir().expect("a folder");
            let _baton = desktop(&["--data-dir", &data.path().to_string_lossy()]);
            windows_are(1).await;
        },
    );
}

#[test]
fn without_a_panel_at_login_one_notification_says_so_and_no_window_opens() {
    without_a_panel(
        "panel::without_a_panel_at_login_one_notification_says_so_and_no_window_opens",
        || async {
            let _service = notifications().await;
            let data = tempfile::tempdir().expect("a folder");
            let _baton = desktop(&["--data-dir", &data.path().to_string_lossy(), "--at-login"]);
            displayed_are(1).await;
            assert_eq!(windows(), 0);
            let told = told();
            assert!(
                told.contains("Baton runs, and has no place for its icon"),
                "{told}"
            );
        },
    );
}

/// A projector is plugged in, a lid is closed.
#[test]
fn another_size_of_the_screen_leaves_icon_and_menu_as_they_are() {
    on_a_screen(
        "panel::another_size_of_the_screen_leaves_icon_and_menu_as_they_are",
        || async {
            let data = tempfile::tempdir().expect("a folder");
            let baton = desktop(&["--data-dir", &data.path().to_string_lossy()]);
            menu_says("No account yet");
            let (icon, menu) = (tray_menu(&["icon"]), tray_menu(&[]));
            let mode = "small 31.5 640 656 720 840 480 481 484 500";
            said(
                "xrandr",
                &[&["--newmode"], &*mode.split(' ').collect::<Vec<_>>()].concat(),
            );
            said("xrandr", &["--addmode", "screen", "small"]);
            for (mode, size) in [("small", "640 x 480"), ("900x500", "900 x 500")] {
                said("xrandr", &["--output", "screen", "--mode", mode]);
                let current = format!("current {size},");
                assert!(
                    said("xrandr", &["--current"]).contains(&current),
                    "the screen is {size}"
                );
                assert_eq!(tray_menu(&[]), menu);
                assert_eq!(tray_menu(&["icon"]), icon);
                until("the icon's file", || exists(icon.trim().as_ref())).await;
            }
            tray_menu(&["click", "Open Baton"]);
            windows_are(1).await;
            assert!(quit(baton).await.success());
        },
    );
}

//! The menu over `com.canonical.dbusmenu`.

use baton_core::Strategy;

use crate::stage::{Stage, desktop, menu_says, on_a_screen, quit, tray_menu};

#[test]
fn the_menu_names_the_active_account_and_follows_a_switch() {
    on_a_screen(
        "tray::the_menu_names_the_active_account_and_follows_a_switch",
        || async {
            let stage = Stage::new(1.0).await;
            let desktop = stage.desktop();
            let mut client = stage.client();
            for active in ["(x) Personal — ", "(x) Work — "] {
                assert!(client.turn("hello").await.completed);
                menu_says(active);
            }
            menu_says("( ) Personal — ");
            let status = quit(desktop).await;
            assert!(status.success(), "{status}");
            assert!(client.turn("Baton itself goes on").await.completed);
            stage.baton.shutdown().await;
        },
    );
}

#[test]
fn what_is_clicked_decides_the_next_turn() {
    on_a_screen("tray::what_is_clicked_decides_the_next_turn", || async {
        let stage = Stage::new(100.0).await;
        let desktop = stage.desktop();
        let mut client = stage.client();
        let served = |name: &str| stage.sim.log().served_by(name).len();
        assert!(client.turn("one").await.completed);
        assert_eq!((served("a"), served("b")), (1, 0));
        menu_says("Active: Personal");

        menu_says("(x) Sequential (drain first)");
        tray_menu(&["click", "Round robin"]);
        stage.until(|now| now.strategy == Strategy::RoundRobin).await;
        menu_says("(x) Round robin");
        menu_says("( ) Sequential (drain first)");
        assert!(client.turn("two").await.completed);
        assert_eq!((served("a"), served("b")), (1, 1));

        tray_menu(&["click", "Sequential (drain first)"]);
        stage.until(|now| now.strategy == Strategy::Sequential).await;
        tray_menu(&["click", "Bypass Baton"]);
        stage.until(|now| now.bypassed).await;
        menu_says("Bypassed: Codex uses its own sign-in");
        assert!(client.turn("three").await.completed);
        assert_eq!(served("a") + served("b"), 2, "the pool is left alone");
        tray_menu(&["click", "Bypass Baton"]);
        stage.until(|now| !now.bypassed).await;

        let config = stage.folder.path().join("codex/config.toml");
        tray_menu(&["click", "Codex goes through Baton"]);
        stage.until(|now| now.codex.homes.len() == 1).await;
        assert!(
            std::fs::read_to_string(&config)
                .unwrap()
                .contains("chatgpt_base_url")
        );
        menu_says("(x) Codex goes through Baton");
        tray_menu(&["click", "Codex goes through Baton"]);
        stage.until(|now| now.codex.homes.is_empty()).await;
        assert!(!config.exists(), "there was none before");

        assert!(quit(desktop).await.success());
        stage.baton.shutdown().await;
    });
}

#[test]
fn the_desktop_hosts_its_own_baton_and_quits() {
    on_a_screen("tray::the_desktop_hosts_its_own_baton_and_quits", || async {
        let data = tempfile::tempdir().expect("a folder");
        let desktop = desktop(&["--data-dir", &data.path().join("baton").to_string_lossy()]);
        menu_says("No account yet");
        let status = quit(desktop).await;
        assert!(status.success(), "{status}");
        assert!(
            data.path().join("baton/baton.db").exists(),
            "it was a Baton of its own"
        );
    });
}

//! A switch in a run of the real Codex CLI, on everything that shows it.

use baton_engine::control::protocol::Command;

use crate::{
    cli::Codex,
    stage::{
        Stage, displayed, displayed_are, menu_says, notifications, on_a_screen, quit, said, told, tray_menu,
        until,
    },
    window::Window,
};

/// What is left, and what is used up, in a bar of the icon.
const LEFT: &str = "#26A69AFF";
const USED: &str = "#26A69A5A";

#[test]
fn a_switch_shows_in_menu_icon_notification_and_window() {
    on_a_screen(
        "switch::a_switch_shows_in_menu_icon_notification_and_window",
        || async {
            let _service = notifications().await;
            let stage = Stage::new(2.0).await;
            stage.baton.execute(Command::AcceptTerms).await.expect("saved");
            let desktop = stage.desktop();
            let urls = stage.baton.base_urls().expect("it serves");
            let codex = Codex::connected(&stage.sim.cli().auth_json(), &urls).await;
            let window = Window::open(&stage, "now").await;

            turn(&codex, "one").await;
            turn(&codex, "two").await;
            menu_says("(x) Personal — ");
            menu_says("( ) Work — ");
            window
                .sees("//h2[@id='current'][normalize-space(.)='Personal']")
                .await;
            // Half of it is left: the reading lags by one request.
            until("half a bar", || icon_has(USED).then_some(())).await;
            assert!(icon_has(LEFT));
            assert_eq!(displayed(), Some(0));

            // In the middle of the CLI's work, which doesn't notice.
            turn(&codex, "three").await;
            menu_says("(x) Work — ");
            menu_says("( ) Personal — ");
            window
                .sees("//h2[@id='current'][normalize-space(.)='Work']")
                .await;
            until("a whole bar", || (!icon_has(USED)).then_some(())).await;
            assert!(icon_has(LEFT));
            until("the icon on the panel", || panel_has_the_icon().then_some(())).await;
            displayed_are(1).await;
            let told = told();
            assert!(told.contains("Switched to Work"), "{told}");

            let served = |name: &str| stage.sim.log().served_by(name).len();
            assert_eq!((served("a"), served("b")), (2, 1));
            window.close().await;
            assert!(quit(desktop).await.success());
            stage.baton.shutdown().await;
        },
    );
}

async fn turn(codex: &Codex, prompt: &str) {
    let run = codex.exec(prompt).await;
    let answered = run.messages.iter().any(|message| message.contains(prompt));
    assert!(
        run.status.success() && answered && run.errors.is_empty(),
        "{run:?}"
    );
}

/// The file that the panel is told to show.
fn icon_has(colour: &str) -> bool {
    let icon = tray_menu(&["icon"]);
    said(
        "convert",
        &[icon.trim(), "-depth", "8", "-format", "%c", "histogram:info:-"],
    )
    .contains(colour)
}

/// Pixels of what is left, on the screen itself.
fn panel_has_the_icon() -> bool {
    let looked = "import -window root -crop 200x40+0+0 -depth 8 rgba:- | xxd -p | tr -d '\\n'";
    let pixels = said("bash", &["-c", looked]);
    pixels
        .as_bytes()
        .chunks(8)
        .any(|pixel| pixel == LEFT[1..].to_lowercase().as_bytes())
}

//! What lies ahead, and what was.

use super::*;

#[test]
fn what_was_used_who_took_over_and_every_strategy_stand_in_the_outlook() {
    on_a_screen(
        "window::outlook::what_was_used_who_took_over_and_every_strategy_stand_in_the_outlook",
        || async {
            let stage = Stage::new(2.0).await;
            stage.baton.execute(Command::AcceptTerms).await.expect("saved");
            let mut client = stage.client();
            for turn in ["one", "two", "three"] {
                assert!(client.turn(turn).await.completed);
            }
            let window = Window::open(&stage, "outlook").await;
            window.sees("//h2[.='What lies ahead']").await;
            let switched = "//*[name()='g'][starts-with(@aria-label, 'Switched from Personal to Work, ')]";
            window.sees(switched).await;
            window
                .sees("//*[name()='g'][contains(@aria-label, 'Personal, 5 h window') and contains(@aria-label, '100 % used')]")
                .await;
            window.press("//label[normalize-space(.)='Week']").await;
            window.sees(switched).await;
            for strategy in [
                "Sequential (drain first)",
                "Balanced",
                "Affinity",
                "Round robin",
                "Soonest reset",
            ] {
                window
                    .sees(&format!(
                        "//tbody//th[starts-with(normalize-space(.), '{strategy}')]"
                    ))
                    .await;
            }

            // The request that brought the switch says why it went where it went.
            window.view("Activity").await;
            window
                .press("(//li[contains(., 'Switched to Work')]//*[self::summary or self::button][contains(., 'Why?')])[1]")
                .await;
            window
                .sees("//li[contains(., 'Switched to Work')][contains(., 'Limit reached')]")
                .await;
            window.close().await;
            stage.baton.shutdown().await;
        },
    );
}

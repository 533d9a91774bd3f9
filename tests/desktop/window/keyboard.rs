//! The same without a pointer.

use super::*;

fn keys(keys: &[Key]) -> String {
    keys.iter().map(|key| char::from(*key)).collect()
}

#[test]
fn everything_can_be_reached_and_done_by_keys() {
    on_a_screen(
        "window::keyboard::everything_can_be_reached_and_done_by_keys",
        || async {
            let (stage, window) = opened("now").await;
            window.sees("//h3[.='Work']").await;
            // Tab leads to the handle of the second account; with Alt it goes up.
            let reached = window.tab_to("Move Work, 2 of 2").await;
            assert!(reached, "the handle is among what Tab reaches");
            window.keys(&keys(&[Key::Alt, Key::Up, Key::Alt])).await;
            stage.until(|now| now.accounts[0].label == "Work").await;
            // The focus follows the card.
            window.has_focus("Move Work, 1 of 2").await;

            // A menu opens, is walked through, and Escape gives the focus back.
            assert!(window.tab_to("Actions for Work").await);
            window.keys(&keys(&[Key::Enter])).await;
            window.has_focus("Switch now").await;
            window.keys(&keys(&[Key::Escape])).await;
            window.has_focus("Actions for Work").await;
            window.keys(&keys(&[Key::Enter])).await;
            window.has_focus("Switch now").await;
            window.keys("u").await;
            window.has_focus("Use only this (no failover)").await;
            window.keys(&keys(&[Key::Enter])).await;
            stage.until(|now| now.pinned == Some(now.accounts[0].id)).await;

            // A dialog keeps the focus, and Escape closes it.
            window
                .sees("//section[contains(@class, 'notice')][contains(., 'Unpin')]")
                .await;
            assert!(window.tab_to("Actions for Work").await);
            window.keys(&keys(&[Key::Enter])).await;
            window.has_focus("Let others take over (unpin)").await;
            window.keys("r").await;
            window.has_focus("Rename…").await;
            window.keys(&keys(&[Key::Enter])).await;
            window.sees("//dialog[@open]//input").await;
            window.keys(&keys(&[Key::Escape])).await;
            window.has_focus("Actions for Work").await;
            end(stage, window).await;
        },
    );
}

impl Window {
    async fn focused(&self) -> String {
        let name = "const at = document.activeElement; return at.getAttribute('aria-label') ?? at.textContent.trim();";
        let name = self.page.execute(name, Vec::new()).await.expect("a page");
        name.as_str().unwrap_or_default().to_owned()
    }

    async fn has_focus(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let focused = self.focused().await;
            if focused == name {
                return;
            }
            assert!(Instant::now() < deadline, "{focused} has the focus, not {name}");
        }
    }

    /// By the Tab key alone, once round at most.
    async fn tab_to(&self, name: &str) -> bool {
        for _ in 0..60 {
            if self.focused().await == name {
                return true;
            }
            self.keys(&keys(&[Key::Tab])).await;
        }
        false
    }
}

//! What a person does with accounts, by pointer.

use baton_core::Eligibility;

use super::*;

#[test]
fn accounts_are_renamed_put_in_order_and_removed() {
    on_a_screen(
        "window::accounts::accounts_are_renamed_put_in_order_and_removed",
        || async {
            let (stage, window) = opened("now").await;
            let labels = |now: &Snapshot| -> Vec<String> {
                now.accounts.iter().map(|account| account.label.clone()).collect()
            };
            window.choose("Work", "Rename").await;
            window.write("//dialog[@open]//input", "Personal").await;
            window.answer("Rename").await;
            // Refused, said, and the dialog stays.
            window.sees("//dialog[@open]//*[@role='alert']").await;
            window.write("//dialog[@open]//input", "Office <&> 'Ω'").await;
            window.answer("Rename").await;
            stage
                .until(|now| labels(now) == ["Personal", "Office <&> 'Ω'"])
                .await;
            window
                .sees("//h3[starts-with(normalize-space(.), 'Office <&>')]")
                .await;

            window
                .press("//article[.//h3[starts-with(., 'Office')]]//button[@aria-haspopup='menu']")
                .await;
            window
                .press("//*[@role='menuitem'][normalize-space(.)='Make primary']")
                .await;
            stage
                .until(|now| labels(now) == ["Office <&> 'Ω'", "Personal"])
                .await;

            window.choose("Personal", "Remove").await;
            window.answer("Cancel").await;
            assert_eq!(stage.baton.snapshot().accounts.len(), 2);
            window.choose("Personal", "Remove").await;
            window.answer("Remove").await;
            stage.until(|now| labels(now) == ["Office <&> 'Ω'"]).await;
            let kept = stage.keychain.entries();
            assert!(!kept.is_empty(), "the other's sign-in stays");
            end(stage, window).await;
        },
    );
}

#[test]
fn accounts_are_skipped_pinned_and_set_aside() {
    on_a_screen(
        "window::accounts::accounts_are_skipped_pinned_and_set_aside",
        || async {
            let (stage, window) = opened("now").await;
            window.choose("Personal", "Skip this account").await;
            stage.until(|now| now.accounts[0].skipped).await;
            assert_eq!(stage.baton.snapshot().accounts[0].state, Eligibility::Skipped);
            window.button("Use again").await;
            stage.until(|now| !now.accounts[0].skipped).await;

            let work = stage.baton.snapshot().accounts[1].id;
            window.choose("Work", "Use only this").await;
            stage.until(|now| now.pinned == Some(work)).await;
            window
                .press("//section[contains(@class, 'notice')]//button[normalize-space(.)='Unpin']")
                .await;
            stage.until(|now| now.pinned.is_none()).await;

            window.choose("Work", "Limits").await;
            window
                .write("(//dialog[@open]//input[@inputmode='decimal'])[1]", "120")
                .await;
            window
                .sees("//*[contains(., 'Type a number from 0 to 99')]")
                .await;
            window
                .write("(//dialog[@open]//input[@inputmode='decimal'])[1]", "5")
                .await;
            window
                .press("(//dialog[@open]//input[@type='checkbox'])[1]")
                .await;
            window.answer("Set").await;
            stage
                .until(|now| now.accounts[1].threshold.used() == 95.0 && now.accounts[1].reserve)
                .await;
            window.flip("Use purchased credits").await;
            stage.until(|now| now.accounts[1].use_credits).await;
            window.button("Close").await;
            end(stage, window).await;
        },
    );
}

#[test]
fn an_account_is_added_with_a_code_and_renewed_in_the_browser() {
    on_a_screen(
        "window::accounts::an_account_is_added_with_a_code_and_renewed_in_the_browser",
        || async {
            let stage = Stage::empty([("a", 100.0), ("b", 100.0)]).await;
            stage.baton.execute(Command::AcceptTerms).await.expect("saved");
            let window = Window::open(&stage, "now").await;
            window.asks_for_a_code("Phone").await;
            let code = window
                .sees("//dialog[@open]//p[starts-with(@aria-label, 'Code ')]")
                .await;
            let code = code.text().await.expect("a code");
            assert!(stage.sim.approve_device(&code, "a"), "{code}");
            stage.until(|now| now.accounts.len() == 1).await;
            window
                .sees("//dialog[@open]//*[normalize-space(.)='Added']")
                .await;
            window.answer("Done").await;

            // Given up, nothing stays of it.
            window.asks_for_a_code("Nobody").await;
            window.answer("Cancel sign-in").await;
            window.button("Close").await;

            window.choose("Phone", "Sign in again").await;
            window.renews(&stage, "a").await;
            assert_eq!(stage.baton.snapshot().accounts.len(), 1);
            end(stage, window).await;
        },
    );
}

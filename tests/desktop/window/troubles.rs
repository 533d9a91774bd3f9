//! What the window says when something is the matter.

use baton_engine::vault::Mood;

use super::*;

#[test]
fn a_locked_keychain_is_named_until_it_is_open() {
    on_a_screen(
        "window::troubles::a_locked_keychain_is_named_until_it_is_open",
        || async {
            let (stage, window) = opened("now").await;
            window.sees("//h3[.='Work']").await;
            stage.keychain.set_mood(Mood::Locked);
            // Not even a code is asked for: what it leads to could not be kept.
            window.asks_for_a_code("Third").await;
            window
                .sees("//dialog[@open]//*[@role='alert'][contains(., 'locked')]")
                .await;
            window.answer("Cancel").await;
            window
                .sees("//section[@aria-label='The keychain is locked'][contains(., 'Unlock it')]")
                .await;
            stage.keychain.set_mood(Mood::Well);
            // The next that needs it finds it open.
            window.asks_for_a_code("Third").await;
            window.answer("Cancel sign-in").await;
            stage.until(|now| now.problems.is_empty()).await;
            end(stage, window).await;
        },
    );
}

#[test]
fn a_baton_that_has_ended_is_said_and_nothing_is_shown_for_it() {
    on_a_screen(
        "window::troubles::a_baton_that_has_ended_is_said_and_nothing_is_shown_for_it",
        || async {
            let (stage, window) = opened("now").await;
            window.sees("//h3[.='Work']").await;
            stage.baton.shutdown().await;
            window.sees("//*[contains(., 'Baton isn’t running')]").await;
            window.sees("//button[normalize-space(.)='Start Baton']").await;
            window.close().await;
        },
    );
}

#[test]
fn an_account_that_needs_its_person_says_so_and_is_mended_on_the_spot() {
    on_a_screen(
        "window::troubles::an_account_that_needs_its_person_says_so_and_is_mended_on_the_spot",
        || async {
            let (stage, window) = opened("now").await;
            window.sees("//h3[.='Work']").await;
            stage.sim.account("a").revoke();
            assert!(
                stage.client().turn("hello").await.completed,
                "the other account serves"
            );
            window
                .sees("//article[.//h3[.='Personal']]//*[contains(., 'sign in again')]")
                .await;
            window
                .press("//article[.//h3[.='Personal']]//button[contains(., 'Sign in again')]")
                .await;
            window.renews(&stage, "a").await;
            stage
                .until(|now| {
                    now.accounts
                        .iter()
                        .all(|account| account.state == baton_core::Eligibility::Eligible)
                })
                .await;
            end(stage, window).await;
        },
    );
}

//! What is set, kept and given back.

use baton_engine::control::protocol::{LogEntry, LogFilter, Reply};

use super::*;

#[test]
fn codex_is_connected_bypassed_and_given_back() {
    on_a_screen(
        "window::settings::codex_is_connected_bypassed_and_given_back",
        || async {
            let (stage, window) = opened("settings").await;
            let config = stage.folder.path().join("codex/config.toml");
            fs::write(&config, "# mine\nmodel = \"gpt\"\n").expect("a file");
            window.button("Connect Codex").await;
            stage.until(|now| now.codex.homes.len() == 1).await;
            let connected = fs::read_to_string(&config).expect("a file");
            assert!(connected.contains("openai_base_url") && connected.contains("# mine"));
            window
                .sees("//*[contains(., 'no request has come through yet')]")
                .await;
            assert!(stage.client().turn("hello").await.completed);
            window
                .sees("//*[contains(., 'a request last came through')]")
                .await;

            window.flip("Bypass Baton").await;
            stage.until(|now| now.bypassed).await;
            window.is_on("Bypass Baton", true).await;
            window.flip("Bypass Baton").await;
            stage.until(|now| !now.bypassed).await;

            window.button("Disconnect").await;
            stage.until(|now| now.codex.homes.is_empty()).await;
            assert_eq!(
                fs::read_to_string(&config).expect("a file"),
                "# mine\nmodel = \"gpt\"\n"
            );
            end(stage, window).await;
        },
    );
}

#[test]
fn notifications_and_the_start_are_switched_and_everything_is_looked_over() {
    on_a_screen(
        "window::settings::notifications_and_the_start_are_switched_and_everything_is_looked_over",
        || async {
            let (stage, window) = opened("settings").await;
            window.flip("Little is left").await;
            stage.until(|now| !now.preferences.notifications.low).await;
            window.flip("Temporary failover").await;
            stage
                .until(|now| now.preferences.notifications.temporary_failover)
                .await;

            window.is_on("Start at login", false).await;
            window.flip("Start at login").await;
            window.is_on("Start at login", true).await;
            window.flip("Start at login").await;
            window.is_on("Start at login", false).await;

            window.button("Run the check-up").await;
            window.sees("//button[normalize-space(.)='Check again']").await;
            window.sees("//*[normalize-space(.)='Personal']").await;
            end(stage, window).await;
        },
    );
}

#[test]
fn the_history_is_looked_at_exported_and_deleted() {
    on_a_screen(
        "window::settings::the_history_is_looked_at_exported_and_deleted",
        || async {
            let (stage, window) = opened("settings").await;
            assert!(stage.client().turn("hello").await.completed);
            window.view("Activity").await;
            window.press("//label[normalize-space(.)='Requests']").await;
            window.sees("//li//p[starts-with(., 'Personal')]").await;
            window.press("//label[normalize-space(.)='Switches']").await;
            window.sees("//li//p[contains(., 'Personal')]").await;

            window.view("Settings").await;
            let file = stage.folder.path().join("history.csv");
            let path = "//label[contains(., 'Export the history to')]//input";
            window.write(path, &file.to_string_lossy()).await;
            window.button("Export").await;
            until("the file", || {
                fs::read_to_string(&file)
                    .ok()
                    .filter(|csv| csv.contains("completed"))
            })
            .await;
            window
                .sees("//*[@role='status'][contains(., 'history.csv')]")
                .await;
            // It is never written over.
            window.button("Export").await;
            window
                .sees("//*[@role='alert'][contains(., 'history.csv')]")
                .await;

            window.button("Delete history…").await;
            window.answer("Delete").await;
            window
                .sees("//dd[starts-with(normalize-space(.), '0 requests, 0 events')]")
                .await;
            let log = Command::Log {
                limit: 10,
                only: LogFilter::default(),
            };
            let Ok(Reply::Log { entries }) = stage.baton.execute(log).await else {
                panic!("a log");
            };
            assert_eq!(entries, Vec::<LogEntry>::new());
            assert_eq!(stage.baton.snapshot().accounts.len(), 2);
            end(stage, window).await;
        },
    );
}

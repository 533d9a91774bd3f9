//! The fault matrix: whatever an upstream does, on either transport, what the client sees, who serves, and what is thought
//! of the account afterwards. One fault a line in `table`; `language` says what the words mean.
//!
//! What is expected stands in DESIGN's table of judging (docs/behaviour.md), not in what the code happens to do.

mod bytes;
mod language;
#[path = "../proxy/stage.rs"]
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
mod stage;
mod table;
mod unreachable;

use language::Row;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_on_either_transport() {
    language::hold(table::simulated()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_byte_on_either_transport() {
    language::hold(table::bytes()).await;
}

/// The table keeps its size.
#[test]
fn sixty_faults_strike_both_transports() {
    let both = |rows: &[Row]| rows.iter().filter(|row| row.both()).count();
    let count = both(&table::simulated()) + both(&table::bytes());
    assert!(count >= 60, "{count}");
}

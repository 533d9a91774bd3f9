//! Clients that ask turn after turn, on both transports, and judge what they get.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use baton_sim::{Client, Clock, Login, Mode};
use tokio::sync::mpsc;

use crate::tally::Tally;

/// A client takes a stream for dead after this much silence: what the upstream's stalls cost.
const PATIENCE: Duration = Duration::from_secs(4);
/// Two accounts that are overloaded for one request: passed on, as the judging table says, and the CLI takes it for final.
/// It takes several faults in a row, so it is rare. A quota refusal is never among these.
pub(crate) const FAILED_EVERYWHERE: [&str; 1] = ["server_is_overloaded"];
/// How often a turn that ended in an honest error is asked for again.
const TRIES: usize = 50;

pub(crate) struct Work {
    pub(crate) url: String,
    pub(crate) login: Login,
    pub(crate) clock: Clock,
    pub(crate) wanted: u64,
    /// One for each turn that ended.
    pub(crate) turns: mpsc::UnboundedSender<()>,
    pub(crate) tally: Tally,
}

impl Work {
    pub(crate) async fn client(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        while self.tally.requests.load(Ordering::Relaxed) < self.wanted {
            let mode = if random.bool() {
                Mode::WebSocket
            } else {
                Mode::Http
            };
            let mut client = Client::new(&self.url, self.login.clone())
                .mode(mode)
                .seed(random.u64(..))
                .clock(self.clock.clone())
                .idle_timeout(PATIENCE);
            for _ in 0..random.u8(1..=6) {
                self.turn(&mut client, &mut random).await;
                let _ = self.turns.send(());
                if random.u8(..) < 8 {
                    client.disconnect();
                }
            }
        }
    }

    async fn turn(&self, client: &mut Client, random: &mut fastrand::Rng) {
        let tools = if random.bool() { 0 } else { random.usize(1..=3) };
        let words = random.u8(5..80);
        let text = match tools {
            0 => format!("say something [words: {words}]"),
            _ => format!("look around [tools: {tools} echo hi] [words: {words}]"),
        };
        let tally = &self.tally;
        for _ in 0..TRIES {
            let report = client.turn(&text).await;
            tally
                .requests
                .fetch_add(report.requests.into(), Ordering::Relaxed);
            tally
                .reconnects
                .fetch_add(report.reconnects.into(), Ordering::Relaxed);
            let say = || {
                format!(
                    "{:?} {text}: {:?} {:?}",
                    client.current_mode(),
                    report.error,
                    report.retried
                )
            };
            if !report.repeated.is_empty() || report.tool_calls() > tools {
                tally
                    .repeated
                    .lock()
                    .expect("no panic while it was held")
                    .push(say());
            }
            match &report.error {
                _ if report.completed && report.tool_calls() == tools => {
                    tally.completed.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                // All are exhausted, which was said with the time when one is back; the brake waits for the person; or
                // nobody's return is known, and who could still serve is refused for good.
                Some(error)
                    if matches!(&*error.code, "usage_limit_reached" | "deactivated_workspace")
                        || FAILED_EVERYWHERE.contains(&&*error.code)
                        || error.message.contains("Baton has stopped switching") =>
                {
                    *tally
                        .honest
                        .lock()
                        .expect("no panic while it was held")
                        .entry(error.code.clone())
                        .or_default() += 1;
                    let _ = self.turns.send(());
                    let left = error.resets_at.map(|at| at - self.clock.now_unix());
                    let left = left.and_then(|left| u64::try_from(left).ok());
                    self.clock
                        .sleep(Duration::from_secs(left.unwrap_or(60).max(1)))
                        .await;
                }
                _ => return tally.lost.lock().expect("no panic while it was held").push(say()),
            }
        }
        tally
            .lost
            .lock()
            .expect("no panic while it was held")
            .push(format!("refused {TRIES} times: {text}"));
    }
}

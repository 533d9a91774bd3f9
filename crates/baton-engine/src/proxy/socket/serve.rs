//! A frame's way to an account: chosen for, and moved to another one while nothing has reached the client: here, if the
//! frame holds the whole input; else by the silent reconnect, after which the client sends its whole input
//! (PROTOCOL §4).

use baton_core::{Outcome, RefuseReason};
use baton_wire::{
    answers,
    request::{strip_ciphertext, strip_turn_state},
};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{
    super::{
        Shared,
        asked::on_text,
        serve::{self, After, Chosen, Later, Next},
    },
    conversation::{Conversation, Flow},
    in_flight::InFlight,
    refusal,
    upstream::{Upstream, connect},
};

enum Moved {
    Yes,
    Failed(After),
}

impl Conversation {
    /// Sends the request's frame to the account that is chosen for it, or says why not.
    pub(super) async fn serve(&mut self) -> Flow {
        loop {
            let Some(request) = &mut self.request else {
                return Ok(());
            };
            let next = serve::next(&self.shared, &request.who, &mut request.trial, &mut request.entry);
            let mut chosen = match next.await {
                Next::Serve(chosen) => chosen,
                Next::Later(later) => return self.later(later).await,
                Next::Refuse(RefuseReason::AllTried) => return self.pass_on().await,
                // By the upgrade, which is where a client takes it as meant.
                Next::OwnerRenews => return self.reconnect("owner_renews").await,
                Next::Refuse(reason) => {
                    let frame = refusal(&self.shared, &reason);
                    return self.answer(frame, "refused").await;
                }
            };
            if !connected_as(self.upstream.as_ref(), &chosen) {
                if request.tied {
                    let trial = std::mem::take(&mut request.trial);
                    self.shared.handed_over.keep(&request.who, trial);
                    return self.reconnect("handed_over").await;
                }
                request.entry.served_by(chosen.pick.account);
                match self.move_to(&mut chosen).await {
                    Moved::Yes => {}
                    Moved::Failed(After::Again) => continue,
                    Moved::Failed(After::Later(later)) => return self.later(later).await,
                    Moved::Failed(After::PassOn | After::Strip) => return self.pass_on().await,
                    Moved::Failed(After::Resend) => return self.reconnect("handed_over").await,
                }
            }
            let (Some(request), Some(upstream)) = (&mut self.request, &mut self.upstream) else {
                continue;
            };
            let frame = frame_for(&self.shared, request, &chosen).await;
            request.entry.served_by(chosen.pick.account);
            upstream.chosen.pick = chosen.pick;
            request.begun = false;
            if upstream.socket.send(Message::Text(frame)).await.is_ok() {
                return Ok(());
            }
            self.upstream = None;
            match self.judge(&chosen, &Outcome::Broken, None).await {
                After::Again => {}
                After::Later(later) => return self.later(later).await,
                After::PassOn | After::Strip => return self.pass_on().await,
                After::Resend => return self.reconnect("handed_over").await,
            }
        }
    }

    async fn move_to(&mut self, chosen: &mut Chosen) -> Moved {
        self.upstream = None;
        match connect(&self.shared, &self.handshake, chosen).await {
            Ok((upstream, _)) => {
                self.upstream = Some(upstream);
                Moved::Yes
            }
            Err(failed) => Moved::Failed(self.judge(chosen, &failed.outcome, None).await),
        }
    }

    /// `frame`: the upstream's own word on it.
    async fn judge(&mut self, chosen: &Chosen, outcome: &Outcome, frame: Option<Utf8Bytes>) -> After {
        let Some(request) = &mut self.request else {
            return After::PassOn;
        };
        let sent = request.sent();
        let judged = serve::judge(&self.shared, &mut request.trial, chosen, outcome, sent, true).await;
        // After a trouble that has no word the client asks again, whatever was said before.
        if judged.stands && (frame.is_some() || outcome.is_trouble()) {
            request.last = frame;
        }
        judged.after
    }

    /// The answer that the upstream had begun came to nothing. `frame`: its own word on that.
    pub(super) async fn failed(
        &mut self,
        chosen: Chosen,
        outcome: &Outcome,
        frame: Option<Utf8Bytes>,
    ) -> Flow {
        let refused = matches!(outcome, Outcome::Unauthorized { .. });
        let after = self.judge(&chosen, outcome, frame).await;
        if refused {
            // This connection was opened with the refused token.
            self.upstream = None;
        }
        let Some(request) = &mut self.request else {
            return Ok(());
        };
        match after {
            After::Again => {
                request.release();
                Box::pin(self.serve()).await
            }
            After::Strip => match rewritten(&request.frame, strip_ciphertext).await {
                Some(frame) => {
                    request.frame = frame;
                    request.release();
                    Box::pin(self.serve()).await
                }
                None => self.pass_on().await,
            },
            After::Later(later) => self.later(later).await,
            After::PassOn => self.pass_on().await,
            After::Resend => {
                let broke_off = request.delivered && outcome.is_trouble();
                if let Some(thread) = request.who.thread.filter(|_| broke_off) {
                    self.shared.desk.broke_off(thread, chosen.pick.account);
                }
                self.reconnect("cut_after_output").await
            }
        }
    }

    /// The upstream's own word stands.
    async fn pass_on(&mut self) -> Flow {
        let Some(mut request) = self.request.take() else {
            return Ok(());
        };
        self.shared.desk.report(&request.trial.given_up());
        request.entry.outcome("passed_on");
        match request.last.take() {
            Some(last) => self.say_last(request.release(), last).await,
            // There is no word: the client asks again, and counts.
            None => self.reconnect("passed_on").await,
        }
    }

    async fn later(&mut self, later: Later) -> Flow {
        match later {
            Later::Wait { secs, message } => {
                self.answer(answers::wait_frame(secs, &message), "asked_to_wait")
                    .await
            }
            Later::Unreachable(why) => {
                let message = format!("Baton: the upstream can't be reached ({why}).");
                self.answer(answers::wait_frame(1, &message), "unreachable").await
            }
        }
    }
}

/// Without what belongs to another account.
async fn frame_for(shared: &Shared, request: &mut InFlight, chosen: &Chosen) -> Utf8Bytes {
    let stripped = if request.foreign_turn_state(shared, chosen) {
        rewritten(&request.frame, strip_turn_state).await
    } else {
        None
    };
    stripped.unwrap_or_else(|| request.frame.clone())
}

fn connected_as(upstream: Option<&Upstream>, chosen: &Chosen) -> bool {
    upstream.is_some_and(|upstream| upstream.chosen.pick.account == chosen.pick.account)
}

pub(super) async fn rewritten(frame: &Utf8Bytes, rewrite: fn(&[u8]) -> Option<Vec<u8>>) -> Option<Utf8Bytes> {
    let text = on_text(frame.clone().into(), rewrite).await?;
    Utf8Bytes::try_from(text).ok()
}

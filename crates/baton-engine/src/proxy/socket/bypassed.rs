//! A socket while Baton is bypassed: between the CLI, with its own sign-in, and the upstream. Messages pass as they come;
//! once Baton is no longer bypassed, the next one from the CLI gets the silent reconnect (PROTOCOL §4).

use std::sync::Arc;

use baton_wire::{What, answers, request::strip_turn_state, ws};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::{
    super::{
        Shared,
        asked::{Asked, on_text},
    },
    conversation::GOODBYE,
    serve::rewritten,
    upstream::Socket,
};

pub(super) async fn carry(shared: Arc<Shared>, mut client: Socket, mut upstream: Socket) {
    let cut = shared.cut.clone();
    tokio::select! {
        () = both_ways(&shared, &mut client, &mut upstream) => {}
        () = cut.cancelled() => return,
    }
    // Whoever is left is told so, if they listen.
    let goodbyes = async { tokio::join!(client.close(None), upstream.close(None)) };
    let _ = tokio::time::timeout(GOODBYE, goodbyes).await;
}

async fn both_ways(shared: &Shared, client: &mut Socket, upstream: &mut Socket) {
    // From a message of the client's until the upstream says that the answer is over. Between two of them an end does no
    // harm: the client comes back.
    let mut answering = false;
    loop {
        tokio::select! {
            () = shared.draining.cancelled(), if !answering => return,
            said = client.next() => match said {
                Some(Ok(Message::Text(_))) if !shared.desk.bypassed() => {
                    let frame = answers::reconnect_frame().to_owned();
                    let _ = client.send(Message::text(frame)).await;
                    return;
                }
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    answering = true;
                    let message = without_the_pools(shared, message).await;
                    if upstream.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            said = upstream.next() => match said {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    answering = answering && !ends_an_answer(shared, &message);
                    if client.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

/// A turn that began in the pool goes on without the turn state that it got there.
async fn without_the_pools(shared: &Shared, message: Message) -> Message {
    let Message::Text(frame) = message else {
        return message;
    };
    let asked = on_text(frame.clone().into(), Asked::read).await;
    let state = asked.and_then(|asked| asked.turn_state);
    if !state.is_some_and(|state| shared.turn_states.is_the_pools(state.as_bytes())) {
        return Message::Text(frame);
    }
    Message::Text(rewritten(&frame, strip_turn_state).await.unwrap_or(frame))
}

fn ends_an_answer(shared: &Shared, message: &Message) -> bool {
    let Message::Text(frame) = message else {
        return false;
    };
    matches!(
        ws::server(frame.as_str(), shared.desk.now()),
        What::Completed { .. } | What::Failed(_)
    )
}

//! A socket while Baton is bypassed: between the CLI, with its own sign-in, and the upstream. Messages pass as they come;
//! once Baton is no longer bypassed, the next one from the CLI gets the silent reconnect (PROTOCOL §4).

use std::sync::Arc;

use baton_wire::{What, answers, ws};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::{super::Shared, upstream::Socket};

pub(super) async fn carry(shared: Arc<Shared>, mut client: Socket, mut upstream: Socket) {
    let cut = shared.cut.clone();
    tokio::select! {
        () = both_ways(&shared, &mut client, &mut upstream) => {}
        () = cut.cancelled() => {}
    }
    // Whoever is left is told so.
    let _ = client.close(None).await;
    let _ = upstream.close(None).await;
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

fn ends_an_answer(shared: &Shared, message: &Message) -> bool {
    let Message::Text(frame) = message else {
        return false;
    };
    matches!(
        ws::server(frame.as_str(), shared.desk.now()),
        What::Completed { .. } | What::Failed(_)
    )
}

//! The upstream's side of a socket: opened for an account with the CLI's own handshake.

use std::{sync::Arc, time::Duration};

use baton_core::{AccountId, Outcome, RefuseReason, SendState, Trial, Trouble};
use baton_wire::{error, headers as quota_headers};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request, response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use super::{
    super::{
        Shared, headers,
        ledger::Entry,
        responses::{Answer, read_error},
        serve::{self, After, Chosen, Next, Who},
    },
    Handshake, accept_key,
};
use crate::net::{Answered, NetError, empty};

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// One message may hold a whole conversation with pictures in it.
const LARGEST_MESSAGE: usize = 128 * 1024 * 1024;

/// An upgrade asks for no work: an upstream that doesn't answer it is in trouble.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Upstream {
    pub socket: Socket,
    pub chosen: Chosen,
    /// It begins its answers with `response.created`: output before that is the rest of an earlier one.
    pub announces: bool,
}

/// What a read may bring at once. It is there as long as the socket, idle or not; larger messages take several.
const READ_AT_ONCE: usize = 16 * 1024;

pub(super) enum Opened {
    /// With the head of the upstream's 101.
    Socket(Box<Upstream>, HeaderMap),
    /// The upstream's refusal, of this account, goes to the client.
    PassOn(AccountId, Box<Answer>),
    /// The client is to renew its own sign-in, which is the account's.
    OwnerRenews,
    /// No account, or no upstream to be reached: to be said at the first frame.
    Nobody,
}

pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
        .read_buffer_size(READ_AT_ONCE)
        // Frames leave when they come: nothing waits for a fuller buffer.
        .write_buffer_size(0)
}

/// Chooses and connects until an upstream has answered 101.
pub(super) async fn open(
    shared: &Arc<Shared>,
    handshake: &Handshake,
    who: &Who,
    trial: &mut Trial,
    entry: &mut Entry,
) -> Opened {
    let mut last = None;
    loop {
        let mut chosen = match serve::next(shared, who, trial, entry).await {
            Next::Serve(chosen) => chosen,
            Next::Refuse(RefuseReason::AllTried) => return refused(last),
            Next::OwnerRenews => return Opened::OwnerRenews,
            Next::Refuse(_) | Next::Later(_) => return Opened::Nobody,
        };
        let account = chosen.pick.account;
        match connect(shared, handshake, &mut chosen).await {
            Ok((upstream, head)) => return Opened::Socket(Box::new(upstream), head),
            Err(failed) => {
                let judged =
                    serve::judge(shared, trial, &chosen, &failed.outcome, SendState::Unsent, true).await;
                if judged.stands {
                    last = failed.answer.map(|answer| (account, answer));
                }
                match judged.after {
                    After::Again => {}
                    After::PassOn | After::Strip => return refused(last),
                    After::Resend | After::Later(_) => return Opened::Nobody,
                }
            }
        }
    }
}

fn refused(last: Option<(AccountId, Box<Answer>)>) -> Opened {
    last.map_or(Opened::Nobody, |(account, answer)| {
        Opened::PassOn(account, answer)
    })
}

/// Nothing but a handshake was sent.
pub(super) struct Failed {
    pub outcome: Outcome,
    pub answer: Option<Box<Answer>>,
}

impl From<Outcome> for Failed {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            answer: None,
        }
    }
}

/// Connects within [`ANSWER_WITHIN`].
pub(super) async fn connect(
    shared: &Arc<Shared>,
    handshake: &Handshake,
    chosen: &mut Chosen,
) -> Result<(Upstream, HeaderMap), Failed> {
    let upgraded = tokio::time::timeout(ANSWER_WITHIN, upgrade(shared, handshake, chosen)).await;
    let too_late = Failed::from(Outcome::ServerTrouble(Trouble::ConnectTimeout));
    upgraded.unwrap_or(Err(too_late))
}

async fn upgrade(
    shared: &Arc<Shared>,
    handshake: &Handshake,
    chosen: &mut Chosen,
) -> Result<(Upstream, HeaderMap), Failed> {
    let Some(mut parts) = headers::to_upstream(shared, &handshake.parts, &handshake.rest) else {
        return Err(Outcome::ClientError { status: 400 }.into());
    };
    headers::attach(shared, &mut parts.headers, chosen);
    let (answered, accept) = ask(shared, parts).await?;
    if let Some(reading) = quota_headers::quota(answered.headers(), shared.desk.now()) {
        shared.desk.learn(&mut chosen.pick, &reading);
    }
    let (socket, mut parts) = agreed(shared, answered, accept).await?;
    headers::to_client(shared, &mut parts, Some(chosen.pick.account));
    Ok((
        Upstream {
            socket,
            chosen: chosen.clone(),
            announces: false,
        },
        parts.headers,
    ))
}

/// With the CLI's own sign-in.
pub(super) async fn connect_bypassed(
    shared: &Arc<Shared>,
    handshake: &Handshake,
) -> Result<(Socket, HeaderMap), Failed> {
    let Some(mut parts) = headers::to_upstream(shared, &handshake.parts, &handshake.rest) else {
        return Err(Outcome::ClientError { status: 400 }.into());
    };
    headers::own(shared, &mut parts.headers);
    let (answered, accept) = ask(shared, parts).await?;
    let (socket, mut parts) = agreed(shared, answered, accept).await?;
    headers::to_client(shared, &mut parts, None);
    Ok((socket, parts.headers))
}

/// The upstream's answer to the handshake, and the key that it must have in it.
async fn ask(
    shared: &Arc<Shared>,
    mut parts: request::Parts,
) -> Result<(Response<Answered>, Option<HeaderValue>), Failed> {
    let headers = &mut parts.headers;
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    // Frames are read here: compression is declined, as any server may.
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    let accept = accept_key(headers);
    match shared.net.send(Request::from_parts(parts, empty())).await {
        Ok(answered) => Ok((answered, accept)),
        Err(NetError::Connect(_)) => Err(Outcome::ServerTrouble(Trouble::Connect).into()),
        Err(NetError::ConnectTimeout) => Err(Outcome::ServerTrouble(Trouble::ConnectTimeout).into()),
        Err(_) => Err(Outcome::Broken.into()),
    }
}

/// The socket, if the upstream has agreed to one.
async fn agreed(
    shared: &Shared,
    mut answered: Response<Answered>,
    accept: Option<HeaderValue>,
) -> Result<(Socket, response::Parts), Failed> {
    if answered.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (parts, body) = answered.into_parts();
        let (held, rest) = read_error(body).await;
        let outcome = match parts.status.is_success() {
            // A 200 to an upgrade is no WebSocket server.
            true => Outcome::Broken,
            false => error::http(
                parts.status.as_u16(),
                &parts.headers,
                &held.concat(),
                shared.desk.now(),
            ),
        };
        return Err(Failed {
            outcome,
            answer: Some(Box::new(Answer { parts, held, rest })),
        });
    }
    if answered.headers().get(header::SEC_WEBSOCKET_ACCEPT) != accept.as_ref() {
        // Whoever answers so has not understood the handshake.
        return Err(Outcome::Broken.into());
    }
    let upgraded = match hyper::upgrade::on(&mut answered).await {
        Ok(upgraded) => upgraded,
        Err(_) => return Err(Outcome::Broken.into()),
    };
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config())).await;
    Ok((socket, answered.into_parts().0))
}

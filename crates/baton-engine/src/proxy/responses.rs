//! A model request over HTTP: sent with the chosen account's credentials, held until the first output, replayed
//! elsewhere as long as nothing has reached the client.

use std::sync::Arc;

use baton_core::{Outcome, RefuseReason, SendState, Trial, Trouble};
use baton_wire::{Facts, answers, error, headers as quota_headers, request as client};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request, response};
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming};

use super::{
    Running, Shared,
    asked::{Asked, on_body},
    asker::Asker,
    body::Kept,
    guard::{self, Route},
    headers,
    ledger::Entry,
    relay::{Relay, Watch},
    serve::{self, After, Chosen, Later, Next, Who},
};
use crate::{
    control::protocol::Transport,
    net::{Answered, Body, NetError, full},
};

/// Head and events without output are held up to this much, then committed.
const HELD: usize = 64 * 1024;
const MODEL: &str = "/codex/responses";
const COMPACT: &str = "/codex/responses/compact";
/// An error's body is read up to this much to judge it.
const ERROR_BODY: usize = 256 * 1024;

pub(super) async fn handle(shared: Arc<Shared>, request: Request<Incoming>, route: Route) -> Response<Body> {
    let running = Running::new(&shared);
    let (parts, body) = request.into_parts();
    let Ok(body) = Kept::read(body).await else {
        return guard::refuse(StatusCode::BAD_REQUEST, "The request's body broke off.");
    };
    let who = who(&parts, &body).await;
    let entry = shared.ledger.open(Transport::Http, &who, shared.desk.now(), None);
    let trial = Trial::new(who.model.as_deref());
    Exchange {
        shared,
        parts,
        rest: route.rest,
        body,
        who,
        trial,
        entry,
        running,
        last: None,
    }
    .run()
    .await
}

/// The headers tell; the body is read only where they don't.
async fn who(parts: &request::Parts, body: &Kept) -> Who {
    let facts = Facts::from_headers(&parts.headers);
    let asker = Asker::of(&parts.headers);
    if facts.thread.is_some() && facts.turn.is_some() && facts.model.is_some() {
        return Who::new(facts, false, asker);
    }
    let asked = match body.whole() {
        Some(body) => on_body(&parts.headers, body.clone(), Asked::read).await,
        None => None,
    };
    let asked = asked.unwrap_or_default();
    Who::new(facts.or(asked.facts), asked.answers_tool, asker)
}

struct Exchange {
    shared: Arc<Shared>,
    parts: request::Parts,
    rest: String,
    body: Kept,
    who: Who,
    trial: Trial,
    entry: Entry,
    running: Running,
    /// The upstream's last answer that may be passed on, should nobody do better.
    last: Option<Answer>,
}

/// An upstream's answer that failed, as far as it was read.
pub(super) struct Answer {
    pub parts: response::Parts,
    pub held: Vec<Bytes>,
    pub rest: Option<Answered>,
}

enum Attempt {
    Delivered(Answer, Delivery),
    Failed {
        outcome: Outcome,
        sent: SendState,
        answer: Option<Answer>,
    },
}

enum Delivery {
    /// Nothing in it can be judged.
    Raw,
    Watched(Box<Watch>),
}

impl Exchange {
    async fn run(mut self) -> Response<Body> {
        loop {
            let next = serve::next(&self.shared, &self.who, &mut self.trial, &mut self.entry);
            let mut chosen = match next.await {
                Next::Serve(chosen) => chosen,
                Next::Later(later) => return self.later(&later),
                Next::Refuse(reason) => return self.refuse(&reason),
                Next::OwnerRenews => {
                    self.entry.outcome("owner_renews");
                    return owner_renews();
                }
            };
            self.entry.served_by(chosen.pick.account);
            let (outcome, sent, answer) = match self.attempt(&mut chosen).await {
                Attempt::Delivered(answer, delivery) => return self.deliver(&mut chosen, answer, delivery),
                Attempt::Failed {
                    outcome,
                    sent,
                    answer,
                } => (outcome, sent, answer),
            };
            let replayable = self.body.replayable();
            let judged =
                serve::judge(&self.shared, &mut self.trial, &chosen, &outcome, sent, replayable).await;
            if judged.stands {
                self.last = answer;
            }
            match judged.after {
                After::Again => {}
                After::Strip if self.strip().await => {}
                After::Strip | After::PassOn => return self.pass_on(),
                After::Later(later) => return self.later(&later),
                After::Resend => return self.come_back(1, "Baton asks for the request once more."),
            }
        }
    }

    async fn attempt(&mut self, chosen: &mut Chosen) -> Attempt {
        let failed = |outcome, sent, answer| Attempt::Failed {
            outcome,
            sent,
            answer,
        };
        if headers::foreign_turn_state(&self.shared, &self.parts.headers, chosen) {
            // Metadata in the body may repeat it.
            self.rewrite(client::strip_turn_state).await;
        }
        let Some(mut parts) = headers::to_upstream(&self.shared, &self.parts, &self.rest) else {
            return failed(Outcome::ClientError { status: 400 }, SendState::Unsent, None);
        };
        headers::attach(&self.shared, &mut parts.headers, chosen);
        // An encoded stream couldn't be read here.
        parts.headers.remove(header::ACCEPT_ENCODING);
        let Some(body) = self.body.send() else {
            return failed(Outcome::Broken, SendState::Sent, None);
        };
        let answered = match self.shared.net.send(Request::from_parts(parts, body)).await {
            Ok(answered) => answered,
            Err(NetError::Connect(_)) => {
                return failed(Outcome::ServerTrouble(Trouble::Connect), SendState::Unsent, None);
            }
            Err(NetError::ConnectTimeout) => {
                return failed(
                    Outcome::ServerTrouble(Trouble::ConnectTimeout),
                    SendState::Unsent,
                    None,
                );
            }
            Err(_) => return failed(Outcome::Broken, SendState::Sent, None),
        };
        self.entry.first_byte();
        let now = self.shared.desk.now();
        let (parts, body) = answered.into_parts();
        if let Some(reading) = quota_headers::quota(&parts.headers, now) {
            self.shared.desk.learn(&mut chosen.pick, &reading);
        }
        if !parts.status.is_success() {
            let (held, rest) = read_error(body).await;
            let outcome = error::http(parts.status.as_u16(), &parts.headers, &held.concat(), now);
            return failed(outcome, SendState::Sent, Some(Answer { parts, held, rest }));
        }
        if !self.is_event_stream(&parts) {
            let answer = Answer {
                parts,
                held: Vec::new(),
                rest: Some(body),
            };
            return Attempt::Delivered(answer, Delivery::Raw);
        }
        self.hold(chosen, parts, body).await
    }

    /// A model's answer is a stream of events unless it says that it is JSON, whatever else it calls itself: the client
    /// reads it as one, and a limit in it must not get past.
    fn is_event_stream(&self, parts: &response::Parts) -> bool {
        let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is = |wanted: &str| {
            let start = content_type.and_then(|value| value.get(..wanted.len()));
            start.is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        let model = self.rest.split('?').next() == Some(MODEL) && !is("application/json");
        // One that is encoded all the same passes as it is.
        (model || is("text/event-stream")) && !parts.headers.contains_key(header::CONTENT_ENCODING)
    }

    /// Holds head and events without output until the first output.
    async fn hold(&mut self, chosen: &mut Chosen, parts: response::Parts, mut body: Answered) -> Attempt {
        let mut watch = Watch::new(&self.shared, chosen.pick, self.who.thread);
        let mut held: Vec<Bytes> = Vec::new();
        let mut size = 0;
        loop {
            let failure = match body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let failure = watch.take(&data, &mut self.entry);
                    chosen.pick = watch.pick;
                    size += data.len();
                    held.push(data);
                    failure
                }
                Some(Err(_)) | None => {
                    let outcome = watch
                        .finish(&mut self.entry)
                        .map_or(Outcome::Broken, |failure| failure.outcome);
                    let answer = Some(Answer {
                        parts,
                        held,
                        rest: None,
                    });
                    return Attempt::Failed {
                        outcome,
                        sent: SendState::Sent,
                        answer,
                    };
                }
            };
            // Output that came together with its failure has not reached the client either.
            match failure {
                Some(failure) => {
                    let answer = Some(Answer {
                        parts,
                        held,
                        rest: Some(body),
                    });
                    return Attempt::Failed {
                        outcome: failure.outcome,
                        sent: SendState::Sent,
                        answer,
                    };
                }
                None if watch.output || size > HELD => {
                    let answer = Answer {
                        parts,
                        held,
                        rest: Some(body),
                    };
                    return Attempt::Delivered(answer, Delivery::Watched(Box::new(watch)));
                }
                None => {}
            }
        }
    }

    fn deliver(mut self, chosen: &mut Chosen, answer: Answer, delivery: Delivery) -> Response<Body> {
        let Answer {
            mut parts,
            held,
            rest,
        } = answer;
        let reports = self.trial.succeeded(chosen.pick);
        self.shared.desk.report_success(&mut chosen.pick, &reports);
        headers::to_client(&self.shared, &mut parts, Some(chosen.pick.account));
        let relay = match (delivery, rest) {
            (Delivery::Watched(mut watch), Some(rest)) => {
                watch.pick = chosen.pick;
                // It ends where its last event ends, should more have been promised.
                parts.headers.remove(header::CONTENT_LENGTH);
                Relay::watched(held, rest, *watch, self.entry, self.running)
            }
            (_, rest) => {
                // An older client's way to ask for it; its answer is no stream.
                if let Some(thread) = self.who.thread.filter(|_| self.rest.starts_with(COMPACT)) {
                    self.shared.desk.compacted(thread, chosen.pick.account);
                }
                Relay::raw(held, rest, self.entry, self.running)
            }
        };
        Response::from_parts(parts, relay.boxed())
    }

    /// Takes out the encrypted content that the account can't read; false if there is none to take out.
    async fn strip(&mut self) -> bool {
        let stripped = self.rewrite(client::strip_ciphertext).await;
        if !stripped {
            tracing::warn!(
                "an account can't read this thread's encrypted history, and it can't be taken out"
            );
        }
        stripped
    }

    /// From then on the body is sent as rewritten, not compressed; false if `rewrite` found nothing to do.
    async fn rewrite(&mut self, rewrite: fn(&[u8]) -> Option<Vec<u8>>) -> bool {
        let Some(body) = self.body.whole().cloned() else {
            return false;
        };
        let Some(rewritten) = on_body(&self.parts.headers, body, rewrite).await else {
            return false;
        };
        self.parts.headers.remove(header::CONTENT_ENCODING);
        self.body = Kept::Whole(rewritten.into());
        true
    }

    fn pass_on(mut self) -> Response<Body> {
        self.shared.desk.report(&self.trial.given_up());
        // Never an upstream 401 of a pool account: the CLI would refresh its own token for it (PROTOCOL §4).
        let last = self
            .last
            .take()
            .filter(|answer| answer.parts.status != StatusCode::UNAUTHORIZED);
        let Some(Answer {
            mut parts,
            held,
            rest,
        }) = last
        else {
            return self.unreachable("no answer from the upstream");
        };
        self.entry
            .outcome(&format!("passed_on_{}", parts.status.as_u16()));
        headers::to_client(&self.shared, &mut parts, self.entry.account());
        Response::from_parts(parts, Relay::raw(held, rest, self.entry, self.running).boxed())
    }

    fn refuse(mut self, reason: &RefuseReason) -> Response<Body> {
        if *reason == RefuseReason::AllTried {
            return self.pass_on();
        }
        let message = self
            .shared
            .words(|words| baton_core::explain::refused(reason, words));
        self.entry.outcome("refused");
        match reason {
            RefuseReason::NobodyUsable { earliest } => {
                let body = answers::usage_limit_reached(*earliest, None, &message);
                own(StatusCode::TOO_MANY_REQUESTS, body)
            }
            _ => own(StatusCode::BAD_REQUEST, answers::account_error(&message)),
        }
    }

    fn later(self, later: &Later) -> Response<Body> {
        match later {
            Later::Wait { secs, message } => self.come_back(*secs, message),
            Later::Unreachable(why) => self.unreachable(why),
        }
    }

    fn come_back(mut self, secs: u64, message: &str) -> Response<Body> {
        self.entry.outcome("asked_to_wait");
        let mut response = own(
            StatusCode::SERVICE_UNAVAILABLE,
            answers::service_unavailable(message),
        );
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(secs));
        response
    }

    fn unreachable(mut self, why: &str) -> Response<Body> {
        self.entry.outcome("unreachable");
        let message = format!("Baton: the upstream can't be reached ({why}).");
        own(StatusCode::BAD_GATEWAY, answers::service_unavailable(&message))
    }
}

pub(super) async fn read_error(mut body: Answered) -> (Vec<Bytes>, Option<Answered>) {
    let mut held = Vec::new();
    let mut size = 0;
    while size < ERROR_BODY {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    size += data.len();
                    held.push(data);
                }
            }
            Some(Err(_)) | None => return (held, None),
        }
    }
    (held, Some(body))
}

/// To the owner of a linked account: it renews its sign-in, and asks again.
pub(super) fn owner_renews() -> Response<Body> {
    own(StatusCode::UNAUTHORIZED, answers::token_expired())
}

/// An answer of our own.
pub(super) fn own(status: StatusCode, json: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(full(json));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

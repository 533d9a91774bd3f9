//! `POST codex/responses` and `…/compact`: requests for output over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::poll_fn;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::answer::{Event, Step};
use crate::ask::{Context, thread_and_turn};
use crate::backend::{Ask, Backend, Script};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::fault::At;
use crate::http::{
    Body, Connection, Dropped, Guard, HeadFault, facts, head_fault, json_answer, refused, respond,
};
use crate::log::{Kind, Outcome, ViolationKind};
use crate::strike::{Stage, play};
use crate::wire::Control;

/// Answers a request for output.
pub(crate) async fn answer(
    guard: Guard,
    connection: &Connection,
    kind: Kind,
    request: Request<Incoming>,
) -> Result<Response<Body>, Dropped> {
    let (backend, entry) = (guard.backend.clone(), guard.entry);
    let (head, body) = request.into_parts();
    let received = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let bytes = received.len();
    let encoding = head
        .headers
        .get("content-encoding")
        .and_then(|value| value.to_str().ok());
    let decoded = match encoding {
        None | Some("identity") => Ok(received),
        Some("zstd") => zstd::stream::decode_all(received.as_ref())
            .map(Bytes::from)
            .map_err(|_| ()),
        Some(_) => Err(()),
    };
    let body: Option<Value> = decoded
        .as_ref()
        .ok()
        .and_then(|body| serde_json::from_slice(body).ok());
    let json = body.as_ref().unwrap_or(&Value::Null);
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let (thread, turn) = thread_and_turn(json, header);
    let mut context = Context::default();
    context.absorb(&json["input"]);
    context.compaction |= kind == Kind::Compact;
    let mut seen = None;
    backend.log.edit(entry, |entry| {
        entry.thread_id = thread;
        entry.turn_id = turn;
        entry.model = json["model"].as_str().map(str::to_owned);
        entry.previous_response_id = json["previous_response_id"].as_str().map(str::to_owned);
        entry.user_text = Some(context.user_text.clone());
        entry.bytes_received = bytes;
        if backend.scenario.keep_bodies
            && let Ok(body) = &decoded
        {
            entry.body = body.clone();
        }
        seen = Some(facts(entry));
    });
    let Some(facts) = seen else { return Err(Dropped) };
    let account = match backend.authorise(entry, &head.headers) {
        Ok(account) => account,
        Err(failure) => return Ok(refused(&backend, entry, &failure)),
    };
    let mut extra = None;
    let mut first = None;
    if let Some(fault) = backend.fault_at(entry, &facts, |at| at == At::Head) {
        match head_fault(&backend, entry, connection, &fault).await? {
            HeadFault::Answer(answer) => return Ok(answer),
            HeadFault::InStream(fault) => first = Some(fault),
            HeadFault::Header(name, value) => extra = Some((name.to_owned(), value)),
            HeadFault::None => {}
        }
    }
    if body.is_none() {
        return Ok(refused(
            &backend,
            entry,
            &Failure::invalid_request().message("The body can't be read."),
        ));
    }
    if !json["previous_response_id"].is_null() {
        backend.log.violate(
            entry,
            facts.account.clone(),
            ViolationKind::PreviousResponseOnHttp,
        );
        return Ok(refused(
            &backend,
            entry,
            &Failure::previous_response_unsupported(),
        ));
    }
    backend.check_bindings(entry, account, &head.headers, json);
    let decoded_bytes = decoded.as_ref().map_or(0, Bytes::len);
    let ask = Ask {
        entry,
        account,
        facts,
        context,
        bytes: decoded_bytes,
    };
    let mut script = match backend.generate(&ask) {
        Ok(script) => script,
        Err(failure) => return Ok(refused(&backend, entry, &failure)),
    };
    if let Some(fault) = first {
        script.steps.insert(0, Step::Fault(fault));
    }
    if kind == Kind::Compact {
        return Ok(compact(&backend, entry, &script));
    }
    let mut headers = std::mem::take(&mut script.headers);
    headers.push(("content-type".to_owned(), "text/event-stream".to_owned()));
    headers.push(("cache-control".to_owned(), "no-cache".to_owned()));
    headers.push(("x-codex-turn-state".to_owned(), backend.turn_state(account)));
    headers.push((
        "x-request-id".to_owned(),
        backend.ids.uuid(backend.clock.now_unix_millis()),
    ));
    headers.extend(extra);
    Ok(stream(guard, connection, script, &headers))
}

/// The answer of the older compaction route: the compacted history at once.
fn compact(backend: &Backend, entry: u64, script: &Script) -> Response<Body> {
    let items: Vec<String> = script
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Event(event) if event.item.is_some() => serde_json::from_slice::<Value>(&event.json).ok(),
            _ => None,
        })
        .map(|event| event["item"].to_string())
        .collect();
    backend.end(entry, Outcome::Completed);
    json_answer(200, format!(r#"{{"output":[{}]}}"#, items.join(",")))
}

/// A head at once, and a task that plays the script into the body.
fn stream(
    guard: Guard,
    connection: &Connection,
    script: Script,
    headers: &[(String, String)],
) -> Response<Body> {
    let (sender, mut receiver) = mpsc::channel::<Result<Bytes, Dropped>>(8);
    let control = connection.control.clone();
    let body_control = control.clone();
    let frames = poll_fn(move |cx| {
        let polled = receiver.poll_recv(cx);
        match &polled {
            std::task::Poll::Pending => body_control.on_empty(),
            std::task::Poll::Ready(_) => body_control.on_frame(),
        }
        polled.map(|frame| frame.map(|bytes| bytes.map(Frame::data)))
    });
    let mut response = respond(200, headers, Bytes::new());
    *response.body_mut() = StreamBody::new(frames).boxed_unsync();
    let frames = control.taken();
    let mut sse = Sse {
        sender,
        frames,
        control,
        clock: guard.backend.clock.clone(),
        drip: None,
    };
    tokio::spawn(async move {
        play(&guard.backend, guard.entry, script, &mut sse).await;
    });
    response
}

/// An SSE body being written.
struct Sse {
    sender: mpsc::Sender<Result<Bytes, Dropped>>,
    /// Frames of this connection up to the last one sent.
    frames: u64,
    control: Arc<Control>,
    clock: Clock,
    drip: Option<(usize, Duration)>,
}

impl Sse {
    async fn send(&mut self, bytes: Bytes) -> bool {
        let Some((size, pause)) = self.drip else {
            self.frames += 1;
            return self.sender.send(Ok(bytes)).await.is_ok();
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest.split_to(size.min(rest.len()));
            self.frames += 1;
            if self.sender.send(Ok(piece)).await.is_err() || !self.pause(pause).await {
                return false;
            }
        }
        true
    }

    async fn settle(&self) {
        tokio::select! {
            () = self.control.settle(self.frames) => {}
            () = self.sender.closed() => {}
        }
    }
}

fn sse(name: &str, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(name.len() + data.len() + 18);
    if !name.is_empty() {
        out.put_slice(b"event: ");
        out.put_slice(name.as_bytes());
        out.put_slice(b"\n");
    }
    out.put_slice(b"data: ");
    out.put_slice(data);
    out.put_slice(b"\n\n");
    out.freeze()
}

impl Stage for Sse {
    const ERROR_FRAMES: bool = false;

    async fn event(&mut self, event: &Event) -> bool {
        self.send(sse(event.name(), &event.json)).await
    }

    async fn garbage(&mut self, bytes: Bytes) -> bool {
        self.send(sse("response.output_text.delta", &bytes)).await
    }

    async fn error(&mut self, failure: &Failure) -> bool {
        let mut error = failure.error.clone();
        error["code"] = failure.code().into();
        let json = format!(r#"{{"type":"error","error":{error}}}"#);
        self.send(sse("error", json.as_bytes())).await
    }

    fn drip(&mut self, bytes: usize, pause: Duration) {
        self.drip = Some((bytes, pause));
    }

    async fn pause(&mut self, simulated: Duration) -> bool {
        tokio::select! {
            () = self.clock.sleep(simulated) => true,
            () = self.sender.closed() => false,
        }
    }

    async fn gone(&mut self) {
        self.sender.closed().await;
    }

    async fn truncate(&mut self, event: &Event) {
        self.settle().await;
        self.control.truncate(event.json.len() / 2);
        let _ = self.event(event).await;
        self.sender.closed().await;
    }

    async fn cut(&mut self, reset: bool, _close: Option<u16>) {
        self.settle().await;
        if reset {
            self.control.reset();
        }
        let _ = self.sender.send(Err(Dropped)).await;
    }
}

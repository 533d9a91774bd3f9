//! A model's answer on its way to the client over HTTP: watched for the few events that matter, delivered as it comes.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use baton_core::{Outcome, SendState, Step, Trial, trial::Pick};
use baton_wire::{Scanner, What};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};

use super::{Running, Shared, ledger::Entry};
use crate::net::{Answered, Body, BoxError};

/// Reads the events of one stream, tells the pool what they say of the account, and stops at a failure.
#[derive(Debug)]
pub(super) struct Watch {
    shared: Arc<Shared>,
    pub pick: Pick,
    thread: Option<u64>,
    scanner: Scanner,
    consumed: u64,
    /// Output has been seen: from then on nothing can be taken back.
    pub output: bool,
    completed: bool,
}

/// The stream says that it failed, at this byte of the chunk.
#[derive(Debug)]
pub(super) struct Failure {
    pub outcome: Outcome,
    at: usize,
}

impl Watch {
    pub(super) fn new(shared: &Arc<Shared>, pick: Pick, thread: Option<u64>) -> Self {
        Self {
            shared: Arc::clone(shared),
            pick,
            thread,
            scanner: Scanner::new(),
            consumed: 0,
            output: false,
            completed: false,
        }
    }

    pub(super) fn take(&mut self, chunk: &[u8], entry: &mut Entry) -> Option<Failure> {
        let base = self.consumed;
        self.consumed += chunk.len() as u64;
        let mut failure = None;
        let mut scanner = std::mem::take(&mut self.scanner);
        scanner.feed(chunk, self.shared.desk.now(), &mut |event| {
            if failure.is_none() {
                // An event that began in an earlier chunk is cut off at the start of this one.
                let at = usize::try_from(event.start.saturating_sub(base)).unwrap_or(0);
                failure = self.meet(event.what, at, entry);
            }
        });
        self.scanner = scanner;
        failure
    }

    /// The stream is over; `Some` if it wasn't whole.
    pub(super) fn finish(&mut self, entry: &mut Entry) -> Option<Failure> {
        let mut failure = None;
        let mut scanner = std::mem::take(&mut self.scanner);
        scanner.finish(self.shared.desk.now(), &mut |event| {
            if failure.is_none() {
                failure = self.meet(event.what, 0, entry);
            }
        });
        let broken = Failure {
            outcome: Outcome::Broken,
            at: 0,
        };
        failure.or_else(|| (!scanner.clean_end()).then_some(broken))
    }

    fn meet(&mut self, what: What, at: usize, entry: &mut Entry) -> Option<Failure> {
        // A second ending of the same answer says nothing new.
        if self.completed {
            return None;
        }
        if what.is_output() && !self.output {
            self.output = true;
            entry.first_output();
        }
        match what {
            What::Failed(outcome) => {
                return Some(Failure { outcome, at });
            }
            What::RateLimits(reading) => self.shared.desk.learn(&mut self.pick, &reading),
            What::Compaction => {
                if let Some(thread) = self.thread {
                    self.shared.desk.compacted(thread, self.pick.account);
                }
            }
            What::Completed { usage, .. } => {
                self.completed = true;
                entry.completed(usage);
            }
            What::TurnState(state) => self
                .shared
                .turn_states
                .remember(state.as_bytes(), self.pick.account),
            What::Held(_) | What::Output => {}
        }
        None
    }

    /// A failure after output: the account's part is told; true if the stream must be cut so that the client asks again.
    fn judge_delivered(&self, outcome: &Outcome, entry: &mut Entry) -> bool {
        let ruling = Trial::new(None).judge(
            self.pick,
            outcome,
            SendState::Delivered,
            true,
            self.shared.desk.now(),
        );
        self.shared.desk.report(ruling.report.as_slice());
        if let Some(thread) = self.thread.filter(|_| outcome.is_trouble()) {
            self.shared.desk.broke_off(thread, self.pick.account);
        }
        entry.outcome(if ruling.step == Step::Resend {
            "cut_after_output"
        } else {
            "failed_after_output"
        });
        ruling.step == Step::Resend
    }
}

/// How the body ends, once everything has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// By an error, HTTP's only way to say "not whole"; but first what was said before has to get out.
    Cut,
    CutNow,
}

/// The answer's body towards the client.
#[derive(Debug)]
pub(super) struct Relay {
    held: VecDeque<Bytes>,
    upstream: Option<Answered>,
    /// `None`: passed on as it is.
    watch: Option<Watch>,
    entry: Entry,
    end: End,
    _running: Running,
}

impl Relay {
    /// Passes on as it is.
    pub(super) fn raw(held: Vec<Bytes>, upstream: Option<Answered>, entry: Entry, running: Running) -> Self {
        Self::new(held, upstream, None, entry, running)
    }

    /// Delivers what was held, and goes on watching.
    pub(super) fn watched(
        held: Vec<Bytes>,
        upstream: Answered,
        watch: Watch,
        entry: Entry,
        running: Running,
    ) -> Self {
        Self::new(held, Some(upstream), Some(watch), entry, running)
    }

    fn new(
        held: Vec<Bytes>,
        upstream: Option<Answered>,
        watch: Option<Watch>,
        entry: Entry,
        running: Running,
    ) -> Self {
        let mut relay = Self {
            held: held.into(),
            upstream,
            watch,
            entry,
            end: End::Whole,
            _running: running,
        };
        relay.look_for_the_end();
        relay
    }

    pub(super) fn boxed(self) -> Body {
        self.boxed_unsync()
    }

    /// What of `chunk` still goes out.
    fn failed(&mut self, chunk: Bytes, failure: &Failure) -> Bytes {
        let Some(watch) = self.watch.take() else {
            return chunk;
        };
        if watch.judge_delivered(&failure.outcome, &mut self.entry) {
            self.end = End::Cut;
            self.upstream = None;
            return chunk.slice(..failure.at.min(chunk.len()));
        }
        chunk
    }

    fn next(&mut self, chunk: Bytes) -> Bytes {
        match self
            .watch
            .as_mut()
            .and_then(|watch| watch.take(&chunk, &mut self.entry))
        {
            Some(failure) => self.failed(chunk, &failure),
            None => chunk,
        }
    }

    /// Of a body whose length is known, nobody asks what comes after it.
    fn look_for_the_end(&mut self) {
        if self.upstream.as_ref().is_none_or(HttpBody::is_end_stream) && self.end == End::Whole {
            self.ended(false);
        }
    }

    fn ended(&mut self, broken: bool) {
        self.upstream = None;
        if let Some(failure) = self
            .watch
            .as_mut()
            .and_then(|watch| watch.finish(&mut self.entry))
        {
            self.failed(Bytes::new(), &failure);
            return;
        }
        // What isn't watched is broken off where it broke off.
        let broken = broken && self.watch.is_none();
        if broken {
            self.end = End::Cut;
        }
        self.entry.ended(broken);
    }
}

impl HttpBody for Relay {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if let Some(bytes) = self.held.pop_front() {
                if bytes.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let Some(upstream) = self.upstream.as_mut() else {
                match std::mem::replace(&mut self.end, End::Whole) {
                    End::Whole => return Poll::Ready(None),
                    End::Cut => {
                        self.end = End::CutNow;
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    End::CutNow => return Poll::Ready(Some(Err("the answer was cut short".into()))),
                }
            };
            match std::task::ready!(Pin::new(upstream).poll_frame(context)) {
                Some(Ok(frame)) => {
                    // Trailers carry nothing that Codex reads.
                    if let Ok(data) = frame.into_data() {
                        let data = self.next(data);
                        self.held.push_back(data);
                        self.look_for_the_end();
                    }
                }
                Some(Err(_)) => self.ended(true),
                None => self.ended(false),
            }
        }
    }
}

//! The address on loopback that the browser comes back to, and the small pages it is shown there.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time,
};
use tokio_util::sync::CancellationToken;

use super::{Attempt, callback};
use crate::proxy::Listener;

/// A browser's request is there at once.
const HEAD: Duration = Duration::from_secs(10);
/// For the last page to get out.
const LAST_PAGES: Duration = Duration::from_secs(2);
const MOST_CONNECTIONS: usize = 32;

/// Nothing from outside is ever shown on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Done,
    Declined,
    Failed,
    Other,
    Twice,
    Nothing,
}

impl Page {
    fn status(self) -> StatusCode {
        match self {
            Self::Done | Self::Declined | Self::Failed => StatusCode::OK,
            Self::Other | Self::Twice => StatusCode::BAD_REQUEST,
            Self::Nothing => StatusCode::NOT_FOUND,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Done => (
                "Signed in",
                "Baton has this sign-in now. You can close this page.",
            ),
            Self::Declined => (
                "Not signed in",
                "You didn't agree, so nothing was added. You can close this page.",
            ),
            Self::Failed => (
                "Not signed in",
                "Nothing was added. Baton says why, where you began to sign in.",
            ),
            Self::Other => (
                "Another sign-in",
                "This page doesn't belong to the sign-in that Baton waits for. Use the newest link.",
            ),
            Self::Twice => (
                "Here already",
                "This sign-in has come back already. You can close this page.",
            ),
            Self::Nothing => (
                "Nothing here",
                "This address waits for a sign-in to come back, nothing else.",
            ),
        }
    }

    fn response(self) -> Response<Full<Bytes>> {
        let (title, words) = self.words();
        let page = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Baton: {title}</title>\n<h1>{title}</h1>\n\
             <p>{words}</p></html>\n"
        );
        let mut response = Response::new(Full::new(page.into()));
        *response.status_mut() = self.status();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response
                .headers_mut()
                .insert(name, header::HeaderValue::from_static(value));
        }
        response
    }
}

/// Until `closing`; pages under way are still shown.
pub(super) async fn serve(listener: Listener, attempt: Arc<Attempt>, closing: CancellationToken) {
    let sockets = listener.into_sockets();
    let accepting: JoinSet<()> = sockets
        .map(|socket| accept(socket, Arc::clone(&attempt), closing.clone()))
        .collect();
    accepting.join_all().await;
}

async fn accept(socket: TcpListener, attempt: Arc<Attempt>, closing: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                    connections.spawn(show(stream, Arc::clone(&attempt)));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a browser's connection failed");
                    time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(socket);
    let shown = async { while connections.join_next().await.is_some() {} };
    let _ = time::timeout(LAST_PAGES, shown).await;
}

async fn show(stream: TcpStream, attempt: Arc<Attempt>) {
    let service = service_fn(|request| {
        let attempt = Arc::clone(&attempt);
        async move { Ok::<_, Infallible>(page(&request, &attempt).await.response()) }
    });
    let shown = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = shown {
        tracing::debug!(%error, "a browser's connection ended");
    }
}

async fn page(request: &Request<Incoming>, attempt: &Attempt) -> Page {
    if request.method() != Method::GET || request.uri().path() != callback::PATH {
        return Page::Nothing;
    }
    let query = request.uri().query().unwrap_or_default();
    match attempt.came_back(|secrets| callback::read(query, secrets)) {
        Ok(page) => shown_at_the_end(page).await,
        Err(callback::NoCallback::Twice) => Page::Twice,
        Err(error) => {
            attempt.note(format!("A page came back to Baton, but {error}."));
            Page::Other
        }
    }
}

/// The sign-in ended otherwise: cancelled, or out of time.
async fn shown_at_the_end(page: oneshot::Receiver<Page>) -> Page {
    page.await.unwrap_or(Page::Failed)
}

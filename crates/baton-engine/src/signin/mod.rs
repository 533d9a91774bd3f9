//! Signing in, for an account with a grant of its own: in the browser (PKCE, coming back to loopback or pasted), or with
//! a device code. One at a time: a new one ends the one before. Nothing is kept before all of it is there; from then on
//! nothing ends it (PROTOCOL §6).
//!
//! - `attempt`: a sign-in under way; `callback`, `site`: how the browser comes back; `secrets`: what ties it to us
//! - `service`: what is asked of the sign-in service; `error`: why a sign-in came to nothing

mod attempt;
mod callback;
mod error;
mod secrets;
mod service;
mod site;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use baton_wire::sign_in::{self, DeviceCode};
use tokio::{
    sync::{Mutex, oneshot},
    task::JoinHandle,
    time,
};
use tokio_util::sync::CancellationToken;

use self::{attempt::Attempt, error::SignInError, service::Polled, site::Page};
use crate::{
    admission::Admission,
    clock::Clock,
    control::protocol::{ControlError, ErrorKind, Pasted, Reply, SignInWay},
    grants::import::SignIn,
    proxy::{ListenError, Listener},
};
pub use callback::{Callback, NoCallback, pasted, read};
pub use secrets::Secrets;
pub(crate) use service::Service;

/// For a person at a sign-in page.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// The longest that a device code is waited for, and where its expiry is unknown.
const DEVICE_LIMIT: Duration = Duration::from_secs(15 * 60);
/// A client that waits is answered by then, news or none.
const ANSWER: Duration = Duration::from_secs(30);

pub(crate) struct SignIns {
    service: Service,
    admission: Arc<Admission>,
    clock: Arc<dyn Clock>,
    /// Where the browser may come back to, in the order in which they are tried.
    ports: Vec<u16>,
    current: Mutex<Option<Current>>,
    last: AtomicU64,
}

struct Current {
    attempt: Arc<Attempt>,
    task: JoinHandle<()>,
}

/// What a sign-in waits for.
enum Way {
    Browser {
        listener: Listener,
        redirect_uri: String,
        back: oneshot::Receiver<Callback>,
    },
    Device(DeviceCode),
}

// === impl SignIns ===

impl SignIns {
    pub(crate) fn new(
        service: Service,
        admission: Arc<Admission>,
        clock: Arc<dyn Clock>,
        ports: Vec<u16>,
    ) -> Self {
        Self {
            service,
            admission,
            clock,
            ports,
            current: Mutex::default(),
            last: AtomicU64::default(),
        }
    }

    /// Ends the sign-in under way, if there is one: whoever left it behind need not be found first.
    pub(crate) async fn begin(&self, label: &str, way: SignInWay) -> Result<Reply, ControlError> {
        let renews = self.admission.check_label(label)?;
        self.admission.can_keep().await?;
        let mut current = self.current.lock().await;
        if let Some(before) = current.take() {
            before.attempt.end(SignInError::Replaced);
            let _ = before.task.await;
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (attempt, way, limit) = match way {
            SignInWay::Browser => self.browser(id, label).await?,
            SignInWay::Device => self.device(id, label).await?,
        };
        if let Some(renews) = renews {
            attempt.note(format!(
                "{renews} is there already: signing in to it renews it. Another account needs another label."
            ));
        }
        let attempt = Arc::new(attempt);
        let sign_in = attempt.view();
        let running = run(
            Arc::clone(&attempt),
            way,
            limit,
            self.service.clone(),
            Arc::clone(&self.admission),
            Arc::clone(&self.clock),
        );
        *current = Some(Current {
            attempt,
            task: tokio::spawn(running),
        });
        Ok(Reply::SignIn { sign_in })
    }

    async fn browser(&self, id: u64, label: &str) -> Result<(Attempt, Way, Duration), SignInError> {
        let secrets = Secrets::new().map_err(|error| SignInError::Randomness(error.to_string()))?;
        let listener = self.listen().await?;
        let redirect_uri = format!("http://localhost:{}{}", listener.port(), callback::PATH);
        let link = sign_in::authorize_url(
            &self.service.issuer,
            &redirect_uri,
            &secrets.challenge(),
            &secrets.state,
        );
        let (sender, back) = oneshot::channel();
        let mut attempt = Attempt::new(id, label.to_owned(), link.into(), self.clock.now() + LIMIT);
        attempt.secrets = Some(secrets);
        attempt.back = Some(sender).into();
        let way = Way::Browser {
            listener,
            redirect_uri,
            back,
        };
        Ok((attempt, way, LIMIT))
    }

    async fn device(&self, id: u64, label: &str) -> Result<(Attempt, Way, Duration), SignInError> {
        let device = self.service.device_code().await?;
        let now = self.clock.now();
        // A clock that is far off says nothing of when the code expires.
        let limit = device
            .expires_at
            .map(|expires_at| expires_at.since(now))
            .filter(|left| !left.is_zero() && *left <= DEVICE_LIMIT)
            .unwrap_or(DEVICE_LIMIT);
        let mut attempt = Attempt::new(id, label.to_owned(), self.service.device_page(), now + limit);
        attempt.user_code = Some(device.user_code.to_string());
        Ok((attempt, Way::Device(device), limit))
    }

    async fn listen(&self) -> Result<Listener, SignInError> {
        for port in &self.ports {
            match Listener::bind(*port).await {
                Ok(listener) => return Ok(listener),
                Err(ListenError::Taken { .. }) => {}
                Err(error) => return Err(SignInError::NoListener(error.to_string())),
            }
        }
        let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        Err(SignInError::PortsTaken(match ports.as_slice() {
            [port] => format!("port {port} is"),
            ports => format!("ports {} are", ports.join(" and ")),
        }))
    }

    /// How it goes: at once if there is news beyond `seen`, else when there is, or after a while.
    pub(crate) async fn wait(&self, id: u64, seen: u64) -> Result<Reply, ControlError> {
        let attempt = self.attempt(id).await?;
        let outcome = match time::timeout(ANSWER, attempt.news(seen)).await {
            Ok(outcome) => outcome,
            Err(_) => attempt.outcome(),
        };
        match outcome {
            None => Ok(Reply::SignIn {
                sign_in: attempt.view(),
            }),
            Some(outcome) => outcome.map(Reply::from),
        }
    }

    /// The address that the browser was sent to, where it can't come back by itself.
    pub(crate) async fn paste(&self, id: u64, address: &Pasted) -> Result<Reply, ControlError> {
        let attempt = self.attempt(id).await?;
        let came = attempt.came_back(|secrets| pasted(address.as_str(), secrets));
        match came {
            Ok(_) | Err(NoCallback::Twice) => Ok(Reply::SignIn {
                sign_in: attempt.view(),
            }),
            Err(error) => Err(ControlError::new(ErrorKind::Invalid, error.to_string())),
        }
    }

    pub(crate) async fn cancel(&self, id: u64) -> Result<Reply, ControlError> {
        let attempt = self.attempt(id).await?;
        attempt.end(SignInError::Cancelled);
        // One whose tokens are there already goes on to its end.
        match attempt.finished().await {
            Ok(admitted) => Ok(admitted.into()),
            Err(error) => Ok(Reply::Done {
                message: error.message,
            }),
        }
    }

    /// Ends the sign-in under way; one whose tokens are there already is kept first.
    pub(crate) async fn shutdown(&self) {
        if let Some(current) = self.current.lock().await.take() {
            current.attempt.end(SignInError::Stopping);
            let _ = current.task.await;
        }
    }

    async fn attempt(&self, id: u64) -> Result<Arc<Attempt>, ControlError> {
        let current = self.current.lock().await;
        let attempt = current.as_ref().map(|current| &current.attempt);
        match attempt.filter(|attempt| attempt.id == id) {
            Some(attempt) => Ok(Arc::clone(attempt)),
            None => Err(SignInError::Replaced.into()),
        }
    }
}

impl Drop for SignIns {
    fn drop(&mut self) {
        if let Some(current) = self.current.get_mut() {
            current.attempt.end(SignInError::Stopping);
        }
    }
}

// === a sign-in's course ===

async fn run(
    attempt: Arc<Attempt>,
    way: Way,
    limit: Duration,
    service: Service,
    admission: Arc<Admission>,
    clock: Arc<dyn Clock>,
) {
    let closing = CancellationToken::new();
    let limit = clock.real(limit);
    let (obtained, site) = match way {
        Way::Browser {
            listener,
            redirect_uri,
            back,
        } => {
            let site = site::serve(listener, Arc::clone(&attempt), closing.clone());
            let site = tokio::spawn(site);
            let work = from_browser(&attempt, back, &service, &redirect_uri);
            let work = async {
                time::timeout(limit, work)
                    .await
                    .unwrap_or(Err(SignInError::TimedOut(LIMIT)))
            };
            (attempt.unless_ended(work).await, Some(site))
        }
        Way::Device(device) => {
            let work = from_device(&attempt, &device, &service, &*clock);
            let work = async {
                time::timeout(limit, work)
                    .await
                    .unwrap_or(Err(SignInError::Expired))
            };
            (attempt.unless_ended(work).await, None)
        }
    };
    match obtained {
        Ok(sign_in) => {
            let admitted = admission.signed_in(sign_in, &attempt.label).await;
            let page = if admitted.is_ok() {
                Page::Done
            } else {
                Page::Failed
            };
            attempt.finish(admitted, page);
        }
        Err(error) => {
            tracing::info!(%error, "a sign-in ended without an account");
            let declined = matches!(error, SignInError::Declined(_));
            let page = if declined { Page::Declined } else { Page::Failed };
            attempt.finish(Err(error.into()), page);
        }
    }
    closing.cancel();
    if let Some(site) = site {
        // The port is free then.
        let _ = site.await;
    }
}

async fn from_browser(
    attempt: &Attempt,
    back: oneshot::Receiver<Callback>,
    service: &Service,
    redirect_uri: &str,
) -> Result<SignIn, SignInError> {
    // The sender lives in the attempt until it is used.
    let callback = back.await.map_err(|_| SignInError::Cancelled)?;
    match (callback, &attempt.secrets) {
        (Callback::Code(code), Some(secrets)) => {
            attempt.note("Signed in there; Baton fetches its tokens.".to_owned());
            service.exchange(&code, redirect_uri, &secrets.verifier).await
        }
        (Callback::Refused(code), _) => Err(SignInError::Declined(code)),
        (Callback::Code(_), None) => Err(SignInError::Cancelled),
    }
}

async fn from_device(
    attempt: &Attempt,
    device: &DeviceCode,
    service: &Service,
    clock: &dyn Clock,
) -> Result<SignIn, SignInError> {
    loop {
        // A simulated clock may make it shorter; one that stands still must not make it last for ever.
        time::sleep(clock.real(device.interval).min(device.interval)).await;
        match service.poll(device).await? {
            Polled::NotYet => {}
            Polled::Trouble(why) => {
                attempt.note(format!(
                    "The sign-in service can't be asked now ({why}); Baton goes on trying."
                ));
            }
            Polled::Granted(grant) => {
                attempt.note("The code was entered; Baton fetches its tokens.".to_owned());
                let redirect_uri = service.device_redirect_uri();
                return service
                    .exchange(&grant.code, &redirect_uri, &grant.verifier)
                    .await;
            }
        }
    }
}

//! The running simulation: listeners, connections, and the handles by which a test moves things.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Backend;
use crate::clock::Clock;
use crate::fault::{At, Facts, Fault, FaultHandle, FaultRule};
use crate::handle::AccountHandle;
use crate::http::{self, Connection};
use crate::log::{Kind, Log, Transport};
use crate::scenario::Scenario;
use crate::sign_in::Consent;
use crate::tls::Authority;
use crate::wire::{Control, Wire};

/// A Codex backend on loopback. It stops when it is dropped.
pub struct Sim {
    shared: Arc<Shared>,
    http: SocketAddr,
    https: Option<SocketAddr>,
    authority: Option<Authority>,
}

struct Shared {
    backend: Arc<Backend>,
    connections: AtomicU64,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Ends the connections of today; replaced by each [`Sim::drop_connections`].
    open: Mutex<CancellationToken>,
    /// Ends the listeners of today.
    listening: Mutex<CancellationToken>,
}

impl Sim {
    /// Starts a scenario on 127.0.0.1.
    ///
    /// # Panics
    /// If loopback can't be bound; see [`Sim::try_start`].
    pub async fn start(scenario: Scenario) -> Self {
        match Self::try_start(scenario).await {
            Ok(sim) => sim,
            Err(error) => panic!("the simulated backend can't start: {error}"),
        }
    }

    /// Starts a scenario on 127.0.0.1.
    ///
    /// # Errors
    /// If loopback can't be bound, or the throwaway certificate can't be made.
    pub async fn try_start(scenario: Scenario) -> io::Result<Self> {
        let (port, https) = (scenario.port, scenario.https);
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            backend: Arc::new(Backend::new(scenario)),
            connections: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            open: Mutex::new(stop.child_token()),
            listening: Mutex::new(stop.child_token()),
            stop,
        });
        let authority = if https {
            Some(Authority::new().map_err(io::Error::other)?)
        } else {
            None
        };
        let http = shared
            .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), None)
            .await?;
        let https = match &authority {
            Some(authority) => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                Some(shared.listen(any, Some(authority.acceptor.clone())).await?)
            }
            None => None,
        };
        Ok(Self {
            shared,
            http,
            https,
            authority,
        })
    }

    /// `http://127.0.0.1:PORT/backend-api`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/backend-api", self.http)
    }

    /// `http://127.0.0.1:PORT`, which serves `/oauth/` and `/api/accounts/deviceauth/`.
    #[must_use]
    pub fn issuer_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// `https://localhost:PORT/backend-api`, if the scenario asked for https.
    #[must_use]
    pub fn https_base_url(&self) -> Option<String> {
        self.https
            .map(|address| format!("https://localhost:{}/backend-api", address.port()))
    }

    /// `https://localhost:PORT`, if the scenario asked for https.
    #[must_use]
    pub fn https_issuer_url(&self) -> Option<String> {
        self.https
            .map(|address| format!("https://localhost:{}", address.port()))
    }

    /// The certificate of the throwaway authority, for `SSL_CERT_FILE`.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| authority.pem.as_str())
    }

    /// The simulated time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.shared.backend.clock.clone()
    }

    /// What was received, and what became of it.
    #[must_use]
    pub fn log(&self) -> Log {
        self.shared.backend.log.clone()
    }

    /// Adds a fault.
    pub fn fault(&self, rule: FaultRule) -> FaultHandle {
        self.shared.backend.faults.add(rule)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.backend.faults.clear();
    }

    /// A handle to the account of this name.
    ///
    /// # Panics
    /// If the scenario has no such account.
    #[must_use]
    pub fn account(&self, name: &str) -> AccountHandle {
        let index = self
            .shared
            .backend
            .state()
            .accounts
            .iter()
            .position(|a| a.script.name == name);
        match index {
            Some(index) => AccountHandle::new(self.shared.backend.clone(), index),
            None => panic!("the scenario has no account {name:?}"),
        }
    }

    /// What the person does on the sign-in page from now on; else they agree as the first account.
    pub fn consent(&self, consent: Consent) {
        self.shared.backend.state().sign_ins.consent = Some(consent);
    }

    /// The person enters a device's code, signed in as this account; whether the code waits for that.
    ///
    /// # Panics
    /// If the scenario has no such account.
    #[must_use]
    pub fn approve_device(&self, user_code: &str, account: &str) -> bool {
        let account = self.account(account).index();
        let now = self.shared.backend.clock.now_unix_millis();
        let mut state = self.shared.backend.state();
        state.sign_ins.approve(user_code, account, now)
    }

    /// The account of the CLI's own login.
    #[must_use]
    pub fn cli(&self) -> AccountHandle {
        let index = self.shared.backend.state().accounts.len() - 1;
        AccountHandle::new(self.shared.backend.clone(), index)
    }

    /// Closes the ports: connections are refused until [`Sim::listen_again`].
    pub async fn stop_listening(&self) {
        self.shared
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cancel();
        // The listeners are gone when their ports can be bound by us.
        for address in [Some(self.http), self.https].into_iter().flatten() {
            while TcpListener::bind(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Opens the same ports again.
    ///
    /// # Errors
    /// If another process has taken one meanwhile.
    pub async fn listen_again(&self) -> io::Result<()> {
        *self
            .shared
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self.shared.stop.child_token();
        self.shared.listen(self.http, None).await?;
        if let (Some(address), Some(authority)) = (self.https, &self.authority) {
            self.shared
                .listen(address, Some(authority.acceptor.clone()))
                .await?;
        }
        Ok(())
    }

    /// Cuts every open connection.
    pub fn drop_connections(&self) {
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.cancel();
        *open = self.shared.stop.child_token();
    }

    /// Stops and waits until every connection has ended.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("http", &self.http)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

impl Shared {
    async fn listen(
        self: &Arc<Self>,
        address: SocketAddr,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let shared = self.clone();
        self.tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = listening.cancelled() => return,
                };
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let serve = shared.clone().serve(stream, tls.clone());
                shared.tasks.spawn(serve);
            }
        });
        Ok(address)
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, tls: Option<tokio_rustls::TlsAcceptor>) {
        let control = Arc::new(Control::new());
        let closing = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .child_token();
        let connection = Arc::new(Connection {
            id: self.connections.fetch_add(1, Ordering::AcqRel) + 1,
            tls: tls.is_some(),
            control: control.clone(),
            closing: closing.clone(),
        });
        let wire = Wire::new(stream, control.clone());
        let facts = Facts {
            account: None,
            transport: Transport::Http,
            kind: Kind::Other,
            thread_id: None,
            turn_id: None,
            model: None,
            user_text: None,
        };
        match self
            .backend
            .faults
            .pick(&facts, &self.backend.ids, |at| at == At::Accept)
        {
            Some((_, Fault::Reset)) => return control.reset(),
            Some((_, Fault::Stall)) => return closing.cancelled().await,
            Some((_, Fault::Delay(time))) => self.backend.clock.sleep(time).await,
            Some(_) => return,
            None => {}
        }
        tokio::select! {
            () = async {
                match tls {
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(wire).await {
                            self.http(stream, connection).await;
                        }
                    }
                    None => self.http(wire, connection).await,
                }
            } => {}
            () = closing.cancelled() => {}
        }
    }

    async fn http<S>(&self, stream: S, connection: Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| http::handle(self.backend.clone(), connection.clone(), request));
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
    }
}

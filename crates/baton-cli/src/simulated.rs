//! A Baton on a simulated service, for the demo and the self-test: nothing of it leaves loopback, or reaches the keychain.

use std::{path::Path, sync::Arc};

use baton_engine::{Engine, Options, clock::Borrowed, vault::MemoryVault};
use baton_sim::{Clock, Scenario, Sim};
use url::Url;

use crate::error::Failure;

pub(crate) async fn service(scenario: Scenario) -> Result<Sim, Failure> {
    Sim::try_start(scenario)
        .await
        .map_err(|error| Failure::new(format!("the simulated backend can't start: {error}")))
}

/// Serves on a free port, by the service's clock.
pub(crate) async fn baton(sim: &Sim, data_dir: &Path) -> Result<Engine, Failure> {
    let mut options = Options::from_env(Some(data_dir), Some(0))?;
    options.upstream = loopback(&sim.base_url())?;
    options.issuer = loopback(&sim.issuer_url())?;
    options.codex_homes = Vec::new();
    options.clock = Arc::new(Borrowed::new(sim.clock(), Clock::now_unix_millis, Clock::real));
    options.vault = Some(Arc::new(MemoryVault::new()));
    Ok(Box::pin(Engine::start(options)).await?)
}

fn loopback(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| {
        Failure::new(format!(
            "the simulated backend's address isn't understood: {error}"
        ))
    })
}

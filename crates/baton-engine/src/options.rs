//! Everything outside that can be named, from the environment. (Two variables are read where they are used: the OS's
//! `XDG_RUNTIME_DIR` by `control::transport`, and the proxy variables by `net`.)

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use url::Url;

use crate::{
    clock::{Clock, SystemClock},
    vault::Vault,
};

/// Outside Linux's default ephemeral range (32768–60999), so that no outgoing connection ever takes it.
pub const DEFAULT_PORT: u16 = 27_460;
const UPSTREAM: &str = "https://chatgpt.com/backend-api";
const ISSUER: &str = "https://auth.openai.com";
/// Codex's own, which are registered with the sign-in service.
pub const SIGN_IN_PORTS: [u16; 2] = [1455, 1457];

#[derive(Clone, Debug)]
pub struct Options {
    /// Settings, database and state file. Holds no token.
    pub data_dir: PathBuf,
    /// Base URL of the ChatGPT backend, http or https, without a trailing slash.
    pub upstream: Url,
    /// Base URL of sign-in.
    pub issuer: Url,
    /// `None`: as in the settings, else [`DEFAULT_PORT`]. 0 takes any free port (tests, demo).
    pub port: Option<u16>,
    /// Where the browser comes back to after a sign-in, in the order in which they are tried. The sign-in service knows
    /// no others than the default ones.
    pub sign_in_ports: Vec<u16>,
    /// Where Codex keeps its own sign-in: `$CODEX_HOME`, else `~/.codex`.
    pub codex_homes: Vec<PathBuf>,
    pub clock: Arc<dyn Clock>,
    /// `None`: the OS keychain.
    pub vault: Option<Arc<dyn Vault>>,
    /// Off, usage is known from passing answers only (tests that count what the upstream was asked).
    pub read_usage: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("{name} is not a base URL (http or https): {value}")]
    NotAUrl { name: &'static str, value: String },
    #[error("BATON_SIGN_IN_PORTS is no list of ports, such as 1455,1457: {0}")]
    NotPorts(String),
    #[error("there is no home folder to keep Baton's data in: set BATON_DATA_DIR or --data-dir")]
    NoHome,
}

impl Options {
    /// From the environment; `data_dir` and `port` as given on the command line come first.
    pub fn from_env(data_dir: Option<&Path>, port: Option<u16>) -> Result<Self, OptionsError> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = var("HOME").or_else(|| var("USERPROFILE")).map(PathBuf::from);
        let data_dir = match data_dir
            .map(Path::to_path_buf)
            .or_else(|| var("BATON_DATA_DIR").map(PathBuf::from))
        {
            Some(dir) => dir,
            None => default_data_dir(home.as_deref()).ok_or(OptionsError::NoHome)?,
        };
        let codex_home = var("CODEX_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(home?.join(".codex")));
        Ok(Self {
            data_dir,
            upstream: base_url("BATON_UPSTREAM", UPSTREAM)?,
            issuer: base_url("BATON_ISSUER", ISSUER)?,
            port,
            sign_in_ports: sign_in_ports()?,
            codex_homes: codex_home.into_iter().collect(),
            clock: Arc::new(SystemClock),
            vault: None,
            read_usage: true,
        })
    }
}

fn base_url(name: &'static str, default: &str) -> Result<Url, OptionsError> {
    let value = std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .unwrap_or_else(|| default.to_owned());
    match Url::parse(value.trim_end_matches('/')) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(OptionsError::NotAUrl { name, value }),
    }
}

fn sign_in_ports() -> Result<Vec<u16>, OptionsError> {
    match std::env::var("BATON_SIGN_IN_PORTS") {
        Ok(ports) if !ports.is_empty() => ports
            .split(',')
            .map(|port| port.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| OptionsError::NotPorts(ports)),
        _ => Ok(SIGN_IN_PORTS.into()),
    }
}

#[cfg(target_os = "macos")]
fn default_data_dir(home: Option<&Path>) -> Option<PathBuf> {
    Some(home?.join("Library/Application Support/Baton"))
}

#[cfg(windows)]
fn default_data_dir(home: Option<&Path>) -> Option<PathBuf> {
    let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    local
        .or_else(|| Some(home?.join("AppData/Local")))
        .map(|dir| dir.join("Baton"))
}

#[cfg(not(any(target_os = "macos", windows)))]
fn default_data_dir(home: Option<&Path>) -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    data.or_else(|| Some(home?.join(".local/share")))
        .map(|dir| dir.join("baton"))
}

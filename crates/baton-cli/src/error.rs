//! What went wrong and what to do: on stderr, as text or as `{"error":…}`; exit status 1.

use std::{io::Write, process::ExitCode};

use baton_engine::{
    codex::{ConfigError, HomeError},
    control::{
        client::ConnectError,
        protocol::{ControlError, ErrorKind},
    },
    engine::StartError,
    instance::InstanceError,
    options::OptionsError,
};

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error.kind {
            ErrorKind::Keychain => Self(format!("the keychain can't be used: {}", error.message)),
            ErrorKind::OtherVersion | ErrorKind::Invalid | ErrorKind::Failed => Self(error.message),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self(error.to_string())
    }
}

impl From<OptionsError> for Failure {
    fn from(error: OptionsError) -> Self {
        Self(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Instance(error @ InstanceError::Running { .. }) => {
                Self(format!("{error}. `baton status` shows it, `baton stop` ends it."))
            }
            error => Self(error.to_string()),
        }
    }
}

/// At the end of a Baton that could not write.
pub(crate) fn not_kept(why: &str) -> Failure {
    Failure::new(format!(
        "what was done last could not be kept, and holds no longer: {why}"
    ))
}

pub(crate) fn report(failure: &Failure, json: bool) -> ExitCode {
    if json {
        print_json(&failure.0);
    } else {
        complain(format_args!("error: {}", failure.0));
    }
    ExitCode::FAILURE
}

pub(crate) fn print_json(message: &str) {
    complain(format_args!("{}", serde_json::json!({ "error": message })));
}

/// Nobody reads it, or the file that it goes to is on a full disk: no reason to panic.
fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

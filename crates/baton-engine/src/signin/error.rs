//! Why a sign-in came to nothing. No message holds a code, a token or an address that does.

use std::time::Duration;

use crate::control::protocol::{ControlError, ErrorKind};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignInError {
    #[error("the sign-in was cancelled: nothing was added")]
    Cancelled,
    #[error("another sign-in was begun, which ended this one: nothing was added")]
    Replaced,
    #[error("Baton ends, and the sign-in with it: nothing was added")]
    Stopping,
    #[error("nobody has signed in within {} minutes: nothing was added. Begin again", .0.as_secs() / 60)]
    TimedOut(Duration),
    #[error("the code has expired before anybody entered it: nothing was added. Begin again")]
    Expired,
    #[error("the sign-in page says that you didn't agree ({0}): nothing was added")]
    Declined(Box<str>),
    #[error(
        "{0} taken by another program, and the sign-in page sends the browser back to nowhere else. Does a `codex login` \
         wait there? End it and begin again, or sign in with a code: `baton accounts add --device`"
    )]
    PortsTaken(String),
    #[error(
        "the browser can't be waited for ({0}): sign in with a code instead, `baton accounts add --device`"
    )]
    NoListener(String),
    #[error("the sign-in service can't be reached ({0}): nothing was added. Begin again later")]
    Unreachable(String),
    #[error("the sign-in service refuses this sign-in ({0}): nothing was added. Begin again")]
    Refused(String),
    #[error("the sign-in service answered without {0}: nothing was added. Begin again")]
    Lacks(&'static str),
    #[error(
        "the sign-in service offers no device codes: use `baton accounts add` or `baton accounts add --no-browser`"
    )]
    NoDeviceCodes,
    #[error("the system gives no random numbers ({0}), without which no sign-in is safe")]
    Randomness(String),
}

impl From<SignInError> for ControlError {
    fn from(error: SignInError) -> Self {
        let kind = match error {
            SignInError::Cancelled
            | SignInError::Replaced
            | SignInError::Stopping
            | SignInError::TimedOut(_)
            | SignInError::Expired
            | SignInError::Declined(_) => ErrorKind::Invalid,
            _ => ErrorKind::Failed,
        };
        Self::new(kind, error.to_string())
    }
}

//! What the address says that the sign-in page sends the browser back to.

use secrecy::SecretString;
use url::{Url, form_urlencoded};

use super::secrets::Secrets;

pub(super) const PATH: &str = "/auth/callback";

/// Longer queries aren't read (bytes).
const LONGEST: usize = 16 * 1024;
/// Longer reasons aren't shown (bytes).
const LONGEST_REASON: usize = 64;

#[derive(Debug)]
pub enum Callback {
    Code(SecretString),
    /// The service's word for why there is no code; safe to show.
    Refused(Box<str>),
}

/// It ends no sign-in: any page in the browser can send one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCallback {
    #[error(
        "that is no address which the sign-in page sends the browser to; it begins with http://localhost and holds a code"
    )]
    Unreadable,
    #[error(
        "that address belongs to another sign-in, and was left alone: this one still waits for its own page"
    )]
    OtherSignIn,
    #[error("this sign-in has come back already")]
    Twice,
}

/// What a person has pasted.
pub fn pasted(address: &str, secrets: &Secrets) -> Result<Callback, NoCallback> {
    let url = Url::parse(address.trim()).map_err(|_| NoCallback::Unreadable)?;
    if url.path() != PATH {
        return Err(NoCallback::Unreadable);
    }
    read(url.query().unwrap_or_default(), secrets)
}

/// Each parameter once, and with this sign-in's state.
pub fn read(query: &str, secrets: &Secrets) -> Result<Callback, NoCallback> {
    if query.len() > LONGEST {
        return Err(NoCallback::Unreadable);
    }
    let once = |wanted: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == wanted)
            .map(|(_, value)| value);
        let value = values.next().filter(|value| !value.is_empty());
        match values.next() {
            Some(_) => Err(NoCallback::Unreadable),
            None => Ok(value),
        }
    };
    let state = once("state")?.ok_or(NoCallback::Unreadable)?;
    if !secrets.is_state(&state) {
        return Err(NoCallback::OtherSignIn);
    }
    match (once("code")?, once("error")?) {
        (Some(code), None) => Ok(Callback::Code(code.into_owned().into())),
        (None, Some(reason)) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let known = reason.len() <= LONGEST_REASON && reason.bytes().all(plain);
            Ok(Callback::Refused(if known {
                (*reason).into()
            } else {
                "error".into()
            }))
        }
        _ => Err(NoCallback::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn told(address: &str) -> Result<String, NoCallback> {
        let secrets = Secrets {
            verifier: "v".into(),
            state: "mine".into(),
        };
        pasted(address, &secrets).map(|callback| match callback {
            Callback::Code(code) => code.expose_secret().to_owned(),
            Callback::Refused(reason) => format!("refused: {reason}"),
        })
    }

    #[test]
    fn only_an_unambiguous_address_of_this_sign_in_counts() {
        let at = |query: &str| told(&format!(" http://localhost:1455/auth/callback?{query}\n"));
        assert_eq!(at("code=a%26b&scope=x&state=mine").unwrap(), "a&b");
        assert_eq!(
            at("error=access_denied&state=mine").unwrap(),
            "refused: access_denied"
        );
        assert_eq!(at("error=%3Cscript%3E&state=mine").unwrap(), "refused: error");
        assert_eq!(at("code=a&state=other"), Err(NoCallback::OtherSignIn));
        assert_eq!(
            at("error=access_denied&state=other"),
            Err(NoCallback::OtherSignIn)
        );
        for odd in [
            "",
            "code=a",
            "state=mine",
            "code=&state=mine",
            "code=a&code=b&state=mine",
            "code=a&state=other&state=mine",
            "code=a&error=b&state=mine",
        ] {
            assert_eq!(at(odd), Err(NoCallback::Unreadable), "{odd}");
        }
        assert_eq!(told("code=a&state=mine"), Err(NoCallback::Unreadable));
        assert_eq!(
            told("http://localhost:1455/else?code=a&state=mine"),
            Err(NoCallback::Unreadable)
        );
        assert_eq!(
            at(&format!("state=mine&code={}", "a".repeat(LONGEST))),
            Err(NoCallback::Unreadable)
        );
    }
}

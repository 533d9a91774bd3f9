//! What ties a sign-in to the Baton that began it: PKCE's verifier and the state, from the system's randomness.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const BYTES: usize = 32;

/// Whoever learns a code from the browser's address can do nothing with it: it is worth nothing without the verifier.
#[derive(Debug)]
pub struct Secrets {
    pub verifier: SecretString,
    pub state: SecretString,
}

impl Secrets {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self {
            verifier: random()?,
            state: random()?,
        })
    }

    /// S256.
    pub(super) fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose_secret()))
    }

    /// In constant time.
    pub(super) fn is_state(&self, state: &str) -> bool {
        let own = self.state.expose_secret().as_bytes();
        own.ct_eq(state.as_bytes()).into()
    }
}

fn random() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_rfc_7636_and_a_state_is_known_again() {
        let secrets = Secrets {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into(),
            state: "a state".into(),
        };
        assert_eq!(secrets.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(secrets.is_state("a state"));
        assert!(!secrets.is_state("a stat") && !secrets.is_state(""));
        let (one, other) = (Secrets::new().unwrap(), Secrets::new().unwrap());
        assert!(!one.is_state(other.state.expose_secret()));
        assert_eq!(one.verifier.expose_secret().len(), 43);
    }
}

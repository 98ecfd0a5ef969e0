//! Sessions without memory: everything about one is sealed in its token, so that it outlives a restart.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::config::{ConfigError, CredentialConfig};

/// What a session token holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionClaims {
    /// The assumed-role session's ARN.
    pub principal: String,
    /// The session policy's text.
    pub policy: Option<String>,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// A session's credentials.
pub(crate) struct Session {
    pub access_key_id: String,
    pub secret_access_key: Zeroizing<String>,
    pub token: String,
    pub claims: SessionClaims,
}

/// The secret that makes tokens; derived from the configured credentials, so that only they lead to it.
pub(crate) struct SessionSeal {
    sealing: RandomizedNonceKey,
    deriving: hmac::Key,
}

impl SessionSeal {
    /// The same credentials always give the same seal.
    pub fn new(credentials: &[CredentialConfig]) -> Result<Self, ConfigError> {
        let mut secrets: Vec<_> = credentials
            .iter()
            .map(|credential| credential.secret_access_key.as_str())
            .collect();
        secrets.sort_unstable();
        let mut hash = digest::Context::new(&digest::SHA256);
        for secret in secrets {
            hash.update(&secret.len().to_be_bytes());
            hash.update(secret.as_bytes());
        }
        let deriving = hmac::Key::new(hmac::HMAC_SHA256, hash.finish().as_ref());
        let key = hmac::sign(&deriving, b"session tokens");
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, key.as_ref())
            .map_err(|_| ConfigError::value("credentials", "no key for session tokens"))?;
        Ok(Self { sealing, deriving })
    }

    /// Credentials for a new session; `None` if the cryptographic library fails.
    pub fn issue(&self, claims: SessionClaims) -> Option<Session> {
        let mut bytes = serde_json::to_vec(&claims).ok()?;
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::empty(), &mut bytes)
            .ok()?;
        let sealed = [nonce.as_ref().as_slice(), &bytes].concat();
        Some(self.session(BASE64.encode(sealed), claims))
    }

    /// The session of a token, if this seal made it.
    pub fn open(&self, token: &str) -> Option<Session> {
        let bytes = BASE64.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let plain = self
            .sealing
            .open_in_place(nonce, Aad::empty(), &mut sealed)
            .ok()?;
        let claims = serde_json::from_slice(plain).ok()?;
        Some(self.session(token.to_owned(), claims))
    }

    fn session(&self, token: String, claims: SessionClaims) -> Session {
        let derive = |what: &str| hmac::sign(&self.deriving, format!("{what} {token}").as_bytes());
        let id = hex::encode_upper(&derive("access key id").as_ref()[..8]);
        let secret = BASE64.encode(derive("secret access key"));
        Session {
            access_key_id: format!("ASIA{id}"),
            secret_access_key: Zeroizing::new(secret),
            token,
            claims,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seal(secret: &str) -> SessionSeal {
        SessionSeal::new(&[CredentialConfig {
            access_key_id: "AKIA".to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: None,
            principal: "arn:aws:iam::1:user/u".to_owned(),
        }])
        .unwrap()
    }

    fn claims() -> SessionClaims {
        SessionClaims {
            principal: "arn:aws:sts::1:assumed-role/R/s".to_owned(),
            policy: Some("{}".to_owned()),
            expires_ms: 7,
        }
    }

    #[test]
    fn a_token_opens_after_a_restart_and_only_under_the_same_credentials() {
        let issued = seal("one").issue(claims()).unwrap();
        let opened = seal("one").open(&issued.token).unwrap();
        assert_eq!(opened.claims, claims());
        assert_eq!(opened.access_key_id, issued.access_key_id);
        assert_eq!(opened.secret_access_key, issued.secret_access_key);
        assert!(seal("two").open(&issued.token).is_none());
    }

    proptest! {
        #[test]
        fn a_changed_token_never_opens(at in any::<prop::sample::Index>(), text in ".{0,60}") {
            let seal = seal("one");
            let mut token = seal.issue(claims()).unwrap().token.into_bytes();
            let at = at.index(token.len());
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            prop_assert!(seal.open(&String::from_utf8(token).unwrap()).is_none());
            prop_assert!(seal.open(&text).is_none());
        }
    }
}

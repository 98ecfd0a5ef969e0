//! AWS credentials for the agent: fetched once, kept until shortly before their end.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials as Fetched;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use chamber_link::{Credentials, ToAgent, Wanted};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::state::State;

/// Others are fetched this long before the end of those that are held.
const AHEAD: Duration = Duration::from_mins(5);
/// STS and the Pod Identity agent answer within a second.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// The source is asked no more often, however often the agent asks.
const PAUSE: Duration = Duration::from_secs(2);
/// KMS refuses requests that were signed more than five minutes away from its own time.
const CLOCK_TOLERANCE: i64 = 60;

/// What the agent is given, and where it comes from.
pub(crate) struct CredentialsCache {
    source: SharedCredentialsProvider,
    state: Arc<State>,
    // Held while the source is asked, so that it is asked once.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    credentials: Option<Kept>,
    /// When the source was asked last, and what it said where it failed.
    asked: Option<(Instant, Option<String>)>,
}

struct Kept {
    credentials: Fetched,
    /// By the time that passes, not by a clock that may be set.
    until: Option<Instant>,
}

impl Kept {
    fn new(credentials: Fetched) -> Self {
        let left = credentials.expiry().map(|at| {
            let left = at.duration_since(SystemTime::now());
            left.unwrap_or_default()
        });
        Self {
            credentials,
            until: left.and_then(|left| Instant::now().checked_add(left)),
        }
    }

    /// Still good after so long.
    fn lasts(&self, ahead: Duration) -> bool {
        self.until
            .is_none_or(|until| Instant::now() + ahead < until)
    }
}

impl CredentialsCache {
    pub fn new(source: SharedCredentialsProvider, state: Arc<State>) -> Self {
        Self {
            source,
            state,
            held: Mutex::default(),
        }
    }

    /// The answer to a question of the agent.
    pub async fn answer(&self, wanted: &Wanted) -> ToAgent {
        self.judge_clock(wanted.clock);
        let mut held = self.held.lock().await;
        let refused = held.is_refused(wanted);
        if let Some(kept) = &held.credentials
            && kept.lasts(AHEAD)
            && !refused
        {
            return given(&kept.credentials);
        }
        let recently = |(at, _): &&(Instant, Option<String>)| at.elapsed() < PAUSE;
        let failed = match held.asked.as_ref().filter(recently) {
            Some((_, why)) => why.clone(),
            None => self.fetch(&mut held, refused).await,
        };
        match (&held.credentials, failed) {
            (Some(kept), None) => given(&kept.credentials),
            (Some(kept), Some(_)) if kept.lasts(Duration::ZERO) && !held.is_refused(wanted) => {
                given(&kept.credentials)
            }
            (_, Some(why)) => ToAgent::NoCredentials(why),
            (None, None) => ToAgent::NoCredentials("none were fetched".to_owned()),
        }
    }

    /// Asks the source; says why it failed, where it did.
    async fn fetch(&self, held: &mut Held, refused: bool) -> Option<String> {
        if refused {
            held.tell_of_refusal();
        }
        let fetched = timeout(FETCH_TIME, self.source.provide_credentials()).await;
        let why = match fetched {
            Ok(Ok(fetched)) => {
                let expires_at = seconds(fetched.expiry());
                tracing::info!(key = fetched.access_key_id(), expires_at, "AWS credentials");
                self.state.credentials(expires_at);
                held.credentials = Some(Kept::new(fetched));
                None
            }
            Ok(Err(error)) => Some(with_cause(&error)),
            Err(_) => Some(format!("their source did not answer within {FETCH_TIME:?}")),
        };
        if let Some(why) = &why {
            tracing::error!(why, "no AWS credentials for the agent");
            self.state.no_credentials();
        }
        held.asked = Some((Instant::now(), why.clone()));
        why
    }

    /// Says how far the enclave's clock is from this machine's.
    fn judge_clock(&self, clock: Option<u64>) {
        let now = seconds(Some(SystemTime::now())).unwrap_or_default();
        let Some(skew) = clock.and_then(|clock| clock.checked_signed_diff(now)) else {
            return;
        };
        self.state.clock_skew(skew);
        if skew.abs() > CLOCK_TOLERANCE {
            let how = if skew < 0 { "behind" } else { "ahead of" };
            tracing::warn!(
                "the enclave's clock is {} s {how} this machine's: KMS refuses requests that are signed five minutes away from its time; its time is the security module's, so look at this machine's clock first (chronyc tracking)",
                skew.unsigned_abs()
            );
        }
    }
}

impl Held {
    /// Whether KMS has refused what is held here.
    fn is_refused(&self, wanted: &Wanted) -> bool {
        let held = self.credentials.as_ref();
        let held = held.map(|kept| kept.credentials.access_key_id());
        held.is_some() && held == wanted.refused.as_deref()
    }

    fn tell_of_refusal(&self) {
        let Some(kept) = &self.credentials else {
            return;
        };
        let left = kept.until.map(|until| until.duration_since(Instant::now()));
        if kept.lasts(Duration::ZERO) {
            tracing::warn!(
                key = kept.credentials.access_key_id(),
                ?left,
                "KMS calls credentials expired that are valid by this machine's clock: the session was revoked, or this clock is wrong"
            );
        }
    }
}

fn given(found: &Fetched) -> ToAgent {
    ToAgent::Credentials(Credentials {
        access_key_id: found.access_key_id().to_owned(),
        secret_access_key: found.secret_access_key().to_owned(),
        session_token: found.session_token().map(ToOwned::to_owned),
        expires_at: seconds(found.expiry()),
    })
}

fn seconds(at: Option<SystemTime>) -> Option<u64> {
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map(|since| since.as_secs())
}

/// The SDK's own text says little; its cause says why.
fn with_cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;

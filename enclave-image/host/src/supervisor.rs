//! Keeps an enclave running.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use chamber_link::{Start, ToAgent, ToHost};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::credentials::CredentialsCache;
use crate::http;
use crate::launcher::Launcher;
use crate::outcome::Outcome;
use crate::session::{End, Session};
use crate::state::State;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// An enclave that lived this long did not fail because of how it was started.
const STEADY: Duration = Duration::from_mins(1);

/// What a host needs from its `main`.
pub struct Host {
    /// What the agent is started with.
    pub start: Start,
    /// Where credentials for the agent come from.
    pub credentials: SharedCredentialsProvider,
    /// Where the pages are served.
    pub listener: TcpListener,
}

/// Runs until `shutdown` resolves or a seal request, or a rewrap, is refused; a sealed blob is offered until then. A refused or crashed enclave is no reason to end.
pub async fn run(
    host: Host,
    launcher: &mut impl Launcher,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Outcome> {
    run_with(&Arc::new(State::default()), host, launcher, shutdown).await
}

/// [`run`] with a state that others look at, too.
pub(crate) async fn run_with(
    state: &Arc<State>,
    host: Host,
    launcher: &mut impl Launcher,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Outcome> {
    let pages = page_server::serve(host.listener, http::router(Arc::clone(state)));
    let credentials = CredentialsCache::new(host.credentials, Arc::clone(state));
    let credentials = Arc::new(credentials);
    let work = supervise(&host.start, &credentials, state, launcher, shutdown);
    tokio::select! {
        outcome = work => Ok(outcome),
        () = pages => Err(io::Error::other("the pages' server ended")),
    }
}

async fn supervise(
    start: &Start,
    credentials: &Arc<CredentialsCache>,
    state: &Arc<State>,
    launcher: &mut impl Launcher,
    shutdown: impl Future<Output = ()>,
) -> Outcome {
    let mut shutdown = std::pin::pin!(shutdown);
    let mut delay = FIRST_DELAY;
    loop {
        let began = Instant::now();
        let started = tokio::select! {
            started = launcher.launch() => started,
            () = &mut shutdown => {
                state.stopping();
                return Outcome::Stopped;
            }
        };
        let why = match started {
            Ok((enclave, stream)) => {
                let link = chamber_link::connect::<ToHost, ToAgent>(stream);
                let session = Session {
                    start,
                    credentials,
                    state,
                    expected: launcher.measurement(),
                    asking: Arc::new(Semaphore::new(1)),
                    heard: false,
                    enclave,
                };
                match session.run(link, &mut shutdown).await {
                    End::Done(sealed @ Outcome::Sealed { .. }) => {
                        // Too long for a termination message: it is offered until whoever stored it ends this pod.
                        shutdown.await;
                        return sealed;
                    }
                    End::Done(outcome) => return outcome,
                    End::Crashed(why) => why,
                }
            }
            Err(error) => format!("it did not start: {error}"),
        };
        state.crashed();
        if began.elapsed() > STEADY {
            delay = FIRST_DELAY;
        }
        tracing::error!(why, ?delay, "the enclave ended; starting it again");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = &mut shutdown => {
                state.stopping();
                return Outcome::Stopped;
            }
        }
        delay = (delay * 2).min(LONGEST_DELAY);
    }
}

use std::sync::atomic::{AtomicU32, Ordering};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{Result, future};
use tokio::time::sleep;

use super::*;

/// Gives a new key at each call, valid for so long; fails and hangs when told.
#[derive(Debug)]
struct Source {
    calls: Arc<AtomicU32>,
    lasts: Option<Duration>,
    fails_from: u32,
    takes: Duration,
}

impl Source {
    async fn provide(&self) -> Result {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(self.takes).await;
        if call >= self.fails_from {
            return Err(CredentialsError::provider_error("the token file is gone"));
        }
        let expiry = self.lasts.map(|lasts| SystemTime::now() + lasts);
        Ok(Fetched::new(
            format!("ASIA{call}"),
            "s",
            None,
            expiry,
            "test",
        ))
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.provide())
    }
}

const HOUR: Duration = Duration::from_hours(1);

struct Bench {
    cache: CredentialsCache,
    state: Arc<State>,
    calls: Arc<AtomicU32>,
}

fn bench(lasts: Option<Duration>, fails_from: u32, takes: Duration) -> Bench {
    let calls = Arc::new(AtomicU32::new(0));
    let state = Arc::new(State::default());
    let source = Source {
        calls: Arc::clone(&calls),
        lasts,
        fails_from,
        takes,
    };
    let source = SharedCredentialsProvider::new(source);
    Bench {
        cache: CredentialsCache::new(source, Arc::clone(&state)),
        state,
        calls,
    }
}

impl Bench {
    /// The key id, or why there is none.
    async fn ask(&self, refused: Option<&str>) -> std::result::Result<String, String> {
        let wanted = Wanted {
            refused: refused.map(ToOwned::to_owned),
            clock: None,
        };
        match self.cache.answer(&wanted).await {
            ToAgent::Credentials(given) => Ok(given.access_key_id.clone()),
            ToAgent::NoCredentials(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn they_are_fetched_once_and_again_five_minutes_before_their_end() {
    let bench = bench(Some(HOUR), u32::MAX, Duration::ZERO);
    for _ in 0..10 {
        assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    }
    sleep(Duration::from_mins(54)).await;
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    sleep(Duration::from_mins(2)).await;
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA2");
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn those_without_an_end_are_kept() {
    let bench = bench(None, u32::MAX, Duration::ZERO);
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    sleep(HOUR * 1000).await;
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    assert_eq!(bench.ask(Some("ASIA1")).await.unwrap(), "ASIA2");
}

#[tokio::test(start_paused = true)]
async fn what_kms_refused_is_fetched_again_but_only_what_is_held_and_not_in_a_flood() {
    let bench = bench(Some(HOUR), u32::MAX, Duration::ZERO);
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    sleep(PAUSE).await;
    assert_eq!(
        bench.ask(Some("ASIA0")).await.unwrap(),
        "ASIA1",
        "long gone"
    );
    assert_eq!(bench.ask(Some("ASIA1")).await.unwrap(), "ASIA2");
    for _ in 0..1000 {
        assert_eq!(bench.ask(Some("ASIA2")).await.unwrap(), "ASIA2");
    }
    assert_eq!(bench.calls(), 2);
    sleep(PAUSE).await;
    assert_eq!(bench.ask(Some("ASIA2")).await.unwrap(), "ASIA3");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_leaves_what_is_still_valid() {
    let bench = bench(Some(HOUR), 2, Duration::ZERO);
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    sleep(Duration::from_mins(56)).await;
    assert_eq!(bench.ask(None).await.unwrap(), "ASIA1");
    assert_eq!(bench.calls(), 2);
    let refused = bench.ask(Some("ASIA1")).await.unwrap_err();
    assert!(refused.contains("the token file is gone"), "{refused}");
    sleep(AHEAD).await;
    let why = bench.ask(None).await.unwrap_err();
    assert!(why.contains("the token file is gone"), "{why}");
    let page = bench.state.render();
    assert!(
        page.contains("\nchamber_credentials_total{result=\"fetched\"} 1\n"),
        "{page}"
    );
    assert!(
        page.contains("\nchamber_credentials_total{result=\"failed\"} 2\n"),
        "{page}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_given_up() {
    let bench = bench(Some(HOUR), u32::MAX, HOUR);
    let why = bench.ask(None).await.unwrap_err();
    assert!(why.contains("within 10s"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_the_enclave_is_compared_with_the_machines() {
    let bench = bench(None, u32::MAX, Duration::ZERO);
    assert!(
        !bench
            .state
            .render()
            .contains("\nchamber_enclave_clock_skew_seconds "),
        "unknown"
    );
    for (ahead, expected) in [(-4000_i64, -4000..=-3990), (90, 85..=90)] {
        let now = seconds(Some(SystemTime::now())).unwrap();
        let wanted = Wanted {
            refused: None,
            clock: now.checked_add_signed(ahead),
        };
        bench.cache.answer(&wanted).await;
        let page = bench.state.render();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("chamber_enclave_clock_skew_seconds "));
        let skew: i64 = line.unwrap().parse().unwrap();
        assert!(expected.contains(&skew), "{skew}");
    }
}

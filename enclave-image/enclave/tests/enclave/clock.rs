//! The time is the security module's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use attestation::Root;
use aws_smithy_async::time::TimeSource;
use enclave::Fatal;
use enclave::clock::Clock;
use nsm_emulator::TestRoot;
use rustls::time_provider::TimeProvider;

use crate::nsm::with_clock;

fn root(of: &TestRoot) -> Root {
    Root::from_pem(&of.certificate_pem()).unwrap()
}

#[test]
fn it_goes_on_as_the_counter_does() {
    static COUNTER: AtomicU64 = AtomicU64::new(1000);
    let clock = Clock::new(Duration::from_secs(5), || {
        Duration::from_secs(COUNTER.load(Ordering::Relaxed))
    });
    assert_eq!(clock.now(), Duration::from_secs(5));
    COUNTER.store(1030, Ordering::Relaxed);
    assert_eq!(clock.now(), Duration::from_secs(35));
    assert_eq!(clock.current_time().unwrap().as_secs(), 35);
    let signed = TimeSource::now(&clock).duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(signed, Duration::from_secs(35));
    COUNTER.store(0, Ordering::Relaxed);
    assert_eq!(
        clock.now(),
        Duration::from_secs(5),
        "never before the reading"
    );
}

#[tokio::test(start_paused = true)]
async fn it_begins_with_the_modules_time_and_is_set_anew_every_few_minutes() {
    let module = TestRoot::generate().unwrap();
    let now = Clock::start(&with_clock(&module, &Arc::default()), &root(&module)).unwrap();
    // The certificates of the emulator are of today.
    let day = now.now();
    let unix_ms = Arc::new(AtomicU64::new(u64::try_from(day.as_millis()).unwrap()));
    let nsm = with_clock(&module, &unix_ms);
    let clock = Clock::start(&nsm, &root(&module)).unwrap();
    let later = day + Duration::from_secs(1000);
    unix_ms.store(u64::try_from(later.as_millis()).unwrap(), Ordering::Relaxed);
    let told = Arc::new(Mutex::new(Vec::new()));
    let (kept, heard) = (clock.clone(), Arc::clone(&told));
    let keeping = tokio::spawn(kept.keep(nsm, root(&module), move |unix| {
        heard.lock().unwrap().push(unix.as_secs());
    }));
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert!(told.lock().unwrap().is_empty() && clock.now() < later);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*told.lock().unwrap(), [later.as_secs()]);
    assert!(clock.now().abs_diff(later) < Duration::from_mins(1));
    keeping.abort();
}

#[test]
fn a_module_of_another_root_sets_no_clock() {
    let (module, other) = (TestRoot::generate().unwrap(), TestRoot::generate().unwrap());
    let nsm = with_clock(&module, &Arc::default());
    for root in [root(&other), Root::aws()] {
        let refused = Clock::start(&nsm, &root).unwrap_err();
        assert!(matches!(refused, Fatal::Untrusted(_)), "{refused}");
        assert!(
            refused.to_string().contains("trusts another root"),
            "{refused}"
        );
    }
}

//! The whole agent, with this test as its host.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::{Link, LinkError, ShareResult, Start, Task, ToAgent, ToHost};
use measurement::Measurement;
use tokio::io::DuplexStream;
use unseal_agent::{AgentError, Trust, TrustError, run};

use crate::chamber::{Chamber, Noted, PATIENCE};
use crate::world::{ADMITTED, CHAMBER, CLUSTER, FOREIGN, World, request};

/// How an agent ends that has this stream to its host.
async fn ended(world: &World, enclave: DuplexStream) -> Result<(), AgentError> {
    let trust = Trust {
        root: world.root(),
        authorities: Vec::new(),
    };
    let (nsm, kms) = (world.nsm(ADMITTED), |_, _| world.kms());
    run(enclave, nsm, kms, Ok(trust), &mut Noted::default()).await
}

#[tokio::test]
async fn a_refused_chamber_stays_sealed_and_unseals_by_itself_once_the_policy_admits_it() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let blob = sealed_blob::bind(&inner, &Measurement::image(FOREIGN)).unwrap();
    let mut chamber = Chamber::unsealing(&world, FOREIGN, &blob).await;
    for _ in 0..2 {
        let (why, denied) = chamber.failure().await;
        assert_eq!(denied, 3);
        assert!(why.contains("AccessDeniedException"), "{why}");
    }
    assert!(chamber.workload.commitments.lock().unwrap().is_empty());
    world.admit(&[ADMITTED, FOREIGN]).await;
    chamber.unsealed().await;
    assert_eq!(
        chamber.asked, 1,
        "three shares and three attempts share what was asked for once"
    );
    assert_eq!(
        *chamber.workload.commitments.lock().unwrap(),
        [inner.commitment]
    );
}

#[tokio::test]
async fn a_blob_of_another_release_says_so_and_asks_nobody() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, FOREIGN, &blob).await;
    let (why, _) = chamber.failure().await;
    assert!(why.contains(&Measurement::image(ADMITTED).id()), "{why}");
    assert!(why.contains(&Measurement::image(FOREIGN).id()), "{why}");
    assert_eq!(chamber.asked, 0, "no credentials were needed");
}

#[tokio::test]
async fn a_blob_of_another_cluster_or_no_blob_is_refused() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    for (blob, cluster, expected) in [
        (
            BASE64.encode(&blob),
            "other",
            "is of cluster demo-local-signer",
        ),
        ("%%%".into(), CLUSTER, "not base64"),
        (BASE64.encode("nothing"), CLUSTER, "magic"),
    ] {
        let task = Task::Unseal {
            blob,
            cluster_id: Some(cluster.into()),
        };
        let mut chamber = Chamber::start(&world, ADMITTED, task).await;
        let (why, _) = chamber.failure().await;
        assert!(why.contains(expected), "{why}");
    }
}

#[tokio::test]
async fn without_credentials_it_stays_sealed_and_asks_again() {
    let world = World::start().await;
    let (blob, inner) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    chamber.credentials = false;
    let (_, denied) = chamber.failure().await;
    assert_eq!(denied, 0, "nothing of it is an attestation's fault");
    chamber.credentials = true;
    chamber.unsealed().await;
    assert_eq!(
        *chamber.workload.commitments.lock().unwrap(),
        [inner.commitment]
    );
}

#[tokio::test]
async fn a_share_that_was_throttled_is_asked_for_until_it_opens_although_the_others_are_enough() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    world.knobs(r#"{"throttle":{"Decrypt":1}}"#).await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    let (mut throttled, mut opened) = (Vec::new(), Vec::new());
    while throttled.is_empty() || opened.len() < 3 {
        if let ToHost::Share { key, result, .. } = chamber.next().await {
            match result {
                ShareResult::Opened => opened.push(key),
                ShareResult::Throttled => throttled.push(key),
                other => panic!("{key}: {other:?}"),
            }
        }
    }
    assert_eq!((throttled.len(), opened.len()), (1, 3));
    assert_eq!(opened.last(), throttled.last());
    assert_eq!(chamber.workload.commitments.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn credentials_that_kms_calls_expired_are_dropped_and_the_host_hears_which() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    world
        .knobs(r#"{"failures":{"Decrypt":{"code":"ExpiredTokenException","count":3}}}"#)
        .await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    let (why, _) = chamber.failure().await;
    assert!(why.contains("ExpiredTokenException"), "{why}");
    chamber.unsealed().await;
    // How many shares had begun when the first was refused is a matter of time: each question after the first says why.
    let asked = usize::try_from(chamber.asked).unwrap();
    assert!((2..=4).contains(&asked), "{asked} questions");
    assert_eq!(chamber.refused, vec![CHAMBER.to_owned(); asked - 1]);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_as_such() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    world.knobs(r#"{"clockOffsetSeconds":7200}"#).await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    let (why, denied) = chamber.failure().await;
    assert!(why.contains("ClockSkew") && denied == 0, "{why}");
    world.knobs(r#"{"clockOffsetSeconds":0}"#).await;
    chamber.unsealed().await;
}

#[tokio::test]
async fn a_fault_of_the_image_is_told_to_the_host_and_stops_every_task() {
    let world = World::start().await;
    let (stream, enclave) = tokio::io::duplex(4096);
    let fault = TrustError::Image("/etc/chamber/workload.json: no port".into());
    let (nsm, kms) = (world.nsm(ADMITTED), world.kms());
    let agent = tokio::spawn(async move {
        run(enclave, nsm, |_, _| kms, Err(fault), &mut Noted::default()).await
    });
    let mut host: Link<ToHost, ToAgent> = chamber_link::connect(stream);
    assert!(matches!(
        host.receiver.receive().await,
        Ok(ToHost::Hello { .. })
    ));
    let start = Start {
        region: "us-east-1".into(),
        manifest: None,
        task: Task::Seal(request()),
    };
    host.sender.send(ToAgent::Start(start)).await.unwrap();
    let Ok(ToHost::SealFailed { message }) = host.receiver.receive().await else {
        panic!("sealed all the same");
    };
    assert!(message.contains("workload.json: no port"), "{message}");
    drop(host);
    assert!(agent.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_says_what_to_do_is_left() {
    let world = World::start().await;
    let (_stream, enclave) = tokio::io::duplex(4096);
    assert!(matches!(
        ended(&world, enclave).await,
        Err(AgentError::Silent)
    ));
}

#[tokio::test]
async fn a_crashed_workload_gets_the_key_again() {
    let world = World::start().await;
    let (blob, inner) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    chamber.unsealed().await;
    chamber.workload.crash.notify_one();
    let ended = |m: &ToHost| matches!(m, ToHost::WorkloadEnded { .. });
    chamber.until(ended).await;
    chamber.unsealed().await;
    assert_eq!(
        *chamber.workload.commitments.lock().unwrap(),
        [inner.commitment; 2]
    );
}

#[tokio::test]
async fn stop_ends_the_workload_and_then_the_agent() {
    let world = World::start().await;
    let (blob, _) = world.sealed().await;
    let mut chamber = Chamber::unsealing(&world, ADMITTED, &blob).await;
    chamber.unsealed().await;
    chamber.say(ToAgent::Stop).await;
    assert!(chamber.agent.await.unwrap().is_ok());
    assert!(*chamber.workload.stopped.lock().unwrap());
}

#[tokio::test]
async fn a_lost_host_ends_the_workload_even_while_sealed() {
    let world = World::start().await;
    let (_, inner) = world.sealed().await;
    let blob = sealed_blob::bind(&inner, &Measurement::image(FOREIGN)).unwrap();
    let mut chamber = Chamber::unsealing(&world, FOREIGN, &blob).await;
    chamber.failure().await;
    let Chamber {
        link,
        agent,
        workload,
        ..
    } = chamber;
    link.sender.close().await.unwrap();
    drop(link);
    let _ended = tokio::time::timeout(PATIENCE, agent).await.unwrap();
    assert!(*workload.stopped.lock().unwrap());
}

#[tokio::test]
async fn a_seal_request_is_answered_once_with_a_blob_that_unseals() {
    let world = World::start().await;
    let mut chamber = Chamber::start(&world, ADMITTED, Task::Seal(request())).await;
    let seen = chamber.until(|m| matches!(m, ToHost::Sealed { .. })).await;
    let Some(ToHost::Sealed { blob, commitment }) = seen.last() else {
        panic!("not sealed");
    };
    let blob = BASE64.decode(blob).unwrap();
    let mut other = Chamber::unsealing(&world, ADMITTED, &blob).await;
    other.unsealed().await;
    let got = other.workload.commitments.lock().unwrap()[0];
    assert_eq!(hex::encode(got), *commitment);
}

#[tokio::test]
async fn a_host_that_does_not_begin_with_start_is_of_another_release() {
    let world = World::start().await;
    let (host, enclave) = tokio::io::duplex(4096);
    let link: Link<ToHost, ToAgent> = chamber_link::connect(host);
    link.sender.send(ToAgent::Stop).await.unwrap();
    let ended = ended(&world, enclave).await;
    assert!(matches!(ended, Err(AgentError::NoStart)));
}

#[tokio::test]
async fn a_host_that_says_nothing_sensible_is_an_error() {
    let world = World::start().await;
    let (mut host, enclave) = tokio::io::duplex(4096);
    tokio::io::AsyncWriteExt::write_all(&mut host, b"GET / HTTP/1.1\r\n")
        .await
        .unwrap();
    let ended = ended(&world, enclave).await;
    let expected = |error: &AgentError| {
        matches!(
            error,
            AgentError::Link(LinkError::Version { found: b'G', .. })
        )
    };
    assert!(ended.as_ref().is_err_and(expected), "{ended:?}");
}

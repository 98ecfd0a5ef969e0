//! Host and agent of two versions: what the version before manifests says is heard, and it hears what is for it.
#![expect(clippy::unwrap_used, reason = "a test")]

use chamber_link::{Start, Task, ToAgent, ToHost, Wanted};
use serde_json::{Value, json};

/// The messages as that version had them.
mod before {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type", content = "value", rename_all = "camelCase")]
    pub enum ToAgent {
        Start(Start),
        NoCredentials(String),
        Stop,
    }

    #[derive(Debug, Deserialize)]
    pub struct Start {
        pub region: String,
        pub task: Task,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub enum Task {
        Unseal {
            blob: String,
            #[serde(rename = "clusterId")]
            cluster_id: Option<String>,
        },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(
        tag = "type",
        rename_all = "camelCase",
        rename_all_fields = "camelCase"
    )]
    pub enum ToHost {
        Hello {
            image_sha384: String,
        },
        NeedCredentials,
        AttemptFailed {
            message: String,
            retry_in_millis: u64,
        },
        Sealed {
            blob: String,
            commitment: String,
        },
        SealFailed {
            message: String,
        },
    }
}

fn to_host(said: Value) -> ToHost {
    serde_json::from_value(said).unwrap()
}

#[test]
fn an_agent_of_before_is_heard() {
    let said = json!({"type": "needCredentials"});
    assert_eq!(to_host(said), ToHost::NeedCredentials(Wanted::default()));
    let said = json!({"type": "hello", "imageSha384": "00"});
    let heard = ToHost::Hello {
        image_sha384: "00".into(),
        attests: false,
    };
    assert_eq!(to_host(said), heard, "it is not asked: it would end");
    let said = json!({"type": "attemptFailed", "message": "m", "retryInMillis": 7});
    let heard = ToHost::AttemptFailed {
        message: "m".into(),
        retry_in_millis: 7,
    };
    assert_eq!(to_host(said), heard);
    let said = json!({"type": "share", "key": "k", "result": "key_unusable", "detail": ""});
    assert!(matches!(to_host(said), ToHost::Share { .. }));
    let said = json!({"type": "sealed", "blob": "QQ==", "commitment": "c0"});
    assert!(matches!(to_host(said), ToHost::Sealed { blob, .. } if blob == "QQ=="));
}

#[test]
fn a_host_of_before_gives_no_manifest_and_the_task_is_its_own() {
    let said = json!({"type": "start", "value": {"region": "r",
        "task": {"unseal": {"blob": "QQ==", "clusterId": null}}}});
    let ToAgent::Start(Start { manifest, task, .. }) = serde_json::from_value(said).unwrap() else {
        panic!("no start");
    };
    assert_eq!(manifest, None);
    assert!(matches!(task, Task::Unseal { blob, cluster_id: None } if blob == "QQ=="));
}

/// It measures no authority, so it leaves the manifest alone.
#[test]
fn an_agent_of_before_hears_its_task_beside_a_manifest() {
    let start = |task| {
        let start = Start {
            region: "r".into(),
            manifest: Some("TQ==".into()),
            task,
        };
        let said = serde_json::to_value(ToAgent::Start(start)).unwrap();
        serde_json::from_value::<before::ToAgent>(said)
    };
    let unseal = Task::Unseal {
        blob: "QQ==".into(),
        cluster_id: Some("one".into()),
    };
    let before::ToAgent::Start(heard) = start(unseal).unwrap() else {
        panic!("no start");
    };
    let before::Task::Unseal { blob, cluster_id } = heard.task;
    assert_eq!((heard.region.as_str(), blob.as_str()), ("r", "QQ=="));
    assert_eq!(cluster_id.as_deref(), Some("one"));
    // A task that it does not know it does not take for another one.
    let rewrap = Task::Rewrap {
        blob: "QQ==".into(),
        previous: "TQ==".into(),
    };
    assert!(start(rewrap).is_err());
    for said in [ToAgent::NoCredentials("none".into()), ToAgent::Stop] {
        let said = serde_json::to_value(said).unwrap();
        let heard: before::ToAgent = serde_json::from_value(said).unwrap();
        match heard {
            before::ToAgent::NoCredentials(why) => assert_eq!(why, "none"),
            before::ToAgent::Stop => {}
            before::ToAgent::Start(start) => panic!("{start:?}"),
        }
    }
}

#[test]
fn a_host_of_before_hears_what_it_asked_for() {
    let hear = |said: &ToHost| -> before::ToHost {
        serde_json::from_value(serde_json::to_value(said).unwrap()).unwrap()
    };
    let wanted = Wanted {
        refused: Some("AKIA".into()),
        clock: Some(7),
    };
    let heard = hear(&ToHost::NeedCredentials(wanted));
    assert_eq!(heard, before::ToHost::NeedCredentials);
    let message = "no cluster manifest was given".to_owned();
    let heard = hear(&ToHost::AttemptFailed {
        message: message.clone(),
        retry_in_millis: 7,
    });
    let told = before::ToHost::AttemptFailed {
        message: message.clone(),
        retry_in_millis: 7,
    };
    assert_eq!(heard, told);
    let heard = hear(&ToHost::SealFailed {
        message: message.clone(),
    });
    assert_eq!(heard, before::ToHost::SealFailed { message });
    let image_sha384 = "00".to_owned();
    let heard = hear(&ToHost::Hello {
        image_sha384: image_sha384.clone(),
        attests: true,
    });
    assert_eq!(heard, before::ToHost::Hello { image_sha384 });
    let (blob, commitment) = ("QQ==".to_owned(), "c0".to_owned());
    let heard = hear(&ToHost::Sealed {
        blob: blob.clone(),
        commitment: commitment.clone(),
    });
    assert_eq!(heard, before::ToHost::Sealed { blob, commitment });
}

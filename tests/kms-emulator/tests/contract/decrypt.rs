//! Answers to enclaves: opened by parsers that are not ours, and compared with the bytes that KMS sends.

use std::io::Write;
use std::process::{Command, Stdio};

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;

use crate::enclave::Enclave;
use crate::world::{ADMITTED, World, code, key, message, who};

/// Four answers in a row, so that every form comes.
async fn answers(world: &World, enclave: &Enclave, plaintext: &[u8]) -> Vec<Vec<u8>> {
    let kms = world.kms(who::CHAMBER);
    let encrypt = kms
        .encrypt()
        .key_id(key("share-a"))
        .plaintext(Blob::new(plaintext));
    let share = encrypt
        .encryption_context("index", "1")
        .send()
        .await
        .unwrap();
    let mut answers = Vec::new();
    for _ in 0..4 {
        let decrypt = kms
            .decrypt()
            .key_id(key("share-a"))
            .encryption_context("index", "1");
        let decrypt = decrypt.ciphertext_blob(share.ciphertext_blob.clone().unwrap());
        let answer = decrypt.recipient(enclave.recipient()).send().await.unwrap();
        assert_eq!(
            answer.plaintext, None,
            "attested answers carry no plaintext"
        );
        assert_eq!(answer.key_id.as_deref(), Some(key("share-a").as_str()));
        answers.push(answer.ciphertext_for_recipient.unwrap().into_inner());
    }
    answers
}

#[tokio::test]
async fn an_admitted_enclave_opens_every_form() {
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    for length in [1, 15, 16, 32, 33, 4096] {
        let plaintext = vec![0x42; length];
        for answer in answers(&world, &enclave, &plaintext).await {
            assert_eq!(enclave.open(&answer), plaintext, "{length} bytes");
        }
    }
}

/// The tags and lengths of the captures in aws-nitro-enclaves-sdk-c's own test, for 32 bytes of plaintext.
#[tokio::test]
async fn the_bytes_have_the_shape_of_the_captures() {
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    let answers = answers(&world, &enclave, &[7; 32]).await;
    let head = "30800609 2a864886f70d010703 a080 3080 020102 3182016b 30820167 020102 8020";
    let after_identifier = "303c 0609 2a864886f70d010107 302f a00f 300d 0609 608648016503040201 0500 \
        a11c 301a 0609 2a864886f70d010108 300d 0609 608648016503040201 0500 0482 0100";
    let after_key = "3080 0609 2a864886f70d010701 301d 0609 60864801650304012a 0410";
    let bytes = |hex_text: &str| hex::decode(hex_text.replace([' ', '\n'], "")).unwrap();
    let (head, after_identifier, after_key) =
        (bytes(head), bytes(after_identifier), bytes(after_key));
    for answer in &answers {
        let rest = answer.strip_prefix(head.as_slice()).unwrap();
        let rest = rest[32..]
            .strip_prefix(after_identifier.as_slice())
            .unwrap();
        assert!(rest[256..].starts_with(&after_key));
    }
    let content = |answer: &[u8]| {
        answer[head.len() + 32 + after_identifier.len() + 256 + after_key.len() + 16..].to_vec()
    };
    // Constructed with one segment: 48 bytes, then an end for it and each of the four structures around it.
    let one = content(&answers[0]);
    assert_eq!(one[..4], [0xA0, 0x80, 0x04, 48]);
    assert_eq!(one[52..], [0; 10]);
    assert_eq!(answers[0].len(), 493, "as long as the capture");
    // Primitive.
    for answer in [&answers[1], &answers[3]] {
        let primitive = content(answer);
        assert_eq!(primitive[..2], [0x80, 48]);
        assert_eq!(primitive[50..], [0; 8]);
    }
    // Constructed with three segments.
    let three = content(&answers[2]);
    assert_eq!(three[..4], [0xA0, 0x80, 0x04, 16]);
    assert_eq!((three[20], three[38]), (0x04, 0x04));
    let short = self::answers(&world, &enclave, &[7; 15]).await;
    assert_eq!(
        short[1].len(),
        457,
        "as long as the capture of the primitive form"
    );
}

#[tokio::test]
async fn openssl_opens_every_form() {
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    if Command::new("openssl").arg("version").output().is_err() {
        let demanded = std::env::var_os("SKIP_NOTHING").is_some();
        assert!(!demanded, "there is no openssl on this machine");
        eprintln!("skipped: there is no openssl on this machine");
        return;
    }
    let directory = std::env::temp_dir().join(format!("kms-emulator-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let key = directory.join("key.der");
    std::fs::write(&key, enclave.private_key_pkcs8()).unwrap();
    for answer in answers(&world, &enclave, b"a share that openssl has to find").await {
        let mut child = Command::new("openssl")
            .args([
                "cms", "-decrypt", "-inform", "DER", "-keyform", "DER", "-inkey",
            ])
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&answer).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert_eq!(output.stdout, b"a share that openssl has to find");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn data_keys_come_encrypted_to_the_enclave_and_decrypt_again() {
    let world = World::start_with(|config| {
        let statements = config.keys[0].policy["Statement"].as_array_mut().unwrap();
        statements[2]["Action"] = serde_json::json!(["kms:Decrypt", "kms:GenerateDataKey"]);
    })
    .await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    let kms = world.kms(who::CHAMBER);
    let generate = kms.generate_data_key().key_id(key("share-a"));
    let generate = generate.key_spec(DataKeySpec::Aes256);
    let answer = generate
        .recipient(enclave.recipient())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.plaintext, None);
    let plain = enclave.open(answer.ciphertext_for_recipient.unwrap().as_ref());
    assert_eq!(plain.len(), 32);
    let decrypt = kms
        .decrypt()
        .ciphertext_blob(answer.ciphertext_blob.unwrap());
    let again = decrypt.recipient(enclave.recipient()).send().await.unwrap();
    assert_eq!(
        enclave.open(again.ciphertext_for_recipient.unwrap().as_ref()),
        plain
    );
}

#[tokio::test]
async fn an_open_key_decrypts_without_a_recipient() {
    let world = World::start_with(|config| {
        let statements = config.keys[0].policy["Statement"].as_array_mut().unwrap();
        statements.truncate(1);
    })
    .await;
    let kms = world.kms(who::POWER_USER);
    let encrypt = kms
        .encrypt()
        .key_id("share-a")
        .plaintext(Blob::new(*b"plain"));
    let sealed = encrypt.send().await.unwrap().ciphertext_blob.unwrap();
    let answer = kms
        .decrypt()
        .ciphertext_blob(sealed.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.plaintext.unwrap().as_ref(), b"plain");
    assert_eq!(answer.ciphertext_for_recipient, None);
    let dry = kms
        .decrypt()
        .ciphertext_blob(sealed)
        .dry_run(true)
        .send()
        .await;
    assert_eq!(code(dry), "DryRunOperationException");
}

#[tokio::test]
async fn blobs_outlive_a_restart() {
    let world = World::start().await;
    let kms = world.kms(who::CHAMBER);
    let encrypt = kms
        .encrypt()
        .key_id(key("share-a"))
        .plaintext(Blob::new(*b"old"));
    let sealed = encrypt.send().await.unwrap().ciphertext_blob.unwrap();
    world.stop().await;
    let world = World::start().await;
    let enclave = Enclave::new(&world.root, ADMITTED);
    let decrypt = world.kms(who::CHAMBER).decrypt().ciphertext_blob(sealed);
    let answer = decrypt.recipient(enclave.recipient()).send().await.unwrap();
    assert_eq!(
        enclave.open(answer.ciphertext_for_recipient.unwrap().as_ref()),
        b"old"
    );
}

#[tokio::test]
async fn a_document_without_an_rsa_key_cannot_be_answered() {
    let world = World::start().await;
    let kms = world.kms(who::CHAMBER);
    let encrypt = kms
        .encrypt()
        .key_id(key("share-a"))
        .plaintext(Blob::new(*b"x"));
    let sealed = encrypt.send().await.unwrap().ciphertext_blob.unwrap();
    let nsm =
        nsm_emulator::NsmEmulator::new(world.root.issue_signer().unwrap(), [(0, ADMITTED)].into());
    for (public_key, why) in [(None, "no public_key"), (Some(vec![1, 2, 3]), "RSA")] {
        let request = nsm_emulator::AttestRequest {
            public_key,
            ..Default::default()
        };
        let document = nsm.attest(&request).unwrap();
        let decrypt = kms.decrypt().ciphertext_blob(sealed.clone());
        let result = decrypt
            .recipient(crate::enclave::recipient(document))
            .send()
            .await;
        let text = message(result);
        assert!(text.contains(why), "{text}");
    }
}

//! A small writer of image files.

use base64::Engine;
use measurement::eif::{HEADER_BYTES, SECTION_HEADER_BYTES};

const METADATA: &str = r#"{"ImageName":"chamber","ImageVersion":"1.2","BuildMetadata":{"BuildTool":"test"},"DockerInfo":{"Os":"linux"}}"#;

pub fn sections(signed: bool) -> Vec<(u16, Vec<u8>)> {
    let mut sections = vec![
        (1, b"kernel".repeat(12_000)),
        (2, b"reboot=k panic=30".to_vec()),
        // In the order in which AWS's tools write them.
        (5, METADATA.into()),
        (3, b"first ramdisk".to_vec()),
        (3, b"second ramdisk".to_vec()),
    ];
    if signed {
        sections.push((4, signature(b"a certificate")));
    }
    sections
}

pub fn signature(certificate: &[u8]) -> Vec<u8> {
    let body = base64::engine::general_purpose::STANDARD.encode(certificate);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    // As serde writes a Vec<u8>: a list of numbers.
    let numbers = |bytes: &[u8]| {
        let numbers = bytes
            .iter()
            .map(|byte| ciborium::Value::from(u64::from(*byte)));
        ciborium::Value::Array(numbers.collect())
    };
    let one = ciborium::Value::Map(vec![
        ("signing_certificate".into(), numbers(pem.as_bytes())),
        ("signature".into(), numbers(&[1, 2, 3])),
    ]);
    let mut section = Vec::new();
    ciborium::into_writer(&ciborium::Value::Array(vec![one]), &mut section).unwrap();
    section
}

pub fn write(sections: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    header[..4].copy_from_slice(b".eif");
    header[5] = 4;
    header[26..28].copy_from_slice(&u16::try_from(sections.len()).unwrap().to_be_bytes());
    let mut body = Vec::new();
    for (index, (kind, data)) in sections.iter().enumerate() {
        let offset = u64::try_from(HEADER_BYTES + body.len()).unwrap();
        let size = u64::try_from(data.len()).unwrap().to_be_bytes();
        header[28 + 8 * index..36 + 8 * index].copy_from_slice(&offset.to_be_bytes());
        header[284 + 8 * index..292 + 8 * index].copy_from_slice(&size);
        let mut section = [0; SECTION_HEADER_BYTES];
        section[..2].copy_from_slice(&kind.to_be_bytes());
        section[4..].copy_from_slice(&size);
        body.extend(section);
        body.extend(data);
    }
    let crc = crc32(header[..HEADER_BYTES - 4].iter().chain(&body));
    header[HEADER_BYTES - 4..].copy_from_slice(&crc.to_be_bytes());
    header.extend(body);
    header
}

/// Bit by bit, so that it shares nothing with the reader's.
fn crc32<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

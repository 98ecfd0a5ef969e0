//! Image files for the tests: good ones by the writer under test, broken ones put together by hand.

use base64::Engine;
use measurement::Pcr;
use measurement::eif::{HEADER_BYTES, Image, SECTION_HEADER_BYTES, signature_section, write};

pub const METADATA: &str = r#"{"ImageName":"chamber","ImageVersion":"1.2","BuildMetadata":{"BuildTool":"test"},"DockerInfo":{"Os":"linux"}}"#;
pub const CMDLINE: &str = "reboot=k panic=30";

/// Longer than what is read at once.
pub fn kernel() -> Vec<u8> {
    b"kernel".repeat(12_000)
}

/// A good image of two ramdisks that are no archives.
pub fn image(signed: bool) -> Vec<u8> {
    let ramdisks = [b"first ramdisk".to_vec(), b"second ramdisk".to_vec()];
    bytes(&kernel(), &ramdisks, signed.then(signature).as_deref())
}

pub fn bytes(kernel: &[u8], ramdisks: &[Vec<u8>], signature: Option<&[u8]>) -> Vec<u8> {
    let image = Image {
        kernel,
        cmdline: CMDLINE,
        ramdisks,
        metadata: METADATA,
    };
    let mut file = Vec::new();
    write(&image, signature, &mut file).unwrap();
    file
}

/// The sections of [`image`] with the numbers of their types.
pub fn sections(signed: bool) -> Vec<(u16, Vec<u8>)> {
    let mut sections = vec![
        (1, kernel()),
        (2, CMDLINE.into()),
        (5, METADATA.into()),
        (3, b"first ramdisk".to_vec()),
        (3, b"second ramdisk".to_vec()),
    ];
    sections.extend(signed.then(|| (4, signature())));
    sections
}

/// A signature that nobody made, with a certificate that is none: the reader verifies neither.
fn signature() -> Vec<u8> {
    let body = base64::engine::general_purpose::STANDARD.encode(b"a certificate");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    signature_section(&Pcr::NOBODY, &pem, &[7; 96]).unwrap()
}

/// A file of any sections in any order, without a checksum: what the writer would refuse.
pub fn assemble(sections: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0; HEADER_BYTES];
    file[..6].copy_from_slice(b".eif\0\x04");
    file[26..28].copy_from_slice(&u16::try_from(sections.len()).unwrap().to_be_bytes());
    for (index, (kind, data)) in sections.iter().enumerate() {
        let offset = u64::try_from(file.len()).unwrap().to_be_bytes();
        let size = u64::try_from(data.len()).unwrap().to_be_bytes();
        file[28 + 8 * index..36 + 8 * index].copy_from_slice(&offset);
        file[284 + 8 * index..292 + 8 * index].copy_from_slice(&size);
        let mut section = [0; SECTION_HEADER_BYTES];
        section[..2].copy_from_slice(&kind.to_be_bytes());
        section[4..].copy_from_slice(&size);
        file.extend(section);
        file.extend(data);
    }
    file
}

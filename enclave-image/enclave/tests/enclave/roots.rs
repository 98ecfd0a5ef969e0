//! AWS's TLS roots are what Amazon publishes.

use std::collections::BTreeMap;

use enclave::Roots;

/// SHA-256 of the certificates as <https://www.amazontrust.com/repository/> lists them.
const PUBLISHED: [(&str, &str); 5] = [
    (
        "amazon-root-ca-1",
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    ),
    (
        "amazon-root-ca-2",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    ),
    (
        "amazon-root-ca-3",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    ),
    (
        "amazon-root-ca-4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    ),
    (
        "starfield-services-root-ca-g2",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ),
];

fn sha256(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

#[test]
fn the_built_in_roots_are_amazons_and_nobody_elses() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/roots");
    let files: BTreeMap<String, String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, sha256(&std::fs::read(path).unwrap()))
        })
        .collect();
    let published = PUBLISHED.map(|(name, hash)| (name.to_owned(), hash.to_owned()));
    assert_eq!(files, BTreeMap::from(published));
    assert_eq!(Roots::aws().unwrap().kms_tls.len(), PUBLISHED.len());
}

#[test]
fn mozillas_list_has_them_byte_for_byte() {
    let listed: Vec<String> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| sha256(der))
        .collect();
    for (name, hash) in PUBLISHED {
        assert!(listed.iter().any(|found| found == hash), "{name}");
    }
}

//! Certificates of a cluster: one authority, and what it signs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SanType,
};

/// File name, common name, organisation.
const CLIENTS: [(&str, &str, &str); 4] = [
    ("admin", "admin", "system:masters"),
    ("kcm", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("kubelet", "system:node:node-1", "system:nodes"),
];

/// Writes the authority, all certificates and the key that signs service account tokens.
pub fn write(dir: &Path, node_ip: &str) -> Result<()> {
    fs::create_dir_all(dir)?;
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "cluster-ca");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    fs::write(
        dir.join("ca.crt"),
        authority.self_signed(&authority_key)?.pem(),
    )?;
    let issuer = Issuer::new(authority, authority_key);

    let server = [
        "127.0.0.1",
        "10.96.0.1",
        node_ip,
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ];
    sign(dir, &issuer, "apiserver", "kube-apiserver", "", &server)?;
    for (file, name, organisation) in CLIENTS {
        let names: &[&str] = if file == "kubelet" {
            &["127.0.0.1", node_ip, "node-1"]
        } else {
            &[]
        };
        sign(dir, &issuer, file, name, organisation, names)?;
    }
    let tokens = KeyPair::generate()?;
    fs::write(dir.join("sa.key"), tokens.serialize_pem())?;
    fs::write(dir.join("sa.pub"), tokens.public_key_pem())?;
    Ok(())
}

/// Key and certificate that sign enclave image files, on the only curve that Nitro takes; a pair that is there already stays.
pub fn image_signer(dir: &Path) -> Result<[PathBuf; 2]> {
    let files = ["signer.key.pem", "signer.pem"].map(|name| dir.join(name));
    if !files.iter().all(|file| file.exists()) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let certificate = CertificateParams::default().self_signed(&key)?;
        fs::write(&files[0], key.serialize_pem())?;
        fs::write(&files[1], certificate.pem())?;
    }
    Ok(files)
}

fn sign(
    dir: &Path,
    issuer: &Issuer<'_, KeyPair>,
    file: &str,
    name: &str,
    organisation: &str,
    names: &[&str],
) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    if !organisation.is_empty() {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
    }
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into()?),
        });
    }
    fs::write(
        dir.join(format!("{file}.crt")),
        params.signed_by(&key, issuer)?.pem(),
    )?;
    fs::write(dir.join(format!("{file}.key")), key.serialize_pem())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use x509_parser::pem::parse_x509_pem;
    use x509_parser::prelude::GeneralName;

    use super::*;

    #[test]
    fn certificates_carry_the_names_that_kubernetes_looks_at() {
        let dir = std::env::temp_dir().join(format!("cluster-pki-{}", std::process::id()));
        write(&dir, "10.200.9.2").unwrap();
        let pem = |name: &str| {
            parse_x509_pem(&fs::read(dir.join(name)).unwrap())
                .unwrap()
                .1
        };
        let authority = pem("ca.crt");
        let authority = authority.parse_x509().unwrap();
        assert!(authority.is_ca());

        let server = pem("apiserver.crt");
        let server = server.parse_x509().unwrap();
        // rcgen's signature is checked by every client; here only that the authority is this one.
        assert_eq!(server.issuer(), authority.subject());
        let names = &server.subject_alternative_name().unwrap().unwrap().value;
        let has = |name: &GeneralName| names.general_names.contains(name);
        assert!(has(&GeneralName::IPAddress(&[10, 200, 9, 2])));
        assert!(has(&GeneralName::DNSName("kubernetes.default.svc")));

        let kubelet = pem("kubelet.crt");
        let kubelet = kubelet.parse_x509().unwrap();
        let group = kubelet.subject().iter_organization().next().unwrap();
        assert_eq!(group.as_str().unwrap(), "system:nodes");
        let names = &kubelet.subject_alternative_name().unwrap().unwrap().value;
        let address = GeneralName::IPAddress(&[10, 200, 9, 2]);
        assert!(names.general_names.contains(&address), "logs would fail");
        fs::remove_dir_all(&dir).unwrap();
    }
}

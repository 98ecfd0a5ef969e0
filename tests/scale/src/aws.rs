//! KMS and STS: the emulator in this process, over TLS, since sessions cost the operator memory.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use demo::aws::{Credentials, Tenant, emulator_config, operator_credentials};
use demo::roots::Roots;
use kms_emulator::{Config, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

/// A port of this machine that is free.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The emulator; it ends when this is dropped.
pub struct Kms {
    _server: Server,
    /// Where it answers.
    pub url: String,
    /// The root of its certificate.
    pub authority: PathBuf,
    /// As whom the operator calls it.
    pub operator: Credentials,
}

impl Kms {
    /// With these tenants' roles and keys; the root of its certificate is written into the folder.
    pub async fn start(tenants: &[Tenant], folder: &Path) -> Result<Self> {
        let operator = operator_credentials()?;
        let (root, tls) = certificate()?;
        let authority = folder.join("kms-root.pem");
        std::fs::write(&authority, root)?;
        let nsm = nsm_emulator::TestRoot::generate().map_err(|error| anyhow!("{error}"))?;
        let roots = Roots {
            nsm: nsm.certificate_pem(),
            nsm_signer: String::new(),
            kms_tls: tls,
        };
        let config = emulator_config(&operator, tenants, &roots)?;
        let mut server = Server::start(Config::parse(&config.to_string())?, ANY, ANY).await?;
        let address = server.also_over_tls(ANY).await?;
        Ok(Self {
            _server: server,
            url: format!("https://{address}"),
            authority,
            operator,
        })
    }
}

/// A new authority in PEM, and what it issued for this machine, as the emulator's configuration has it.
fn certificate() -> Result<(String, Value)> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec![Ipv4Addr::LOCALHOST.to_string()])?;
    let leaf = leaf.signed_by(&key, &authority)?;
    let tls = json!({"certificatePem": leaf.pem(), "keyPem": key.serialize_pem()});
    Ok((authority.pem(), tls))
}

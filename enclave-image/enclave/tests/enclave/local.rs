//! Certificates, and a parent that carries TLS to a KMS of this test's making.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use enclave::Roots;
use enclave::kms::Parent;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;

/// Tells authorities apart by name.
static AUTHORITIES: AtomicU32 = AtomicU32::new(1);

/// A certificate authority of a test.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// When a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy)]
pub struct Validity {
    pub from: i64,
    pub until: i64,
}

/// The whole time that tests tell of.
pub const ALWAYS: Validity = Validity {
    from: 0,
    until: 4_000_000_000,
};

fn params(names: &[&str], validity: Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = OffsetDateTime::from_unix_timestamp(validity.from).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(validity.until).unwrap();
    params
}

impl Ca {
    pub fn new() -> Self {
        let mut params = params(&[], ALWAYS);
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        let name = format!("authority {number}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// What an image that trusts this authority measures.
    pub fn roots(&self) -> RootCertStore {
        Roots::tls([&**self.0.der()]).unwrap()
    }

    /// Certificate and key of a name, PEM.
    pub fn issue_pem(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let leaf = params(&[name], ALWAYS).signed_by(&key, &self.0).unwrap();
        (leaf.pem(), key.serialize_pem())
    }

    /// A server of this name.
    pub fn server(&self, name: &str, validity: Validity) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let leaf = params(&[name], validity).signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], der);
        Arc::new(config.unwrap())
    }
}

/// What no machine's clock shows any more, in seconds since 1970.
pub const PAST: u64 = 1_600_000_000;
const PAST_DATE: &str = "Sun, 13 Sep 2020 12:26:40 GMT";

/// What the relay and the server saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub connects: Vec<String>,
    pub dates: Vec<String>,
}

/// A parent whose relay answers as told, and leads to this server.
#[derive(Clone)]
pub struct Local {
    pub says: &'static str,
    pub server: Arc<ServerConfig>,
    pub seen: Arc<Mutex<Seen>>,
}

impl Local {
    pub fn new(server: Arc<ServerConfig>) -> Self {
        Self {
            says: "HTTP/1.1 200 Connection established\r\n\r\n",
            server,
            seen: Arc::default(),
        }
    }

    pub fn saying(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    async fn carry(self, mut stream: DuplexStream) {
        let head = head(&mut stream).await;
        self.seen.lock().unwrap().connects.push(head);
        stream.write_all(self.says.as_bytes()).await.unwrap();
        if self.says.is_empty() {
            // It never answers, and keeps the connection.
            return std::future::pending().await;
        }
        let Ok(stream) = TlsAcceptor::from(Arc::clone(&self.server))
            .accept(stream)
            .await
        else {
            return;
        };
        let answer = service_fn(|request| {
            let own = self.clone();
            async move { Ok::<_, std::convert::Infallible>(own.answer(&request)) }
        });
        let http = hyper::server::conn::http1::Builder::new();
        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
    }

    fn answer(&self, request: &Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let date = request.headers()["x-amz-date"].to_str().unwrap().to_owned();
        self.seen.lock().unwrap().dates.push(date);
        let body = r#"{"KeyId":"k","CiphertextForRecipient":"Y21z"}"#;
        // The SDK follows KMS's clock where it differs from its own: here it does not.
        let response = Response::builder().header("date", PAST_DATE);
        response.body(Full::new(Bytes::from(body))).unwrap()
    }
}

/// What comes before the blank line, which is taken, too.
pub async fn head(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().trim_end().to_owned()
}

impl Parent for Local {
    type Stream = DuplexStream;

    async fn relay(&self) -> io::Result<DuplexStream> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().carry(far));
        Ok(near)
    }
}

/// A clock that stands still.
pub fn stopped(unix: u64) -> enclave::clock::Clock {
    enclave::clock::Clock::new(Duration::from_secs(unix), || Duration::ZERO)
}

//! Two ports, and what stands behind each.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, request};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::call::Call;
use crate::control::{Control, Intercept, Intercepted, Moment, Seen};

type Answer = Response<BoxBody<Bytes, hyper::Error>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A running proxy. Dropping it closes its ports and connections.
pub struct FaultProxy {
    control: Arc<Control>,
    kubernetes: SocketAddr,
    aws: SocketAddr,
    _doors: JoinSet<()>,
}

impl FaultProxy {
    /// Listens on two free ports of this machine.
    ///
    /// `kubernetes` is the API server's base URL, which `authority` (PEM) vouches for; `aws` is that of KMS and STS.
    pub async fn start(kubernetes: &Uri, authority: &[u8], aws: &Uri) -> Result<Self> {
        let control = Arc::new(Control::new());
        let client = client(authority)?;
        let mut doors = JoinSet::new();
        let mut open = async |server: Server, url: &Uri| -> Result<SocketAddr> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let door = Arc::new(Door {
                server,
                scheme: url.scheme().cloned().context("a URL without scheme")?,
                authority: url.authority().cloned().context("a URL without host")?,
                client: client.clone(),
                control: Arc::clone(&control),
            });
            doors.spawn(door.serve(listener));
            Ok(address)
        };
        Ok(Self {
            kubernetes: open(Server::Kubernetes, kubernetes).await?,
            aws: open(Server::Aws, aws).await?,
            control,
            _doors: doors,
        })
    }

    /// The API server, for a kubeconfig.
    pub fn kubernetes_url(&self) -> String {
        format!("http://{}", self.kubernetes)
    }

    /// KMS and STS, for `AWS_ENDPOINT_URL`.
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// Calls of KMS are named after these keys (ids or ARNs) from now on: a, b, c and so on.
    pub fn name_keys(&self, keys: &[String]) {
        self.control.name_keys(keys);
    }

    /// Forgets the calls; counting starts anew.
    pub fn mark(&self) {
        self.control.mark();
    }

    /// The calls since the mark, in the order in which they came in.
    pub fn seen(&self) -> Vec<Seen> {
        self.control.seen()
    }

    /// How many calls of this name came in since the mark.
    pub fn count(&self, name: &str) -> usize {
        self.control.count(name)
    }

    /// Sets one more intercept. Of several that mean one call, the first catches it.
    pub fn set(&self, intercept: Intercept) -> Intercepted {
        self.control.set(intercept)
    }

    /// Takes all intercepts away; what they hold is dropped.
    pub fn release(&self) {
        self.control.release();
    }
}

/// Who answers behind a port.
#[derive(Clone, Copy)]
enum Server {
    Kubernetes,
    Aws,
}

struct Door {
    server: Server,
    scheme: Scheme,
    authority: Authority,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    control: Arc<Control>,
}

impl Door {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        // Owned here, so that the proxy's end is theirs too.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Ok((stream, _)) = listener.accept() => {
                    connections.spawn(Arc::clone(&self).connection(stream));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) {
        drop(stream.set_nodelay(true));
        let service = service_fn(|request| Arc::clone(&self).pass(request));
        // How a connection ends is its client's business.
        drop(
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await,
        );
    }

    /// An error closes the connection without an answer.
    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Failure> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut ticket = self.control.arrive(&self.name(&head, &body));
        ticket.pass(Moment::Before).await?;
        let answer = self.forward(head, body).await?;
        self.control.answered(&ticket, answer.status().as_u16());
        if !ticket.stops_after() {
            return Ok(answer.map(BodyExt::boxed));
        }
        // The whole answer: by then the server has done all that it was asked for.
        let (head, body) = answer.into_parts();
        let body = Full::new(body.collect().await?.to_bytes());
        ticket.pass(Moment::After).await?;
        let body = body.map_err(|never| match never {}).boxed();
        Ok(Response::from_parts(head, body))
    }

    fn name(&self, head: &request::Parts, body: &[u8]) -> Call {
        match self.server {
            Server::Kubernetes => Call::kubernetes(&head.method, &head.uri),
            Server::Aws => {
                let target = head.headers.get("x-amz-target");
                let target = target.and_then(|value| value.to_str().ok());
                Call::aws(target, body, &self.control.keys())
            }
        }
    }

    /// Headers stay as they are: AWS's signature covers the host that the operator meant.
    async fn forward(
        &self,
        mut head: request::Parts,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let path = head.uri.path_and_query().cloned();
        head.uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path.ok_or("a request without path")?)
            .build()?;
        let request = Request::from_parts(head, Full::new(body));
        Ok(self.client.request(request).await?)
    }
}

/// Trusts this authority alone, and speaks plainly to what has no TLS.
fn client(authority: &[u8]) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate.context("the authority's certificate")?)?;
    }
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

//! A small server that answers as it is told, and says what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode, header};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use tokio::net::TcpListener;

use super::credentials::SECRET_TYPE;
use super::session::LIMIT;
use super::{Error, Prometheus, Proxy, Session, parse};

const EMPTY: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
const ONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1,"2"]},{"metric":{"pod":"b"},"value":[1,"NaN"]}]}}"#;

/// A server at a port of its own.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Server {
    async fn start(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let app = Router::new().fallback(move |request: Request| async move {
            seen.lock().unwrap().push(request.headers().clone());
            answer()
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, asked }
    }

    async fn saying(body: &'static str) -> Self {
        Self::start(move || json(Body::from(body))).await
    }

    fn asked(&self) -> Vec<HeaderMap> {
        self.asked.lock().unwrap().clone()
    }
}

fn json(body: Body) -> Response<Body> {
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    response.body(body).unwrap()
}

fn with(servers: &str, proxy: Option<Proxy>) -> Prometheus {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    Prometheus::new(parse(servers).unwrap(), proxy).unwrap()
}

fn any() -> Prometheus {
    with("[]", None)
}

async fn session(url: &str, secret: Option<&Secret>) -> Result<Session, Error> {
    any().session("ns", url, secret).await
}

async fn ask(server: &Server) -> Result<Vec<super::Series>, Error> {
    session(&server.url, None).await.unwrap().query("up").await
}

fn secret(fields: &[(&str, &str)]) -> Secret {
    let data: BTreeMap<_, _> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), ByteString(value.as_bytes().to_vec())))
        .collect();
    let mut secret = Secret {
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(data),
        ..Secret::default()
    };
    secret.metadata.name = Some("prometheus".to_owned());
    secret
}

/// The error of an outcome that must be one, with the secret nowhere in it.
fn fault<T>(outcome: Result<T, Error>) -> String {
    let Err(error) = outcome else {
        panic!("it went well");
    };
    let text = error.to_string();
    assert!(
        !text.contains("s3cr3t") && !format!("{error:?}").contains("s3cr3t"),
        "{text}"
    );
    assert!(!text.contains('\n'), "{text}");
    text
}

#[tokio::test]
async fn a_value_is_read_and_what_is_no_number_is_unknown() {
    let series = ask(&Server::saying(ONE).await).await.unwrap();
    assert_eq!(series.len(), 1);
    assert_eq!((series[0].0["pod"].as_str(), series[0].1), ("a", 2.0));
    assert!(ask(&Server::saying(EMPTY).await).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_no_credentials_go_after_it() {
    let elsewhere = Server::saying(EMPTY).await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url.clone();
        let server = Server::start(move || {
            let response = Response::builder().status(status);
            let response = response.header(header::LOCATION, &location);
            response.body(Body::empty()).unwrap()
        })
        .await;
        let text = fault(ask(&server).await);
        assert!(
            text.contains(&format!("answers {status}, a redirect")),
            "{text}"
        );
    }
    assert_eq!(elsewhere.asked().len(), 0);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused_announced_or_not() {
    let announced = Server::start(|| json(Body::from(vec![b' '; LIMIT + 1]))).await;
    let streamed = Server::start(|| {
        let chunk = || Ok::<_, std::io::Error>(vec![b' '; LIMIT / 4]);
        let endless = futures::stream::repeat_with(chunk);
        json(Body::from_stream(endless))
    })
    .await;
    for server in [announced, streamed] {
        let text = fault(ask(&server).await);
        assert!(text.contains("more than 1048576 bytes"), "{text}");
    }
    let body = format!("{EMPTY}{}", " ".repeat(LIMIT - EMPTY.len()));
    let full = Server::start(move || json(Body::from(body.clone()))).await;
    assert!(ask(&full).await.is_ok());
}

/// Time that stands still but for what is waited for; a connection that is accepted and never answered.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_ends_in_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let before = tokio::time::Instant::now();
    let text = fault(session(&url, None).await.unwrap().query("up").await);
    assert!(
        text.ends_with("gives no answer: the time is over"),
        "{text}"
    );
    assert!(before.elapsed() <= super::TOTAL + Duration::from_secs(1));
}

#[tokio::test]
async fn a_body_that_trickles_ends_in_a_time_out() {
    let server = Server::start(|| {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(vec![b' '])]);
        let never = futures::stream::pending();
        json(Body::from_stream(futures::StreamExt::chain(first, never)))
    })
    .await;
    any();
    let client = super::builder(None)
        .unwrap()
        .timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let session = Session::new(client, &server.url.parse().unwrap(), Vec::new()).unwrap();
    let text = fault(session.query("up").await);
    assert!(text.ends_with("the time is over"), "{text}");
}

#[tokio::test]
async fn what_is_not_prometheus_gets_one_stable_line() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let text = fault(session(&gone, None).await.unwrap().query("up").await);
    assert_eq!(
        text,
        format!("{gone} gives no answer: Connection refused (os error 111)")
    );
    let page = Server::start(|| {
        let response = Response::builder().status(StatusCode::UNAUTHORIZED);
        response.body(Body::from("<p>s3cr3t</p>")).unwrap()
    })
    .await;
    let text = fault(ask(&page).await);
    assert!(
        text.contains("answers 401") && text.contains("credentialsSecret"),
        "{text}"
    );
    let refusal = r#"{"status":"error","errorType":"bad_data","error":"parse\nerror"}"#;
    let text = fault(ask(&Server::saying(refusal).await).await);
    assert!(
        text.ends_with("refuses `up`: bad_data: parse error"),
        "{text}"
    );
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
    let text = fault(ask(&Server::saying(scalar).await).await);
    assert!(text.contains("instead of one series a pod"), "{text}");
}

#[tokio::test]
async fn credentials_of_a_secret_are_shown_to_the_server_that_it_names() {
    let server = Server::saying(EMPTY).await;
    let url = format!("{}/", server.url);
    for (fields, authorization) in [
        (vec![("token", "s3cr3t\n")], "Bearer s3cr3t"),
        (
            vec![("username", "me"), ("password", "s3cr3t")],
            "Basic bWU6czNjcjN0",
        ),
    ] {
        let all = [
            &fields[..],
            &[("url", &url), ("header.X-Scope-OrgID", "tenant-a")],
        ]
        .concat();
        let session = session(&server.url, Some(&secret(&all))).await.unwrap();
        session.query("up").await.unwrap();
        let headers = server.asked().pop().unwrap();
        assert_eq!(headers["authorization"], authorization);
        assert_eq!(headers["x-scope-orgid"], "tenant-a");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_meant_for_this_server_is_sent_nowhere() {
    let server = Server::saying(EMPTY).await;
    let url = server.url.as_str();
    let mut foreign = secret(&[("url", url), ("token", "s3cr3t")]);
    foreign.type_ = Some("kubernetes.io/service-account-token".to_owned());
    for (secret, words) in [
        (foreign, "is not of type chamber.dev/prometheus"),
        (secret(&[("token", "s3cr3t")]), "is not for this server"),
        (
            secret(&[("url", "http://other"), ("token", "s3cr3t")]),
            "is not for this server",
        ),
        (
            secret(&[("url", url), ("tokem", "s3cr3t")]),
            "\"tokem\" is none of",
        ),
        (
            secret(&[("url", url), ("username", "s3cr3t")]),
            "expected `token`",
        ),
        (
            secret(&[("url", url), ("token", "s3cr3t\nX: y")]),
            "control character",
        ),
        (
            secret(&[("url", url), ("ca.crt", "s3cr3t")]),
            "no certificate in PEM",
        ),
    ] {
        let text = fault(session(url, Some(&secret)).await);
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_url_with_a_password_or_one_that_is_not_allowed_is_not_asked() {
    let server = Server::saying(EMPTY).await;
    let with_password = server.url.replace("http://", "http://me:s3cr3t@");
    fault(session(&with_password, None).await);
    fault(any().check("ns", &with_password));
    let json = r#"[{"namespaces": ["*"], "urls": ["http://p:9090"]}]"#;
    let bound = with(json, None);
    let text = fault(bound.check("ns", &server.url));
    assert!(text.contains("`prometheus.servers`"), "{text}");
    fault(bound.session("ns", &server.url, None).await);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn the_operators_own_credentials_are_read_from_a_folder_each_time() {
    let server = Server::saying(EMPTY).await;
    let folder = std::env::temp_dir().join(format!("prometheus-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("..data")).unwrap();
    let config =
        serde_json::json!([{"namespaces": ["*"], "urls": [server.url], "credentials": folder}]);
    let prometheus = with(&config.to_string(), None);
    for token in ["one", "two"] {
        std::fs::write(folder.join("token"), token).unwrap();
        let session = prometheus.session("ns", &server.url, None).await.unwrap();
        session.query("up").await.unwrap();
        let headers = server.asked().pop().unwrap();
        assert_eq!(headers["authorization"], format!("Bearer {token}"));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn only_a_proxy_that_is_configured_is_used() {
    let proxy = Server::saying(ONE).await;
    let server = Server::saying(EMPTY).await;
    let through = with("[]", Some(Proxy::from(proxy.url.clone())));
    let session = through.session("ns", &server.url, None).await;
    assert_eq!(session.unwrap().query("up").await.unwrap().len(), 1);
    assert_eq!((proxy.asked().len(), server.asked().len()), (1, 0));
}

/// The environment is the whole process': another one is started with it.
#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    const INNER: &str = "CHAMBER_TEST_ASK";
    if let Ok(url) = std::env::var(INNER) {
        assert!(session(&url, None).await.unwrap().query("up").await.is_ok());
        return;
    }
    let (proxy, server) = (Server::saying(ONE).await, Server::saying(EMPTY).await);
    let mut again = tokio::process::Command::new(std::env::current_exe().unwrap());
    again.args([
        "--exact",
        "prometheus::tests::a_proxy_of_the_environment_is_not_used",
    ]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, &proxy.url);
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        again.env_remove(name);
    }
    let output = again.env(INNER, &server.url).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((proxy.asked().len(), server.asked().len()), (0, 1));
}

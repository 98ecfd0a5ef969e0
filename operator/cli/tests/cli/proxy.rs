//! Proxies, of the kubeconfig and of the environment: which one a request goes through.

use serde_json::{Value, json};

use crate::Run;
use crate::api_server::{ApiServer, Kubeconfig, with_variables};

/// `status signer` of a server, by the members of its cluster in the kubeconfig.
fn status(name: &str, cluster: Value, variables: &[(&str, &str)]) -> Run {
    let kubeconfig = Kubeconfig::of(name, &[("one", cluster)]);
    let file = kubeconfig.file();
    let variables = [&[("KUBECONFIG", file.as_str())], variables].concat();
    with_variables(&["status", "signer"], &variables)
}

/// A server that nobody can reach, but by a proxy.
const FAR: &str = "http://api.example.test:6443";

#[test]
fn a_server_is_asked_through_the_proxy_of_the_environment() {
    for (name, value) in [
        ("HTTP_PROXY", "http://127.0.0.1"),
        ("http_proxy", "127.0.0.1"),
    ] {
        let proxy = ApiServer::start();
        let url = format!("{value}:{}", proxy.port());
        let run = status("environment", json!({"server": FAR}), &[(name, &url)]);
        assert_eq!(run.status, 0, "{}", run.err);
        let seen = proxy.seen();
        assert!(
            seen[0].starts_with("CONNECT api.example.test:6443 "),
            "{seen:?}"
        );
        assert!(seen[1].starts_with("GET /apis/chamber.dev/"), "{seen:?}");
    }
}

#[test]
fn a_server_that_no_proxy_covers_is_asked_itself() {
    let (server, proxy) = (ApiServer::start(), ApiServer::start());
    let url = format!("http://127.0.0.1:{}", proxy.port());
    // A name, as far as proxies go, that every resolver takes for the machine itself.
    let cluster = json!({"server": format!("http://127.1:{}", server.port())});
    let asked = |name, no_proxy| {
        let run = status(
            name,
            cluster.clone(),
            &[("HTTP_PROXY", &url), ("NO_PROXY", no_proxy)],
        );
        assert_eq!(run.status, 0, "{}", run.err);
        (server.seen().len(), proxy.seen().len())
    };
    assert_eq!(asked("covered", "example.test,127.1,"), (1, 0));
    assert_eq!(asked("not-covered", "example.test"), (1, 2));
}

#[test]
fn the_machine_itself_is_asked_without_a_proxy() {
    let (server, proxy) = (ApiServer::start(), ApiServer::start());
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
    let run = status("loopback", cluster, &[("HTTP_PROXY", &url)]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert_eq!((server.seen().len(), proxy.seen().len()), (1, 0));
}

#[test]
fn proxy_url_of_the_kubeconfig_counts_before_the_environment() {
    let (proxy, other) = (ApiServer::start(), ApiServer::start());
    let url = |server: &ApiServer| format!("http://who:what%40@127.0.0.1:{}", server.port());
    let cluster = json!({"server": FAR, "proxy-url": url(&proxy)});
    let variables = [("HTTP_PROXY", url(&other)), ("NO_PROXY", "*".to_owned())];
    let variables = variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let run = status("proxy-url", cluster, &variables);
    assert_eq!(run.status, 0, "{}", run.err);
    let seen = proxy.seen();
    assert!(
        seen[0].starts_with("CONNECT api.example.test:6443 "),
        "{seen:?}"
    );
    // who:what@
    assert!(seen[0].contains("Basic d2hvOndoYXRA"), "{seen:?}");
    assert!(other.seen().is_empty());
}

#[test]
fn an_https_server_is_asked_through_https_proxy_and_its_failure_names_the_proxy() {
    let proxy = ApiServer::start();
    let url = format!("http://who:secret@127.0.0.1:{}", proxy.port());
    let cluster = json!({"server": "https://api.example.test:6443"});
    let run = status(
        "https",
        cluster,
        &[("https_proxy", &url), ("HTTP_PROXY", "http://127.0.0.1:1")],
    );
    // The stand-in speaks no TLS.
    assert_eq!(run.status, 2);
    assert!(
        proxy.seen()[0].starts_with("CONNECT api.example.test:6443 "),
        "{:?}",
        proxy.seen()
    );
    let way = format!(
        "the API server https://api.example.test:6443/ through the proxy http://127.0.0.1:{} (https_proxy): ",
        proxy.port()
    );
    assert!(run.err.contains(&way), "{}", run.err);
    assert!(!run.err.contains("secret"), "{}", run.err);
}

#[test]
fn a_socks5_proxy_is_spoken_to_as_one() {
    use std::io::Read;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("socks5://{address}");
    let greeted = std::thread::spawn(move || {
        let mut greeting = [0; 3];
        // Who only knocks leaves zeros.
        let _ = listener.accept().unwrap().0.read_exact(&mut greeting);
        greeting
    });
    let run = status("socks", json!({"server": FAR, "proxy-url": url}), &[]);
    // Nobody waits for ever where the proxy was not spoken to.
    drop(std::net::TcpStream::connect(address));
    assert_eq!(run.status, 2);
    assert!(run.err.contains(&url), "{}", run.err);
    // RFC 1928: version 5, one method, no authentication.
    assert_eq!(greeted.join().unwrap(), [5, 1, 0]);
}

/// One that asks for user and password gets them, and then carries the request.
#[test]
fn a_socks5_proxy_that_asks_for_a_user_gets_it() {
    use std::io::{Read, Write};
    let server = ApiServer::start();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("socks5://who:what%40@{}", listener.local_addr().unwrap());
    let port = server.port();
    let proxy = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut read = |bytes: usize| {
            let mut read = vec![0; bytes];
            client.read_exact(&mut read).unwrap();
            read
        };
        let greeting = read(2);
        let methods = read(greeting[1].into());
        assert!(
            greeting[0] == 5 && methods.contains(&2),
            "{greeting:?} {methods:?}"
        );
        client.write_all(&[5, 2]).unwrap();
        // RFC 1929: its version, and two texts with their lengths.
        let mut asked = vec![0; 11];
        client.read_exact(&mut asked).unwrap();
        client.write_all(&[1, 0]).unwrap();
        let mut request = [0; 5];
        client.read_exact(&mut request).unwrap();
        let mut name = vec![0; usize::from(request[4]) + 2];
        client.read_exact(&mut name).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let mut beyond = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut back, mut forth) = (beyond.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
        // The client leaves where it has its answer.
        let _ = std::io::copy(&mut client, &mut beyond);
        (asked, name)
    });
    let cluster = json!({"server": FAR, "proxy-url": url});
    let run = status("socks-user", cluster, &[]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let (asked, name) = proxy.join().unwrap();
    assert_eq!(asked, b"\x01\x03who\x05what@");
    assert!(name.starts_with(b"api.example.test"), "{name:?}");
    assert!(
        server.seen()[0].contains("/chamberclusters/signer"),
        "{:?}",
        server.seen()
    );
    assert!(
        server.seen()[0]
            .to_ascii_lowercase()
            .contains("authorization: bearer t")
    );
}

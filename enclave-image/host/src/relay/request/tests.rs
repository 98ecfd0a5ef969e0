use proptest::prelude::*;

use super::*;

const GOOD: &str = "CONNECT kms.us-east-1.amazonaws.com:443 HTTP/1.1\r\nhost: x\r\n\r\n";

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

fn read_all(mut bytes: &[u8]) -> Result<Request, Refusal> {
    run(read(&mut bytes))
}

/// Gives the pieces one by one.
async fn in_pieces(pieces: Vec<Vec<u8>>) -> Result<Request, Refusal> {
    let (mut near, mut far) = tokio::io::duplex(4096);
    let writer = async move {
        for piece in pieces {
            tokio::io::AsyncWriteExt::write_all(&mut far, &piece)
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
        far
    };
    tokio::join!(read(&mut near), writer).0
}

#[test]
fn what_comes_after_the_request_is_kept() {
    let hello = b"\x16\x03\x01TLS";
    let request = read_all(&[GOOD.as_bytes(), hello].concat()).unwrap();
    assert_eq!(request.host, "kms.us-east-1.amazonaws.com");
    assert_eq!(request.rest, hello);
}

#[test]
fn other_requests_are_malformed() {
    for bad in [
        "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\n\r\n",
        "CONNECT kms.us-east-1.amazonaws.com HTTP/1.1\r\n\r\n",
        "CONNECT kms.us-east-1.amazonaws.com:80 HTTP/1.1\r\n\r\n",
        "CONNECT kms.us-east-1.amazonaws.com:443 HTTP/1.0\r\n\r\n",
        "connect kms.us-east-1.amazonaws.com:443 HTTP/1.1\r\n\r\n",
        "CONNECT kms:443 HTTP/1.1\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01",
        "",
    ] {
        let refused = read_all(bad.as_bytes()).unwrap_err();
        assert!(matches!(refused, Refusal::Malformed(_)), "{bad}: {refused}");
    }
}

#[test]
fn an_endless_request_is_refused_while_it_comes() {
    let endless = tokio::io::repeat(b'a');
    let refused = run(read(&mut tokio::io::AsyncReadExt::take(endless, 1 << 30))).unwrap_err();
    assert!(matches!(refused, Refusal::TooLong), "{refused}");
    let long = format!("CONNECT {}:443 HTTP/1.1\r\n\r\n", "a".repeat(2000));
    assert!(matches!(read_all(long.as_bytes()), Err(Refusal::TooLong)));
    let many = format!("CONNECT kms:443 HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(17));
    assert!(matches!(
        read_all(many.as_bytes()),
        Err(Refusal::Malformed(_))
    ));
}

proptest! {
    #[test]
    fn it_may_come_in_any_pieces(cuts in prop::collection::vec(0..GOOD.len(), 0..6)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([GOOD.len()]) {
            pieces.push(GOOD.as_bytes()[from..cut].to_vec());
            from = cut;
        }
        let request = run(in_pieces(pieces)).unwrap();
        prop_assert_eq!(request.host, "kms.us-east-1.amazonaws.com");
        prop_assert!(request.rest.is_empty());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500), begun in any::<bool>()) {
        let begin: &[u8] = if begun { b"CONNECT " } else { b"" };
        let _ = read_all(&[begin, &bytes].concat());
    }
}

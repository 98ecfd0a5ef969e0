//! A workload: answers each line with its HMAC-SHA-256 under the master key, in hex.

use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::{Arc, RwLock};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use zeroize::Zeroizing;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    #[expect(
        unsafe_code,
        reason = "the agent opened descriptor 3, and nobody else here has it"
    )]
    // SAFETY: as above.
    let mut pipe = PipeReader::from(unsafe { OwnedFd::from_raw_fd(3) });
    let mut master = Zeroizing::new([0; 32]);
    pipe.read_exact(&mut *master)?;
    let key = Arc::new(Key::new(HMAC_SHA256, &*master));
    drop(master);

    // Held for reading by each answer, so that the end waits for those that are being given.
    let end = Arc::new(RwLock::new(()));
    let (listener, answering) = (TcpListener::bind(address)?, Arc::clone(&end));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (key, answering) = (Arc::clone(&key), Arc::clone(&answering));
            std::thread::spawn(move || answer(client, &key, &answering));
        }
    });
    // The end of the pipe is the wish to end.
    pipe.read_to_end(&mut Vec::new())?;
    let _last = end.write();
    Ok(())
}

fn answer(mut client: TcpStream, key: &Key, answering: &RwLock<()>) -> std::io::Result<()> {
    for line in BufReader::new(client.try_clone()?).lines() {
        let (line, _held) = (line?, answering.read());
        writeln!(client, "{}", hex::encode(sign(key, line.as_bytes())))?;
    }
    Ok(())
}

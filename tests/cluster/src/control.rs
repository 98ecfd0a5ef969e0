//! Stopping one component of a cluster that runs, and starting it again: how tests break a cluster.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::components::Components;

/// Inside the namespaces, whose `/run` nobody else sees.
const SOCKET: &str = "run/control";
/// The answer when an order was carried out; any other is an error.
const DONE: &str = "done";

/// Takes orders, one a connection, until this process ends.
pub(crate) fn serve(components: Arc<Components>) -> Result<()> {
    let socket = Path::new("/").join(SOCKET);
    let listener = UnixListener::bind(&socket).context("listening for orders")?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever gives orders and does not wait for the answer does not want it.
            take(&components, &stream).ok();
        }
    });
    Ok(())
}

fn take(components: &Components, mut stream: &UnixStream) -> Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let done = match line.trim().split_once(' ') {
        Some(("stop", name)) => components.stop(name),
        Some(("start", name)) => components.start_again(name),
        _ => bail!("unknown order {line:?}"),
    };
    let answer = done.map_or_else(|error| format!("{error:#}"), |()| DONE.to_owned());
    stream.write_all(answer.as_bytes())?;
    Ok(())
}

/// Gives an order to the cluster whose first process has this id, and waits until it is carried out.
pub(crate) fn order(supervisor: i32, verb: &str, component: &str) -> Result<()> {
    // proc(5): `root` under a process is the root folder that this process sees.
    let process = Path::new("/proc").join(supervisor.to_string());
    let socket = process.join("root").join(SOCKET);
    let mut stream = UnixStream::connect(&socket).context("the cluster takes no orders")?;
    writeln!(stream, "{verb} {component}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer != DONE {
        bail!("{verb} {component}: {answer}");
    }
    Ok(())
}

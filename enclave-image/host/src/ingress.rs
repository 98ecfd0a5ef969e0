//! Clients' way to the workload: from the Service's port to the enclave's.

use std::sync::Arc;
use std::time::Duration;

use chamber_link::ports::INGRESS;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::pump::{Limits, pump};
use crate::traffic::Traffic;
use crate::vsock::Vsock;

/// Connections at a time: the enclave takes no more, and a kernel of its that gets more may stop reading.
const MAX_CONNECTIONS: usize = 256;
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// As AWS's load balancers forget a connection (350 s); the enclave ends it sooner.
const LIMITS: Limits = Limits {
    idle: Duration::from_secs(350),
    bytes: u64::MAX,
};
/// After an error of accept, which can be a lack of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, then takes no more connections and returns when those that are open have ended.
///
/// `door` is the way to the enclave, while one runs.
pub(crate) async fn serve<V: Vsock>(
    listener: TcpListener,
    door: watch::Receiver<Option<V>>,
    traffic: Arc<Traffic>,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let client = match accepted {
            Ok((client, _)) => client,
            Err(error) => {
                traffic.ingress.refused("accept", || error.to_string());
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(enclave) = door.borrow().clone() else {
            let why = || "no enclave runs".to_owned();
            traffic.ingress.refused("no_enclave", why);
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let what = || format!("{MAX_CONNECTIONS} connections are open");
            traffic.ingress.refused("too_many", what);
            continue;
        };
        let traffic = Arc::clone(&traffic);
        connections.spawn(async move {
            connection(client, enclave, &traffic).await;
            drop(place);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(client: TcpStream, enclave: impl Vsock, traffic: &Traffic) {
    let flow = &traffic.ingress;
    let workload = match timeout(CONNECT_TIME, enclave.connect(INGRESS)).await {
        Ok(Ok(workload)) => workload,
        Ok(Err(error)) => return flow.refused("no_connection", || error.to_string()),
        Err(_) => {
            let why = || "the enclave did not answer within 5 s".to_owned();
            return flow.refused("no_connection", why);
        }
    };
    // Small answers are not held back; a socket that cannot do it works all the same.
    let _ = client.set_nodelay(true);
    let _open = flow.opened();
    flow.ended(&pump(client, workload, LIMITS, &flow.bytes).await);
}

#[cfg(test)]
mod tests;

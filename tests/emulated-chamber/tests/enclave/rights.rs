//! What a workload can do in an enclave: tests/emulated-chamber/workloads/prying.go tries, and tells.

use manifest_makers::{Module, unseal};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use unseal_agent::Authorization;

use crate::world::World;

// Ignored here because it needs an image file, a kernel and QEMU: `make enclave` builds them and runs it with --ignored.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: make enclave runs it"]
async fn a_workload_has_its_own_user_and_reaches_neither_module_nor_agent() {
    let world = World::prying().await;
    let module = Module(world.module());
    let blob = world.sealed_by(module, &Authorization::Unprotected).await;
    let running = world.chamber(unseal(&blob), world.launch()).await;
    running.get("/readyz").await;
    let service = running.service.strip_prefix("http://").unwrap();
    let (mut client, mut told) = (TcpStream::connect(service).await.unwrap(), String::new());
    client.read_to_string(&mut told).await.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    let no_rights = "0000000000000000";
    let [refused, not_permitted, none] = [
        "permission denied",
        "operation not permitted",
        "no such file or directory",
    ];
    let expected = json!({
        "uid": 1000,
        "gid": 1000,
        "groups": null,
        "status": { "CapEff": no_rights, "CapPrm": no_rights, "NoNewPrivs": "1" },
        "coreLimit": 0,
        "tried": {
            "open /dev/nsm": refused,
            "open /dev/mem": none,
            "read the kernel's log": refused,
            "become root": not_permitted,
            "trace the agent": not_permitted,
            "trace PID 1": not_permitted,
            "look for PID 1": none,
            "read PID 1's memory": none,
            // Of a process of its own user plain rights would let it do both.
            "trace its own child": not_permitted,
            "read its own child's memory": refused,
            "write /": "read-only file system",
            "write /tmp": "done",
        },
        "died": "aborted",
        "dumped": false,
        "cores": null,
        // Itself, and no process of anybody else.
        "seen": [1000],
    });
    assert_eq!(told, expected, "{told:#}");
    running.end().await;
}

//! support bundle: a folder with what somebody needs who is asked for help, and without what is secret.

mod redact;

use std::path::{Path, PathBuf};

use chamber_api::{ChamberCluster, names};
use jiff::Timestamp;
use kube::{Api, Client};
use serde_json::Value;

use super::{picture, refused};
use crate::arguments::Bundle;
use crate::output::{self, Answer, Exit, Failure};

/// The operator's pods, as the chart labels them.
const OPERATOR: &str = "labelSelector=app.kubernetes.io%2Fname%3Dchamber-operator";
/// Lines of a log at most, from its end.
const LINES: usize = 5_000;

/// Collects, and says where it is and what could not be read.
pub async fn run(client: &Client, asked: &Bundle) -> Result<Answer, Failure> {
    let name = &asked.target.name;
    let clusters = Api::<ChamberCluster>::default_namespaced(client.clone());
    let found = clusters.get(name).await;
    let found = found.map_err(|why| refused(name, &why))?;
    let folder = asked.directory.clone().unwrap_or_else(|| {
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        PathBuf::from(format!("chamber-{name}-{now}"))
    });
    let mut bundle = Parts::of(client, &folder)?;
    bundle.write("status.txt", &picture::draw(&found, Timestamp::now()))?;
    of_the_cluster(&mut bundle, client.default_namespace(), name).await?;
    of_the_operator(&mut bundle, &asked.operator_namespace).await?;
    bundle.end()
}

/// The resource, what belongs to it, and what was said of them.
async fn of_the_cluster(
    bundle: &mut Parts<'_>,
    namespace: &str,
    name: &str,
) -> Result<(), Failure> {
    let ours = format!(
        "labelSelector={}%3D{name}",
        names::CLUSTER_LABEL.replace('/', "%2F")
    );
    let core = format!("/api/v1/namespaces/{namespace}");
    let group = |group: &str| format!("/apis/{group}/namespaces/{namespace}");
    let paths = [
        (
            "chambercluster.yaml",
            format!("{}/chamberclusters/{name}", group("chamber.dev/v1alpha1")),
        ),
        (
            "replicasets.yaml",
            format!("{}/replicasets?{ours}", group("apps/v1")),
        ),
        ("pods.yaml", format!("{core}/pods?{ours}")),
        ("services.yaml", format!("{core}/services?{ours}")),
        (
            "disruption-budgets.yaml",
            format!("{}/poddisruptionbudgets?{ours}", group("policy/v1")),
        ),
    ];
    for (file, path) in paths {
        bundle.object(file, &path, |_| true).await?;
    }
    let begins = format!("{name}-");
    let about = move |event: &Value| {
        let of = event["regarding"]["name"].as_str().unwrap_or_default();
        of == name || of.starts_with(&begins)
    };
    let path = format!("{}/events", group("events.k8s.io/v1"));
    bundle.object("events.yaml", &path, about).await.map(drop)
}

/// The operator's Deployment, pods, logs and metrics.
async fn of_the_operator(bundle: &mut Parts<'_>, namespace: &str) -> Result<(), Failure> {
    let core = format!("/api/v1/namespaces/{namespace}/pods");
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments?{OPERATOR}");
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases");
    let all = |_: &Value| true;
    bundle.object("version.yaml", "/version", all).await?;
    bundle
        .object("operator/deployment.yaml", &deployments, all)
        .await?;
    bundle.object("operator/leases.yaml", &leases, all).await?;
    let pods = format!("{core}?{OPERATOR}");
    let found = bundle.object("operator/pods.yaml", &pods, all).await?;
    for pod in found["items"].as_array().into_iter().flatten() {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let log = format!("{core}/{name}/log?container=operator&timestamps=true&tailLines={LINES}");
        bundle.text(&format!("operator/{name}.log"), &log).await?;
        let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
        if restarts.as_u64().unwrap_or_default() > 0 {
            let log = format!("{log}&previous=true");
            bundle
                .text(&format!("operator/{name}.previous.log"), &log)
                .await?;
        }
        let metrics = format!("{core}/{name}:metrics/proxy/metrics");
        bundle
            .text(&format!("operator/{name}.metrics"), &metrics)
            .await?;
    }
    Ok(())
}

/// A folder that is filled, and what could not be read for it.
struct Parts<'a> {
    client: &'a Client,
    folder: &'a Path,
    written: Vec<String>,
    unread: Vec<String>,
}

impl<'a> Parts<'a> {
    /// An empty one; a folder that is there already is somebody else's.
    fn of(client: &'a Client, folder: &'a Path) -> Result<Self, Failure> {
        let made =
            std::fs::create_dir(folder).and_then(|()| std::fs::create_dir(folder.join("operator")));
        made.map_err(|why| Failure::read(&folder.to_string_lossy(), &why))?;
        Ok(Self {
            client,
            folder,
            written: Vec::new(),
            unread: Vec::new(),
        })
    }

    /// One object or a list, of which these items stay; null where it could not be read.
    async fn object(
        &mut self,
        file: &str,
        path: &str,
        stays: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failure> {
        let request = question(path)?;
        let mut found: Value = match self.client.request(request).await {
            Ok(found) => found,
            Err(why) => {
                self.missing(file, &why);
                return Ok(Value::Null);
            }
        };
        if let Some(items) = found["items"].as_array_mut() {
            items.retain(stays);
        }
        redact::object(&mut found);
        let yaml = serde_yaml_ng::to_string(&found);
        let yaml = yaml.map_err(|why| Failure::Write(why.to_string()))?;
        self.write(file, &yaml)?;
        Ok(found)
    }

    /// A text, line by line.
    async fn text(&mut self, file: &str, path: &str) -> Result<(), Failure> {
        match self.client.request_text(question(path)?).await {
            Ok(found) => self.write(file, &redact::text(&found)),
            Err(why) => {
                self.missing(file, &why);
                Ok(())
            }
        }
    }

    fn write(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        let path = self.folder.join(file);
        let written = std::fs::write(&path, output::printable(text));
        written.map_err(|why| Failure::Write(format!("{}: {why}", path.display())))?;
        self.written.push(file.to_owned());
        Ok(())
    }

    fn missing(&mut self, file: &str, why: &kube::Error) {
        self.unread
            .push(redact::text(&super::failed(file, why).to_string()));
    }

    /// Says what is in it.
    fn end(mut self) -> Result<Answer, Failure> {
        let unread = self.unread.join("\n");
        if !unread.is_empty() {
            self.write("unread.txt", &unread)?;
        }
        let folder = self.folder.display();
        let mut text = format!("{folder}: {} files\n", self.written.len());
        for line in &self.unread {
            text.extend(["not read: ", line, "\n"]);
        }
        text.push_str("No Secret was asked for; values of variables, annotations of others, arguments, and what looks like a key, a token or a blob were left out. Names of hosts, images, keys and namespaces are in it: look at it before you hand it on.\n");
        Ok(Answer {
            text,
            exit: if self.unread.is_empty() {
                Exit::Clean
            } else {
                Exit::Unread
            },
        })
    }
}

fn question(path: &str) -> Result<http::Request<Vec<u8>>, Failure> {
    let request = http::Request::get(path).body(Vec::new());
    request.map_err(|why| Failure::Usage(format!("{path}: {why}")))
}

//! support bundle: a folder with what somebody needs who is asked for help, and without what is secret.

mod redact;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
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
/// Their container.
const CONTAINER: &str = "operator";
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
    let picture = picture::draw(&found, Timestamp::now());
    // A picture for a terminal has colours.
    let picture = anstream::adapter::strip_str(&picture).to_string();
    bundle.write("status.txt", &redact::text(&picture))?;
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
    // The pod that seals ends, and pods of a ReplicaSet come and go: their Events stay for a while.
    let mut ours = vec![name.to_owned(), names::seal_pod(name)];
    for (file, path) in paths {
        let found = bundle.object(file, &path, |_| true).await?;
        let items = found["items"].as_array().into_iter().flatten();
        let named = items.filter_map(|item| item["metadata"]["name"].as_str());
        ours.extend(named.map(str::to_owned));
    }
    let about = move |event: &Value| {
        let of = event["regarding"]["name"].as_str().unwrap_or_default();
        let is_of = |one: &String| {
            let rest = of.strip_prefix(one.as_str());
            rest.is_some_and(|rest| rest.is_empty() || one != name && rest.starts_with('-'))
        };
        ours.iter().any(is_of)
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
    let pods = found["items"].as_array();
    if pods.is_some_and(Vec::is_empty) {
        bundle.unread.push(format!(
            "operator/: no pod with app.kubernetes.io/name=chamber-operator in namespace {namespace}: see --operator-namespace"
        ));
    }
    for pod in pods.into_iter().flatten() {
        of_a_pod(bundle, &core, pod).await?;
    }
    Ok(())
}

/// The logs of one of the operator's pods, also of the container before, and its metrics.
async fn of_a_pod(bundle: &mut Parts<'_>, core: &str, pod: &Value) -> Result<(), Failure> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    if !is_a_name(name) {
        bundle.unread.push(format!(
            "operator/: a pod of the name {name:?}, which no pod can have"
        ));
        return Ok(());
    }
    let log = format!("{core}/{name}/log?container={CONTAINER}&timestamps=true&tailLines={LINES}");
    bundle.text(&format!("operator/{name}.log"), &log).await?;
    let status = of_the_name(&pod["status"]["containerStatuses"], CONTAINER);
    let restarts = status.and_then(|status| status["restartCount"].as_u64());
    if restarts.unwrap_or_default() > 0 {
        let log = format!("{log}&previous=true");
        let file = format!("operator/{name}.previous.log");
        bundle.text(&file, &log).await?;
    }
    let file = format!("operator/{name}.metrics");
    let container = of_the_name(&pod["spec"]["containers"], CONTAINER);
    let port = container.and_then(|container| of_the_name(&container["ports"], "metrics"));
    let Some(port) = port.and_then(|port| port["containerPort"].as_u64()) else {
        bundle
            .unread
            .push(format!("{file}: container {CONTAINER} has no port metrics"));
        return Ok(());
    };
    // The API server knows the ports of a pod by their numbers alone.
    let metrics = format!("{core}/{name}:{port}/proxy/metrics");
    bundle.text(&file, &metrics).await
}

/// The one of a list that has this name.
fn of_the_name<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    let mut all = list.as_array()?.iter();
    all.find(|one| one["name"] == name)
}

/// Whether a pod can have this name, which becomes a part of paths.
fn is_a_name(name: &str) -> bool {
    let known =
        |found: u8| found.is_ascii_lowercase() || found.is_ascii_digit() || b"-.".contains(&found);
    name.bytes().all(known)
        && name
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}

/// A folder that is filled, and what could not be read for it.
struct Parts<'a> {
    client: &'a Client,
    folder: &'a Path,
    written: Vec<String>,
    unread: Vec<String>,
}

impl<'a> Parts<'a> {
    /// An empty one, for its owner's eyes; a folder that is there already is somebody else's.
    fn of(client: &'a Client, folder: &'a Path) -> Result<Self, Failure> {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        let made = private.create(folder);
        let made = made.and_then(|()| private.create(folder.join("operator")));
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

//! The acts: set up, first start on v1, rollover to v2, judgement.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use chamber_api::{ChamberCluster, conditions};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::{Instant, timeout_at};

use super::feed::{self, WatchEvent};
use super::narrator::Narrator;
use super::printer::{Kind, Printer};
use super::summary::{Moments, Summary, Timeline};
use crate::aws::Tenant;
use crate::chambers::Shape;
use crate::cluster_host::ClusterHost;
use crate::releases::{Form, Release};
use crate::wait::Seen;
use crate::{Environment, load, operator, probe};

/// Name of the demo's cluster.
pub const NAME: &str = "demo";
/// Patience for the first start, and for the rollover: many times what they take.
const LIMIT: Duration = Duration::from_mins(3);
/// The same where each chamber boots a machine.
const BOOTING_LIMIT: Duration = Duration::from_mins(10);

/// What `MODE` asks for.
pub fn form(mode: Option<&str>) -> Result<Form> {
    match mode {
        None | Some("" | "process") => Ok(Form::Process),
        Some("enclave") => Ok(Form::Enclave),
        Some(other) => bail!("MODE={other}; expected process or enclave"),
    }
}

/// What is no real thing here, and what is.
const fn emulated(form: Form) -> &'static str {
    match form {
        Form::Process => {
            "emulated: KMS, and each enclave by a process with a stand-in of the security module; MODE=enclave boots enclave image files"
        }
        Form::Enclave => {
            "emulated: KMS, and each enclave by QEMU without KVM, with a security module that signs under a test root; image files, kernel, agent and attestation are real"
        }
    }
}

/// Tells the whole story; an error says what did not happen. The answer is whether every check held.
pub async fn tell(form: Form) -> Result<bool> {
    let printer = Printer::new();
    printer.say(emulated(form));
    let tenant =
        Tenant::with_admin_role(NAME, "signer", "demo-local-signer", 3, "ChamberKmsKeyAdmin")?;
    printer.say("images and a clean cluster");
    let host = ClusterHost::fresh(NAME).await?;
    let traces = host.traces();
    printer.say("the KMS emulator with three keys that admit nobody, and Prometheus");
    let told = async {
        let started = Environment::on(host, std::slice::from_ref(&tenant));
        let mut environment = Box::pin(started).await?;
        if form == Form::Enclave {
            printer.say("enclave image files of v1 and v2");
            environment.releases = environment.host.enclave_releases().await?;
        }
        Box::pin(perform(&environment, &tenant, printer)).await
    };
    told.await
        .map_err(|error| anyhow!("{error:#}. Look at {traces}"))
}

async fn perform(environment: &Environment, tenant: &Tenant, printer: Printer) -> Result<bool> {
    printer.say("the operator, by helm with its chart");
    environment.install_operator(&operator::values()).await?;
    let mut stage = Stage {
        environment,
        tenant,
        feed: feed::open(&environment.client, tenant),
        narrator: Narrator::new(environment.releases.clone()),
        timeline: Timeline::new(),
        printer,
    };
    stage.first_start().await?;
    let moments = stage.rollover().await?;
    let stats = load::stats(&environment.client, tenant).await?;
    let summary = Summary {
        moments,
        stats,
        timeline: stage.timeline,
        total: stage.printer.elapsed(),
    };
    Ok(summary.print(&stage.printer, tenant))
}

struct Stage<'a> {
    environment: &'a Environment,
    tenant: &'a Tenant,
    feed: BoxStream<'static, WatchEvent>,
    narrator: Narrator,
    timeline: Timeline,
    printer: Printer,
}

impl Stage<'_> {
    /// From empty keys to three unsealed chambers on v1, and a client that signs.
    async fn first_start(&mut self) -> Result<()> {
        let v1 = self.environment.releases.v1.clone();
        self.printer
            .say(format!("ChamberCluster signer on v1 ({}...)", v1.short()));
        self.declare(&v1).await?;
        self.follow("v1 to be sealed, unsealed and settled", |cluster| {
            settled_on(cluster, &v1)
        })
        .await?;
        self.printer.say(format!(
            "a client signs {} times a second through Service signer",
            load::rate(v1.form)
        ));
        load::start(&self.environment.client, self.tenant, &v1).await
    }

    /// From v1 to v2; asks KMS who can decrypt before, in the middle, and after.
    async fn rollover(&mut self) -> Result<Moments> {
        let environment = self.environment;
        let (client, releases) = (&environment.client, &environment.releases);
        let shares = probe::shares(client, self.tenant, &releases.v1).await?;
        let ask = |moment| probe::ask_all(client, self.tenant, releases, &shares, moment);
        let before = ask("before").await?;
        self.timeline.clear();
        self.printer.say(format!(
            "release v2 ({}...) is declared",
            releases.v2.short()
        ));
        self.declare(&releases.v2).await?;
        self.follow("every key to admit both releases", both_admitted)
            .await?;
        let whole = self.follow("v2 to be rolled out and v1 retired", |cluster| {
            settled_on(cluster, &releases.v2)
        });
        let (during, ended) = tokio::join!(ask("during"), whole);
        ended?;
        let after = ask("after").await?;
        Ok(Moments {
            before,
            during: during?,
            after,
        })
    }

    async fn declare(&self, release: &Release) -> Result<()> {
        self.environment
            .apply_chamber_cluster(self.tenant, release, &Shape::default())
            .await
    }

    /// Tells what happens until `done`; the error says what was seen last.
    async fn follow(
        &mut self,
        what: &str,
        mut done: impl FnMut(&ChamberCluster) -> Seen<()>,
    ) -> Result<()> {
        let limit = match self.environment.releases.v1.form {
            Form::Process => LIMIT,
            Form::Enclave => BOOTING_LIMIT,
        };
        let deadline = Instant::now() + limit;
        let mut last = "the operator has said nothing yet".to_owned();
        loop {
            let event = match timeout_at(deadline, self.feed.next()).await {
                Err(_) => bail!("waited {limit:?} for {what}: {last}"),
                Ok(None) => bail!("the watch ended while waiting for {what}"),
                Ok(Some(event)) => event,
            };
            self.narrate(&event);
            if let WatchEvent::Cluster(cluster) = event {
                match done(&cluster) {
                    Seen::Yes(()) => return Ok(()),
                    Seen::NotYet(why) => last = why,
                    Seen::Never(why) => bail!("{what} cannot happen: {why}"),
                }
            }
        }
    }

    fn narrate(&mut self, event: &WatchEvent) {
        let lines = match event {
            WatchEvent::Cluster(cluster) => self.narrator.cluster(cluster),
            WatchEvent::Pod(pod) => self.narrator.pod(pod),
            WatchEvent::PodGone(pod) => self.narrator.gone(pod),
            WatchEvent::Interrupted(why) => {
                self.printer.say(format!("watch interrupted: {why}"));
                Vec::new()
            }
        };
        for line in lines {
            if line.kind == Kind::Step {
                let step = self.narrator.step().to_owned();
                self.timeline.push((step, self.printer.elapsed()));
            }
            self.printer.print(&line);
        }
    }
}

/// The spec as it is now was carried out on this release.
fn settled_on(cluster: &ChamberCluster, release: &Release) -> Seen<()> {
    let Some(status) = &cluster.status else {
        return Seen::NotYet("no status yet".into());
    };
    let is_true = |kind: &str| {
        let mut found = status.conditions.iter();
        found.any(|condition| condition.type_ == kind && condition.status == "True")
    };
    let current = status
        .current
        .as_ref()
        .map(|current| current.image.as_str());
    let observed = status.observed_generation == cluster.metadata.generation;
    let complete = is_true(conditions::READY) && is_true(conditions::ROLLOVER_COMPLETE);
    if observed && complete && current == Some(release.image.as_str()) {
        return Seen::Yes(());
    }
    Seen::NotYet(format!(
        "step {}, {}: {}",
        status.step.as_deref().unwrap_or("unknown"),
        status.reason.as_deref().unwrap_or("no reason"),
        status.message.as_deref().unwrap_or("no message"),
    ))
}

/// Every key, as the operator read it, admits two releases.
fn both_admitted(cluster: &ChamberCluster) -> Seen<()> {
    let keys = cluster.status.as_ref().map(|status| &status.keys);
    match keys {
        Some(keys) if !keys.is_empty() && keys.iter().all(|key| key.admitted.len() == 2) => {
            Seen::Yes(())
        }
        _ => Seen::NotYet("not every key admits both".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_is_none_is_named() {
        assert_eq!(form(None).unwrap(), Form::Process);
        assert_eq!(form(Some("enclave")).unwrap(), Form::Enclave);
        let error = form(Some("nitro")).unwrap_err().to_string();
        assert_eq!(error, "MODE=nitro; expected process or enclave");
    }
}

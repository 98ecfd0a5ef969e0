//! One `ChamberCluster` under one operator: rollovers to and fro, disturbed at will, and what they are held to.

use anyhow::{Context, Result, bail, ensure};
use chamber_api::ChamberClusterStatus;
use demo::{Release, Tenant, load};
use fault_proxy::{Intercept, Moment, Seen, Then};
use serde_json::json;

use crate::fault_bench::FaultBench;
use crate::laws::AuditReplay;
use crate::operator_process::{Operator, OperatorProcess};
use crate::stage::{ROLLOVER, SOON};

/// Signatures that failed.
#[derive(Debug, Default)]
pub struct Failed {
    /// How many.
    pub count: u64,
    /// What the last one failed of.
    pub error: Option<String>,
}

/// A tenant, its operator, and the records that are checked.
pub struct Run<'a> {
    /// Where it happens.
    pub bench: &'a FaultBench,
    /// Whose chambers they are.
    pub tenant: &'a Tenant,
    /// Its operator's program, name and proxy.
    pub process: &'a OperatorProcess,
    operator: Option<Operator>,
    replay: AuditReplay,
    /// Requests of the signing client that failed already; none while there is no client.
    failed: Option<u64>,
    on: usize,
}

impl<'a> Run<'a> {
    /// Starts an operator that serves this tenant, which has declared nothing yet.
    pub fn begin(
        bench: &'a FaultBench,
        tenant: &'a Tenant,
        process: &'a OperatorProcess,
    ) -> Result<Self> {
        process.proxy.name_keys(&tenant.keys);
        Ok(Self {
            bench,
            tenant,
            process,
            operator: Some(process.start(bench, &tenant.namespace)?),
            replay: AuditReplay::open(&bench.stage, tenant)?,
            failed: None,
            on: 1,
        })
    }

    /// The release that the next rollover goes to; the first is v1.
    pub fn target(&self) -> &'a Release {
        let releases = &self.bench.stage.environment.releases;
        [&releases.v1, &releases.v2][(self.on + 1) % 2]
    }

    /// The release that the last rollover went to.
    pub fn last(&self) -> &'a Release {
        let releases = &self.bench.stage.environment.releases;
        [&releases.v1, &releases.v2][self.on % 2]
    }

    /// Starts the signing client: from now on no request may fail.
    pub async fn sign(&mut self) -> Result<()> {
        let environment = &self.bench.stage.environment;
        let release = &environment.releases.v1;
        load::start(&environment.client, self.tenant, release).await?;
        let stats = load::stats(&environment.client, self.tenant).await?;
        self.failed = Some(stats.failed);
        Ok(())
    }

    /// Declares the target; the proxy counts from here.
    pub async fn declare(&self) -> Result<()> {
        self.bench.forget_blob(self.tenant, self.target()).await?;
        self.process.proxy.mark();
        self.bench.declare(self.tenant, self.target()).await
    }

    /// Waits for the end of the rollover and checks the laws over all that happened; no signature failed.
    pub async fn complete(&mut self) -> Result<()> {
        match self.complete_interrupted().await? {
            Failed { count: 0, .. } => Ok(()),
            Failed { count, error } => bail!("{count} signatures failed: {error:?}"),
        }
    }

    /// The same where the fault keeps clients from the chambers: gives the signatures that failed.
    pub async fn complete_interrupted(&mut self) -> Result<Failed> {
        let stage = &self.bench.stage;
        self.bench.settled(self.tenant, self.target()).await?;
        self.replay.check_settled(stage, self.target()).await?;
        self.on += 1;
        self.signatures().await
    }

    /// A whole rollover; gives the calls that it took.
    pub async fn roll(&mut self) -> Result<Vec<Seen>> {
        self.declare().await?;
        self.complete().await?;
        Ok(self.process.proxy.seen())
    }

    /// A whole rollover whose operator is killed where the intercept holds it. False where the rollover has no such call.
    pub async fn roll_killed_at(&mut self, intercept: Intercept) -> Result<bool> {
        let (name, nth) = (intercept.call.clone(), intercept.skip + 1);
        let mut intercepted = self.process.proxy.set(intercept);
        self.declare().await?;
        let settled = tokio::select! {
            () = intercepted.caught(1) => None,
            settled = self.bench.settled(self.tenant, self.target()) => Some(settled),
        };
        // The last call's effect may be seen before the proxy holds its answer.
        let reached = settled.is_none() || self.process.proxy.count(&name) >= nth;
        if reached {
            intercepted.caught(1).await;
            self.restart().await?;
        } else {
            self.process.proxy.release();
            settled.transpose()?;
        }
        self.complete().await?;
        Ok(reached)
    }

    /// Kills the operator, lets go of what the proxy holds, and starts the next operator.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.start()
    }

    /// Kills the operator.
    pub async fn stop(&mut self) -> Result<()> {
        let operator = self.operator.take().context("no operator runs")?;
        operator.kill().await?;
        self.process.proxy.release();
        Ok(())
    }

    /// The same where one runs.
    pub async fn rest(&mut self) -> Result<()> {
        match self.operator {
            Some(_) => self.stop().await,
            None => Ok(()),
        }
    }

    /// What the signing client saw since it was last asked; its key never changes.
    async fn signatures(&mut self) -> Result<Failed> {
        let Some(before) = self.failed else {
            return Ok(Failed::default());
        };
        let client = &self.bench.stage.environment.client;
        let stats = load::stats(client, self.tenant).await?;
        self.failed = Some(stats.failed);
        ensure!(
            stats.public_keys.len() == 1,
            "the public key changed: {:?}",
            stats.public_keys
        );
        Ok(Failed {
            count: stats.failed - before,
            error: stats.last_error,
        })
    }

    /// The operator that runs.
    pub fn operator(&mut self) -> Result<&mut Operator> {
        self.operator.as_mut().context("no operator runs")
    }

    /// Starts an operator where the last one was killed or has ended by itself.
    pub fn start(&mut self) -> Result<()> {
        self.process.proxy.name_keys(&self.tenant.keys);
        self.operator = Some(self.process.start(self.bench, &self.tenant.namespace)?);
        Ok(())
    }

    /// The same, and waits until it leads: then it lists the resources. Another identity's lease runs out first.
    pub async fn lead(&mut self) -> Result<()> {
        let mut lists = self.process.proxy.set(Intercept {
            call: "GET chamberclusters".into(),
            skip: 0,
            times: 1,
            moment: Moment::Before,
            then: Then::Pass,
        });
        self.start()?;
        tokio::time::timeout(SOON, lists.caught(1))
            .await
            .context("the operator does not get the lease")?;
        self.process.proxy.release();
        Ok(())
    }

    /// After a failure: everything is let go, the next operator ends the rollover, and the next one begins from rest.
    pub async fn recover(&mut self) -> Result<()> {
        // One that was frozen or has ended is gone as well.
        drop(self.operator.take());
        self.process.proxy.release();
        let environment = &self.bench.stage.environment;
        environment.emulator().set_knobs(&json!({})).await?;
        self.lead().await?;
        // Its sealed Secret may be in use by now: it stays.
        self.bench.declare(self.tenant, self.target()).await?;
        let recovered = self.complete_interrupted().await.map(drop);
        recovered.context("nothing recovers; what is left was not tried")
    }

    /// Waits until the API server answers again.
    pub async fn api_server_answers(&self) -> Result<()> {
        let anything = |_: &ChamberClusterStatus| true;
        let stage = &self.bench.stage;
        let asked = stage.until(self.tenant, SOON, "an answer", anything);
        asked.await.map(drop)
    }

    /// Waits for a step of the rollover.
    pub async fn step(&self, step: &str) -> Result<()> {
        let in_step = |status: &ChamberClusterStatus| status.step.as_deref() == Some(step);
        let stage = &self.bench.stage;
        stage
            .until(self.tenant, ROLLOVER, step, in_step)
            .await
            .map(drop)
    }

    /// Waits until the rollover is held for one of these reasons.
    pub async fn held(&self, reasons: &[&str]) -> Result<()> {
        let held = |status: &ChamberClusterStatus| {
            let reason = status.reason.as_deref();
            reason.is_some_and(|reason| reasons.contains(&reason))
        };
        let what = format!("one of {reasons:?}");
        let stage = &self.bench.stage;
        stage.until(self.tenant, SOON, &what, held).await.map(drop)
    }

    /// How many events the laws were checked on.
    pub fn events(&self) -> usize {
        self.replay.events()
    }
}

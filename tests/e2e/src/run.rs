//! One `ChamberCluster` under one operator: rollovers to and fro, disturbed at will, and what they are held to.

use anyhow::{Context, Result, ensure};
use demo::{Release, Tenant, load};
use gate::{Seen, Trap};

use crate::laws::Ledger;
use crate::rig::Rig;
use crate::seat::{Operator, Seat};

/// A tenant, its operator, and the records that are checked.
pub struct Run<'a> {
    /// Where it happens.
    pub rig: &'a Rig,
    /// Whose chambers they are.
    pub tenant: &'a Tenant,
    /// Where the operator sits.
    pub seat: &'a Seat,
    operator: Option<Operator>,
    ledger: Ledger,
    /// Requests of the signing client that failed already; none while there is no client.
    failed: Option<u64>,
    on: usize,
}

impl<'a> Run<'a> {
    /// Starts an operator that serves this tenant, which has declared nothing yet.
    pub fn begin(rig: &'a Rig, tenant: &'a Tenant, seat: &'a Seat) -> Result<Self> {
        Ok(Self {
            rig,
            tenant,
            seat,
            operator: Some(seat.start(rig, &tenant.namespace)?),
            ledger: Ledger::open(&rig.stage, tenant)?,
            failed: None,
            on: 1,
        })
    }

    /// The release that the next rollover goes to; the first is v1.
    pub fn target(&self) -> &'a Release {
        let releases = &self.rig.stage.environment.releases;
        [&releases.v1, &releases.v2][(self.on + 1) % 2]
    }

    /// Starts the signing client: from now on no request may fail.
    pub async fn sign(&mut self) -> Result<()> {
        let environment = &self.rig.stage.environment;
        let image = &environment.releases.v1.image;
        load::start(&environment.client, self.tenant, image).await?;
        let stats = load::stats(&environment.client, self.tenant).await?;
        self.failed = Some(stats.failed);
        Ok(())
    }

    /// Declares the target; the gate counts from here.
    pub async fn declare(&self) -> Result<()> {
        self.rig.forget_blob(self.tenant, self.target()).await?;
        self.seat.gate.mark();
        self.rig.declare(self.tenant, self.target()).await
    }

    /// Waits for the end of the rollover and checks the laws over all that happened.
    pub async fn complete(&mut self) -> Result<()> {
        self.rig.settled(self.tenant, self.target()).await?;
        self.check().await?;
        self.on += 1;
        Ok(())
    }

    /// A whole rollover; gives the calls that it took.
    pub async fn roll(&mut self) -> Result<Vec<Seen>> {
        self.declare().await?;
        self.complete().await?;
        Ok(self.seat.gate.seen())
    }

    /// A whole rollover whose operator is killed where the trap holds it. False where the rollover has no such call.
    pub async fn roll_killed_at(&mut self, trap: Trap) -> Result<bool> {
        let (name, nth) = (trap.call.clone(), trap.skip + 1);
        let mut sprung = self.seat.gate.set(trap);
        self.declare().await?;
        let settled = tokio::select! {
            () = sprung.caught(1) => None,
            settled = self.rig.settled(self.tenant, self.target()) => Some(settled),
        };
        // The last call's effect may be seen before the gate holds its answer.
        let reached = settled.is_none() || self.seat.gate.count(&name) >= nth;
        if reached {
            sprung.caught(1).await;
            self.restart().await?;
        } else {
            self.seat.gate.release();
            settled.transpose()?;
        }
        self.complete().await?;
        Ok(reached)
    }

    /// Kills the operator, lets go of what the gate holds, and starts the next operator.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.operator = Some(self.seat.start(self.rig, &self.tenant.namespace)?);
        Ok(())
    }

    /// Kills the operator.
    pub async fn stop(&mut self) -> Result<()> {
        let operator = self.operator.take().context("no operator runs")?;
        operator.kill().await?;
        self.seat.gate.release();
        Ok(())
    }

    /// The laws so far, and what the signing client saw.
    async fn check(&mut self) -> Result<()> {
        let stage = &self.rig.stage;
        self.ledger.check_settled(stage, self.target()).await?;
        let Some(before) = self.failed else {
            return Ok(());
        };
        let stats = load::stats(&stage.environment.client, self.tenant).await?;
        self.failed = Some(stats.failed);
        ensure!(
            stats.failed == before,
            "{} signatures failed: {:?}",
            stats.failed - before,
            stats.last_error
        );
        ensure!(
            stats.public_keys.len() == 1,
            "the public key changed: {:?}",
            stats.public_keys
        );
        Ok(())
    }

    /// How many happenings the laws were checked on.
    pub fn happenings(&self) -> usize {
        self.ledger.happenings()
    }
}

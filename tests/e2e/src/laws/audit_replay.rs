//! The laws over one `ChamberCluster`'s whole life, read piece by piece.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use demo::{Release, Tenant};

use super::audit_event::{self, AuditEvent};
use super::replay::{Bounds, Replay};
use crate::audit;
use crate::stage::Stage;

/// Chambers that stay unsealed while one is replaced: the tests run three, one of which may be away.
const OTHERS: usize = 2;

/// What happened to one tenant so far, and which laws were broken.
pub struct AuditReplay {
    namespace: String,
    bounds: Bounds,
    measurements: BTreeMap<String, String>,
    log: PathBuf,
    offset: u64,
    seq: u64,
    replay: Replay,
    events: usize,
}

impl AuditReplay {
    /// Opened before the tenant's `ChamberCluster` is declared: nothing has happened yet.
    pub fn open(stage: &Stage, tenant: &Tenant) -> Result<Self> {
        let releases = [
            &stage.environment.releases.v1,
            &stage.environment.releases.v2,
        ];
        let mut measurements = BTreeMap::new();
        for release in releases {
            measurements.insert(release.parsed()?.id(), release.image_sha384().to_owned());
        }
        let log = stage.environment.host.audit_log();
        Ok(Self {
            namespace: tenant.namespace.clone(),
            bounds: Bounds {
                keys: tenant.key_arns(),
                approved: measurements.values().cloned().collect(),
                others: OTHERS,
            },
            measurements,
            log: log.context("a cluster of others keeps no audit log here")?,
            offset: 0,
            seq: 0,
            replay: Replay::default(),
            events: 0,
        })
    }

    /// Reads what is new; an error names each law that was broken.
    pub async fn check(&mut self, stage: &Stage) -> Result<()> {
        let requests = audit::read_from(&self.log, &mut self.offset)?;
        let requests: Vec<_> = requests
            .into_iter()
            .filter(|request| request.namespace() == self.namespace)
            .collect();
        let calls = stage.environment.emulator().audit(self.seq).await?;
        self.seq = calls.last().map_or(self.seq, |call| call.seq);
        let events = audit_event::merge(&requests, &calls, &self.measurements);
        self.events += events.len();
        let step = |event: &AuditEvent| self.replay.step(&self.bounds, event);
        let broken: Vec<_> = events.iter().flat_map(step).collect();
        ensure!(broken.is_empty(), "{}", broken.join("; "));
        Ok(())
    }

    /// The same, at the end of a rollover: only its target is admitted.
    pub async fn check_settled(&mut self, stage: &Stage, target: &Release) -> Result<()> {
        self.check(stage).await?;
        let image = target.image_sha384();
        ensure!(
            self.replay.admits_only(&self.bounds, image),
            "not every key admits {} alone",
            target.name
        );
        Ok(())
    }

    /// How much was looked at: logs without anything in them prove nothing.
    pub fn events(&self) -> usize {
        self.events
    }
}

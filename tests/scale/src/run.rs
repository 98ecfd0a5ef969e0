//! One run: all clusters are made, the operator rests, is started anew, rests again, and all clusters roll at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::aws::Kms;
use crate::clusters::{self, Release};
use crate::control_plane::ControlPlane;
use crate::kubelet;
use crate::measured::{Measured, Rested, Rolled};
use crate::operator::Operator;
use crate::pods::Pods;
use crate::prometheus::Prometheus;
use crate::tally::Tally;

/// What is run.
pub struct Plan {
    /// How many clusters.
    pub clusters: u32,
    /// In so many namespaces.
    pub namespaces: u32,
    /// How long the operator is watched at rest.
    pub idle: Duration,
}

/// As in the chart.
const DRIFT: &str = "10m";
/// A tenth of it, so that a short look sees what ten minutes cost.
const OFTEN: &str = "1m";
/// Clusters that are not settled after so long, and as long again a hundred, are a failure.
const LIMIT: Duration = Duration::from_mins(5);

/// What is around the operator.
struct World {
    plane: ControlPlane,
    kms: Kms,
    prometheus: Prometheus,
    tenants: Vec<demo::aws::Tenant>,
    _kubelets: JoinSet<Result<()>>,
}

impl World {
    async fn start(plan: &Plan) -> Result<Self> {
        let namespaces = clusters::namespaces(plan.namespaces);
        let tenants = clusters::tenants(plan.clusters, &namespaces)?;
        let plane = ControlPlane::start(&namespaces).await?;
        let pods = Arc::<Pods>::default();
        let mut kubelets = JoinSet::new();
        kubelets.spawn(kubelet::run(plane.client.clone(), pods.clone()));
        Ok(Self {
            kms: Kms::start(&tenants, &plane.folder).await?,
            prometheus: Prometheus::start(pods).await?,
            plane,
            tenants,
            _kubelets: kubelets,
        })
    }

    async fn declare(&self, release: &Release) -> Result<Vec<Duration>> {
        let hundreds = u32::try_from(self.tenants.len().div_ceil(100))?;
        let (client, url) = (&self.plane.client, &self.prometheus.url);
        clusters::declare(client, &self.tenants, release, url, LIMIT * (1 + hundreds)).await
    }

    async fn operator(&self, drift: &str) -> Result<Operator> {
        Operator::start(&self.plane, &self.kms, drift).await
    }
}

/// Runs it all.
pub async fn run(plan: &Plan) -> Result<Measured> {
    let world = World::start(plan).await?;
    let operator = world.operator(DRIFT).await?;
    let empty_mib = operator.rss_mib()?;
    let created = rolled(&world, &operator, &Release("a1")).await?;
    let quiet = rest(&operator, plan.idle).await?;
    operator.end().await?;

    let operator = world.operator(OFTEN).await?;
    let restart = started_anew(&operator, plan.clusters).await?;
    let often = rest(&operator, plan.idle).await?;
    operator.end().await?;

    let operator = world.operator(DRIFT).await?;
    started_anew(&operator, plan.clusters).await?;
    let roll = rolled(&world, &operator, &Release("b2")).await?;
    operator.end().await?;
    Ok(Measured {
        clusters: plan.clusters,
        namespaces: plan.namespaces,
        empty_mib,
        created,
        quiet,
        restart,
        often,
        roll,
    })
}

/// All clusters get this release, and are settled.
async fn rolled(world: &World, operator: &Operator, release: &Release) -> Result<Rolled> {
    let (before, cpu) = (operator.tally().await?, operator.cpu_ms()?);
    let (queries, began) = (world.prometheus.queries(), Instant::now());
    let took = world.declare(release).await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Rolled {
        seconds,
        took,
        cpu_ms: operator.cpu_ms()? - cpu,
        rss_mib: operator.rss_mib()?,
        sockets: operator.sockets()?,
        queries: world.prometheus.queries() - queries,
        calls: operator.tally().await?.since(&before),
    })
}

/// Nothing changes for this long.
async fn rest(operator: &Operator, time: Duration) -> Result<Rested> {
    let (before, cpu) = (operator.tally().await?, operator.cpu_ms()?);
    sleep(time).await;
    Ok(Rested {
        seconds: time.as_secs_f64(),
        cpu_ms: operator.cpu_ms()? - cpu,
        rss_mib: operator.rss_mib()?,
        sockets: operator.sockets()?,
        calls: operator.tally().await?.since(&before),
    })
}

/// From the start until every key was read.
async fn started_anew(operator: &Operator, clusters: u32) -> Result<Rested> {
    let read = |tally: &Tally| tally.aws.get("kms:GetKeyPolicy").copied();
    loop {
        let calls = operator.tally().await?;
        let seconds = operator.started().elapsed().as_secs_f64();
        if read(&calls).unwrap_or_default() >= f64::from(clusters) {
            // What follows a reading is done, too: the turn ends.
            sleep(Duration::from_secs(2)).await;
            return Ok(Rested {
                seconds,
                cpu_ms: operator.cpu_ms()?,
                rss_mib: operator.rss_mib()?,
                sockets: operator.sockets()?,
                calls: operator.tally().await?,
            });
        }
        ensure!(seconds < LIMIT.as_secs_f64(), "not every key was read");
        sleep(Duration::from_millis(200)).await;
    }
}

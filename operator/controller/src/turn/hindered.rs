//! Turns in which something is wrong before the plan: deletion and revocation go on, and it is reported.

use chamber_api::ChamberCluster;
use chamber_resource::Fault;
use rollover::{Action, Plan, Reason, Step, World, laws};

use super::carry::{Report, carry_out, reached, say, unsaid};
use super::decide::decide;
use super::outcome::{BLOCKED, End, Error};
use super::tries::Tries;
use crate::context::Context;
use crate::{act, kubernetes, report};

/// Why only a person's word, a revocation and a deletion go on; one of the two at least.
pub struct Hindrance {
    /// The spec cannot be used, or the operator's configuration does not bind the namespace to it.
    pub fault: Option<Fault>,
    /// Chambers, blobs or the seal pod could not be read.
    pub unseen: Option<kubernetes::Error>,
}

impl Hindrance {
    /// Whether nothing is wrong.
    pub fn is_none(&self) -> bool {
        self.fault.is_none() && self.unseen.is_none()
    }

    /// Step, reason and sentence.
    fn told(&self, world: &World) -> (Step, Reason, String) {
        match (&self.fault, &self.unseen) {
            (Some(fault), _) => (Step::Measure, fault.reason, fault.message.clone()),
            (None, Some(error)) => (reached(world), Reason::ActionFailed, error.to_string()),
            (None, None) => (reached(world), Reason::ActionFailed, String::new()),
        }
    }
}

/// The resource's namespace cannot be read, whose uid is part of what the keys call their owner.
pub async fn nameless(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    error: kubernetes::Error,
) -> Result<End, Error> {
    let message = format!(
        "the namespace, whose uid is part of the external id: {error}. The operator needs `get` of it (the chart's ClusterRole has it)"
    );
    let reason = Reason::ActionFailed;
    unsaid(report::unseen(ctx, cluster, Step::Measure, reason, &message).await);
    Err(error.into())
}

/// Nothing of the spec can be used: a deletion is let go, and it is said what it leaves undone.
pub async fn unusable(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    fault: &Fault,
) -> Result<End, Error> {
    if cluster.metadata.deletion_timestamp.is_some() {
        return let_go(ctx, cluster, &fault.message).await;
    }
    report::unseen(ctx, cluster, Step::Measure, fault.reason, &fault.message).await?;
    Ok(End::Rests(BLOCKED))
}

/// Lets a deletion pass that cannot be done well.
async fn let_go(ctx: &Context, cluster: &ChamberCluster, undone: &str) -> Result<End, Error> {
    act::hold(ctx, cluster, false).await?;
    let action = Action::RemoveFinalizer(Some(undone.to_owned()));
    say(ctx, cluster, Step::Retire, &action).await;
    Ok(End::Gone)
}

/// Revocation and deletion go on; the hindrance is reported.
pub async fn hindered(
    ctx: &Context,
    cluster: &mut ChamberCluster,
    mut world: World,
    hindrance: Hindrance,
    tries: &mut Tries,
) -> Result<End, Error> {
    let leaving = world.spec.deletion.is_some() && world.record.rollover.is_some();
    let (_, _, wrong) = hindrance.told(&world);
    let bound = |fault: &Fault| fault.reason != Reason::NamespaceNotBound;
    if leaving && !hindrance.fault.as_ref().is_none_or(bound) {
        // The keys are not the namespace's any more: what is left in them is for their holders.
        return let_go(ctx, cluster, &wrong).await;
    }
    // Which chambers run decides what a deletion leaves in the policies.
    let plan = if leaving && hindrance.unseen.is_some() {
        Ok(None)
    } else {
        decide(ctx, cluster, &mut world, rollover::urgent).await
    };
    let (step, reason, message) = match plan {
        Ok(Some(Plan::Act { step, action })) => {
            if leaving && laws::check(&world, &action).is_err() {
                return let_go(ctx, cluster, &wrong).await;
            }
            return carry_out(ctx, cluster, &world, step, &action, tries, Report::Facts).await;
        }
        Ok(Some(Plan::Wait { step, obstacle, .. } | Plan::Block { step, obstacle })) => {
            (step, obstacle.reason(), obstacle.to_string())
        }
        Ok(Some(Plan::Look(_) | Plan::Settled { .. }) | None) | Err(_) => hindrance.told(&world),
    };
    let told = report::unseen(ctx, cluster, step, reason, &message).await;
    match hindrance.unseen {
        None => Ok(told.map(|()| End::Rests(BLOCKED))?),
        Some(error) => {
            unsaid(told);
            Err(error.into())
        }
    }
}

//! Turns in which something is wrong before the plan: deletion and revocation go on, and it is reported.

use chamber_api::ChamberCluster;
use chamber_resource::release::Fault;
use rollover::{Action, Plan, Reason, Step, World, laws};

use super::carry::{Report, carry_out, reached, say, unsaid};
use super::decide::decide;
use super::outcome::{BLOCKED, End, Error};
use super::tries::Tries;
use crate::context::Context;
use crate::{act, kubernetes, report};

/// Why only a person's word, a revocation and a deletion go on.
pub enum Hindrance {
    /// The spec cannot be used, or the operator's configuration does not bind the namespace to it.
    Fault(Fault),
    /// Chambers, blobs or the seal pod could not be read.
    Unobserved(kubernetes::Error),
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
    let action = Action::AllowDeletion(Some(undone.to_owned()));
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
    let plan = match &hindrance {
        // The keys are not the namespace's any more: what is left in them is for their holders.
        Hindrance::Fault(fault) if leaving && fault.reason == Reason::NamespaceNotBound => {
            return let_go(ctx, cluster, &fault.message).await;
        }
        // Which chambers run decides what stays in the policies.
        Hindrance::Unobserved(_) if leaving => Ok(None),
        _ => decide(ctx, cluster, &mut world, rollover::urgent).await,
    };
    let (step, reason, message) = match (plan, &hindrance) {
        (Ok(Some(Plan::Act { step, action })), Hindrance::Fault(fault)) => {
            if leaving && laws::check(&world, &action).is_err() {
                return let_go(ctx, cluster, &fault.message).await;
            }
            return carry_out(ctx, cluster, &world, step, &action, tries, Report::Facts).await;
        }
        (Ok(Some(Plan::Act { step, action })), Hindrance::Unobserved(_)) => {
            return carry_out(ctx, cluster, &world, step, &action, tries, Report::Facts).await;
        }
        (
            Ok(Some(
                Plan::Wait {
                    step,
                    reason,
                    message,
                    ..
                }
                | Plan::Block {
                    step,
                    reason,
                    message,
                },
            )),
            _,
        ) => (step, reason, message),
        (_, Hindrance::Fault(fault)) => (Step::Measure, fault.reason, fault.message.clone()),
        (_, Hindrance::Unobserved(error)) => {
            (reached(&world), Reason::ActionFailed, error.to_string())
        }
    };
    let told = report::unseen(ctx, cluster, step, reason, &message).await;
    match hindrance {
        Hindrance::Fault(_) => Ok(told.map(|()| End::Rests(BLOCKED))?),
        Hindrance::Unobserved(error) => {
            unsaid(told);
            Err(error.into())
        }
    }
}

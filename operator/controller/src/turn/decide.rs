//! Planning, with what the plan asks to read.

use chamber_api::ChamberCluster;
use rollover::laws::Breach;
use rollover::{Obstacle, Plan, Step, World};

use crate::context::Context;
use crate::kubernetes;
use crate::observe::{self, Looks};

/// Looks between two actions at most: each kind is answered at once, so more is a defect.
const LOOKS: usize = 5;

/// Plans, reading what the plan asks for, until it says something else.
pub async fn decide(
    ctx: &Context,
    cluster: &ChamberCluster,
    world: &mut World,
    plan: impl Fn(&World) -> Option<Plan>,
) -> Result<Option<Plan>, kubernetes::Error> {
    let mut looks = Looks::default();
    for _ in 0..LOOKS {
        let plan = plan(world);
        let Some(Plan::Look(look)) = &plan else {
            return Ok(plan);
        };
        observe::look(ctx, cluster, world, look, &mut looks).await?;
    }
    let breach = Breach {
        law: 7,
        message: "what the plan asks to read is never enough".to_owned(),
    };
    Ok(Some(Plan::Block {
        step: Step::Settled,
        obstacle: Obstacle::LawBroken(breach.into()),
    }))
}

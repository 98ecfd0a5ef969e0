//! `status.plan`: what a rollover would change, while `spec.rollover.dryRun` is set.

use chamber_api::{AccessStatus, KeyPlanStatus, PlanStatus};
use key_policy::{Access, Change, MAX_SIZE};
use rollover::{Changes, KeyPreview, World};

/// The plan that status shows.
pub fn of(world: &World) -> Option<PlanStatus> {
    if !world.spec.dry_run {
        return None;
    }
    let preview = rollover::preview(world);
    Some(PlanStatus {
        from: preview.from.map(|from| from.revision),
        to: preview.to.revision,
        objection: preview
            .objection
            .map(|found| format!("{}: {found}", found.reason())),
        keys: preview.keys.into_iter().map(key).collect(),
    })
}

fn key(key: KeyPreview) -> KeyPlanStatus {
    let entry = KeyPlanStatus {
        name: key.name,
        ..KeyPlanStatus::default()
    };
    match key.changes {
        Err(message) => KeyPlanStatus {
            message: Some(message),
            ..entry
        },
        Ok(changes) => with_changes(entry, &changes),
    }
}

fn with_changes(entry: KeyPlanStatus, changes: &Changes) -> KeyPlanStatus {
    let lines = |changes: &[Change]| changes.iter().map(Change::to_string).collect();
    let [now, admitted, retired] = changes.sizes;
    KeyPlanStatus {
        takes_over: changes.takes_over,
        bytes: Some(format!("{now} -> {admitted} -> {retired} of {MAX_SIZE}")),
        admit: lines(&changes.admit),
        retire: lines(&changes.retire),
        access: changes
            .access
            .iter()
            .filter(|row| row.changes())
            .map(access)
            .collect(),
        ..entry
    }
}

fn access(row: &Access) -> AccessStatus {
    let allowed = |index: usize| row.by.get(index).is_some_and(|answer| !answer.is_denied());
    AccessStatus {
        principal: row.principal.clone(),
        action: row.action.to_owned(),
        attested: row.attested.clone(),
        now: allowed(0),
        admitted: allowed(1),
        retired: allowed(2),
    }
}

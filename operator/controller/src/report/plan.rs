//! `status.plan`: what a rollover would change, while `spec.rollover.dryRun` is set.

use std::collections::BTreeSet;

use chamber_api::{AccessStatus, KeyPlanStatus, PlanStatus};
use key_policy::evaluate::Decision;
use key_policy::{Access, Change, MAX_SIZE, NOT_SHOWN};
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
        not_shown: NOT_SHOWN.map(str::to_owned).to_vec(),
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
        depends_on: depends_on(&row.by),
    }
}

fn depends_on(answers: &[Decision]) -> Vec<String> {
    let keys = answers.iter().flat_map(|answer| match answer {
        Decision::Depends { on, .. } => on.as_slice(),
        _ => &[],
    });
    let keys: BTreeSet<_> = keys.map(|dependence| dependence.key.clone()).collect();
    keys.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use key_policy::evaluate::Dependence;

    use super::*;

    fn depends(key: &str) -> Decision {
        Decision::Depends {
            by: "Fence".to_owned(),
            on: vec![Dependence {
                key: key.to_owned(),
                allowed: None,
                denied: None,
                unturned: None,
            }],
        }
    }

    #[test]
    fn what_an_answer_depends_on_is_named_once_and_counts_as_allowed() {
        let row = Access {
            principal: "arn:aws:iam::111122223333:role/enclave".to_owned(),
            action: "kms:Decrypt",
            attested: "none".to_owned(),
            by: vec![
                Decision::ImplicitDeny,
                depends("aws:SourceVpce"),
                depends("aws:SourceVpce"),
            ],
        };
        let told = access(&row);
        assert_eq!((told.now, told.admitted, told.retired), (false, true, true));
        assert_eq!(told.depends_on, ["aws:SourceVpce"]);
    }
}

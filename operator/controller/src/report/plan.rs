//! `status.plan`: what a rollover would change, while `spec.rollover.dryRun` is set.

use std::collections::BTreeSet;

use chamber_api::{AccessStatus, DependsOn, KeyPlanStatus, PlanStatus};
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
        manifest: preview.manifest.map(|change| change.to_string()),
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

/// What the answers may depend on; none where all are certain.
fn depends_on(answers: &[Decision]) -> Option<DependsOn> {
    let of = |index: usize| match answers.get(index) {
        Some(Decision::Depends { on, .. }) => {
            let keys: BTreeSet<_> = on.iter().map(|dependence| dependence.key.clone()).collect();
            keys.into_iter().collect()
        }
        _ => Vec::new(),
    };
    let [now, admitted, retired] = [0, 1, 2].map(of);
    let depends_on = DependsOn {
        now,
        admitted,
        retired,
    };
    (depends_on != DependsOn::default()).then_some(depends_on)
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

    fn told(by: Vec<Decision>) -> AccessStatus {
        access(&Access {
            principal: "arn:aws:iam::111122223333:role/enclave".to_owned(),
            action: "kms:Decrypt",
            attested: "none".to_owned(),
            by,
        })
    }

    #[test]
    fn what_an_answer_depends_on_is_named_beside_its_stage_and_counts_as_allowed() {
        let allowed = || Decision::Allowed {
            by: "Statement".to_owned(),
        };
        let closes = told(vec![
            Decision::ImplicitDeny,
            allowed(),
            depends("aws:SourceVpce"),
        ]);
        assert_eq!(
            (closes.now, closes.admitted, closes.retired),
            (false, true, true)
        );
        let opens = told(vec![depends("aws:SourceVpce"), allowed(), allowed()]);
        let key = vec!["aws:SourceVpce".to_owned()];
        let [closes, opens] = [closes, opens].map(|row| row.depends_on.unwrap());
        assert_eq!((closes.now, closes.retired), (Vec::new(), key.clone()));
        assert_eq!((opens.now, opens.retired), (key, Vec::new()));
        assert_eq!(told(vec![allowed(), allowed(), allowed()]).depends_on, None);
    }
}

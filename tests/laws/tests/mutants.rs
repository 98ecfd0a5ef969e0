//! A bug for each law is planted, and found.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use laws::mutant::{ALL, Mutant};
use laws::search::{Search, run};
use laws::setup::Size;
use laws::violation::Violation;
use rollover::{Gate, OnFailure};

fn size(mutant: Mutant) -> Size {
    Size {
        chambers: 2,
        keys: match mutant {
            Mutant::BelievesOneHolder => 3,
            _ => 2,
        },
        threshold: 2,
        max_unavailable: u8::from(mutant != Mutant::BlamesFullNodes),
        max_surge: u8::from(mutant == Mutant::BlamesFullNodes),
        on_failure: OnFailure::Rollback,
        // The way back needs what is gone.
        broken: if mutant == Mutant::MakesFromAnother {
            0b010
        } else {
            0
        },
        observed: match mutant {
            Mutant::WritesForTheHolder | Mutant::PassesTheHolderBy => 0b10,
            Mutant::NeverRetires => 0b11,
            _ => 0,
        },
        silent: 0,
        remanages: mutant == Mutant::OverlooksAnotherHolder,
        accepted: 0,
        external: mutant == Mutant::ForgetsWhatWasFound,
        gate: if matches!(mutant, Mutant::SkipsTheGate | Mutant::OverlooksManifests) {
            Gate::Required
        } else {
            Gate::Disabled
        },
        forged: mutant == Mutant::BelievesStatus,
        scales: mutant == Mutant::OverlooksTheNumber,
        others: matches!(mutant, Mutant::TakesAnothersKeys | Mutant::ShowsTheOldKey),
        fences: mutant == Mutant::OverlooksFences,
        fills: mutant == Mutant::WaitsForTags,
        flips: mutant == Mutant::FightsOn,
        vanishes: mutant == Mutant::MakesFromAnother,
        seals: matches!(
            mutant,
            Mutant::TrustsAnySecret | Mutant::OverlooksAnothersPod | Mutant::WaitsForAStuckPod
        ),
        corrects: mutant == Mutant::ShowsTheOldKey,
        clock: mutant == Mutant::BelievesTheFuture,
        room: match mutant {
            Mutant::BlamesFullNodes => 2,
            _ => 0,
        },
        manifests: mutant == Mutant::OverlooksManifests,
        adopts: mutant == Mutant::ForgetsWhatWasFound,
        // A second seal is only possible where there was a first one.
        from_nothing: matches!(
            mutant,
            Mutant::SealsAnew
                | Mutant::ForgetsWhatWasFound
                | Mutant::OverlooksAnothersPod
                | Mutant::WaitsForAStuckPod
                | Mutant::ShowsTheOldKey
        ),
        faults: 1,
        wishes: match mutant {
            Mutant::OverlooksAnotherHolder
            | Mutant::ShowsTheOldKey
            | Mutant::OverlooksTheNumber
            | Mutant::WaitsForTags
            | Mutant::NeverRetires => 1,
            Mutant::ForgetsTheSecondRevocation => 2,
            _ => 0,
        },
    }
}

/// The law that a planted bug is found to break, and the way there.
fn found(mutant: Mutant, fuse: bool) -> (Violation, Vec<String>) {
    let search = Search {
        limit: 200_000,
        mutant: Some(mutant),
        fuse,
    };
    let found = run(size(mutant), search).unwrap();
    found
        .broken
        .unwrap_or_else(|| panic!("{mutant:?} is not found"))
}

#[test]
fn every_planted_bug_is_found_against_what_is_true() {
    for (law, mutant) in ALL {
        let (violation, way) = found(mutant, false);
        assert_eq!(violation.law, law, "{mutant:?}: {violation:?}\n{way:#?}");
    }
}

/// One bug may break several laws; the first of them stops it.
#[test]
fn the_fuse_stops_every_bug_of_the_planner() {
    // Comparing is the hands' duty, and what is not ordered passes no fuse.
    let others = [
        Mutant::WritesWithoutComparing,
        Mutant::ForgetsTheSecondRevocation,
        Mutant::WaitsForTags,
        Mutant::OverlooksTheNumber,
        Mutant::WaitsForAStuckPod,
        Mutant::NeverRetires,
        Mutant::StopsForNothing,
    ];
    let planners = ALL.iter().filter(|(_, mutant)| !others.contains(mutant));
    for (_, mutant) in planners {
        let (violation, _) = found(*mutant, true);
        assert!(
            violation.message.starts_with("the fuse"),
            "{mutant:?}: {violation:?}"
        );
    }
}

#[test]
fn a_small_world_keeps_every_law() {
    let search = Search {
        limit: 3_000,
        mutant: None,
        fuse: true,
    };
    let found = run(size(Mutant::NeverRests), search).unwrap();
    assert_eq!(found.broken, None);
}

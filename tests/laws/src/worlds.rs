//! The small worlds that `make laws` searches.

use rollover::{Gate, OnFailure};

use crate::setup::Size;

/// How much may happen on one way.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Things that may go wrong.
    pub faults: u8,
    /// Things that the user may ask for.
    pub wishes: u8,
}

/// Every key Managed, nothing broken, settled on the first release.
fn size(extent: Extent, chambers: u8, keys: usize, threshold: usize) -> Size {
    Size {
        chambers,
        keys,
        threshold,
        max_unavailable: 1,
        max_surge: 0,
        on_failure: OnFailure::Rollback,
        broken: 0,
        observed: 0,
        silent: 0,
        remanages: false,
        accepted: 0,
        external: false,
        gate: Gate::Disabled,
        forged: false,
        others: false,
        fences: false,
        fills: false,
        flips: false,
        vanishes: false,
        seals: false,
        corrects: false,
        clock: false,
        room: 0,
        manifests: false,
        scales: false,
        adopts: false,
        from_nothing: false,
        faults: extent.faults,
        wishes: extent.wishes,
    }
}

/// Somebody puts fences around keys, and nobody knows whether they hold.
fn fenced(extent: Extent) -> [Size; 3] {
    let size = |chambers, keys, threshold| Size {
        fences: true,
        ..size(extent, chambers, keys, threshold)
    };
    let from_nothing = Size {
        from_nothing: true,
        ..size(1, 2, 1)
    };
    [size(2, 2, 2), size(1, 3, 2), from_nothing]
}

/// One image goes from one cluster manifest to another, and the keys pin the manifest.
fn under_manifests(extent: Extent) -> [Size; 4] {
    let size = |chambers, keys, threshold| Size {
        manifests: true,
        // A pin asks for it, whatever the spec says.
        gate: Gate::Required,
        ..size(extent, chambers, keys, threshold)
    };
    let from_nothing = Size {
        from_nothing: true,
        ..size(1, 2, 1)
    };
    let broken = Size {
        broken: 0b010,
        ..size(2, 2, 2)
    };
    let forged = Size {
        forged: true,
        ..size(1, 2, 2)
    };
    [size(2, 2, 2), broken, from_nothing, forged]
}

/// Chambers are asked to attest, and fall silent or lie.
fn attested(extent: Extent) -> [Size; 4] {
    let size = |gate, chambers, keys, threshold| Size {
        gate,
        ..size(extent, chambers, keys, threshold)
    };
    [
        size(Gate::Required, 2, 1, 1),
        size(Gate::Preferred, 2, 2, 1),
        Size {
            from_nothing: true,
            ..size(Gate::Preferred, 1, 2, 2)
        },
        Size {
            max_unavailable: 0,
            max_surge: 1,
            on_failure: OnFailure::Pause,
            ..size(Gate::Required, 1, 2, 1)
        },
    ]
}

/// The user changes who manages a key; somebody deletes `ReplicaSets`; something else writes a policy, or fills a key's tags; a key is lost while the user wants more chambers.
fn of_other_hands(extent: Extent) -> [Size; 7] {
    let size = |chambers, keys, threshold| size(extent, chambers, keys, threshold);
    [
        Size {
            scales: true,
            ..size(1, 2, 1)
        },
        Size {
            remanages: true,
            ..size(1, 2, 2)
        },
        Size {
            remanages: true,
            observed: 0b10,
            from_nothing: true,
            ..size(1, 2, 1)
        },
        Size {
            fills: true,
            ..size(1, 2, 2)
        },
        Size {
            flips: true,
            ..size(1, 2, 1)
        },
        Size {
            vanishes: true,
            ..size(2, 2, 1)
        },
        Size {
            vanishes: true,
            broken: 0b010,
            ..size(1, 1, 1)
        },
    ]
}

/// The first seal goes wrong, and Secrets are put in the place of ours; the user corrects a key before it.
fn sealing(extent: Extent) -> [Size; 4] {
    let size = |chambers, keys, threshold| size(extent, chambers, keys, threshold);
    let seals = Size {
        seals: true,
        ..size(1, 2, 1)
    };
    let corrects = Size {
        corrects: true,
        from_nothing: true,
        ..size(1, 2, 2)
    };
    [
        seals,
        Size {
            from_nothing: true,
            ..seals
        },
        corrects,
        Size {
            others: true,
            ..corrects
        },
    ]
}

/// Time and room: the clock is set back, nodes are full, holders never answer, with what they keep accepted at risk or not.
fn of_time_and_room(extent: Extent) -> [Size; 7] {
    let size = |chambers, keys, threshold| size(extent, chambers, keys, threshold);
    let full = Size {
        max_unavailable: 0,
        max_surge: 1,
        room: 1,
        ..size(1, 2, 1)
    };
    let silent = Size {
        observed: 0b10,
        silent: 0b10,
        ..size(1, 2, 1)
    };
    [
        Size {
            clock: true,
            ..size(2, 2, 2)
        },
        Size {
            clock: true,
            gate: Gate::Preferred,
            from_nothing: true,
            ..size(1, 2, 1)
        },
        full,
        Size {
            max_unavailable: 1,
            room: 2,
            ..size(2, 1, 1)
        },
        silent,
        Size {
            accepted: 0b10,
            ..silent
        },
        Size {
            accepted: 0b10,
            keys: 3,
            threshold: 2,
            ..silent
        },
    ]
}

fn simple(extent: Extent) -> Vec<Size> {
    let size = |chambers, keys, threshold| size(extent, chambers, keys, threshold);
    let broken = Size {
        broken: 0b010,
        ..size(2, 2, 1)
    };
    vec![
        size(1, 1, 1),
        size(2, 1, 1),
        size(2, 2, 1),
        size(2, 2, 2),
        size(3, 3, 2),
        broken,
        Size {
            on_failure: OnFailure::Pause,
            ..broken
        },
        Size {
            max_unavailable: 0,
            max_surge: 1,
            ..size(2, 2, 2)
        },
        Size {
            from_nothing: true,
            ..size(2, 2, 2)
        },
        Size {
            from_nothing: true,
            broken: 0b001,
            ..size(1, 2, 1)
        },
        Size {
            observed: 0b010,
            ..size(2, 2, 2)
        },
        Size {
            observed: 0b110,
            from_nothing: true,
            ..size(1, 3, 2)
        },
        // Every key is its holder's.
        Size {
            observed: 0b11,
            ..size(2, 2, 2)
        },
        Size {
            forged: true,
            ..size(2, 3, 2)
        },
        Size {
            forged: true,
            observed: 0b10,
            ..size(1, 2, 2)
        },
        // The user wants fewer chambers, none, or more.
        Size {
            scales: true,
            ..size(1, 1, 1)
        },
        Size {
            scales: true,
            max_unavailable: 0,
            max_surge: 1,
            ..size(2, 1, 1)
        },
        // Another cluster tags keys, and the user takes them over.
        Size {
            others: true,
            ..size(2, 2, 2)
        },
        Size {
            others: true,
            observed: 0b10,
            ..size(1, 2, 1)
        },
        Size {
            accepted: 0b010,
            ..size(2, 2, 1)
        },
        Size {
            external: true,
            ..size(2, 2, 2)
        },
        Size {
            external: true,
            from_nothing: true,
            ..size(1, 2, 1)
        },
        Size {
            adopts: true,
            external: true,
            from_nothing: true,
            ..size(2, 2, 2)
        },
        Size {
            adopts: true,
            from_nothing: true,
            ..size(1, 3, 2)
        },
    ]
}

/// Every small world.
pub fn all(extent: Extent) -> Vec<Size> {
    let mut worlds = simple(extent);
    worlds.extend(of_other_hands(extent));
    worlds.extend(sealing(extent));
    worlds.extend(of_time_and_room(extent));
    worlds.extend(fenced(extent));
    worlds.extend(under_manifests(extent));
    worlds.extend(attested(extent));
    worlds
}

/// Size and rules of a world, in a line.
pub fn named(size: Size) -> String {
    let rules = [
        (size.external, "external"),
        (size.adopts, "taken over"),
        (size.from_nothing, "from nothing"),
        (size.remanages, "managed anew"),
        (size.forged, "status forged"),
        (size.scales, "scaled"),
        (size.others, "another cluster"),
        (size.fences, "fences"),
        (size.fills, "tags filled"),
        (size.flips, "another writer"),
        (size.vanishes, "sets vanish"),
        (size.seals, "seals fail"),
        (size.corrects, "ARN corrected"),
        (size.clock, "clock set back"),
        (size.room != 0, "nodes full"),
        (size.silent != 0, "holder silent"),
        (size.manifests, "manifests"),
    ];
    let rules = rules.iter().filter(|(holds, _)| *holds);
    let rules: String = rules.flat_map(|(_, rule)| [", ", rule]).collect();
    format!(
        "{} chambers, {} of {} keys, surge {}, {:?}, broken {:03b}, observed {:03b}, accepted {:03b}, gate {:?}{rules}",
        size.chambers,
        size.threshold,
        size.keys,
        size.max_surge,
        size.on_failure,
        size.broken,
        size.observed,
        size.accepted,
        size.gate,
    )
}

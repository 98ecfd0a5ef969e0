//! `make laws`: searches small worlds, two at a time, and says how many distinct states were seen.

use std::sync::Mutex;
use std::thread;

use clap::Parser;
use laws::search::{Found, Search, run};
use laws::setup::Size;
use rollover::{Gate, OnFailure};

/// Searches small worlds for a broken law.
#[derive(Parser)]
struct Arguments {
    /// States of each world at most.
    #[arg(long, default_value_t = 150_000)]
    limit: usize,
    /// Things that may go wrong on one way.
    #[arg(long, default_value_t = 2)]
    faults: u8,
    /// Things that the user may ask for on one way.
    #[arg(long, default_value_t = 1)]
    wishes: u8,
    /// Only the worlds whose rules, as they are printed, hold this text.
    #[arg(long, default_value = "")]
    only: String,
}

/// Every key Managed, nothing broken, settled on the first release.
fn size(arguments: &Arguments, chambers: u8, keys: usize, threshold: usize) -> Size {
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
        faults: arguments.faults,
        wishes: arguments.wishes,
    }
}

/// Somebody puts fences around keys, and nobody knows whether they hold.
fn fenced(arguments: &Arguments) -> [Size; 3] {
    let size = |chambers, keys, threshold| Size {
        fences: true,
        ..size(arguments, chambers, keys, threshold)
    };
    let from_nothing = Size {
        from_nothing: true,
        ..size(1, 2, 1)
    };
    [size(2, 2, 2), size(1, 3, 2), from_nothing]
}

/// One image goes from one cluster manifest to another, and the keys pin the manifest.
fn under_manifests(arguments: &Arguments) -> [Size; 4] {
    let size = |chambers, keys, threshold| Size {
        manifests: true,
        // A pin asks for it, whatever the spec says.
        gate: Gate::Required,
        ..size(arguments, chambers, keys, threshold)
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
fn attested(arguments: &Arguments) -> [Size; 4] {
    let size = |gate, chambers, keys, threshold| Size {
        gate,
        ..size(arguments, chambers, keys, threshold)
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

/// The user changes who manages a key; somebody deletes `ReplicaSets`; something else writes a policy; a key is lost while the user wants more chambers.
fn of_other_hands(arguments: &Arguments) -> [Size; 6] {
    let size = |chambers, keys, threshold| size(arguments, chambers, keys, threshold);
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
fn sealing(arguments: &Arguments) -> [Size; 4] {
    let size = |chambers, keys, threshold| size(arguments, chambers, keys, threshold);
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
fn of_time_and_room(arguments: &Arguments) -> [Size; 7] {
    let size = |chambers, keys, threshold| size(arguments, chambers, keys, threshold);
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

fn worlds(arguments: &Arguments) -> Vec<Size> {
    let size = |chambers, keys, threshold| size(arguments, chambers, keys, threshold);
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

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let search = Search {
        limit: arguments.limit,
        mutant: None,
        fuse: true,
    };
    let mut worlds = worlds(&arguments);
    worlds.extend(of_other_hands(&arguments));
    worlds.extend(sealing(&arguments));
    worlds.extend(of_time_and_room(&arguments));
    worlds.extend(fenced(&arguments));
    worlds.extend(under_manifests(&arguments));
    worlds.extend(attested(&arguments));
    worlds.retain(|size| named(*size).contains(&arguments.only));
    let left = Mutex::new(worlds);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(size) = left.lock().ok().and_then(|mut left| left.pop()) {
                    let found = run(size, search);
                    report(size, &found);
                    if let Ok(mut results) = results.lock() {
                        results.push(found);
                    }
                }
            });
        }
    });
    summary(&results.into_inner().unwrap_or_default())
}

/// Size and rules of a world, in a line.
fn named(size: Size) -> String {
    let rules = [
        (size.external, "external"),
        (size.adopts, "taken over"),
        (size.from_nothing, "from nothing"),
        (size.remanages, "managed anew"),
        (size.forged, "status forged"),
        (size.scales, "scaled"),
        (size.others, "another cluster"),
        (size.fences, "fences"),
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
    let rules: String = rules.map(|(_, rule)| format!(", {rule}")).collect();
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

fn report(size: Size, found: &Result<Found, String>) {
    let world = named(size);
    match found {
        Err(fault) => println!("{world}: {fault}"),
        Ok(found) => {
            let extent = if found.complete { "all" } else { "the first" };
            println!(
                "{world}: {extent} {} states, {} transitions",
                found.states, found.transitions
            );
            if let Some((violation, way)) = &found.broken {
                println!("  LAW {} BROKEN: {}", violation.law, violation.message);
                for step in way {
                    println!("    {step}");
                }
            }
        }
    }
}

fn summary(results: &[Result<Found, String>]) -> std::process::ExitCode {
    let found: Vec<_> = results.iter().flatten().collect();
    let states: usize = found.iter().map(|found| found.states).sum();
    let broken = found.iter().filter(|found| found.broken.is_some()).count();
    let failed = broken + results.len() - found.len();
    println!(
        "{} worlds, {failed} failed: {states} distinct states",
        results.len()
    );
    if failed == 0 {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}

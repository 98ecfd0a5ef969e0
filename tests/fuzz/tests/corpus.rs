//! Each target over its corpus and deterministic mutations of it: what `make fuzz` does at length, in seconds.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::time::{Duration, Instant};

use fuzz_targets::TARGETS;

/// Mutations of each file at most.
const MUTATIONS: u32 = 3_000;
/// What one target may take: the tests are built without optimisation.
const LIMIT: Duration = Duration::from_secs(4);

/// Numbers that look random and are the same each time (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from(self.next() % limit).unwrap()
    }
}

/// A few bytes changed, a part left out, repeated, or taken from elsewhere in the file.
fn mutated(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.below(4) {
        let (at, length) = (random.below(data.len()), random.below(24));
        let end = (at + length).min(data.len());
        match random.below(5) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 if at < data.len() => data[at] = u8::try_from(random.below(256)).unwrap(),
            2 => drop(data.drain(at..end)),
            3 => {
                let part = data[at..end].to_vec();
                let to = random.below(data.len());
                data.splice(to..to, part);
            }
            _ => data.truncate(end),
        }
    }
    data
}

#[test]
fn every_target_survives_its_corpus_and_mutations_of_it() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        let (begun, mut runs) = (Instant::now(), 0_u32);
        target(&[]);
        for round in 0..MUTATIONS {
            for (index, file) in files.iter().enumerate() {
                let data = std::fs::read(file).unwrap();
                let seed = u64::from(round) << 8 | u64::try_from(index).unwrap() | 1 << 40;
                let mut random = Random(seed);
                random.next();
                match round {
                    0 => target(&data),
                    _ => target(&mutated(&data, &mut random)),
                }
                runs += 1;
            }
            if begun.elapsed() > LIMIT {
                break;
            }
        }
        println!("{name}: {runs} runs");
        assert!(runs > 200, "{name}: {runs} runs in {LIMIT:?}");
    }
}

use std::cell::RefCell;
use std::path::PathBuf;

use measurement::eif;
use rustix::io::Errno;

use super::assemble::Slot;
use super::fault::{Fault, Step};
use super::pages::PageSize;
use super::pages::Region;
use super::*;

/// A driver that notes what it is asked, and fails where it is told to.
#[derive(Default)]
struct Fake {
    fails: Option<(&'static str, i32)>,
    calls: RefCell<Vec<String>>,
}

impl Fake {
    fn failing(call: &'static str, code: i32) -> Self {
        Self {
            fails: Some((call, code)),
            ..Self::default()
        }
    }

    fn call<T>(&self, name: &'static str, text: String, value: T) -> Result<T, Errno> {
        self.calls.borrow_mut().push(text);
        match self.fails {
            Some((call, code)) if call == name => Err(Errno::from_raw_os_error(code)),
            _ => Ok(value),
        }
    }
}

const OFFSET: u64 = 8 << 20;

impl Slot for Fake {
    fn load_offset(&self) -> Result<u64, Errno> {
        self.call("offset", "offset".into(), OFFSET)
    }

    fn add_memory(&self, _: usize, size: usize) -> Result<(), Errno> {
        self.call("memory", format!("memory {} MiB", size >> 20), ())
    }

    fn add_cpu(&self) -> Result<u32, Errno> {
        self.call("cpu", "cpu".into(), 1)
    }

    fn start(&self, debug: bool) -> Result<u64, Errno> {
        self.call("start", format!("start debug={debug}"), 17)
    }
}

/// Memory of the heap.
struct Heap(Vec<u8>);

impl Region for Heap {
    fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

fn heap(length: usize, _: PageSize) -> Result<Heap, Errno> {
    match length {
        0 => Err(Errno::INVAL),
        _ => Ok(Heap(vec![0; length])),
    }
}

fn only_small(length: usize, page: PageSize) -> Result<Heap, Errno> {
    match page {
        PageSize::Small => heap(length, page),
        PageSize::Large => Err(Errno::NOMEM),
    }
}

const MACHINE: Machine = Machine {
    memory_mib: 64,
    cpus: 2,
    debug: false,
};

#[test]
fn memory_with_the_image_comes_first_then_cpus_then_the_start() {
    let fake = Fake::default();
    let image = b"an image".repeat(1000);
    let (mut regions, cid) = assemble(&fake, heap, &image, MACHINE).unwrap();
    let calls = ["offset", "memory 64 MiB", "cpu", "cpu", "start debug=false"];
    assert_eq!(*fake.calls.borrow(), calls);
    assert_eq!(cid, 17);
    let offset = usize::try_from(OFFSET).unwrap();
    let bytes = regions[0].bytes();
    assert!(bytes[offset..].starts_with(&image));
    assert!(bytes[..offset].iter().all(|byte| *byte == 0));
}

#[test]
fn an_image_goes_on_in_the_next_region() {
    // 9 MiB from 8 MiB on, in regions of 10 and 54 MiB.
    let image: Vec<u8> = (0..9_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let sizes = RefCell::new(vec![54 << 20, 10 << 20]);
    let pieces = |_, _| Ok(Heap(vec![0; sizes.borrow_mut().pop().unwrap()]));
    let large = Machine {
        memory_mib: 1024 + 54,
        ..MACHINE
    };
    let (mut regions, _) = assemble(&Fake::default(), pieces, &image, large).unwrap();
    let split = 2 << 20;
    assert_eq!(regions[0].bytes()[8 << 20..], image[..split]);
    assert!(regions[1].bytes().starts_with(&image[split..]));
    let small = |_, _| Ok(Heap(vec![0; 10 << 20]));
    let error = assemble(&Fake::default(), small, &image, MACHINE)
        .err()
        .unwrap();
    assert_eq!(error, Fault::new(Step::Fill(64), Errno::NOSPC));
}

#[test]
fn large_pages_are_used_where_there_are_any_and_small_ones_for_the_rest() {
    let sizes = |take: fn(usize, PageSize) -> Result<Heap, Errno>, memory_mib| {
        let machine = Machine {
            memory_mib,
            ..MACHINE
        };
        let fake = Fake::default();
        assemble(&fake, take, b"", machine).unwrap();
        let calls = fake.calls.into_inner();
        calls
            .into_iter()
            .filter(|call| call.starts_with("memory"))
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes(heap, 1030), ["memory 1024 MiB", "memory 6 MiB"]);
    assert_eq!(sizes(only_small, 1030), ["memory 1030 MiB"]);
    assert_eq!(sizes(heap, 65), ["memory 66 MiB"], "whole pages");
}

#[test]
fn a_node_without_huge_pages_says_what_to_request() {
    let none = |_, _| Err::<Heap, _>(Errno::NOMEM);
    let error = assemble(&Fake::default(), none, b"", MACHINE)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "there are no 64 MiB of huge pages: Cannot allocate memory (os error 12): request hugepages-2Mi (or hugepages-1Gi) of as much for the container, and let the node's allocator reserve them (memory_mib in /etc/nitro_enclaves/allocator.yaml)"
    );
}

#[test]
fn every_code_of_the_driver_is_named_with_a_cure() {
    for code in 256..=275 {
        let call = if matches!(code, 256..=258 | 269 | 271 | 272) {
            "cpu"
        } else {
            "memory"
        };
        let fake = Fake::failing(call, code);
        let error = assemble(&fake, heap, b"", MACHINE)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("(NE_ERR_"), "{code}: {error}");
        assert!(!error.contains("dmesg"), "{code}: {error}");
    }
    let fake = Fake::failing("cpu", 272);
    assert_eq!(
        assemble(&fake, heap, b"", MACHINE)
            .err()
            .unwrap()
            .to_string(),
        "the enclave did not get CPU 1 of 2: no CPU of the pool is free (NE_ERR_NO_CPUS_AVAIL_IN_POOL): let the node's allocator reserve CPUs for all enclaves of the node (cpu_count in /etc/nitro_enclaves/allocator.yaml, then systemctl restart nitro-enclaves-allocator.service)"
    );
    let fake = Fake::failing("start", 269);
    let error = assemble(&fake, heap, b"", MACHINE)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("CHAMBER_CPUS to an even number"), "{error}");
    let error = Fault::new(Step::Open, Errno::ACCESS).to_string();
    assert!(
        error.contains("device_ownership_from_security_context"),
        "{error}"
    );
    let unknown = Fault::new(Step::Start, Errno::IO).to_string();
    assert!(unknown.contains("dmesg"), "{unknown}");
}

#[tokio::test]
async fn the_end_of_an_enclave_is_a_hang_up_of_its_descriptor() {
    // As of a pipe whose other end is closed.
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let enclave = |descriptor| NitroEnclave {
        running: Some(Running {
            descriptor: watched(descriptor).unwrap(),
            _pages: Vec::new(),
        }),
        _console: JoinSet::new(),
    };
    let mut enclave = enclave(reader);
    let now = std::time::Duration::ZERO;
    assert!(tokio::time::timeout(now, enclave.ended()).await.is_err());
    drop(writer);
    for _ in 0..2 {
        assert!(
            enclave
                .ended()
                .await
                .contains("the hypervisor reports its end")
        );
    }
    enclave.kill().await;
    assert_eq!(enclave.ended().await, "it was ended");
}

#[test]
fn huge_pages_are_memory_or_there_are_none() {
    for _ in 0..100 {
        // As often as it likes: each time they are given back.
        match Pages::take(PageSize::Small.bytes(), PageSize::Small) {
            Ok(mut pages) => {
                assert!(pages.bytes().iter().all(|byte| *byte == 0));
                pages.bytes().fill(7);
            }
            Err(errno) => assert_eq!(errno, Errno::NOMEM),
        }
    }
}

/// A file, gone when dropped.
struct TestFile(PathBuf);

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file with a small image, and its PCR0.
fn image_file(name: &str) -> (TestFile, Pcr) {
    let image = eif::Image {
        kernel: b"kernel",
        cmdline: "console=ttyS0",
        ramdisks: &[vec![1], vec![2]],
        metadata: "{}",
    };
    let mut bytes = Vec::new();
    eif::write(&image, None, &mut bytes).unwrap();
    let name = format!("chamber-host-{}-{name}", std::process::id());
    let file = TestFile(std::env::temp_dir().join(name));
    std::fs::write(&file.0, bytes).unwrap();
    (file, image.registers()[0])
}

fn refusal(eif: &Path, expected: Option<Pcr>, memory_mib: u32) -> String {
    let launch = Launch {
        eif,
        expected,
        memory_mib,
        cpus: 2,
        debug: false,
    };
    Nitro::new(launch).err().unwrap().to_string()
}

#[test]
fn only_the_releases_image_is_booted_and_in_debug_mode_it_attests_zeros() {
    let (eif, pcr0) = image_file("good.eif");
    let launch = |debug| Launch {
        eif: &eif.0,
        expected: Some(pcr0),
        memory_mib: 64,
        cpus: 2,
        debug,
    };
    assert_eq!(Nitro::new(launch(false)).unwrap().attests(), pcr0);
    assert!(Nitro::new(launch(true)).unwrap().attests().is_zero());
    let other = Pcr::from_bytes([1; 48]);
    let error = refusal(&eif.0, Some(other), 64);
    assert!(
        error.contains(&format!("has PCR0 {pcr0}, the release has {other}")),
        "{error}"
    );
}

#[test]
fn a_damaged_missing_or_too_large_image_is_not_booted() {
    let (eif, _) = image_file("bad.eif");
    let mut bytes = std::fs::read(&eif.0).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&eif.0, &bytes).unwrap();
    let error = refusal(&eif.0, None, 64);
    assert!(error.contains("checksum"), "{error}");
    bytes.resize(1 << 20, 0);
    std::fs::write(&eif.0, &bytes).unwrap();
    let error = refusal(&eif.0, None, 1);
    assert!(error.contains("larger than the enclave's 1 MiB"), "{error}");
    std::fs::write(&eif.0, b"no image").unwrap();
    let error = refusal(&eif.0, None, 64);
    assert!(error.contains("bad.eif"), "{error}");
    let error = refusal(Path::new("/nowhere.eif"), None, 64);
    assert!(error.contains("/nowhere.eif"), "{error}");
}

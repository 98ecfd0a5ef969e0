//! Building programs from a pinned Go module, with a sign of life.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Version that the Kubernetes programs report; without it clients refuse features.
const KUBERNETES_VERSION: &str = "v1.36.3";
/// How often a long build says that it goes on.
const PROGRESS: Duration = Duration::from_secs(15);

/// Programs of one Go module that are built together.
pub(crate) struct Set {
    /// For people, and for the scratch folder.
    pub name: &'static str,
    /// Folder of the module in `tests/cluster/binaries`.
    pub module: &'static str,
    /// What `go build` is asked for.
    pub packages: &'static [&'static str],
    /// What comes out.
    pub programs: &'static [&'static str],
}

/// Arguments of `go` but for the place of the output: also part of the key of what is cached.
pub(crate) fn arguments(set: &Set) -> Vec<String> {
    let fixed = ["build", "-mod=readonly", "-trimpath", "-ldflags"];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).into();
    arguments.push(link_flags(set));
    arguments.extend(set.packages.iter().map(|package| (*package).to_owned()));
    arguments
}

fn link_flags(set: &Set) -> String {
    if set.module != "kubernetes" {
        return "-s -w".to_owned();
    }
    let version = "k8s.io/component-base/version";
    format!(
        "-s -w -X {version}.gitVersion={KUBERNETES_VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor=36"
    )
}

/// Builds a set from the module in `source` and moves its programs into `dir`.
pub(crate) fn build(set: &Set, source: &Path, dir: &Path) -> Result<()> {
    let started = Instant::now();
    eprintln!("building {} from its Go module ...", set.name);
    // Programs appear in `dir` whole or not at all.
    let scratch = dir.join(format!(".{}", set.name));
    fs::create_dir_all(&scratch)?;
    let log = scratch.join("build.log");
    let target = match set.programs {
        [one] => scratch.join(one),
        // The trailing slash says that it is a folder.
        _ => scratch.join(""),
    };
    let output = File::create(&log)?;
    let mut child = Command::new("go")
        .arg("build")
        .arg("-o")
        .arg(&target)
        .args(&arguments(set)[1..])
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("starting go")?;
    let status = attend(&mut child, set.name, started)?;
    if !status.success() {
        bail!(
            "go build of {} failed: {}",
            set.name,
            fs::read_to_string(&log)?
        );
    }
    for program in set.programs {
        fs::rename(scratch.join(program), dir.join(program))
            .with_context(|| format!("go build of {} gave no {program}", set.name))?;
    }
    fs::remove_dir_all(&scratch)?;
    eprintln!("  built {} in {} s", set.name, started.elapsed().as_secs());
    Ok(())
}

/// Waits for the end of a build and says now and then that it goes on.
fn attend(child: &mut Child, name: &str, started: Instant) -> Result<ExitStatus> {
    let mut told = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            eprintln!("  ... {name} for {} s", started.elapsed().as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

//! `cluster`: a real Kubernetes control plane and node in one namespace of this machine.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use cluster::binaries::Binaries;
use cluster::images::Images;
use cluster::{
    Cluster, Subnet, binaries, enclave_images, images, inside, keeper, product_images, requirements,
};

/// A real Kubernetes control plane and node in one namespace of this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Args)]
struct Name {
    /// Clusters of different names run side by side.
    #[arg(long, default_value = "dev")]
    name: String,
}

#[derive(Subcommand)]
enum Action {
    /// Starts a cluster, unless it runs; prints its kubeconfig last.
    Up(Name),
    /// Ends a cluster and removes what it left.
    Down(Name),
    /// Says whether a cluster runs.
    Status(Name),
    /// A prompt whose kubectl and helm speak to the cluster.
    Shell(Name),
    /// Runs a command with PATH and KUBECONFIG of the cluster.
    Exec {
        #[command(flatten)]
        name: Name,
        /// In the namespaces of the node, as root: for `ctr`, `nft`, `ip`.
        #[arg(long)]
        node: bool,
        /// The command.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Brings image tars into the node.
    Load {
        #[command(flatten)]
        name: Name,
        /// The tars.
        tars: Vec<PathBuf>,
    },
    /// Installs packages and builds the components; prints their folder.
    Binaries,
    /// Builds the project's images; prints their digests, and the folder of their tars last.
    #[command(alias = "image")]
    Images,
    /// Builds the images of chambers whose enclaves QEMU boots; prints where everything is, as variables.
    EnclaveImages,
    /// Builds the images that users run: operator, command line and chamber; prints as `images` does.
    ProductImages,
    /// The process that makes the namespaces and cleans up after them.
    #[command(hide = true)]
    Keep(Place),
    /// The first process inside the namespaces.
    #[command(hide = true)]
    Inside(Place),
}

#[derive(Args)]
struct Place {
    dir: PathBuf,
    bin: PathBuf,
    subnet: u8,
}

fn main() -> ExitCode {
    match act(Arguments::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(action: Action) -> Result<()> {
    match action {
        Action::Up(Name { name }) => println!("{}", Cluster::up(&name)?.kubeconfig().display()),
        Action::Down(Name { name }) => Cluster::down(&name)?,
        Action::Status(Name { name }) => {
            let cluster = Cluster::running(&name)?;
            println!(
                "cluster {name} runs; kubeconfig {}",
                cluster.kubeconfig().display()
            );
        }
        Action::Shell(Name { name }) => shell(&name)?,
        Action::Exec {
            name,
            node,
            command,
        } => {
            let mut command = if node {
                on_node(&name.name, &command)?
            } else {
                with_cluster(&name.name, &command)?
            };
            bail!(command.exec());
        }
        Action::Load { name, tars } => Cluster::running(&name.name)?.load(&tars)?,
        Action::Binaries => {
            requirements::check()?;
            requirements::install()?;
            println!("{}", binaries::ensure()?.dir.display());
        }
        Action::Images => {
            requirements::check()?;
            requirements::install()?;
            show(&images::build_all()?);
        }
        Action::EnclaveImages => {
            requirements::check()?;
            requirements::install()?;
            let built = enclave_images::build()?;
            println!(
                "ENCLAVE_IMAGES={} ENCLAVE_QEMU={} ENCLAVE_DEVICES={}",
                built.images.dir.display(),
                built.qemu.display(),
                built.devices.display()
            );
        }
        Action::ProductImages => show(&product_images::build()?),
        Action::Keep(place) => {
            let binaries = Binaries { dir: place.bin };
            keeper::keep(place.dir, &binaries, Subnet(place.subnet))?;
        }
        Action::Inside(place) => {
            let binaries = Binaries { dir: place.bin };
            inside::supervise(place.dir, &binaries, Subnet(place.subnet))?;
        }
    }
    Ok(())
}

fn shell(name: &str) -> Result<()> {
    let shell = std::env::var("SHELL").unwrap_or_else(|_| "/bin/bash".into());
    eprintln!("kubectl and helm speak to cluster {name}; `exit` leaves it running");
    bail!(with_cluster(name, &[shell])?.exec());
}

fn show(images: &Images) {
    for (name, digest) in &images.digests {
        println!("{name} {digest}");
    }
    println!("{}", images.dir.display());
}

/// A command whose kubectl and helm speak to the cluster.
fn with_cluster(name: &str, words: &[String]) -> Result<Command> {
    let cluster = Cluster::running(name)?;
    let mut path = cluster.binaries().dir.clone().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let (program, arguments) = words.split_first().context("no command")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PATH", path)
        .env("KUBECONFIG", cluster.kubeconfig());
    Ok(command)
}

fn on_node(name: &str, words: &[String]) -> Result<Command> {
    let mut command = Cluster::running(name)?.on_node()?;
    command.args(words);
    Ok(command)
}

//! What builds no image.

use std::fs;
use std::os::unix::net::UnixListener;

use crate::world::{AUTHORITY, World};

/// What is said where a folder with this path in it is an image's.
fn with_file(path: &str) -> String {
    let world = World::new();
    let inside = world.path("files").join(path);
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::write(&inside, "x").unwrap();
    world.refused(&["--files", world.path("files").to_str().unwrap()])
}

#[test]
fn paths_that_are_not_the_users() {
    assert!(with_file("init").contains("/init is the agent's"));
    assert!(with_file("etc/chamber/authorities.pem").contains("given with --authorities"));
    for path in ["dev/nsm", "proc/x", "sys/x", "tmp/x"] {
        assert!(
            with_file(path).contains("is covered by another file system"),
            "{path}"
        );
    }
}

#[test]
fn a_program_twice_and_files_that_are_none() {
    let world = World::new();
    fs::create_dir(world.path("files")).unwrap();
    let program = world.write("files/workload", "one");
    let files = world.path("files");
    let files = files.to_str().unwrap();
    let twice = world.refused(&["--files", files, "--workload", &program]);
    assert!(twice.contains("workload is there twice"), "{twice}");
    fs::remove_file(&program).unwrap();
    let _socket = UnixListener::bind(world.path("files/socket")).unwrap();
    let socket = world.refused(&["--files", files]);
    assert!(
        socket.contains("socket is no file, folder or symbolic link"),
        "{socket}"
    );
    let missing = world.refused(&["--workload", "/nowhere/program"]);
    assert!(missing.contains("reading /nowhere/program"), "{missing}");
}

#[test]
fn a_kernel_that_is_no_bz_image() {
    let world = World::new();
    let short = world.write("short", "HdrS");
    let mut other = crate::world::kernel("6");
    other[0x202] = b'h';
    let other = world.write("other", other);
    for kernel in [short, other] {
        let refused = world.refused(&["--kernel", &kernel]);
        assert!(refused.contains("is no bzImage"), "{refused}");
    }
}

#[test]
fn authorities_that_are_none() {
    let world = World::new();
    let certificate = AUTHORITY.replace("PUBLIC KEY", "CERTIFICATE");
    let cut = AUTHORITY.replace("MCow", "MCoA");
    for (text, why) in [
        ("", "has no block PUBLIC KEY"),
        (certificate.as_str(), "has a block \"CERTIFICATE\""),
        (&AUTHORITY.repeat(2), "again"),
        (&cut, "Ed25519"),
    ] {
        let file = world.write("authorities.pem", text);
        let refused = world.refused(&["--authorities", &file]);
        assert!(
            refused.contains("authorities.pem") && refused.contains(why),
            "{refused}"
        );
    }
}

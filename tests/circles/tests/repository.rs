//! No file of this repository imports another one that imports it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use circles::circles;

/// The folders that have a `src` and a `Cargo.toml`.
fn crates(root: &Path) -> Vec<PathBuf> {
    let mut crates = Vec::new();
    for group in ["operator", "enclave-image", "tests"] {
        for entry in fs::read_dir(root.join(group)).unwrap() {
            let folder = entry.unwrap().path();
            if folder.join("Cargo.toml").is_file() && folder.join("src").is_dir() {
                crates.push(folder);
            }
        }
    }
    crates
}

#[test]
fn no_two_files_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = crates(&root);
    assert!(crates.len() > 20, "{crates:?}");
    for folder in crates {
        let found = circles(&folder.join("src")).unwrap();
        assert!(found.is_empty(), "{}: {found:?}", folder.display());
    }
}

/// The circles of a crate of these files.
fn of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    circles(folder.path()).unwrap()
}

#[test]
fn circles_are_found_however_files_name_each_other() {
    let a_and_b = [["a", "b"].map(str::to_owned).to_vec()];
    let uses_a = "use crate::A; pub struct B;";
    for lib in [
        "mod a; mod b; pub use a::A;",
        "mod a; mod b; pub use a::{A, C as D};",
    ] {
        for a in [
            "pub struct A(crate::b::B);",
            "use super::b::B; pub struct A(B);",
            "use super::{b::B as Other}; pub struct A(Other);",
            "pub struct A; fn f() { println!(\"{}\", crate::b::B); }",
            "#[error(most = crate::b::B)] pub struct A;",
            "pub struct A; mod inside { use super::super::b::B; }",
        ] {
            let found = of(&[("lib.rs", lib), ("a.rs", a), ("b.rs", uses_a)]);
            assert_eq!(found, a_and_b, "{lib} {a}");
        }
    }
}

#[test]
fn what_goes_one_way_is_no_circle() {
    let lib = "mod a; mod b; pub use a::A;";
    for a in [
        "pub struct A;",
        "pub struct A(std::b::B);",
        "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }",
    ] {
        let found = of(&[("lib.rs", lib), ("a.rs", a), ("b.rs", "use crate::A;")]);
        assert!(found.is_empty(), "{a}: {found:?}");
    }
    // A module is made of those below it, and those may use what it gives all of them.
    let made = of(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; pub use b::B; pub struct A;"),
        ("a/b.rs", "pub struct B(super::A);"),
    ]);
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn a_circle_over_a_third_file_is_one() {
    let found = of(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::A;"),
    ]);
    assert_eq!(found, [["a", "b", "c"]]);
}

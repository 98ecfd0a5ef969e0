//! Finds files of a crate that import each other, also over others in between.
//!
//! A file imports another one by a path that begins with `crate`, `super` or `self`, followed through `pub use` to where
//! the name comes from. That a module names what is below it is no import: a module is made of those.

mod graph;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::{Imports, Use};

/// A module as its names from the crate's root.
type Module = Vec<String>;

/// The circles of a crate whose files are under `src`, each as the names of its files.
///
/// # Errors
///
/// A file that cannot be read, or is no Rust.
pub fn circles(src: &Path) -> Result<Vec<Vec<String>>, String> {
    let files = files(src)?;
    let exports = exports(&files);
    let mut edges: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for (module, imports) in &files {
        let targets = imports.used.iter().filter_map(|path| {
            let target = origin(&files, &exports, path, 0)?;
            let below = target.starts_with(module);
            (!below && !target.is_empty()).then_some(target)
        });
        edges.insert(module, targets.collect());
    }
    let circles = graph::circles(&edges).into_iter();
    Ok(circles
        .map(|circle| circle.iter().map(|module| module.join("::")).collect())
        .collect())
}

/// Every module of the crate that is a file, but for its tests, with what it imports.
fn files(src: &Path) -> Result<BTreeMap<Module, Imports>, String> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(src).sort_by_file_name() {
        let entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path();
        let Some(module) = path.strip_prefix(src).ok().and_then(module_of) else {
            continue;
        };
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        let file = syn::parse_file(&text).map_err(|error| told(&error))?;
        let imports = Imports::of(&module, &file);
        files.insert(module, imports);
    }
    Ok(files)
}

/// The module that a file is; none for a program's root, for tests, and for what is no Rust.
fn module_of(file: &Path) -> Option<Module> {
    let stem = file.to_str()?.strip_suffix(".rs")?;
    let mut names: Module = stem.split('/').map(str::to_owned).collect();
    if names.iter().any(|name| name == "tests" || name == "bin") || stem == "main" {
        return None;
    }
    if stem == "lib" || names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    Some(names)
}

/// What `pub use` calls by another place: module and name, and the path that it stands for.
fn exports(files: &BTreeMap<Module, Imports>) -> BTreeMap<(&Module, &str), &Use> {
    let pairs = files.iter().flat_map(|(module, imports)| {
        let exported = imports.exported.iter();
        exported.map(move |(name, path)| ((module, name.as_str()), path))
    });
    pairs.collect()
}

/// The file that a path leads to.
fn origin<'a>(
    files: &'a BTreeMap<Module, Imports>,
    exports: &BTreeMap<(&Module, &str), &'a Use>,
    path: &'a [String],
    depth: usize,
) -> Option<&'a Module> {
    let (module, _) = (0..=path.len())
        .rev()
        .find_map(|end| files.get_key_value(&path[..end]))?;
    let further = path
        .get(module.len())
        .and_then(|name| exports.get(&(module, name.as_str())));
    match further {
        Some(further) if depth < DEEPEST => origin(files, exports, further, depth + 1),
        _ => Some(module),
    }
}

/// Exports of exports, at most: more are a circle of their own.
const DEEPEST: usize = 8;

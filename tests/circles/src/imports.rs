//! What a file names of its crate.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, Meta, Path, UseTree, Visibility};

use crate::Module;

/// A path from the crate's root.
pub type Use = Vec<String>;

/// What a file imports and exports.
pub struct Imports {
    /// Paths that it uses.
    pub used: Vec<Use>,
    /// Names that it gives on, and what they stand for.
    pub exported: Vec<(String, Use)>,
    /// Where the visitor is: the file's module, or one inside it.
    at: Module,
}

impl Imports {
    /// What the file of a module names; its tests are not asked.
    pub fn of(module: &Module, file: &syn::File) -> Self {
        let mut imports = Self {
            used: Vec::new(),
            exported: Vec::new(),
            at: module.clone(),
        };
        imports.visit_file(file);
        imports
    }

    /// The same path from the crate's root; none where it begins with another crate, or with what is in scope.
    fn absolute(&self, path: &[String]) -> Option<Use> {
        let mut at = match path.first()?.as_str() {
            "crate" => Module::new(),
            "self" | "super" => self.at.clone(),
            _ => return None,
        };
        let mut rest = path;
        while let Some((first, further)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    at.pop();
                }
                _ => break,
            }
            rest = further;
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }

    fn uses(&mut self, path: &[String]) {
        self.used.extend(self.absolute(path));
    }

    /// Paths stand in the tokens of macros and attributes, too.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.uses(&std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.uses(&std::mem::take(&mut path));
            colons = 0;
        }
        self.uses(&path);
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.attrs.iter().any(is_test) {
            return;
        }
        self.at.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut leaves = Vec::new();
        leaves_of(&item.tree, &mut Vec::new(), &mut leaves);
        for (name, path) in leaves {
            self.uses(&path);
            if !matches!(item.vis, Visibility::Inherited) {
                // A path that begins with a module below is one from here.
                let from_here = || self.at.iter().chain(&path).cloned().collect();
                let stands_for = self.absolute(&path).unwrap_or_else(from_here);
                self.exported.push((name, stands_for));
            }
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|one| one.ident.to_string())
            .collect();
        self.uses(&names);
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, found: &'ast Macro) {
        self.tokens(found.tokens.clone());
        visit::visit_macro(self, found);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    let test = |path: &Path| path.is_ident("test");
    attribute.path().is_ident("cfg") && attribute.parse_args::<Path>().is_ok_and(|path| test(&path))
}

/// The names that a tree of `use` brings, each with its path.
fn leaves_of(tree: &UseTree, way: &mut Vec<String>, leaves: &mut Vec<(String, Use)>) {
    let mut leaf = |name: String, last: String| {
        let mut path = way.clone();
        if last != "self" {
            path.push(last);
        }
        leaves.push((name, path));
    };
    match tree {
        UseTree::Name(name) => leaf(name.ident.to_string(), name.ident.to_string()),
        UseTree::Rename(rename) => leaf(rename.rename.to_string(), rename.ident.to_string()),
        UseTree::Glob(_) => leaf("*".to_owned(), "self".to_owned()),
        UseTree::Path(path) => {
            way.push(path.ident.to_string());
            leaves_of(&path.tree, way, leaves);
            way.pop();
        }
        UseTree::Group(group) => {
            for item in &group.items {
                leaves_of(item, way, leaves);
            }
        }
    }
}

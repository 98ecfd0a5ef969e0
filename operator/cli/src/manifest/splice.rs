//! Signatures put into YAML as somebody wrote it: comments and order stay.

use chamber_api::ManifestSpec;
use std::fmt::Write;

/// The text with the signatures of this manifest in place of its own, where it has one block of them.
///
/// Only looks at lines: whoever calls reads the result again and compares.
pub fn spliced(text: &str, manifest: &ManifestSpec) -> Option<String> {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let is_head = |line: &&str| {
        let line = line.trim();
        line == "signatures:" || line == "signatures: []"
    };
    let mut heads = lines.iter().enumerate().filter(|(_, line)| is_head(line));
    let ((head, line), None) = (heads.next()?, heads.next()) else {
        return None;
    };
    let indent = indent(line);
    let block = lines[head + 1..].iter();
    let length = block.take_while(|line| belongs(line, indent)).count();
    let mut out = lines[..head].concat();
    out.push_str(&signatures(manifest, &" ".repeat(indent)));
    out.push_str(&lines[head + 1 + length..].concat());
    Some(out)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Lines further in, and the items of a list that begins at the same column.
fn belongs(line: &str, head: usize) -> bool {
    let own = indent(line);
    !line.trim().is_empty() && (own > head || own == head && line[own..].starts_with("- "))
}

fn signatures(manifest: &ManifestSpec, indent: &str) -> String {
    let mut out = format!("{indent}signatures:\n");
    for one in &manifest.signatures {
        let _ = writeln!(out, "{indent}- authority: {}", one.authority);
        let _ = writeln!(out, "{indent}  signature: {}", one.signature);
    }
    out
}

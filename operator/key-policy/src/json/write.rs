//! From nodes to text, indented by two.

use std::fmt::{self, Write};

use super::Node;

/// Indentation of eight levels: more than a policy has.
const SPACES: &str = "                ";

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self, 0)
    }
}

/// Bytes that a node has at most when it is written, at a depth of eight at most: an escaped character has six bytes.
pub fn size_at_most(node: &Node) -> usize {
    const LINE: usize = SPACES.len() + ", \"\": \"\"\n".len();
    match node {
        Node::Object(members) => {
            let each = members
                .iter()
                .map(|(name, value)| 6 * name.len() + LINE + size_at_most(value));
            LINE + each.sum::<usize>()
        }
        Node::List(items) => {
            let each = items.iter().map(|item| LINE + size_at_most(item));
            LINE + each.sum::<usize>()
        }
        Node::Text(text) | Node::Number(text) => 6 * text.len() + 2,
        Node::Bool(_) | Node::Null => "false".len(),
    }
}

fn write(f: &mut fmt::Formatter<'_>, node: &Node, depth: usize) -> fmt::Result {
    match node {
        Node::Object(members) => block(f, ['{', '}'], depth, members, |f, (name, value)| {
            quoted(f, name)?;
            f.write_str(": ")?;
            write(f, value, depth + 1)
        }),
        Node::List(items) => block(f, ['[', ']'], depth, items, |f, item| {
            write(f, item, depth + 1)
        }),
        Node::Text(text) => quoted(f, text),
        Node::Number(digits) => f.write_str(digits),
        Node::Bool(value) => write!(f, "{value}"),
        Node::Null => f.write_str("null"),
    }
}

fn block<T>(
    f: &mut fmt::Formatter<'_>,
    [open, close]: [char; 2],
    depth: usize,
    items: &[T],
    mut write_item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_char(open)?;
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "\n" } else { ",\n" })?;
        indent(f, depth + 1)?;
        write_item(f, item)?;
    }
    if !items.is_empty() {
        f.write_char('\n')?;
        indent(f, depth)?;
    }
    f.write_char(close)
}

fn indent(f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let mut left = 2 * depth;
    while let Some(rest) = left.checked_sub(SPACES.len()) {
        f.write_str(SPACES)?;
        left = rest;
    }
    f.write_str(&SPACES[..left])
}

/// KMS takes no character above U+00FF, so what was escaped when it was read is escaped again.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    // Nearly every text is plain: one write instead of one per character.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    // Counted to the end, which is faster than to look for the first.
    if text.bytes().filter(|byte| !is_plain(*byte)).count() == 0 {
        f.write_str(text)?;
        return f.write_char('"');
    }
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\u{20}'..='\u{ff}' => f.write_char(character)?,
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_escaped_also_alone() {
        for (text, written) in [
            ("\"", r#""\"""#),
            ("\\", r#""\\""#),
            ("\u{1}", r#""\u0001""#),
        ] {
            assert_eq!(Node::text(text).to_string(), written);
        }
    }

    #[test]
    fn each_line_is_as_far_in_as_it_is_deep() {
        let deep = (0..20).fold(Node::Null, |node, _| Node::List(vec![node]));
        let text = deep.to_string();
        let spaces = text
            .lines()
            .map(|line| line.len() - line.trim_start().len());
        let depths: Vec<_> = (0..20)
            .chain((0..=20).rev())
            .map(|depth| 2 * depth)
            .collect();
        assert_eq!(spaces.collect::<Vec<_>>(), depths);
    }

    /// As deep as a policy is: document, list, statement, block, operator, key, values.
    #[test]
    fn no_text_is_longer_than_its_bound() {
        let nothing = [Node::List(Vec::new()), Node::Object(Vec::new())];
        for node in &nothing {
            assert!(node.to_string().len() <= size_at_most(node), "{node}");
        }
        let long = "\u{1}".repeat(100);
        for text in [
            "",
            "a",
            "\u{1}\u{1f}\"\\",
            &long,
            "\u{100}\u{10348}",
            "\u{ff}",
        ] {
            let mut node = Node::text(text);
            for depth in 0..7 {
                let items = vec![node.clone(), Node::Bool(false), Node::Null, node];
                node = if depth % 2 == 0 {
                    Node::List(items)
                } else {
                    Node::Object(
                        items
                            .into_iter()
                            .map(|item| (text.to_owned(), item))
                            .collect(),
                    )
                };
                let written = node.to_string().len();
                let bound = size_at_most(&node);
                assert!(written <= bound, "{written} {bound} {node}");
            }
        }
    }
}

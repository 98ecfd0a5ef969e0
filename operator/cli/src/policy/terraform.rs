//! A policy as Terraform's `aws_iam_policy_document`.

use std::fmt::Write;

use key_policy::{Condition, Effect, Match, Policy, Principals, Statement};

/// The data source of this name.
pub fn document(name: &str, policy: &Policy) -> String {
    let statements: Vec<_> = policy.statements().iter().map(statement).collect();
    format!(
        "data \"aws_iam_policy_document\" {} {{\n{}}}\n",
        quoted(name),
        statements.join("\n")
    )
}

fn statement(statement: &Statement) -> String {
    let mut text = String::from("  statement {\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "    {name} = {value}");
    };
    if let Some(sid) = &statement.sid {
        line("sid", &quoted(sid));
    }
    let effect = match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    line("effect", &quoted(effect));
    let mut listed = |name: &str, what: &Option<Match<Vec<String>>>| {
        if let Some(Match { negated, listed }) = what {
            let not = if *negated { "not_" } else { "" };
            line(&format!("{not}{name}"), &list(listed));
        }
    };
    listed("actions", &statement.actions);
    listed("resources", &statement.resources);
    if let Some(Match { negated, listed }) = &statement.principals {
        let block = if *negated {
            "not_principals"
        } else {
            "principals"
        };
        text.push_str(&principals(block, listed));
    }
    for condition in &statement.conditions {
        text.push_str(&condition_block(condition));
    }
    text.push_str("  }\n");
    text
}

fn principals(block: &str, listed: &Principals) -> String {
    let blocks = listed.iter().map(|(kind, names)| {
        format!(
            "    {block} {{\n      type = {}\n      identifiers = {}\n    }}\n",
            quoted(kind),
            list(names)
        )
    });
    blocks.collect()
}

fn condition_block(condition: &Condition) -> String {
    format!(
        "    condition {{\n      test = {}\n      variable = {}\n      values = {}\n    }}\n",
        quoted(&condition.operator),
        quoted(&condition.key),
        list(&condition.values)
    )
}

fn list(values: &[String]) -> String {
    let quoted: Vec<_> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A text of Terraform's language, in which `${` and `%{` begin templates.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted.replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_a_template_is_not() {
        assert_eq!(quoted(r#"a"\${x}%{y}"#), r#""a\"\\$${x}%%{y}""#);
    }
}

//! What may come next on the command line, for kubectl, which asks a program `kubectl_complete-chamber` on the PATH.
//!
//! The answer is that of cobra's `__complete`: a line for each candidate with its description, then a directive
//! (kubernetes.io, "Extend kubectl with plugins"; cobra, "Shell completions").

use clap::{Command, CommandFactory};

use crate::arguments::Arguments;
use crate::output::{Answer, Exit};

/// Nothing but what is listed.
const NO_FILES: &str = ":4";
/// What the shell completes by itself: files.
const FILES: &str = ":0";

/// The candidates for the last of these words.
pub fn run(words: &[String]) -> Answer {
    let mut command = Arguments::command();
    command.build();
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", words),
    };
    let verb = before
        .iter()
        .fold(&command, |at, word| at.find_subcommand(word).unwrap_or(at));
    let mut lines = if last.starts_with('-') {
        flags(verb, last)
    } else {
        verbs(verb, last)
    };
    let has_verbs = verb.get_subcommands().next().is_some();
    let only = has_verbs || last.starts_with('-');
    lines.push((if only { NO_FILES } else { FILES }).to_owned());
    lines.push(String::new());
    Answer {
        text: lines.join("\n"),
        exit: Exit::Clean,
    }
}

fn verbs(verb: &Command, last: &str) -> Vec<String> {
    let shown = verb.get_subcommands().filter(|one| !one.is_hide_set());
    let fitting = shown.filter(|one| one.get_name().starts_with(last));
    let line = |one: &Command| {
        let about = one.get_about().map(ToString::to_string);
        described(one.get_name(), about)
    };
    fitting.map(line).collect()
}

fn flags(verb: &Command, last: &str) -> Vec<String> {
    let shown = verb.get_arguments().filter(|one| !one.is_hide_set());
    let line = |one: &clap::Arg| {
        let name = format!("--{}", one.get_long()?);
        let help = one.get_help().map(ToString::to_string);
        name.starts_with(last).then(|| described(&name, help))
    };
    shown.filter_map(line).collect()
}

/// One line: a description ends at the first line end.
fn described(name: &str, about: Option<String>) -> String {
    let about = about.unwrap_or_default();
    let first = about.lines().next().unwrap_or_default();
    format!("{name}\t{first}")
}

#[cfg(test)]
mod tests {
    use super::run;

    fn names(words: &[&str]) -> (Vec<String>, String) {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let text = run(&words).text;
        let (lines, directive) = text.trim_end().rsplit_once('\n').unwrap_or(("", &text));
        let name = |line: &str| line.split('\t').next().unwrap().to_owned();
        (
            lines.lines().map(name).collect(),
            directive.trim().to_owned(),
        )
    }

    #[test]
    fn verbs_flags_and_files_are_offered_where_they_may_stand() {
        let (all, directive) = names(&[""]);
        for verb in [
            "status", "wait", "plan", "policy", "blob", "key", "manifest",
        ] {
            assert!(all.iter().any(|name| name == verb), "{verb}: {all:?}");
        }
        assert!(
            !all.iter().any(|name| name == "complete"),
            "it is kubectl's"
        );
        assert_eq!(directive, ":4");
        assert_eq!(
            names(&["policy", "l"]),
            (vec!["lint".to_owned()], ":4".to_owned())
        );
        let (flags, directive) = names(&["plan", "signer", "--all"]);
        assert_eq!(
            (flags, directive.as_str()),
            (vec!["--all-namespaces".to_owned()], ":4")
        );
        assert_eq!(names(&["policy", "lint", "po"]).1, ":0");
        assert_eq!(names(&["no-such-verb"]).0, Vec::<String>::new());
    }
}

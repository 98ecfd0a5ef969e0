//! The kernel's options and its command line say why they are there.

/// Lines without a reason: each group of options has a comment right above it.
fn unexplained(text: &str, is_option: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut explained = false;
    let mut found = Vec::new();
    for line in text.lines() {
        match line {
            _ if line.starts_with('#') => explained = true,
            "" => explained = false,
            _ if !is_option(line) || !explained => found.push(line),
            _ => {}
        }
    }
    found
}

#[test]
fn every_option_of_the_kernel_has_its_reason_and_stands_there_once() {
    let text = include_str!("../../../kernel/enclave.config");
    let option = |line: &str| line.starts_with("CONFIG_") && line.contains('=');
    assert_eq!(unexplained(text, option), [""; 0]);
    let names = text.lines().filter_map(|line| line.split_once('='));
    let mut names: Vec<_> = names
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("CONFIG_"))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "an option stands there twice");
    assert!(all > 150, "{all}");
}

#[test]
fn every_word_of_the_command_line_has_its_reason() {
    let text = include_str!("../../../kernel/cmdline");
    assert_eq!(unexplained(text, |line| !line.contains(' ')), [""; 0]);
    assert_eq!(eif_build::default_cmdline(), crate::world::CMDLINE);
}

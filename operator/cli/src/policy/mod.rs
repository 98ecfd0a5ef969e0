//! `policy`: lint, explain, diff, render.

mod diff;
mod explain;
mod lint;
mod question;
mod read_as;
mod render;
mod terraform;

pub use diff::{lines as change_lines, values as change_values};
pub use explain::value as decision_value;

use crate::arguments::PolicyVerb;
use crate::output::{Answer, Colour, Failure, paint};

/// The line that says what an answer does not count.
pub fn not_shown_line(not_shown: &[&str]) -> String {
    let label = paint(Colour::Dim, "not shown here:");
    format!("{label} {}\n", not_shown.join(", "))
}

/// Does what was asked.
pub fn run(verb: &PolicyVerb) -> Result<Answer, Failure> {
    match verb {
        PolicyVerb::Lint {
            file,
            key,
            cluster,
            output,
        } => lint::run(file, key.as_deref(), cluster, *output),
        PolicyVerb::Explain {
            file,
            question,
            output,
        } => explain::run(file, question, *output),
        PolicyVerb::Diff {
            before,
            after,
            output,
        } => diff::run(before, after, *output),
        PolicyVerb::Render {
            cluster,
            measurement,
            profile,
            format,
        } => render::run(
            &cluster.template()?,
            measurement,
            (*profile).into(),
            *format,
        ),
    }
}

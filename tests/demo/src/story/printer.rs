//! Lines with the time that has passed; colours on a terminal only.

use std::io::Write;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// A line to print.
#[derive(Debug, PartialEq)]
pub struct Line {
    /// What it is about.
    pub kind: Kind,
    /// What it says.
    pub text: String,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The demo's own doing.
    Demo,
    /// A step of the rollover.
    Step,
    /// A key's policy.
    Key,
    /// A chamber.
    Chamber,
    /// Why nothing moves.
    Wait,
    /// A check that holds.
    Good,
    /// A check that does not.
    Bad,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Step => "step",
            Self::Key => "key",
            Self::Chamber => "chamber",
            Self::Wait => "wait",
            Self::Good => "ok",
            Self::Bad => "FAILED",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Demo => Style::new().bold(),
            Self::Step => AnsiColor::Cyan.on_default().bold(),
            Self::Key => AnsiColor::Yellow.on_default(),
            Self::Chamber => AnsiColor::Blue.on_default(),
            Self::Wait => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Prints to standard output.
pub struct Printer {
    started: Instant,
    colours: bool,
}

impl Printer {
    /// Time counts from now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            colours: AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
        }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// One line of the demo's own.
    pub fn say(&self, text: impl Into<String>) {
        self.print(&Line {
            kind: Kind::Demo,
            text: text.into(),
        });
    }

    /// One line. A reader that went away is no reason to stop the rollover.
    pub fn print(&self, line: &Line) {
        let formatted = format(self.elapsed(), line, self.colours);
        let mut out = std::io::stdout().lock();
        let _gone = writeln!(out, "{formatted}").and_then(|()| out.flush());
    }

    /// Text as it is.
    pub fn plain(text: &str) {
        let mut out = std::io::stdout().lock();
        let _gone = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

fn format(elapsed: Duration, line: &Line, colours: bool) -> String {
    let time = elapsed.as_secs_f64();
    let label = line.kind.label();
    if colours {
        let style = line.kind.style();
        format!("{time:6.1}s  {style}{label:<8}{style:#}{}", line.text)
    } else {
        format!("{time:6.1}s  {label:<8}{}", line.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_for_terminals_only() {
        let line = Line {
            kind: Kind::Step,
            text: "Admit".into(),
        };
        let plain = format(Duration::from_millis(1250), &line, false);
        assert_eq!(plain, "   1.2s  step    Admit");
        assert!(format(Duration::ZERO, &line, true).contains("\x1b["));
    }
}

//! What is written: colours on a terminal only, and tables of one look.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::arguments::Output;

/// What was found, and whether nobody has to look at it.
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// The exit status.
    pub exit: Exit,
}

/// What an exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: nothing is to be looked at, or it is allowed.
    Clean,
    /// 1: something was found, or it is denied.
    Found,
    /// 2: a part of what was asked for could not be read; the rest is told.
    Unread,
    /// 3: it depends on what the question does not say.
    Depends,
}

impl Exit {
    /// Clean, or not.
    pub fn of(clean: bool) -> Self {
        if clean { Self::Clean } else { Self::Found }
    }

    /// As the process ends with it; 2 is for failures, too.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Found => 1,
            Self::Unread => 2,
            Self::Depends => 3,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file could not be read or understood.
    #[error("{name}: {why}")]
    Read {
        /// The file's name.
        name: String,
        /// Why.
        why: String,
    },
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// It was read and understood, and is not to be used.
    #[error("{0}")]
    Refused(String),
    /// The cluster could not be asked, or did not answer.
    #[error("{0}")]
    Cluster(String),
    /// The cluster could not be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The answer could not be written.
    #[error("standard output: {0}")]
    Write(String),
}

impl Failure {
    /// With the way to the API server, where that is what failed.
    pub fn on_the_way(self, way: &str) -> Self {
        match self {
            Self::Unreachable(why) => Self::Cluster(format!("the API server {way}: {why}")),
            other => other,
        }
    }

    /// As the process ends with it.
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            _ => 2,
        }
    }

    /// This file, for this reason.
    pub fn read(name: &str, why: &impl Display) -> Self {
        let name = if name == "-" { "standard input" } else { name };
        Self::Read {
            name: name.to_owned(),
            why: why.to_string(),
        }
    }
}

/// Waits for an answer from the network.
pub fn wait_for<T>(answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::Cluster(why.to_string()))?;
    runtime.block_on(answer)
}

/// Writes to standard output, and says whether somebody reads on: that nobody does (`| head`) is no failure.
pub fn write(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| {
            if text.is_empty() || text.ends_with('\n') {
                Ok(())
            } else {
                out.write_all(b"\n")
            }
        })
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(why) => Err(Failure::Write(why.to_string())),
    }
}

/// Bytes that are no text, for standard output.
pub fn write_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|why| Failure::Write(why.to_string()))
}

/// Asks whoever is at the terminal to type a word; without a terminal nobody can.
pub fn confirm(what: &str, word: &str, otherwise: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        let why = format!("{what}. Say --yes if that is meant");
        return Err(Failure::Usage(why));
    }
    eprint!("{what}. To do it all the same, type {word}: ");
    let mut typed = String::new();
    let read = io::stdin().read_line(&mut typed);
    read.map_err(|why| Failure::read("-", &why))?;
    if typed.trim() == word {
        return Ok(());
    }
    Err(Failure::Usage(otherwise.to_owned()))
}

/// Text of others without control characters: a terminal would obey them.
pub fn printable(text: &str) -> String {
    let visible = |character: char| match character {
        '\n' => character,
        other if other.is_control() => '\u{fffd}',
        other => other,
    };
    text.chars().map(visible).collect()
}

/// A picture in place of the last one on a terminal, below it elsewhere.
pub fn screen(picture: &str) -> String {
    if io::stdout().is_terminal() {
        format!("\x1b[H\x1b[2J{picture}")
    } else {
        format!("{picture}\n")
    }
}

/// A value in the form that was asked for.
pub fn form(
    value: &Value,
    output: Output,
    human: impl FnOnce() -> String,
) -> Result<String, Failure> {
    match output {
        Output::Human => Ok(human()),
        Output::Json => Ok(json(value)),
        Output::Yaml => {
            serde_yaml_ng::to_string(value).map_err(|why| Failure::Write(why.to_string()))
        }
    }
}

/// JSON, indented.
pub fn json(value: &Value) -> String {
    format!("{value:#}")
}

/// A colour for one word.
#[derive(Clone, Copy)]
pub enum Colour {
    /// Wrong, or denied.
    Red,
    /// To be looked at.
    Yellow,
    /// Right, or allowed.
    Green,
    /// Beside the point.
    Dim,
}

/// Words in colour where standard output is a terminal that has colours and `NO_COLOR` is not set.
pub fn paint(colour: Colour, text: impl fmt::Display) -> String {
    if anstream::AutoStream::choice(&io::stdout()) == anstream::ColorChoice::Never {
        return text.to_string();
    }
    let style = match colour {
        Colour::Red => AnsiColor::Red.on_default().bold(),
        Colour::Yellow => AnsiColor::Yellow.on_default(),
        Colour::Green => AnsiColor::Green.on_default(),
        Colour::Dim => Style::new().dimmed(),
    };
    format!("{style}{text}{style:#}")
}

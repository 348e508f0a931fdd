//! `keyward export`: a store's history as a file that `replay` reads.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::ask::Conversation;
use super::history_pages;
use super::report;
use crate::admin::{Failure, HistoryEntry, HistoryLine};
use crate::domain::time::Timestamp;
use crate::domain::words::counted;
use crate::sim::anonymize::Anonymizer;

/// `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The file to write, which must not exist yet. `-` is stdout.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace ids, names, addresses and free texts, each in the same way wherever it stands. Amounts, instants, prices and
    /// the names of plans stay: the history replays alike.
    #[arg(long)]
    pub anonymize: bool,
    /// Only one purchase, like `stripe/sub_123`, or anything by which `find` finds it alone.
    #[arg(long, value_name = "ID")]
    pub machine: Option<String>,
}

impl ExportArgs {
    const fn identities(&self) -> Identities {
        if self.anonymize {
            Identities::Replaced
        } else {
            Identities::Kept
        }
    }
}

/// Whether whom a history tells of can be known from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identities {
    Kept,
    Replaced,
}

impl Identities {
    /// What replaces them, with all ids known beforehand.
    fn replaced(self, ids: impl FnOnce() -> Vec<String>) -> Option<Anonymizer> {
        (self == Self::Replaced).then(|| Anonymizer::new(rand::random(), &ids()))
    }
}

/// Why an event is left out.
pub(super) const LEFT_OUT: &str = "the body is not kept any more, or is no event";

/// Writes the history.
///
/// # Errors
/// What went wrong.
pub fn run(config: &Path, args: &ExportArgs) -> Result<(), Failure> {
    let mut sink = Sink::open(&args.file)?;
    let written = history_pages::converse(config, |asked| match &args.machine {
        Some(machine) => one(asked, machine, args.identities(), &mut sink),
        None => Ok(all(asked, args.identities(), &mut sink)?.0),
    })?;
    sink.finish()?;
    report::say(&format!(
        "{}; `keyward replay` reads them",
        counted(written, "line", "lines")
    ));
    if sink.left_out > 0 {
        let events = counted(sink.left_out, "event is", "events are");
        report::warning(&format!("{events} left out: {LEFT_OUT}"));
    }
    Ok(())
}

/// What a whole history is of.
pub(super) struct WholeHistory {
    /// The ids of its purchases.
    pub(super) machines: Vec<String>,
    /// Events that are left out.
    pub(super) left_out: u64,
}

/// Writes the whole history into a file of that name, for another command.
///
/// # Errors
/// What went wrong.
pub(super) fn whole(config: &Path, file: &Path) -> Result<WholeHistory, Failure> {
    let mut sink = Sink::open(file)?;
    let machines = history_pages::converse(config, |asked| {
        let (_, until) = all(asked, Identities::Kept, &mut sink)?;
        history_pages::machines(asked, until)
    })?;
    sink.finish()?;
    Ok(WholeHistory {
        machines,
        left_out: sink.left_out,
    })
}

fn one(
    asked: &mut Conversation,
    machine: &str,
    identities: Identities,
    sink: &mut Sink,
) -> Result<u64, Failure> {
    let group = history_pages::only(asked, machine)?;
    // An event's id decides ties: what replaces it must sort alike, so that all are known before the first is written.
    sink.anonymizer = identities.replaced(|| ids(&group.lines));
    group
        .lines
        .into_iter()
        .try_for_each(|line| sink.write(line))?;
    Ok(sink.lines)
}

fn ids(lines: &[HistoryLine]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct LineHead {
        event: Option<Id>,
    }
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    let id = |line: &HistoryLine| {
        serde_json::from_str::<LineHead>(line.text.as_ref()?)
            .ok()?
            .event
    };
    lines.iter().filter_map(id).map(|e| e.id).collect()
}

/// Writes everything; how many lines, and up to which instant.
fn all(
    asked: &mut Conversation,
    identities: Identities,
    sink: &mut Sink,
) -> Result<(u64, Timestamp), Failure> {
    let (entries, until) = history_pages::index(asked)?;
    let ids = || {
        entries
            .iter()
            .map(|e: &HistoryEntry| e.id.to_string())
            .collect::<Vec<_>>()
    };
    sink.anonymizer = identities.replaced(ids);
    let mut said = history_pages::without_events(asked, until)?
        .into_iter()
        .peekable();
    history_pages::bodies(asked, &entries, |line| {
        while let Some(earlier) = said.next_if(|s| s.received < line.received) {
            sink.write(earlier)?;
        }
        sink.write(line)
    })?;
    said.try_for_each(|line| sink.write(line))?;
    Ok((sink.lines, until))
}

/// Where the lines go: a file that gets its name when it is whole, or stdout.
struct Sink {
    out: BufWriter<Box<dyn Write>>,
    file: Option<(PathBuf, PathBuf)>,
    anonymizer: Option<Anonymizer>,
    lines: u64,
    left_out: u64,
}

impl Sink {
    fn open(file: &Path) -> Result<Self, Failure> {
        let sink = |out: Box<dyn Write>, file| Self {
            out: BufWriter::new(out),
            file,
            anonymizer: None,
            lines: 0,
            left_out: 0,
        };
        if file.as_os_str() == "-" {
            return Ok(sink(Box::new(std::io::stdout()), None));
        }
        if file.exists() {
            return Err(Failure::input(format!("{} exists", file.display()))
                .hint("nothing is written over: name another"));
        }
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        // It holds customers' addresses: for its owner only.
        let opened: std::io::Result<File> = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part);
        let out = opened
            .map_err(|e| Failure::input(format!("{} cannot be written: {e}", part.display())))?;
        Ok(sink(Box::new(out), Some((part, file.to_owned()))))
    }

    fn write(&mut self, line: HistoryLine) -> Result<(), Failure> {
        let Some(text) = line.text else {
            self.left_out += 1;
            return Ok(());
        };
        let text = match &self.anonymizer {
            Some(anonymizer) => anonymizer
                .line(&text)
                .map_err(|e| Failure::ours(format!("a line is no JSON: {e}")))?,
            None => text,
        };
        self.lines += 1;
        writeln!(self.out, "{text}").map_err(unwritable)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(unwritable)?;
        match &self.file {
            Some((part, file)) => std::fs::rename(part, file).map_err(unwritable),
            None => Ok(()),
        }
    }
}

fn unwritable(error: std::io::Error) -> Failure {
    Failure::input(format!("the history cannot be written: {error}"))
}

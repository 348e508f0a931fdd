//! The only printer: data to stdout, talk to stderr, colour only on a terminal.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use crate::admin::Failure;
use crate::config::{Finding, Mistakes, RenderStyle, render};

/// For the word `error`.
const RED: Style = AnsiColor::Red.on_default().bold();
/// For the word `hint`, and headings.
const CYAN: Style = AnsiColor::Cyan.on_default().bold();
/// For headings.
pub const BOLD: Style = Style::new().bold();
/// For what is less important.
pub const DIM: Style = Style::new().dimmed();

/// A text in a style; the styles fall off where stdout is no terminal.
#[must_use]
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints data, and ends it with a line's end. Whoever closed the pipe has enough, so an error is none.
pub fn data(text: &str) {
    piece(text);
}

/// Prints a part of data that comes in parts, like [`data`]; says whether anybody reads on.
pub fn piece(text: &str) -> bool {
    let mut out = anstream::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    write!(out, "{text}{end}")
        .and_then(|()| out.flush())
        .is_ok()
}

/// Prints a value as JSON, as it is serialized.
pub fn json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match serde_json::to_writer_pretty(&mut out, value) {
        Err(error) if !error.is_io() => Err(Failure::ours(format!("no JSON for this: {error}"))),
        // Somebody who closed the pipe has enough.
        Ok(()) | Err(_) => {
            let _ = writeln!(out).and_then(|()| out.flush());
            Ok(())
        }
    }
}

/// Says something about the work.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Says what might be wrong and stops nothing.
pub fn warning(text: &str) {
    let style = AnsiColor::Yellow.on_default().bold();
    say(&format!("{style}warning{style:#}: {text}"));
}

/// Says why a command failed.
pub fn failure(failure: &Failure) {
    say(&format!("{RED}error{RED:#}: {}", failure.message));
    if let Some(hint) = &failure.hint {
        say(&format!("  {CYAN}hint{CYAN:#}: {hint}"));
    }
}

fn style() -> RenderStyle {
    // anstream strips what no terminal shows, but the choice between glyphs is made here.
    if io::stderr().is_terminal() {
        RenderStyle::Colour
    } else {
        RenderStyle::Plain
    }
}

/// Says what was found in a config.
pub fn findings(findings: &[Finding]) {
    if !findings.is_empty() {
        say(&format!("{}\n", render(findings, style())));
    }
}

/// Says every mistake of a config, then the warnings.
pub fn mistakes(mistakes: &Mistakes) {
    say(&format!("{}\n", mistakes.render(style())));
}

/// A table without lines: header, rows, two spaces between.
#[must_use]
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.iter().map(|h| h.to_uppercase()).collect::<Vec<_>>());
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

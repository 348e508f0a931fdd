//! What the program says to people, held against the program: every command that a sentence names.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::docs::words;
use super::files::files_ending;

/// The commands that a source file names to people, in its texts and comments, each with something in place of what is filled
/// in.
fn told(text: &str) -> Vec<String> {
    // A text may go on in the next line.
    let lines: Vec<&str> = text.split("\\\n").collect();
    let text = lines
        .iter()
        .enumerate()
        .map(|(n, l)| if n == 0 { l } else { l.trim_start() })
        .collect::<String>();
    let named = |open: &'static str, close: &'static [char]| {
        let ends = text.split(open).skip(1).collect::<Vec<_>>();
        ends.into_iter()
            .filter_map(|rest| rest.split(close).next())
            .map(|command| format!("keyward {command}"))
            .collect::<Vec<_>>()
    };
    let commands = named("`keyward ", &['`', '\n'])
        .into_iter()
        .chain(named("\"keyward ", &['"', '\n']));
    commands.map(|command| filled(&command)).collect()
}

/// A text with something in place of what it is filled with: further arguments where that follows a word, else a word.
fn filled(text: &str) -> String {
    let mut out = String::new();
    for (n, piece) in text.split('{').enumerate() {
        let rest = match (n, piece.split_once('}')) {
            (1.., Some((_, rest))) => rest,
            _ => {
                out.push_str(piece);
                continue;
            }
        };
        if !out.ends_with(|c: char| c.is_alphanumeric()) {
            out.push_str(FILLED);
        }
        out.push_str(rest);
    }
    out.replace('…', FILLED)
}

/// What stands for a word that is filled in.
const FILLED: &str = "1";

#[test]
fn every_command_that_a_sentence_names_exists() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (file, text) in files_ending("src", ".rs") {
        for line in told(&text) {
            let arguments = words(&line);
            let parsed =
                keyward::cli::args::Cli::command().try_get_matches_from(arguments.iter().cloned());
            seen += 1;
            let Err(error) = parsed else { continue };
            // What is filled in is no value, and a mention needs not be complete.
            let excused = [
                ErrorKind::MissingRequiredArgument,
                ErrorKind::MissingSubcommand,
                ErrorKind::DisplayHelp,
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ErrorKind::DisplayVersion,
                ErrorKind::InvalidValue,
                ErrorKind::ValueValidation,
            ];
            let filled = ContextValue::String(FILLED.to_owned());
            let is_filled = error.get(ContextKind::InvalidSubcommand) == Some(&filled);
            if !is_filled && !excused.contains(&error.kind()) {
                wrong.push(format!("{file}: {line}\n{error}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "sentences name commands that would fail:\n{}",
        wrong.join("\n")
    );
    assert!(seen > 100, "only {seen} commands were found");
}

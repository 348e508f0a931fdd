//! What is printed from the arguments themselves: completions, the manual page, docs/cli.md.

use std::fmt::Write;

use clap::{Args, Command, CommandFactory};

use super::args::Cli;
use super::report;
use crate::admin::Failure;

/// `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Prints completions for a shell.
pub fn completions(shell: clap_complete::Shell) {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "keyward", &mut out);
    report::data(&String::from_utf8_lossy(&out));
}

/// Prints the manual page, with a section for each command.
///
/// # Errors
/// When it cannot be rendered.
pub fn man() -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut command = Cli::command();
    command.build();
    let failed = |e: std::io::Error| Failure::ours(format!("no manual page: {e}"));
    clap_mangen::Man::new(command.clone())
        .render(&mut out)
        .map_err(failed)?;
    for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let page = clap_mangen::Man::new(sub.clone());
        let title = format!(".SH \"KEYWARD {}\"\n", sub.get_name().to_uppercase());
        out.extend_from_slice(title.as_bytes());
        page.render_description_section(&mut out).map_err(failed)?;
        page.render_options_section(&mut out).map_err(failed)?;
    }
    report::data(&String::from_utf8_lossy(&out));
    Ok(())
}

/// The page docs/cli.md.
#[must_use]
pub fn markdown() -> String {
    let mut command = Cli::command();
    command.build();
    let mut out = "# Commands\n\nPrinted by `keyward markdown-help`; a test keeps it current. Data goes to stdout, talk to \
        stderr. Exit codes: 0 done, 1 your input (a mistake in the config, something that does not exist), 2 ours (the \
        store, the machine).\n\n`find`, `show`, `events`, `refused`, `actions`, `retry`, `abandon`, `hold`, `export`, `whatif`, \
        `policy`, `backup`, `verify`, `resend` and the decisions ask the running server through `control.sock` in its data directory, and open the store themselves when none runs.\n\n\
        ## Every command takes\n"
        .to_owned();
    options(&command, &mut out, Options::OfAll);
    for sub in command
        .get_subcommands()
        .filter(|c| !c.is_hide_set() && c.get_name() != "help")
    {
        let usage = sub.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "\n## {}\n\n{}\n\n    {usage}\n",
            sub.get_name(),
            about(sub)
        );
        options(sub, &mut out, Options::OfOne);
        for inner in sub.get_subcommands().filter(|c| c.get_name() != "help") {
            let usage = inner.clone().render_usage().to_string();
            let usage = usage.trim_start_matches("Usage: ").trim();
            let name = format!("{} {}", sub.get_name(), inner.get_name());
            let _ = write!(out, "\n### {name}\n\n{}\n\n    {usage}\n", about(inner));
            options(inner, &mut out, Options::OfOne);
        }
    }
    format!("{}\n", out.trim_end())
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Which of a command's options are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Options {
    /// Those that every command takes.
    OfAll,
    /// Its own.
    OfOne,
}

fn options(command: &Command, out: &mut String, which: Options) {
    let global = which == Options::OfAll;
    let mut before = "\n";
    for arg in command
        .get_arguments()
        .filter(|a| a.is_global_set() == global && !a.is_hide_set())
    {
        if ["help", "version"].contains(&arg.get_id().as_str()) {
            continue;
        }
        let values = arg.get_value_names().unwrap_or_default().join(" ");
        let name = match arg.get_long() {
            Some(long) if arg.get_action().takes_values() => format!("--{long} <{values}>"),
            Some(long) => format!("--{long}"),
            None => format!("<{values}>"),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let mut more = Vec::new();
        let choices: Vec<_> = arg
            .get_possible_values()
            .iter()
            .map(|v| format!("`{}`", v.get_name()))
            .collect();
        if arg.get_action().takes_values() && !choices.is_empty() {
            more.push(format!("one of {}", choices.join(", ")));
        }
        if let [default] = arg.get_default_values()
            && arg.get_action().takes_values()
        {
            more.push(format!("default `{}`", default.to_string_lossy()));
        }
        if let Some(env) = arg.get_env() {
            more.push(format!("environment `{}`", env.to_string_lossy()));
        }
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(" ({})", more.join("; "))
        };
        let _ = writeln!(out, "{before}- `{name}`: {help}{more}");
        before = "";
    }
}

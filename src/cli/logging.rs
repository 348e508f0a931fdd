//! Log lines on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::args::{Command, LogFormat};

/// Sets logging up for the process: `KEYWARD_LOG` says what is logged; absent, a server logs what it does and a command
/// only what goes wrong. What the variable says wrongly is left out rather than an error: logging stops nothing.
pub(super) fn start(format: LogFormat, command: &Command) {
    // The cron scheduler greets with lines that mean nothing to an operator.
    let usual = if matches!(command, Command::Serve(_)) {
        "info,tokio_cron_scheduler=warn"
    } else {
        "warn"
    };
    let filter = EnvFilter::try_from_env("KEYWARD_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // An error says that somebody has set logging up already: then theirs counts.
    let _ = match format {
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
}

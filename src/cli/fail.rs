//! What keeps the server or the store from starting, as a command's failure.

use crate::admin::Failure;
use crate::config::Mistakes;
use crate::server::{RunError, StartError};
use crate::store::OpenError;

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Missing { dir } => Self::input(format!("there is no store in {}", dir.display())).hint(
                "is this the right directory, is its disk mounted? A new store is only made by `keyward init` or \
                 `keyward serve --new`",
            ),
            OpenError::Locked { dir, holder } => Self::input(format!(
                "the store {} is in use by process {holder}",
                dir.display()
            ))
            .hint(
                "is a server running there? While it is starting or stopping it does not answer commands; try again \
                     in a moment, or stop that process",
            ),
            OpenError::Exists { .. } | OpenError::HalfRestored { .. } => {
                Self::input(error.to_string())
            }
            OpenError::LogDamaged { .. }
            | OpenError::LogMissing { .. }
            | OpenError::Newer { .. }
            | OpenError::Unrepaired { .. }
            | OpenError::Io { .. }
            | OpenError::Broken(_) => Self::ours(error.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Open(error) => error.into(),
            StartError::LicensesGone(gone) => Self::input(gone.to_string()).hint(
                "an empty one would answer every customer that the key is unknown. Is its disk mounted? Put the folder back \
                 from where it went, or `keyward restore` a backup into an empty data directory. Where no copy is left, \
                 `keyward init` begins an empty one",
            ),
            StartError::Renamed { renamed } => {
                Self::input(renamed.to_string()).hint(renamed.hint())
            }
            StartError::Service(error) => Self::input(error.to_string())
                .hint("`keyward check` tells every mistake in the config"),
            StartError::Commit(_) | StartError::Record(_) | StartError::System { .. } => {
                Self::ours(error.to_string())
            }
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::ours(error.to_string())
    }
}

impl From<Mistakes> for Failure {
    /// Only how many there are: they have been printed.
    fn from(mistakes: Mistakes) -> Self {
        let n = mistakes.mistakes.len();
        let what = if n == 1 {
            "1 mistake".to_owned()
        } else {
            format!("{n} mistakes")
        };
        Self::input(format!("the config has {what}")).hint("docs/config.md explains each key")
    }
}

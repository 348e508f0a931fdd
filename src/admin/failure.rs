//! Why an operator's request failed, and the way out.

use std::fmt;

use crate::engine::SubmitError;
use crate::engine::backup::BackupError;
use crate::engine::record::RecordError;

/// Who can mend it: the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// What was typed or configured: 1.
    Input,
    /// Keyward, or the machine under it: 2.
    Ours,
    /// Nobody has to: the question was answered, and the answer is no: 3.
    Answer,
}

/// A failure as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// Who can mend it.
    pub blame: Blame,
    /// What happened. Further lines are indented by two.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

impl Failure {
    /// The user's to mend.
    #[must_use]
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Input,
            message: message.into(),
            hint: None,
        }
    }

    /// Ours to mend.
    #[must_use]
    pub fn ours(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Ours,
            message: message.into(),
            hint: None,
        }
    }

    /// An answer that a script must be able to tell from a failure.
    #[must_use]
    pub fn answer(message: impl Into<String>) -> Self {
        Self {
            blame: Blame::Answer,
            message: message.into(),
            hint: None,
        }
    }

    /// With the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The process's exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.blame {
            Blame::Input => 1,
            Blame::Ours => 2,
            Blame::Answer => 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint
            .as_ref()
            .map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

impl std::error::Error for Failure {}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        Self::ours(error.to_string())
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Exists { .. }
            | BackupError::Inside { .. }
            | BackupError::Foreign { .. }
            | BackupError::Unreadable { .. }
            | BackupError::Newer { .. }
            | BackupError::Damaged { .. }
            | BackupError::Running => Self::input(error.to_string()),
            BackupError::Differs { .. }
            | BackupError::Stopped
            | BackupError::Io { .. }
            | BackupError::Store(_) => Self::ours(error.to_string()),
        }
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        let hint = match error {
            SubmitError::Busy => "try again in a moment; `df` shows whether the disk is full",
            SubmitError::TooLarge => "nothing was changed; see the server's log",
            SubmitError::Unreadable => {
                "nothing was changed; `keyward verify` names the record, which a backup may still have whole"
            }
            SubmitError::Stopped => "nothing was changed; see the server's log",
        };
        Self::ours(format!("the engine took nothing: {error}")).hint(hint)
    }
}

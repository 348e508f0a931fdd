//! Commands that show first what they would do, and do it when they are given back what they showed.

use clap::Args;

use super::author::author;
use super::orders::reason;
use crate::admin::Failure;

/// Whether it is done, and on what terms.
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// Do it. Without it nothing is changed.
    #[arg(long, requires_all = ["expect", "reason"])]
    pub apply: bool,
    /// With --apply: how many purchases the dry run said are to do. Any other number changes nothing.
    #[arg(long, value_name = "N", requires = "apply")]
    pub expect: Option<usize>,
    /// With --apply: why, kept with each purchase for whoever asks later.
    #[arg(long, value_name = "TEXT", requires = "apply")]
    pub reason: Option<String>,
}

/// The order to do it.
pub(super) struct ApplyOrder {
    /// How many purchases the dry run said are to do.
    pub(super) expect: usize,
    pub(super) author: String,
    pub(super) reason: String,
}

impl ApplyArgs {
    /// The order; `None`: it is only to be shown.
    ///
    /// # Errors
    /// When the reason is none.
    pub(super) fn order(&self) -> Result<Option<ApplyOrder>, Failure> {
        if !self.apply {
            return Ok(None);
        }
        Ok(Some(ApplyOrder {
            expect: self.expect.unwrap_or_default(),
            author: author(),
            reason: reason(self.reason.as_deref().unwrap_or_default())?,
        }))
    }
}

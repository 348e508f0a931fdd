//! Why a look at a shop stands still or broke off, and what to do about it.

use crate::admin::Failure;
use crate::adopt::{CrawlError, LookError, ReadError, Trouble};
use crate::domain::words::counted;

/// Why nothing more is read for a while, and how long that may go on.
pub(super) fn stands_still(trouble: &Trouble) -> String {
    let minutes = trouble.patience.ms().div_euclid(60_000) + 1;
    let minutes = counted(usize::try_from(minutes).unwrap_or(1), "minute", "minutes");
    format!(
        "{} answers nothing that can be used: {}; it is tried again for up to {minutes}",
        trouble.whom, trouble.why
    )
}

/// With what to do about it. `keeps`: whether what was read is kept for the next run.
pub(super) fn failure(error: LookError, keeps: bool) -> Failure {
    let hint = match &error {
        LookError::Stripe(ReadError::Refused {
            knows_key: false, ..
        }) => "copy the key again, whole, and of the account and mode that is meant".to_owned(),
        LookError::Stripe(ReadError::Refused { permission, .. }) => {
            format!("the key must be allowed to read {permission}")
        }
        LookError::Licenses(CrawlError::Refused { .. }) => {
            "is the API key whole, of the application's account, and may it read licenses? Is the application's id the one that is meant?".to_owned()
        }
        LookError::Stripe(ReadError::Progress(_)) | LookError::Licenses(CrawlError::Progress(_)) => {
            "is there room in the data directory, and may this user write there?".to_owned()
        }
        LookError::Stripe(ReadError::NoList(_)) | LookError::Licenses(CrawlError::Endless) => {
            "is the address of its API the right one?".to_owned()
        }
        LookError::Stripe(_) | LookError::Licenses(_) if keeps => {
            "start it again: what was read is kept, and it goes on there".to_owned()
        }
        LookError::Stripe(_) | LookError::Licenses(_) => {
            "start it again later: nothing was kept, and it begins anew".to_owned()
        }
    };
    Failure::input(error.to_string()).hint(hint)
}

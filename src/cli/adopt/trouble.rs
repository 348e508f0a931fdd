//! Why a look at a shop stands still or broke off, and what to do about it.

use crate::admin::Failure;
use crate::adopt::{CrawlError, ExamineError, Found, ReadError, Trouble};
use crate::cli::report;
use crate::config::Source;
use crate::domain::adoption::Asking;
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
pub(super) fn failure(error: ExamineError, keeps: bool) -> Failure {
    let hint = match &error {
        ExamineError::Stripe(ReadError::Refused {
            knows_key: false, ..
        }) => "copy the key again, whole, and of the account and mode that is meant".to_owned(),
        ExamineError::Stripe(ReadError::Refused { permission, .. }) => {
            format!("the key must be allowed to read {permission}")
        }
        ExamineError::Licenses(CrawlError::Refused { .. }) => {
            "is the API key whole, of the application's account, and may it read licenses? Is the application's id the one that is meant?".to_owned()
        }
        ExamineError::Stripe(ReadError::Progress(_)) | ExamineError::Licenses(CrawlError::Progress(_)) => {
            "is there room in the data directory, and may this user write there?".to_owned()
        }
        ExamineError::Stripe(ReadError::NoList(_)) | ExamineError::Licenses(CrawlError::Endless) => {
            "is the address of its API the right one?".to_owned()
        }
        ExamineError::Stripe(_) | ExamineError::Licenses(_) if keeps => {
            "start it again: what was read is kept, and it goes on there".to_owned()
        }
        ExamineError::Stripe(_) | ExamineError::Licenses(_) => {
            "start it again later: nothing was kept, and it begins anew".to_owned()
        }
    };
    Failure::input(error.to_string()).hint(hint)
}

/// Where nothing is known yet, and the purchases name an application at AuthForge while the config names the embedded service:
/// that has none of their keys, so each customer would seem to have none.
///
/// # Errors
/// That, where it is to be adopted.
pub(super) fn is_sold_elsewhere(
    source: &Source,
    found: &Found,
    asking: Asking,
) -> Result<(), Failure> {
    let Some((app, purchases)) = &found.elsewhere else {
        return Ok(());
    };
    let why = format!(
        "{} of `{}` at Stripe: their keys are at AuthForge (`authforge_app_id`, {app}), and the config's license service is \
         the embedded one, which has none of them",
        counted(*purchases, "purchase", "purchases"),
        source.name
    );
    let hint = format!(
        "`service = \"authforge\"`, `app_id = \"{app}\"` and an `api_key` under `[licenses]`; to sell with the embedded \
         service from now on, take their keys over first: docs/migrate-from-the-guide.md"
    );
    if asking == Asking::Adoption {
        return Err(Failure::input(why).hint(hint));
    }
    report::warning(&format!("{why}: {hint}"));
    Ok(())
}

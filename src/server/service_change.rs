//! Another license service than at the last start: what is to be done about licenses at the one of before is judged anew, and
//! held; where it is the one of before again, it goes ahead.

use super::StartError;
use crate::config::Config;
use crate::domain::id::SourceName;
use crate::domain::machine::Machine;
use crate::domain::service_move::{ServiceKind, working_left};
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::view;
use crate::engine::record::server::{ServerRecord, license_services};
use crate::scheduler::jobs::{self, JobError};

/// Has what waits judged anew where the config names another service for a source.
///
/// # Errors
/// The store's, or that the engine takes nothing.
pub(super) async fn judge(handle: &Handle, config: &Config) -> Result<(), StartError> {
    judged(handle, config)
        .await
        .map_err(|error| StartError::System {
            what: "judging what waits by the license service that the config names now".to_owned(),
            error: std::io::Error::other(error.to_string()),
        })
}

async fn judged(handle: &Handle, config: &Config) -> Result<(), JobError> {
    let named =
        |source: &SourceName| ServiceKind::named(config.licenses_of(source).service.as_str());
    let sources = config.sources.iter();
    let now: Vec<_> = sources
        .filter_map(|s| Some((s.name.clone(), named(&s.name)?)))
        .collect();
    let before = license_services(handle.reader())?;
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    let mut is_other = false;
    for (source, was) in before.into_iter().flatten() {
        let is = now.iter().find(|(name, _)| *name == source);
        if let Some((_, is)) = is.filter(|(_, is)| *is != was) {
            is_other = true;
            let (was, is) = (was.as_str(), is.as_str());
            tracing::warn!(
                source.name = %source,
                "the license service was `{was}` at the last start, and is `{is}` now: what is to be done about licenses at \
                 `{was}` is held; `keyward move-licenses --from {was}` moves them"
            );
        }
    }
    if is_other {
        jobs::wake_concerned(handle).await?;
        // What was left at a service that can be asked again may have to end: nothing else wakes a purchase that is over.
        let at = handle.clock().now();
        let named = |m: &Machine| now.iter().find(|(source, _)| *source == m.source);
        let back = |m: &Machine| {
            named(m).is_some_and(|(_, is)| working_left(m, (*is, true), at).next().is_some())
        };
        jobs::wake_all(handle, view::ids(handle.reader(), back)?).await?;
    }
    // Only now: after a kill it is judged again.
    let keep = Input::Keep(ServerRecord::LicenseServices(now));
    handle.submit_waiting(keep).await?;
    Ok(())
}

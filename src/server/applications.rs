//! Other applications than at the last starts: whoever has licenses in one that the config names no more is told.

use super::StartError;
use crate::config::{Config, Service};
use crate::domain::id::AppId;
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::applications::{SourceApplications, unnamed};
use crate::engine::record::RecordError;
use crate::engine::record::applications::{self, NamedApplication};
use crate::engine::record::server::ServerRecord;

/// The applications that a config names for each source whose licenses are not in this program.
#[must_use]
pub fn named_by(config: &Config) -> Vec<SourceApplications> {
    let plans = config.plans.iter().filter_map(|p| p.license.app_id.clone());
    let plans: Vec<AppId> = plans.collect();
    let sources = config.sources.iter().filter_map(|source| {
        let licenses = config.licenses_of(&source.name);
        let is_elsewhere = !matches!(licenses.service, Service::Embedded { .. });
        is_elsewhere.then(|| SourceApplications {
            source: source.name.clone(),
            default: licenses.app_id.clone(),
            plans: plans.clone(),
        })
    });
    sources.collect()
}

/// Notes what the config names, and warns of licenses in applications that it names no more.
///
/// # Errors
/// The store's.
pub(super) async fn judge(handle: &Handle, config: &Config) -> Result<(), StartError> {
    let noted = noted(handle, config).map_err(|error| StartError::System {
        what: "reading which applications have licenses".to_owned(),
        error: std::io::Error::other(error.to_string()),
    })?;
    if let Some(all) = noted {
        // What is not taken now is noted at the next start.
        let keep = Input::Keep(ServerRecord::Applications(all));
        let _ = handle.submit_waiting(keep).await;
    }
    Ok(())
}

/// What is to be noted; `None`: all of it is.
fn noted(handle: &Handle, config: &Config) -> Result<Option<Vec<NamedApplication>>, RecordError> {
    let (reader, now) = (handle.reader(), handle.clock().now());
    let (named, before) = (named_by(config), applications::all(reader)?);
    let is_named =
        |k: &NamedApplication| named.iter().any(|n| n.source != k.source || n.has(&k.app));
    if !before.iter().all(is_named) {
        for other in unnamed(reader, &named, now)? {
            tracing::warn!(source.name = %other.source, "{other}");
        }
    }
    let mut all = before.clone();
    for of in &named {
        let own = |k: &&NamedApplication| k.source == of.source;
        let last = all.iter().filter(own).rfind(|k| k.default_since.is_some());
        let entry = |app, default_since| NamedApplication {
            source: of.source.clone(),
            app,
            default_since,
        };
        if last.is_none_or(|last| last.app != of.default) {
            all.push(entry(of.default.clone(), Some(now)));
        }
        for app in &of.plans {
            if !all.iter().filter(own).any(|k| k.app == *app) {
                all.push(entry(app.clone(), None));
            }
        }
    }
    Ok((all != before).then_some(all))
}

//! Licenses in applications that a config names no more. They are read and extended as ever, by their keys; but whoever changed
//! a line by mistake makes new customers' keys where no program asks for them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::view;
use crate::domain::id::{AppId, SourceName};
use crate::domain::machine::{Grant, Machine};
use crate::domain::service_move::ServiceKind;
use crate::domain::time::Timestamp;
use crate::domain::words::counted;
use crate::engine::record::RecordError;
use crate::engine::record::applications::{self, NamedApplication};
use crate::store::Read;

/// The applications that a config names for a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceApplications {
    /// The source.
    pub source: SourceName,
    /// Where a plan names none.
    pub default: AppId,
    /// Those that plans name.
    pub plans: Vec<AppId>,
}

impl SourceApplications {
    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, app: &AppId) -> bool {
        *app == self.default || self.plans.contains(app)
    }
}

/// Working licenses of a source in an application that the config does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherApplication {
    /// The source.
    pub source: SourceName,
    /// Where they are.
    pub app: AppId,
    /// What the config names where a plan names none.
    pub default: AppId,
    /// How many there are.
    pub licenses: u64,
}

impl fmt::Display for OtherApplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let licenses = counted(self.licenses, "working license", "working licenses");
        let are = if self.licenses == 1 { "is" } else { "are" };
        write!(
            f,
            "{licenses} {are} in the application {}, which neither `[licenses]` nor a plan names any more; new ones are made in {}",
            self.app, self.default
        )
    }
}

/// Those that a config names no more.
///
/// # Errors
/// The store's.
pub fn unnamed(
    reader: &dyn Read,
    named: &[SourceApplications],
    now: Timestamp,
) -> Result<Vec<OtherApplication>, RecordError> {
    let known = applications::all(reader)?;
    let mut found: BTreeMap<(SourceName, AppId), u64> = BTreeMap::new();
    view::machines(reader, |machine| {
        if let Some(of) = named.iter().find(|n| n.source == machine.source) {
            for app in apps(&machine, &known, now).filter(|app| !of.has(app)) {
                *found.entry((of.source.clone(), app.clone())).or_default() += 1;
            }
        }
        true
    })?;
    let row = |((source, app), licenses)| {
        let of = named.iter().find(|n| n.source == source)?;
        Some(OtherApplication {
            app,
            default: of.default.clone(),
            licenses,
            source,
        })
    };
    Ok(found.into_iter().filter_map(row).collect())
}

/// The applications of a purchase's working licenses.
fn apps<'a>(
    machine: &'a Machine,
    known: &'a [NamedApplication],
    now: Timestamp,
) -> impl Iterator<Item = &'a AppId> {
    let works = move |g: &&Grant| g.can_be_mailed() && g.live_at(now) && !g.is_left();
    let grants = machine.grants.iter().filter(works);
    let grants = grants.filter(|g| g.service != Some(ServiceKind::Embedded));
    grants.filter_map(|g| match &g.app_id {
        // What a purchase names itself, in its metadata, no config ever named.
        Some(own) => known.iter().any(|k| k.app == *own).then_some(own),
        None => default_at(known, &machine.source, g.since),
    })
}

/// The application where a plan named none, at an instant; before the first start that noted it: the first.
fn default_at<'a>(
    known: &'a [NamedApplication],
    source: &SourceName,
    at: Timestamp,
) -> Option<&'a AppId> {
    let defaults = || {
        let of = known.iter().filter(move |k| k.source == *source);
        of.filter_map(|k| Some((k.default_since?, &k.app)))
    };
    let then = defaults().take_while(|(since, _)| *since <= at).last();
    then.or_else(|| defaults().next()).map(|(_, app)| app)
}

//! The rules as the store and the config have them.

use super::StartError;
use crate::config::{Config, Livemode};
use crate::domain::action::Abilities;
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::effects::services::abilities;
use crate::engine::input::{Rules, SourceRules};
use crate::engine::record::{RecordError, key, revisions};
use crate::store::Batch;
use crate::store::sled::{Reader, Writer};
use crate::store::{Commit, Read};

/// The rules of a config over a store: every revision that the store knows, and a new one if the config's plans and
/// policies differ from the newest. Notes the store's beginning at the first call.
///
/// # Errors
/// The store's.
pub fn rules(
    config: &Config,
    store: &mut Writer,
    reader: &Reader,
    now: Timestamp,
) -> Result<Rules, StartError> {
    let mut revisions = revisions::kept(&crate::engine::write::working::Committed(reader))?;
    let mut batch = Batch::new();
    let mut working = crate::engine::write::working::Working::new(reader);
    if let Some(revision) = revisions::put(
        &mut working,
        &revisions,
        &config.plans,
        &config.policies,
        now,
    )? {
        let from = revision.from;
        tracing::info!(%from, "the config's plans and policies are a new revision; what happened before is judged as before");
        batch.writes.extend(working.into_writes());
        revisions.push(revision);
    }
    let since = match reader
        .get(&key::general("since"))
        .map_err(RecordError::from)?
    {
        Some(value) => value.bytes[..]
            .try_into()
            .map(i64::from_be_bytes)
            .map_or(now, Timestamp::from_ms),
        None => {
            batch.put(key::general("since"), now.ms().to_be_bytes().to_vec());
            now
        }
    };
    if !batch.is_empty() {
        store.commit(&batch)?;
    }
    Ok(Rules {
        revisions: Revisions::new(revisions).deaf(config.deaf()),
        sources: source_rules(config),
        store_since: Some(since),
        guard: Some(config.guard),
    })
}

/// What is taken from each source of a config.
#[must_use]
pub fn source_rules(
    config: &Config,
) -> std::collections::BTreeMap<crate::domain::id::SourceName, SourceRules> {
    let rule = |s: &crate::config::Source| SourceRules {
        livemode: match s.livemode {
            Livemode::Live => Some(true),
            Livemode::Test => Some(false),
            Livemode::Any => None,
        },
        connect: s.connect == crate::config::Connect::Accept,
        abilities: Abilities {
            can_query: s.api_key.is_some(),
            ..abilities(config.licenses_of(&s.name), config.mail_of(&s.name))
        },
        service: config.licenses_of(&s.name).service.as_str(),
        app: Some(config.licenses_of(&s.name).app_id.clone()),
    };
    config
        .sources
        .iter()
        .map(|s| (s.name.clone(), rule(s)))
        .collect()
}

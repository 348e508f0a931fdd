//! What the server keeps of its own work: how far Stripe's event lists were read, how deliveries came, and what was reported.

use minicbor::{Decode, Encode};

use super::applications::{self, NamedApplication};
use super::audits;
use super::endpoints::{self, DeliveriesRecord, SeenEndpoint};
use super::indexed::{self, Index};
use super::key::{self, Table};
use super::{RecordError, View};
use crate::domain::adoption::{AuditNote, Differences};
use crate::domain::alert::AlertLog;
use crate::domain::attention::ServiceTrouble;
use crate::domain::id::{AccountId, Scope, SourceName};
use crate::domain::service_move::ServiceKind;
use crate::domain::silence::Rhythm;
use crate::domain::time::Timestamp;
use crate::engine::input::Receipt;
use crate::engine::record;
use crate::engine::write::working::{Committed, Working};
use crate::store::{Direction, KeyRange, Read};

/// Something that the server keeps for its next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRecord {
    /// Every event of an account that was created before an instant is known.
    Backfilled {
        /// The account.
        scope: Scope,
        /// The instant.
        to: Timestamp,
    },
    /// What is of a time before an index is in it.
    Indexed(Index),
    /// The license service of each source.
    LicenseServices(Vec<(SourceName, ServiceKind)>),
    /// The applications that configs named.
    Applications(Vec<NamedApplication>),
    /// How deliveries came so far.
    Rhythms(Vec<(SourceName, Rhythm)>),
    /// What the last audit of a source found; empty: no difference.
    Audited {
        /// The source.
        source: SourceName,
        /// When it was.
        at: Timestamp,
        /// What differs.
        found: Differences,
    },
    /// A person looked at what an audit of a source found.
    AuditNoted {
        /// The source.
        source: SourceName,
        /// Who, when and why.
        note: AuditNote,
    },
    /// What is wrong with the sources.
    Troubles {
        /// By what it was noticed.
        seen_by: SeenBy,
        /// Every source of which something is wrong.
        all: Vec<Trouble>,
    },
    /// The webhook endpoints that were seen at Stripe.
    SeenEndpoints(Vec<SeenEndpoint>),
    /// How the events of an account came.
    Deliveries(DeliveriesRecord),
    /// Every service that does not do its work.
    GoneServices(Vec<GoneService>),
    /// What was reported over a channel.
    Alerts {
        /// The channel.
        channel: Channel,
        /// What was reported.
        log: AlertLog,
    },
}

/// By what it is noticed that something is wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// Signatures of deliveries.
    Signatures,
    /// Stripe says that the webhook endpoint is disabled.
    Endpoint,
    /// Stripe says that there is none.
    NoEndpoint,
}

/// Something that is wrong with a source, kept so that a restart is not taken for its end.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Trouble {
    /// The source.
    #[n(0)]
    pub source: SourceName,
    /// Since when.
    #[n(1)]
    pub since: Timestamp,
    /// How often it was seen.
    #[n(2)]
    pub times: u32,
}

/// A service that does not do its work, kept so that a restart is not taken for its recovery.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct GoneService {
    /// What the operator calls it.
    #[n(0)]
    pub service: String,
    /// One of the sources that use it.
    #[n(1)]
    pub source: SourceName,
    /// How it fails.
    #[n(2)]
    pub trouble: ServiceTrouble,
    /// Since when.
    #[n(3)]
    pub since: Timestamp,
    /// What was heard when that began.
    #[n(4)]
    pub why: String,
}

/// A way to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The log.
    Log,
    /// Mail.
    Mail,
    /// An address.
    Url,
}

impl Channel {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Mail => "mail",
            Self::Url => "url",
        }
    }
}

/// One source's deliveries, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct RhythmRecord {
    #[n(0)]
    source: SourceName,
    #[n(1)]
    rhythm: Rhythm,
}

/// A source's license service, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct ServiceRecord {
    #[n(0)]
    source: SourceName,
    #[n(1)]
    service: ServiceKind,
}

fn rhythms_key() -> Vec<u8> {
    key::general("rhythms")
}

fn gone_services_key() -> Vec<u8> {
    key::general("troubles/services")
}

fn alerts_key(channel: Channel) -> Vec<u8> {
    key::general(&format!("alerts/{}", channel.as_str()))
}

fn troubles_key(seen_by: SeenBy) -> Vec<u8> {
    key::general(match seen_by {
        SeenBy::Signatures => "troubles/signatures",
        SeenBy::Endpoint => "troubles/endpoint",
        SeenBy::NoEndpoint => "troubles/no_endpoint",
    })
}

/// How far an account's events are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct BackfillRecord {
    #[n(0)]
    complete_to: Timestamp,
}

fn backfill_key(scope: &Scope) -> Vec<u8> {
    key::general(&format!("backfill/{scope}"))
}

/// Keeps it. How far a list was read never goes back.
///
/// # Errors
/// The store's.
pub(in crate::engine) fn keep(
    working: &mut Working<'_>,
    kept: &ServerRecord,
) -> Result<Receipt, RecordError> {
    match kept {
        ServerRecord::Backfilled { scope, to } => {
            let before = complete_to(working, scope)?;
            let complete_to = before.map_or(*to, |before| before.max(*to));
            record::put(
                working,
                backfill_key(scope),
                &BackfillRecord { complete_to },
            )?;
        }
        ServerRecord::Indexed(index) => indexed::note(working, *index),
        ServerRecord::LicenseServices(all) => {
            let record = |(source, service): &(SourceName, ServiceKind)| ServiceRecord {
                source: source.clone(),
                service: *service,
            };
            let records: Vec<ServiceRecord> = all.iter().map(record).collect();
            record::put(working, services_key(), &records)?;
        }
        ServerRecord::Applications(all) => applications::put(working, all)?,
        ServerRecord::Rhythms(rhythms) => {
            let record = |(source, rhythm): &(SourceName, Rhythm)| RhythmRecord {
                source: source.clone(),
                rhythm: *rhythm,
            };
            let records: Vec<RhythmRecord> = rhythms.iter().map(record).collect();
            record::put(working, rhythms_key(), &records)?;
        }
        ServerRecord::Audited { source, at, found } => audits::put(working, source, *at, found)?,
        ServerRecord::AuditNoted { source, note } => audits::note(working, source, note)?,
        ServerRecord::Troubles { seen_by, all } => {
            record::put(working, troubles_key(*seen_by), all)?;
        }
        ServerRecord::SeenEndpoints(all) => endpoints::put_seen(working, all)?,
        ServerRecord::Deliveries(of) => endpoints::put_deliveries(working, of)?,
        ServerRecord::GoneServices(all) => record::put(working, gone_services_key(), all)?,
        ServerRecord::Alerts { channel, log } => {
            record::put(working, alerts_key(*channel), log)?;
        }
    }
    Ok(Receipt::Done)
}

fn services_key() -> Vec<u8> {
    key::general("services")
}

/// The license service of each source at the last start; `None`: there was none that noted it.
///
/// # Errors
/// The store's.
pub fn license_services(
    reader: &dyn Read,
) -> Result<Option<Vec<(SourceName, ServiceKind)>>, RecordError> {
    let kept: Option<Vec<ServiceRecord>> = record::get(&Committed(reader), &services_key())?;
    let of_source = |record: ServiceRecord| (record.source, record.service);
    Ok(kept.map(|all| all.into_iter().map(of_source).collect()))
}

/// How deliveries came until the last start.
///
/// # Errors
/// The store's.
pub fn rhythms(reader: &dyn Read) -> Result<Vec<(SourceName, Rhythm)>, RecordError> {
    let kept: Option<Vec<RhythmRecord>> = record::get(&Committed(reader), &rhythms_key())?;
    let of_source = |record: RhythmRecord| (record.source, record.rhythm);
    Ok(kept.into_iter().flatten().map(of_source).collect())
}

/// What was wrong with the sources until the last start.
///
/// # Errors
/// The store's.
pub fn troubles(reader: &dyn Read, seen_by: SeenBy) -> Result<Vec<Trouble>, RecordError> {
    Ok(record::get(&Committed(reader), &troubles_key(seen_by))?.unwrap_or_default())
}

/// The services that did not do their work when the last process ended.
///
/// # Errors
/// The store's.
pub fn gone_services(reader: &dyn Read) -> Result<Vec<GoneService>, RecordError> {
    Ok(record::get(&Committed(reader), &gone_services_key())?.unwrap_or_default())
}

/// What was reported over a channel until the last start.
///
/// # Errors
/// The store's.
pub fn alert_log(reader: &dyn Read, channel: Channel) -> Result<AlertLog, RecordError> {
    Ok(record::get(&Committed(reader), &alerts_key(channel))?.unwrap_or_default())
}

/// Up to when every event of an account is known; `None`: its list was never read to an end.
///
/// # Errors
/// The store's.
pub fn complete_to(view: &dyn View, scope: &Scope) -> Result<Option<Timestamp>, RecordError> {
    let kept: Option<BackfillRecord> = record::get(view, &backfill_key(scope))?;
    Ok(kept.map(|kept| kept.complete_to))
}

/// The same in a committed store.
///
/// # Errors
/// The store's.
pub fn backfilled(reader: &dyn Read, scope: &Scope) -> Result<Option<Timestamp>, RecordError> {
    complete_to(&Committed(reader), scope)
}

/// The connected accounts of which a source has events. One read for each.
///
/// # Errors
/// The store's.
pub fn accounts(reader: &dyn Read, source: &SourceName) -> Result<Vec<AccountId>, RecordError> {
    let prefix = [&[Table::Event as u8], source.as_str().as_bytes(), b"/"].concat();
    let mut range = KeyRange::prefix(&prefix);
    let mut found = Vec::new();
    loop {
        let first = reader.range(&range, Direction::Forward, 1)?;
        let Some((entry, _)) = first.first() else {
            return Ok(found);
        };
        let scope = key::scope_of(entry);
        // The scope ends with a zero byte in every key: what follows it is the next account's.
        let len = 1 + scope.to_string().len();
        range.start = [&entry[..len], &[1]].concat();
        found.extend(scope.account().cloned());
    }
}

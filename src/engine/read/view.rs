//! Questions without effects: a machine's page, what is due, lists. The shapes here are relied on from outside.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::action::{Act, ActionOutcome};
use crate::domain::entitlement::entitlement;
use crate::domain::id::{CustomerId, EventId, MachineId, Scope};
use crate::domain::machine::{Grant, LicenseStatus, Machine};
use crate::domain::plan::Devices;
use crate::domain::revision::Revisions;
use crate::domain::summary::PurchaseStatus;
use crate::domain::time::Timestamp;
use crate::engine::input::{Rules, Version};
use crate::engine::record::disposition::Disposition;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self, EventRecord, RecordError};
use crate::engine::write::working::Committed;
use crate::store::{Direction, KeyRange, Read};

/// Keys read from the store at once while a table is walked.
const PAGE: usize = 200;

/// A machine, as JSON shows it.
#[derive(Clone, Debug, Serialize)]
pub struct MachineView {
    /// Its id.
    pub id: String,
    /// `payment` or `subscription`.
    pub kind: &'static str,
    /// Its state.
    pub state: Option<&'static str>,
    /// What it comes to, where somebody asks who knows what its license service allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<PurchaseStatus>,
    /// The customer at Stripe.
    pub customer: Option<String>,
    /// The address for everything about payment.
    pub email: Option<String>,
    /// How many licenses were really made.
    pub licenses_created: usize,
    /// Every license that it ever had.
    pub licenses: Vec<LicenseView>,
    /// Its changes of state.
    pub transitions: Vec<TransitionView>,
    /// Work at the license service.
    pub actions: Vec<ActionView>,
    /// E-mails.
    pub notices: Vec<NoticeView>,
    /// When time alone changes something next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Why nothing is done for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// What the operator was told of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<String>,
}

/// A license.
#[derive(Clone, Debug, Serialize)]
pub struct LicenseView {
    /// Its number within the machine.
    pub seat: u32,
    /// What it is.
    pub status: LicenseStatus,
    /// Its expiry; null is for life.
    pub expires_at: Option<Timestamp>,
    /// Its devices.
    pub devices: Devices,
    /// Its plan.
    pub plan: Option<String>,
    /// The key itself, where the one who asks may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A change of state.
#[derive(Clone, Debug, Serialize)]
pub struct TransitionView {
    /// When it was so.
    pub at: Timestamp,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// The state before.
    pub from: Option<&'static str>,
    /// The state after.
    pub to: &'static str,
    /// Why.
    pub cause: String,
}

/// A piece of work at the license service.
#[derive(Clone, Debug, Serialize)]
pub struct ActionView {
    /// Its number within the machine.
    pub id: u32,
    /// When it was decided, or carried out.
    pub at: Timestamp,
    /// What it does.
    pub kind: &'static str,
    /// The license's number.
    pub seat: u32,
    /// What became of it.
    pub outcome: &'static str,
    /// How often it was sent.
    pub attempts: u32,
    /// The expiry that it sets, where it sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What the service said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Whether it made nothing: a license that others had made was found by its label.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

/// An e-mail.
#[derive(Clone, Debug, Serialize)]
pub struct NoticeView {
    /// Its number within the machine.
    pub id: u32,
    /// When it was sent, or decided.
    pub at: Timestamp,
    /// What it says.
    pub kind: &'static str,
    /// What it belongs to.
    pub episode: String,
    /// What became of it.
    pub status: &'static str,
    /// Whom it went to.
    pub to: Option<String>,
    /// Why it was skipped, or what the mail server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether keys are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// In full: for the operator and the customer.
    Shown,
    /// Not at all: for replay, whose keys are made up.
    Hidden,
}

impl MachineView {
    /// A machine's page at an instant.
    #[must_use]
    pub fn of(
        machine: &Machine,
        on_record: Option<&str>,
        revisions: &Revisions,
        now: Timestamp,
        keys: Keys,
    ) -> Self {
        let folded = machine.folded(revisions, now);
        Self {
            id: machine.id.to_string(),
            kind: machine.kind.as_str(),
            state: folded.state.map(crate::domain::lifecycle::State::as_str),
            status: None,
            customer: folded.contact.customer.as_ref().map(CustomerId::to_string),
            email: folded.contact.payer(on_record),
            licenses_created: machine.licenses_created(),
            licenses: licenses(machine, now, keys),
            transitions: machine
                .journal
                .iter()
                .map(|seen| TransitionView {
                    at: seen.what.at,
                    seen_at: seen.seen_at,
                    from: seen.what.from.map(crate::domain::lifecycle::State::as_str),
                    to: seen.what.to.as_str(),
                    cause: seen.what.cause.to_string(),
                })
                .collect(),
            actions: machine
                .actions
                .iter()
                .filter(|a| !matches!(a.act, Act::Read { .. } | Act::Query(_)))
                .map(|a| action(machine, a))
                .collect(),
            notices: machine.notices.iter().map(notice).collect(),
            wake_at: machine.wake_at,
            held: machine.held.map(|flaw| flaw.to_string()),
            reports: machine.told.iter().map(|r| r.finding.to_string()).collect(),
        }
    }
}

fn licenses(machine: &Machine, now: Timestamp, keys: Keys) -> Vec<LicenseView> {
    let mut licenses: Vec<LicenseView> = machine
        .grants
        .iter()
        .map(|g| LicenseView {
            seat: g.number,
            status: g.status_at(now),
            expires_at: g.expires_at,
            devices: g.devices,
            plan: g.plan.as_ref().map(ToString::to_string),
            key: (keys == Keys::Shown).then(|| g.key.reveal().to_owned()),
        })
        .collect();
    licenses.sort_by_key(|l| l.seat);
    licenses
}

fn action(machine: &Machine, a: &crate::domain::action::Action) -> ActionView {
    let found = |g: &Grant| g.number == a.license && g.adopted;
    let made = a.act.creates() && a.outcome == ActionOutcome::Done;
    ActionView {
        id: a.id,
        at: a.at,
        kind: a.act.as_str(),
        seat: a.license,
        outcome: a.outcome.as_str(),
        attempts: a.attempts,
        expires_at: a.act.sets_end().flatten(),
        error: a.why(),
        next: (a.outcome == ActionOutcome::Pending).then_some(a.due),
        adopted: made && machine.grants.iter().any(found),
    }
}

fn notice(n: &crate::domain::notice::Notice) -> NoticeView {
    NoticeView {
        id: n.id,
        at: n.at,
        kind: n.kind.as_str(),
        episode: n.about.to_string(),
        status: n.status.as_str(),
        to: n.to.clone(),
        why: n.why(),
    }
}

/// An event, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// Where its id is known.
    #[serde(skip)]
    pub scope: Scope,
    /// The event.
    pub event: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it reached us.
    pub received: Timestamp,
    /// What became of it.
    pub disposition: &'static str,
    /// Its machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The names that it waits for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// How long it has waited, in seconds, where somebody said what time it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<i64>,
    /// How often Stripe was asked for what it waits for and knew no link; absent where nobody asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_up: Option<u32>,
    /// Why it changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl EventView {
    fn of(scope: Scope, event: String, record: &EventRecord) -> Self {
        let mut view = Self {
            scope,
            event,
            kind: record.kind.clone(),
            created: record.created,
            received: record.received,
            disposition: "applied",
            machine: None,
            waits_for: Vec::new(),
            age_s: None,
            looked_up: None,
            reason: None,
        };
        match &record.disposition {
            Disposition::Applied(machine) => {
                view.machine = machine.as_ref().map(ToString::to_string)
            }
            Disposition::Parked(names) => {
                (view.disposition, view.waits_for) = ("parked", names.clone())
            }
            Disposition::Ignored(_) | Disposition::Unreadable(_) => {
                (view.disposition, view.reason) = ("ignored", record.disposition.why_ignored());
            }
        }
        view
    }
}

/// Walks a range page by page, so that no list of a whole store stands in memory.
///
/// # Errors
/// The store's, or what the visitor says.
pub fn walk(
    reader: &dyn Read,
    range: KeyRange,
    mut visit: impl FnMut(&[u8], Bytes) -> Result<bool, RecordError>,
) -> Result<(), RecordError> {
    let mut range = range;
    loop {
        let page = reader.range(&range, Direction::Forward, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        range.start.clone_from(last);
        range.start.push(0);
        let full = page.len() == PAGE;
        for (key, value) in page {
            if !visit(&key, value.bytes)? {
                return Ok(());
            }
        }
        if !full {
            return Ok(());
        }
    }
}

/// Every event, in the order of source and id, until the visitor has enough.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn events(
    reader: &dyn Read,
    mut visit: impl FnMut(EventView) -> bool,
) -> Result<(), RecordError> {
    walk(
        reader,
        KeyRange::prefix(&[Table::Event as u8]),
        |key, first| {
            let record: EventRecord = record::whole(&Committed(reader), key, first)?;
            let id = key::event_of(key).map_or_else(String::new, |id| id.to_string());
            Ok(visit(EventView::of(key::scope_of(key), id, &record)))
        },
    )
}

/// Every machine, in the order in which the store has them, until the visitor has enough.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn machines(
    reader: &dyn Read,
    mut visit: impl FnMut(Machine) -> bool,
) -> Result<(), RecordError> {
    walk(
        reader,
        KeyRange::prefix(&[Table::Machine as u8]),
        |key, first| Ok(visit(record::whole(&Committed(reader), key, first)?)),
    )
}

/// A machine by its id.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn machine(reader: &dyn Read, id: &MachineId) -> Result<Option<Machine>, RecordError> {
    record::machine(&Committed(reader), id)
}

/// The same with the version of its record, for whoever acts on it a moment later.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn machine_and_version(
    reader: &dyn Read,
    id: &MachineId,
) -> Result<Option<(Machine, Version)>, RecordError> {
    let key = key::machine(id);
    let Some(found) = reader.get(&key)? else {
        return Ok(None);
    };
    let machine = record::checked(record::whole(&Committed(reader), &key, found.bytes)?);
    Ok(Some((machine, found.seq)))
}

/// The machine that a name leads to within a scope: its own object's id, or an id that is linked to it. Nothing is searched.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn by_name(
    reader: &dyn Read,
    scope: &Scope,
    name: &str,
) -> Result<Option<Machine>, RecordError> {
    match crate::engine::route::lookup(&Committed(reader), scope, name)? {
        Some(id) => machine(reader, &id),
        None => Ok(None),
    }
}

/// The raw body of an event.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn raw_event(
    reader: &dyn Read,
    scope: &Scope,
    id: &EventId,
) -> Result<Option<Vec<u8>>, RecordError> {
    let record: Option<EventRecord> = record::get(&Committed(reader), &key::event(scope, id))?;
    Ok(record.and_then(|r| crate::engine::record::body_codec::unpack(&r.raw)))
}

/// The customer's own record for a machine.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn customer(
    reader: &dyn Read,
    scope: &Scope,
    id: &CustomerId,
) -> Result<Option<crate::domain::customer::Customer>, RecordError> {
    record::get(&Committed(reader), &key::customer(scope, id))
}

/// Machines that an e-mail address, a license key or any id leads to: by links first, else by looking through all.
///
/// # Errors
/// The store's, or a record that cannot be read.
pub fn find(
    reader: &dyn Read,
    scopes: &[Scope],
    text: &str,
) -> Result<Vec<MachineId>, RecordError> {
    let text = text.trim();
    if let Ok(id) = text.parse()
        && machine(reader, &id)?.is_some()
    {
        return Ok(vec![id]);
    }
    for scope in scopes {
        if let Some(id) = crate::engine::route::lookup(&Committed(reader), scope, text)? {
            return Ok(vec![id]);
        }
        let record: Option<EventRecord> =
            record::get(&Committed(reader), &key::event(scope, &EventId::from(text)))?;
        if let Some(Disposition::Applied(Some(id))) = record.map(|r| r.disposition) {
            return Ok(vec![id]);
        }
    }
    let mut found = Vec::new();
    let wanted = text.to_lowercase();
    let customers = customers_with(reader, &wanted)?;
    machines(reader, |m| {
        if mentions(&m, text, &wanted, &customers) {
            found.push(m.id.clone());
        }
        found.len() < FOUND_MAX
    })?;
    Ok(found)
}

/// More than this many hits are not listed: the text is not telling enough.
pub const FOUND_MAX: usize = 100;

fn customers_with(reader: &dyn Read, email: &str) -> Result<Vec<CustomerId>, RecordError> {
    let mut found = Vec::new();
    if email.contains('@') {
        walk(
            reader,
            KeyRange::prefix(&[Table::Customer as u8]),
            |key, first| {
                let customer: crate::domain::customer::Customer =
                    record::whole(&Committed(reader), key, first)?;
                if customer
                    .email
                    .as_ref()
                    .is_some_and(|e| e.to_lowercase() == email)
                {
                    found.push(customer.id);
                }
                Ok(true)
            },
        )?;
    }
    Ok(found)
}

fn mentions(machine: &Machine, text: &str, lower: &str, customers: &[CustomerId]) -> bool {
    let folded = machine.folded(&Revisions::default(), Timestamp::from_ms(0));
    let contact = &folded.contact;
    let emails = [
        &contact.session_email,
        &contact.invoice_email,
        &contact.decided_email,
        &contact.deliver_to,
    ];
    let sent = machine.notices.iter().filter_map(|n| n.to.as_ref());
    emails
        .into_iter()
        .flatten()
        .chain(sent)
        .any(|e| e.to_lowercase() == lower)
        || machine.grants.iter().any(|g| g.key.reveal() == text)
        || contact
            .customer
            .as_ref()
            .is_some_and(|c| c.as_str() == text || customers.contains(c))
        || machine.facts.iter().any(|f| f.id.as_str() == text)
}

/// The attempts that were under way when the process ended.
///
/// # Errors
/// The store's.
pub fn attempts(reader: &dyn Read) -> Result<Vec<(MachineId, u32, Timestamp)>, RecordError> {
    let mut out = Vec::new();
    walk(
        reader,
        KeyRange::prefix(&[Table::Attempt as u8]),
        |key, value| {
            let parts = key::parts(key);
            let sent = value[..]
                .try_into()
                .map(i64::from_be_bytes)
                .map_or(Timestamp::from_ms(0), Timestamp::from_ms);
            if let [machine, action] = parts.as_slice()
                && let (Ok(machine), Ok(action)) = (machine.parse(), action.parse())
            {
                out.push((machine, action, sent));
            }
            Ok(true)
        },
    )?;
    Ok(out)
}

/// What the customer of a machine should hold, for pages: on as many keys as its license service needs for that.
#[must_use]
pub fn seats(
    machine: &Machine,
    rules: &Rules,
    now: Timestamp,
) -> crate::domain::entitlement::Entitlement {
    let folded = machine.folded(&rules.revisions, now);
    entitlement(
        &folded,
        &rules.revisions,
        now,
        rules.devices_max(&machine.source),
    )
}

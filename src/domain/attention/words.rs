//! What waits for a person, in words, and the command that settles it.

use std::fmt;

use super::sold::{config_lines, named};
use super::{ActionAttention, BackupTrouble, Concern, EndpointTrouble, HeldBack, UnreadableEvents};
use crate::domain::fact::Priced;
use crate::domain::finding::Finding;
use crate::domain::hold::{Distrust, Hold};
use crate::domain::id::MachineId;
use crate::domain::missed::MissedType;
use crate::domain::notice::NoticeKind;
use crate::domain::silence::Silence;
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, counted, sentences};

sentences!(Concern);

impl ActionAttention {
    /// The command that settles a refused one.
    fn settled_by(&self) -> String {
        match self.lost {
            Some(number) => format!(
                "keyward rekey {} --license {number} --reason …",
                self.machine
            ),
            None => format!("keyward retry {}", self.name()),
        }
    }
}

impl Concern {
    /// The command that settles it, once what it names is mended.
    #[must_use]
    pub fn settled_by(&self) -> String {
        match self {
            Self::RefusedAction(action) => action.settled_by(),
            Self::HeldAction {
                hold: Hold::OtherService { at },
                ..
            } => format!("keyward move-licenses --from {}", at.as_str()),
            Self::HeldAction {
                awaiting: Some(awaiting),
                ..
            } => awaiting.settled_by(),
            Self::HeldAction { action, .. } => {
                format!("keyward held approve {} --reason …", action.name())
            }
            Self::PaidWithoutKey {
                machine, action, ..
            } => format!("keyward retry {machine}#{action}"),
            Self::NoAddress { machine, .. } => {
                format!("keyward address {machine} --to ADDRESS --reason …")
            }
            Self::Undeliverable { machine, kind, .. } if *kind == NoticeKind::LicenseIssued => {
                format!("keyward resend {machine} --to ADDRESS --reason …")
            }
            Self::Undeliverable { machine, .. } => {
                format!("keyward address {machine} --to ADDRESS --reason …")
            }
            Self::Found {
                machine, finding, ..
            } => found_settled_by(machine, finding),
            Self::MachineHeld { machine, .. } => format!("keyward show {machine}"),
            Self::Parked { scope, event, .. } => {
                format!("keyward note {scope}/{event} --reason …")
            }
            Self::UnreadableEvents { .. } => "keyward reread --reason unreadable".to_owned(),
            Self::BackfillFails { scope, .. } => {
                format!("keyward backfill --source {} --since 1d", scope.source())
            }
            Self::MissedDeliveries { .. }
            | Self::SignaturesFail { .. }
            | Self::SourceSilent { .. }
            | Self::Endpoint { .. } => "keyward check --online".to_owned(),
            Self::OtherHandler { source, .. } => {
                format!("keyward resume --source {source} --reason …")
            }
            Self::AuditDiffers { source, .. } => format!("keyward note audit/{source} --reason …"),
            Self::Backup(BackupTrouble::Lost { folder, .. }) => format!("df -h {folder}"),
            Self::Backup(
                BackupTrouble::Never | BackupTrouble::Old { .. } | BackupTrouble::Failed { .. },
            ) => "keyward backup TARGET".to_owned(),
            Self::Restored { .. } => "keyward go-live --reason …".to_owned(),
            Self::HeldBack { what, .. } => what.ended_by(),
            Self::StoreFull { .. } => "df -h".to_owned(),
            Self::ClockJumped(_) => "timedatectl".to_owned(),
            Self::ServiceGone { service, .. } => format!("keyward retry --service {service}"),
        }
    }
}

impl Concern {
    /// What belongs to it beyond its sentence, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Restored {
                unknown_keys: Some((from, to)),
                ..
            } => vec![unknown_keys(*from, *to)],
            Self::AuditDiffers { source, found } => {
                let mut lines: Vec<String> = found.first.iter().map(ToString::to_string).collect();
                let more = found.more();
                if more > 0 {
                    lines.push(format!("and {more} more: keyward audit --source {source}"));
                }
                lines.extend(found.noted.as_ref().map(ToString::to_string));
                lines
            }
            Self::UnreadableEvents { events, .. } => events.lines(),
            Self::Found { prices, .. } => config_lines(prices)
                .iter()
                .map(|line| format!("[[plan]] {line}"))
                .collect(),
            Self::RefusedAction(_)
            | Self::HeldAction { .. }
            | Self::PaidWithoutKey { .. }
            | Self::NoAddress { .. }
            | Self::Undeliverable { .. }
            | Self::MachineHeld { .. }
            | Self::Parked { .. }
            | Self::BackfillFails { .. }
            | Self::MissedDeliveries { .. }
            | Self::SignaturesFail { .. }
            | Self::SourceSilent { .. }
            | Self::Endpoint { .. }
            | Self::OtherHandler { .. }
            | Self::Backup(_)
            | Self::Restored {
                unknown_keys: None, ..
            }
            | Self::HeldBack { .. }
            | Self::StoreFull { .. }
            | Self::ClockJumped(_)
            | Self::ServiceGone { .. } => Vec::new(),
        }
    }
}

/// What a copy of the embedded service's store does not know, and what brings it back.
#[must_use]
pub fn unknown_keys(from: Timestamp, to: Timestamp) -> String {
    format!(
        "licenses that the embedded service made between {from} and {to} are not in this copy, and neither are devices that were \
         activated then: a program hears `unknown_key` until its sale is told again (`keyward backfill`, with an API key). Its key \
         is the same then"
    )
}

/// Where it is enough that somebody has looked.
fn noted(machine: &MachineId) -> String {
    format!("keyward note {machine} --reason …")
}

fn found_settled_by(machine: &MachineId, finding: &Finding) -> String {
    match finding {
        Finding::RevokedElsewhere(number) => {
            format!("keyward rekey {machine} --license {number} --reason …")
        }
        Finding::NoPriceNamed { until, .. } => {
            format!("keyward extend {machine} --until {until} --reason …")
        }
        Finding::FraudWarning
        | Finding::UnreadableMetadata(_)
        | Finding::NotPaidAfterAll { .. }
        | Finding::FinalizationFailed(_)
        | Finding::PaidAfterEnd(_)
        | Finding::RefundUnlinked
        | Finding::NothingToHandOut
        | Finding::UnknownPlan(_)
        | Finding::QuantityZero(_)
        | Finding::ItemsCut
        | Finding::LinesCut(_)
        | Finding::GivenElsewhere { .. }
        | Finding::OtherLicenses(_)
        | Finding::ServedTwice(_)
        | Finding::MovedTo { .. }
        | Finding::Held(_)
        | Finding::LineItemsCut
        | Finding::SoldBeside { .. }
        | Finding::UnitsUnknown
        | Finding::GuardTripped
        | Finding::NoInvoiceHeard(_)
        | Finding::NotExtended(_)
        | Finding::Extends(_)
        | Finding::ExtendedBy(_)
        | Finding::StillBills(_) => noted(machine),
        Finding::LateForUnknown => "keyward adopt".to_owned(),
    }
}

impl HeldBack {
    /// The command that ends it.
    #[must_use]
    pub fn ended_by(&self) -> String {
        match self {
            Self::Service(service) => format!("keyward resume --service {service} --reason …"),
            Self::Plan(plan) => format!("keyward go-live --plan {plan} --reason …"),
            Self::Shop => "keyward go-live --reason …".to_owned(),
        }
    }
}

fn say_silent(silence: &Silence, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if silence.due == 0 {
        return f.write_str(
            "nothing arrives from Stripe for much longer than ever: look at the endpoint in Stripe's dashboard",
        );
    }
    write!(
        f,
        "nothing arrives from Stripe, though {} due: look at the endpoint in Stripe's dashboard, then \
         `keyward backfill`",
        counted(silence.due, "event was", "events were")
    )
}

fn say_held_back(
    what: &HeldBack,
    by: &str,
    holds: Option<u64>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    match what {
        HeldBack::Service(service) => {
            write!(f, "{service} is paused by {by}: nothing is sent to it")?;
        }
        HeldBack::Plan(plan) => {
            write!(
                f,
                "plan {plan} is only observed by {by}: nothing is sent for it"
            )?;
        }
        HeldBack::Shop => {
            write!(
                f,
                "the shop was live and is only observed by {by}: nothing is sent, no key is made"
            )?;
        }
    }
    f.write_str(", renewals included, and licenses that were paid for run out meanwhile")?;
    match holds {
        Some(holds) => write!(f, "; it holds {}", counted(holds, "action", "actions")),
        None => Ok(()),
    }
}

const fn say_endpoint(trouble: EndpointTrouble) -> &'static str {
    match trouble {
        EndpointTrouble::Disabled => {
            "Stripe has disabled the webhook endpoint: enable it in Stripe's dashboard, then `keyward backfill`"
        }
        EndpointTrouble::Gone => {
            "no webhook endpoint at Stripe posts to our address any more, though one did: it was deleted or its address changed; \
             create it again in Stripe's dashboard, then `keyward backfill`"
        }
    }
}

fn say_missed(missed: &[MissedType], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let types: Vec<_> = missed
        .iter()
        .map(|of| format!("{} {}", of.count, of.kind))
        .collect();
    let total = missed.iter().map(|of| u64::from(of.count)).sum::<u64>();
    write!(
        f,
        "{} did not arrive and had to be fetched from Stripe's list, so keys come late: {}; look at the endpoint and its event \
         types in Stripe's dashboard",
        counted(total, "event", "events"),
        types.join(", ")
    )
}

fn say_parked(names: &[String], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "no purchase is known by {}; link it at Stripe, or wait for the event that links it: noted, it still finds its \
         purchase then",
        names.join(", ")
    )
}

fn say_unreadable(events: &UnreadableEvents, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "{} could not be read and changed nothing, a payment may be among them; the newest is {}: {}. A newer version takes in \
         what it can read; `keyward note EVENT --reason …` settles one of no use",
        counted(events.count, "event", "events"),
        events.newest.name(),
        events.newest.why
    )
}

fn say_unpriced(prices: &[Priced], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let named: Vec<String> = prices.iter().map(named).collect();
    write!(
        f,
        "paid, but nothing to hand out: no plan names {}, and its metadata names no application; name it in a `[[plan]]` and \
         `keyward reload`, or note the purchase",
        named.join(", ")
    )
}

const fn keyless(old_works: bool) -> &'static str {
    if old_works {
        "its new key is not there yet, and the old one works until it is"
    } else {
        "paid, and there is no key yet"
    }
}

fn say_held(action: &ActionAttention, hold: &Hold, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{} is held: {hold}", action.act)?;
    action.meant.map_or(Ok(()), |meant| write!(f, "; {meant}"))
}

impl Sentence for Concern {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |f: &mut fmt::Formatter<'_>, why: &Option<String>| match why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        };
        match self {
            Self::RefusedAction(action) => {
                write!(f, "{} was refused", action.act)?;
                because(f, &action.why)
            }
            Self::HeldAction {
                action,
                awaiting: Some(awaiting),
                ..
            } => write!(f, "{} is held: {awaiting}", action.act),
            Self::HeldAction { action, hold, .. } => say_held(action, hold, f),
            Self::PaidWithoutKey { why, old_works, .. } => {
                f.write_str(keyless(*old_works))?;
                because(f, why)
            }
            Self::NoAddress { kind, .. } => write!(f, "{} has no recipient", kind.as_str()),
            Self::Undeliverable { kind, how, why, .. } => {
                write!(f, "{} {}", kind.as_str(), how.as_str())?;
                because(f, why)
            }
            Self::Found { prices, .. } if !prices.is_empty() => say_unpriced(prices, f),
            Self::Found { finding, .. } => write!(f, "{finding}"),
            Self::MachineHeld { flaw, .. } => {
                write!(
                    f,
                    "nothing is done for this purchase, which is a defect: {flaw}"
                )
            }
            Self::Parked { names, .. } => say_parked(names, f),
            Self::UnreadableEvents { events, .. } => say_unreadable(events, f),
            Self::BackfillFails { why, .. } => write!(
                f,
                "Stripe's event list cannot be read, so nobody notices events that never arrive: {why}"
            ),
            Self::MissedDeliveries { missed, .. } => say_missed(missed, f),
            Self::SignaturesFail { failures, .. } => write!(
                f,
                "{} a signature that does not fit: compare `signing_secrets` with the endpoint's, and this machine's clock",
                counted(*failures, "delivery had", "deliveries in a row had")
            ),
            Self::SourceSilent { silence, .. } => say_silent(silence, f),
            Self::Endpoint { trouble, .. } => f.write_str(say_endpoint(*trouble)),
            Self::AuditDiffers { found, .. } => write!(
                f,
                "Stripe, the license service and this store differ: {found}"
            ),
            Self::OtherHandler { seen, .. } => write!(
                f,
                "old handler seen: {seen}. No key is made here until you have stopped it and say so"
            ),
            Self::Backup(trouble) => write!(f, "{trouble}"),
            Self::Restored { why, .. } => write!(
                f,
                "{why}: the store only observes, everything is decided and nothing is sent until it goes live"
            ),
            Self::HeldBack { what, by, holds } => say_held_back(what, by, *holds, f),
            Self::StoreFull { why, .. } => write!(
                f,
                "nothing is taken, deliveries are answered 503, until there is room: {why}"
            ),
            Self::ClockJumped(doubt) => say_clock_jumped(doubt, f),
            Self::ServiceGone { trouble, why, .. } => {
                write!(f, "{} {trouble}: {why}", self.about())
            }
        }
    }
}

fn say_clock_jumped(doubt: &Distrust, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "{doubt}, whatever would take a license by it waits, and licenses at the embedded service end by the time that it was: \
         check this machine's clock, and NTP"
    )
}

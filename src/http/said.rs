//! What the success page says of a purchase, from what should be and what is. Pure: no request, no clock.

use super::web::{License, Page};
use super::words::{Matter, table, to_come};
use crate::domain::action::{ActionOutcome, GrantStatus};
use crate::domain::entitlement::{Entitlement, Why};
use crate::domain::lifecycle::payment::State as Payment;
use crate::domain::lifecycle::subscription::State as Subscription;
use crate::domain::lifecycle::{Folded, State};
use crate::domain::machine::{Grant, Machine};
use crate::domain::plan::Devices;
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Rules;
use crate::engine::view;

/// A purchase that says nothing of what it sells is looked up at the provider; within this that has happened or failed.
const LOOKED_UP_WITHIN: Span = Span::from_minutes(10);

/// What is said.
pub(super) struct Said {
    /// A word for it, from a fixed set.
    pub(super) word: &'static str,
    /// Whether the page should look again by itself.
    pub(super) waits: bool,
    /// Whether there is such a purchase, or may soon be.
    pub(super) found: bool,
    /// The page.
    pub(super) page: Page,
}

/// The redirect can be faster than the webhook, but not by more than this.
const WEBHOOK_WITHIN: Span = Span::from_minutes(2);

/// What is said of a session that nobody has heard of, to a visitor who has waited so long. `contact`: where to write.
pub(super) fn of_unknown(waited: Span, mails: bool, contact: Option<&str>) -> Said {
    if waited < WEBHOOK_WITHIN {
        return words(Matter::OnItsWay, mails, Vec::new(), None);
    }
    let mut said = words(Matter::Unknown, mails, Vec::new(), None);
    said.page.lines.push(match contact {
        Some(address) => format!("Questions? Please write to {address}."),
        None => "Questions? Please write to the seller.".to_owned(),
    });
    Said { found: false, ..said }
}

/// What a purchase comes to. `mails` says whether keys are mailed at all.
pub(super) fn of(machine: &Machine, rules: &Rules, now: Timestamp, mails: bool) -> Said {
    let folded = machine.folded(&rules.revisions, now);
    let should = view::seats(machine, rules, now);
    let shown: Vec<&Grant> =
        machine.grants.iter().filter(|g| !g.replaced && g.status != GrantStatus::Revoked).collect();
    let matter = matter(machine, &folded, &should, &shown, now);
    let licenses = if shows_keys(matter) { shown.iter().map(|g| license(g, now)).collect() } else { Vec::new() };
    words(matter, mails, licenses, grace_ends(&folded))
}

fn matter(machine: &Machine, folded: &Folded, should: &Entitlement, shown: &[&Grant], now: Timestamp) -> Matter {
    let due = should.seats.iter().filter(|s| s.want.live_at(now)).count();
    let live = shown.iter().filter(|g| g.live_at(now)).count();
    if due > 0 {
        return match live {
            0 if stuck(machine) => Matter::Delayed,
            0 => Matter::Preparing,
            n if n < due => Matter::MoreKeys,
            _ if folded.state == Some(State::Subscription(Subscription::Grace)) => Matter::Grace,
            _ => Matter::Keys,
        };
    }
    let why = |wanted: Why| should.seats.iter().any(|s| s.why == wanted);
    if folded.decided.revoked || why(Why::DisputeLost) {
        return Matter::Revoked;
    }
    for (reason, matter) in [
        (Why::Refunded, Matter::Refunded),
        (Why::Disputed, Matter::Disputed),
        (Why::Lapsed, Matter::Lapsed),
        (Why::Paused, Matter::Paused),
    ] {
        if why(reason) {
            return matter;
        }
    }
    let matter = by_state(folded.state, should, live > 0);
    if matter == Matter::Nothing && is_news(folded, now) { Matter::Preparing } else { matter }
}

fn by_state(state: Option<State>, should: &Entitlement, live: bool) -> Matter {
    match state {
        // Nothing should be, but something is: what is counts for the customer.
        _ if live => Matter::Keys,
        None => Matter::OnItsWay,
        Some(State::Payment(Payment::AwaitingPayment) | State::Subscription(Subscription::Incomplete)) => {
            Matter::AwaitingPayment
        }
        Some(State::Payment(Payment::Failed)) => Matter::Failed,
        Some(State::Payment(Payment::Expired) | State::Subscription(Subscription::IncompleteExpired)) => {
            Matter::Expired
        }
        Some(State::Payment(Payment::Refunded)) => Matter::Refunded,
        Some(State::Subscription(Subscription::Trialing)) => Matter::Trial,
        Some(State::Subscription(Subscription::Ended)) => Matter::Ended,
        Some(
            State::Payment(Payment::Paid | Payment::PartlyRefunded)
            | State::Subscription(Subscription::Active | Subscription::Grace | Subscription::Lapsed),
        ) if should.seats.is_empty() => Matter::Nothing,
        // Called active before its invoice is known to be paid.
        Some(State::Subscription(_)) if should.seats.iter().all(|s| s.why == Why::NotPaid) => Matter::OnItsWay,
        Some(State::Payment(_) | State::Subscription(_)) => Matter::Ended,
    }
}

/// Whether it happened so lately that what was bought may still be looked up at the provider.
fn is_news(folded: &Folded, now: Timestamp) -> bool {
    folded.transitions.last().is_some_and(|t| now - t.at < LOOKED_UP_WITHIN)
}

/// Whether somebody must look at it before a key can come.
fn stuck(machine: &Machine) -> bool {
    let refused =
        |o: ActionOutcome| matches!(o, ActionOutcome::Refused | ActionOutcome::Held | ActionOutcome::Abandoned);
    machine.held.is_some() || machine.actions.iter().any(|a| a.act.creates() && refused(a.outcome))
}

fn grace_ends(folded: &Folded) -> Option<Timestamp> {
    folded.life.open_episode().map(|e| e.ends)
}

fn shows_keys(matter: Matter) -> bool {
    match matter {
        Matter::Keys
        | Matter::MoreKeys
        | Matter::Grace
        | Matter::Lapsed
        | Matter::Paused
        | Matter::Disputed
        | Matter::Ended => true,
        Matter::OnItsWay
        | Matter::Unknown
        | Matter::AwaitingPayment
        | Matter::Preparing
        | Matter::Delayed
        | Matter::Trial
        | Matter::Refunded
        | Matter::Revoked
        | Matter::Failed
        | Matter::Expired
        | Matter::Nothing => false,
    }
}

fn license(grant: &Grant, now: Timestamp) -> License {
    let devices = match grant.devices {
        Devices::Count(1) => "1 device".to_owned(),
        Devices::Count(n) => format!("up to {n} devices"),
        Devices::Unlimited => "any number".to_owned(),
    };
    let valid = match (grant.status_at(now), grant.expires_at) {
        ("suspended", _) => "paused for now".to_owned(),
        ("expired", Some(at)) => format!("ended on {}", day(at)),
        (_, Some(at)) => format!("until {}", day(at)),
        (_, None) => "for life".to_owned(),
    };
    License {
        seat: grant.number,
        plan: grant.plan.as_ref().map(ToString::to_string),
        key: grant.key.reveal().to_owned(),
        devices,
        valid,
    }
}

fn day(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.ms())
        .map_or_else(|| at.to_string(), |t| t.format("%-d %B %Y").to_string())
}

fn words(matter: Matter, mails: bool, licenses: Vec<License>, grace_ends: Option<Timestamp>) -> Said {
    let (word, waits, tone, title, lines) = table(matter);
    let mut page = Page { licenses, ..Page::plain(tone, title, lines) };
    page.lines.extend(to_come(matter, mails).map(str::to_owned));
    if let (Matter::Grace, Some(ends)) = (matter, grace_ends) {
        page.lines.push(format!("Without a payment it stops working on {}.", day(ends)));
    }
    Said { word, waits, found: true, page }
}

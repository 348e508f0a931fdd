//! Why a license is what it is: the fact that decided, the instant at which time alone did, the row of the table, and the
//! line of the policy.
//!
//! Two clocks: how it was at an instant, by what was known at another. Nothing here is remembered: the fold is asked again, and
//! what decided is the fact without which it would have come out otherwise, of those that speak of what the row stands for.

mod customer;
mod deciding;
mod end;
mod paragraph;
mod present;
mod remedy;

pub use customer::{ForCustomer, NothingForCustomer, StrayForCustomer};
pub use paragraph::{Paragraph, paragraph};
pub(in crate::domain) use present::end_of;
pub use present::{At, Gap, Holds, Present, Rest, Tense, present};
pub use remedy::Remedy;

use super::entitlement::{Entitlement, SeatDue, Why, earliest, entitlement};
use super::fact::order::canonical;
use super::fact::{Fact, Priced};
use super::id::{EventId, PolicyName};
use super::lifecycle::{Folded, Life, Phase};
use super::machine::Machine;
use super::policy::{OnDispute, OnRefund, Policy, STANDARD};
use super::revision::Revisions;
use super::terms::Terms;
use super::time::Timestamp;
use deciding::{Circle, payment};

/// Facts that are tried for having decided, from the newest on.
const TRIED_MAX: usize = 400;
/// Instants at which time may have decided that are tried.
const TURNS_MAX: usize = 100;

/// A machine's licenses with their reasons.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the facts come to.
    pub folded: Folded,
    /// What should be.
    pub due: Entitlement,
    /// Seat by seat, in the order of `due`.
    pub reasons: Vec<SeatReason>,
}

/// Why one license is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatReason {
    /// The fact that decided; `None`: none did, or it lies too far back.
    pub decided_by: Option<FactRef>,
    /// When time alone brought it about, after the fact.
    pub turned_at: Option<Timestamp>,
    /// The policy's line.
    pub policy: Option<PolicyLine>,
    /// What would change it.
    pub remedy: Remedy,
}

/// A fact by what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRef {
    /// Its event.
    pub id: EventId,
    /// The event's type.
    pub kind: String,
    /// When it was so.
    pub at: Timestamp,
    /// When we heard of it.
    pub received: Timestamp,
}

impl FactRef {
    fn of(fact: &Fact) -> Self {
        Self {
            id: fact.id.clone(),
            kind: fact.kind.clone(),
            at: fact.at,
            received: fact.received,
        }
    }
}

/// A line of a policy, as it was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLine {
    /// The policy.
    pub policy: PolicyName,
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Since when it was so: the revision's beginning.
    pub revision: Option<Timestamp>,
    /// When the customer was given this value for their own.
    pub overridden: Option<Timestamp>,
}

/// Explains a machine as it was at an instant, by what was known at another.
#[must_use]
pub fn explain(
    machine: &Machine,
    revisions: &Revisions,
    at: Timestamp,
    known_at: Timestamp,
    devices_max: u32,
) -> Explanation {
    let known = as_known(machine, at, known_at);
    let asked = Asked {
        revisions,
        devices_max,
    };
    let (folded, due) = asked.ask(&known, at);
    let reasons = due
        .seats
        .iter()
        .map(|seat| asked.reason(&known, &folded, seat, at))
        .collect();
    Explanation {
        folded,
        due,
        reasons,
    }
}

/// The machine as it was known: facts of later, and facts heard of later, are not there.
#[must_use]
pub fn as_known(machine: &Machine, at: Timestamp, known_at: Timestamp) -> Machine {
    let mut known = machine.clone();
    known.facts.retain(|f| f.at <= at && f.received <= known_at);
    known
}

/// The first that was ever said of a purchase, where nothing was known of it at an instant.
#[must_use]
pub fn begins_later(machine: &Machine, at: Timestamp, known_at: Timestamp) -> Option<FactRef> {
    let of_it = || machine.facts.iter().filter(|f| !f.is_override());
    if of_it().any(|f| f.at <= at && f.received <= known_at) {
        return None;
    }
    let first = of_it().min_by_key(|f| (f.at, f.received))?;
    Some(FactRef::of(first))
}

struct Asked<'a> {
    revisions: &'a Revisions,
    devices_max: u32,
}

impl Asked<'_> {
    fn ask(&self, machine: &Machine, at: Timestamp) -> (Folded, Entitlement) {
        let folded = machine.folded(self.revisions, at);
        let due = entitlement(
            &folded,
            &machine.extensions,
            self.revisions,
            at,
            self.devices_max,
        );
        (folded, due)
    }

    fn reason(
        &self,
        machine: &Machine,
        folded: &Folded,
        seat: &SeatDue,
        at: Timestamp,
    ) -> SeatReason {
        let decided = self.decided_by(machine, folded, seat, at);
        let turned_at = decided
            .as_ref()
            .and_then(|fact| self.turned_at(machine, seat, fact.at, at));
        let happened = decided.as_ref().map_or(at, |fact| fact.at);
        let end = self.end_policy(folded, seat, happened);
        SeatReason {
            policy: end.or_else(|| self.policy(folded, seat, happened)),
            decided_by: decided,
            turned_at,
            remedy: Remedy::of(machine, folded, seat, at),
        }
    }

    /// The newest fact of the narrowest circle without which, and without what of the circle follows it, the seat would be
    /// otherwise, or that paid for its time.
    fn decided_by(
        &self,
        machine: &Machine,
        folded: &Folded,
        seat: &SeatDue,
        at: Timestamp,
    ) -> Option<FactRef> {
        let facts: Vec<Fact> = canonical(&machine.facts).into_iter().cloned().collect();
        let paid = payment(folded, seat, &facts).map(|fact| &fact.id);
        let of = |circle: Circle| {
            let counts = |fact: &&Fact| circle.has(folded, seat, fact);
            let counting = facts.iter().rev().filter(counts);
            let mut before = machine.clone();
            facts.clone_into(&mut before.facts);
            counting.take(TRIED_MAX).find(|fact| {
                before.facts.retain(|f| f.id != fact.id);
                paid == Some(&fact.id) || !is_same(seat, &self.ask(&before, at).1)
            })
        };
        let fact = Circle::EACH.into_iter().find_map(of)?;
        Some(FactRef::of(fact))
    }

    /// The instant after a fact at which time alone made the seat what it is; `None`: it was so at once.
    fn turned_at(
        &self,
        machine: &Machine,
        seat: &SeatDue,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Timestamp> {
        let mut now = from;
        for turn in 0..TURNS_MAX {
            let (folded, due) = self.ask(machine, now);
            if is_same(seat, &due) {
                return (turn > 0).then_some(now);
            }
            let grace = folded.life.open_episode().map(|e| e.ends);
            now = earliest(due.wake, grace, now).filter(|next| *next <= to)?;
        }
        None
    }

    fn policy(&self, folded: &Folded, seat: &SeatDue, at: Timestamp) -> Option<PolicyLine> {
        self.policy_line(folded, seat, at, |policy| line(seat, policy))
    }

    /// The policy that sets the end of a license which is simply paid for: the margin that was promised when it was last
    /// paid, or how long a renewal that is being collected carries it.
    fn end_policy(&self, folded: &Folded, seat: &SeatDue, at: Timestamp) -> Option<PolicyLine> {
        let at = end::promised_at(folded, seat).unwrap_or(at);
        self.policy_line(folded, seat, at, |policy| end::line(folded, seat, policy))
    }

    /// A line of the policy in force at an instant, with its revision.
    fn policy_line(
        &self,
        folded: &Folded,
        seat: &SeatDue,
        at: Timestamp,
        line: impl FnOnce(&Policy) -> Option<(&'static str, String)>,
    ) -> Option<PolicyLine> {
        let decided = &folded.decided;
        let (revisions, judged) = (self.revisions, decided.judged_at(at));
        let policy = Terms { revisions, decided }.policy(seat.plan.as_ref(), at);
        let (key, value) = line(&policy)?;
        let revision = self.revisions.in_force(judged).map(|r| r.from);
        let known = revision.filter(|_| self.revisions.has_policy(&policy.name));
        let policy = known.map_or_else(|| PolicyName::from(STANDARD), |_| policy.name);
        Some(PolicyLine {
            policy,
            key,
            value,
            revision,
            overridden: decided.overridden_since(key, at),
        })
    }
}

/// The key of the policy that speaks, and its value.
fn line(seat: &SeatDue, policy: &Policy) -> Option<(&'static str, String)> {
    let text = |value: &str| value.to_owned();
    let phase = seat.row.map(|row| row.phase);
    match seat.why {
        Why::Refunded if policy.on_refund == OnRefund::Keep => {
            Some(("on_partial_refund", policy.on_partial_refund.to_string()))
        }
        Why::Refunded => Some(("on_refund", text(policy.on_refund.as_str()))),
        Why::Disputed if policy.on_dispute == OnDispute::Keep => {
            Some(("on_inquiry", text(policy.on_inquiry.as_str())))
        }
        Why::Disputed => Some(("on_dispute", text(policy.on_dispute.as_str()))),
        Why::DisputeLost => Some(("on_dispute_lost", text(policy.on_dispute_lost.as_str()))),
        Why::Lapsed => Some(("at_grace_end", text(policy.at_grace_end.as_str()))),
        Why::Grace => Some(("grace", policy.grace.to_string())),
        Why::Paused => Some(("on_pause", text(policy.on_pause.as_str()))),
        Why::Ending => Some(("on_cancel", text(policy.on_cancel.as_str()))),
        Why::Due if phase == Some(Phase::Trial) => Some(("trial", text(policy.trial.as_str()))),
        Why::Due | Why::Decided | Why::NotPaid | Why::Extended => None,
    }
}

/// Whether nothing tells what was paid for: a one-time purchase's events name no price, and the provider was not asked.
#[must_use]
pub fn is_bought_unknown(folded: &Folded) -> bool {
    match &folded.life {
        Life::Payment(life) => life.paid_at.is_some() && !life.lines_told && life.lines.is_empty(),
        Life::Subscription(_) => false,
    }
}

/// The prices of a purchase that no plan names: where it sells no license, that is why.
#[must_use]
pub fn unplanned(
    machine: &Machine,
    folded: &Folded,
    revisions: &Revisions,
    now: Timestamp,
) -> Vec<String> {
    let decided = &folded.decided;
    let terms = Terms { revisions, decided };
    let prices: Vec<&Priced> = match &folded.life {
        // Only invoices told of it.
        Life::Subscription(life) if life.items.is_empty() => {
            let facts = machine.facts.iter().filter(|f| f.at <= now);
            let lines = facts.filter_map(|f| Some((f.at, &f.invoice()?.lines)));
            let lines = lines.flat_map(|(at, lines)| lines.iter().map(move |l| (at, l)));
            let unplanned = lines
                .filter(|(at, l)| l.of_subscription && terms.plan_for(&l.price, *at).is_none());
            unplanned.map(|(_, l)| &l.price).collect()
        }
        Life::Subscription(life) => {
            let unlicensed = life.items.iter().filter(|(_, h)| h.licensed().is_none());
            let newest = unlicensed.filter_map(|(_, h)| h.prices.last());
            newest.map(|p| &p.price).collect()
        }
        Life::Payment(life) => {
            let at = life.paid_at.unwrap_or(now);
            let prices = life.lines.iter().map(|line| &line.price);
            prices
                .filter(|price| terms.plan_for(price, at).is_none())
                .collect()
        }
    };
    let mut names: Vec<String> = Vec::new();
    for price in prices {
        let id = price.id.as_ref().map(ToString::to_string);
        let name = id.or_else(|| price.product.as_ref().map(ToString::to_string));
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

fn is_same(seat: &SeatDue, due: &Entitlement) -> bool {
    let same = due
        .seats
        .iter()
        .find(|s| s.item == seat.item && s.unit == seat.unit);
    same.is_some_and(|s| (s.want, s.why, s.devices) == (seat.want, seat.why, seat.devices))
}

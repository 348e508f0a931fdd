//! A purchase that Stripe shows, with what its facts come to.

use std::collections::BTreeSet;

use crate::adopt::parcel::AdoptedPurchase;
use crate::domain::adoption::{FoundLicense, KeyEnd};
use crate::domain::entitlement::Entitlement;
use crate::domain::fact::FactBody;
use crate::domain::id::CustomerId;
use crate::domain::machine::{Grant, Machine};
use crate::domain::service_move::ServiceKind;
use crate::domain::time::{Span, Timestamp};

/// A purchase with what its facts come to. The facts themselves are let go: a large shop has many.
#[derive(Debug)]
pub struct Candidate {
    pub(super) machine: Machine,
    pub(super) due: Entitlement,
    pub(super) stored: Option<Entitlement>,
    pub(super) unread: bool,
    pub(super) gets_key: bool,
    pub(super) labels: BTreeSet<String>,
    pub(super) customer: Option<CustomerId>,
    pub(super) email: Option<String>,
    pub(super) paid: Option<(i64, String)>,
    pub(super) retry_at: Option<Timestamp>,
    pub(super) began: Option<Timestamp>,
}

impl Candidate {
    /// Whether a working license is to be chosen among more than it bought.
    pub(super) fn is_doubled(&self, licenses: usize) -> bool {
        self.machine.grants.is_empty() && licenses > self.due.seats.len()
    }

    /// How far the end of a license (`None`: for life) lies from that of what was paid for.
    pub(super) fn ends_apart(&self, ends: Option<Timestamp>) -> Span {
        let paid_until = self.due.seats.iter().map(|s| s.paid_until).max().flatten();
        match (paid_until, ends) {
            (Some(paid), Some(ends)) => Span::from_ms((paid - ends).ms().abs()),
            (None, None) => Span::ZERO,
            (None, Some(_)) | (Some(_), None) => Span::from_ms(i64::MAX),
        }
    }

    /// Whether some license is due.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.due.seats.iter().any(|s| s.want.live_at(now))
    }

    /// The licenses that it holds here and that work, or should: of all others nothing is to be said.
    pub(super) fn held(&self, now: Timestamp) -> impl Iterator<Item = &Grant> {
        let should = self.is_live(now);
        let listed = |g: &&Grant| g.service != Some(ServiceKind::Embedded) && !g.is_left();
        let grants = self.machine.grants.iter();
        let grants = grants.filter(|g| g.can_be_mailed()).filter(listed);
        grants.filter(move |g| should || g.live_at(now))
    }

    /// Whether it buys something.
    #[must_use]
    pub fn buys(&self) -> bool {
        !self.due.seats.is_empty()
    }

    pub(super) fn purchase(
        &self,
        events: Vec<Vec<u8>>,
        own: Vec<FoundLicense>,
        meant: Option<KeyEnd>,
    ) -> AdoptedPurchase {
        AdoptedPurchase {
            machine: self.machine.id.clone(),
            kind: self.machine.kind,
            livemode: self.machine.livemode,
            events: events.into_iter().map(Into::into).collect(),
            licenses: own.into_iter().map(Into::into).collect(),
            meant,
        }
    }
}

/// What was last paid, with its currency.
pub(super) fn last_paid(machine: &Machine) -> Option<(i64, String)> {
    let paid = machine.facts.iter().filter_map(|fact| match &fact.body {
        FactBody::Invoice(i) if i.paid && i.total > 0 => {
            Some((i.paid_at.unwrap_or(fact.at), i.total, i.currency.clone()))
        }
        FactBody::Session(s) => s
            .amount
            .filter(|a| *a > 0)
            .map(|amount| (fact.at, amount, s.currency.clone().unwrap_or_default())),
        FactBody::Invoice(_)
        | FactBody::Subscription(_)
        | FactBody::Payment(_)
        | FactBody::Charge(_)
        | FactBody::Refund(_)
        | FactBody::Dispute(_)
        | FactBody::FraudWarning(_)
        | FactBody::Decision(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_) => None,
    });
    paid.max_by_key(|(at, ..)| *at)
        .map(|(_, amount, currency)| (amount, currency))
}

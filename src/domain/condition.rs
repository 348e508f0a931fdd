//! What can be true beside the payment life cycle: disputes and refunds of what was paid.

use std::collections::BTreeMap;

use super::fact::{Charge, Dispute, DisputeStatus, Refund};
use super::id::{ChargeId, DisputeId, RefundId};
use super::time::Timestamp;

/// Where the disputes of one machine stand, each with the instant from which it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disputes(BTreeMap<DisputeId, (DisputeStatus, Timestamp)>);

/// The gravest thing that the disputes together say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disputed {
    /// Nothing, or nothing any more.
    No,
    /// All that was disputed was won.
    Won(DisputeId, Timestamp),
    /// An inquiry is open.
    Inquiry(DisputeId, Timestamp),
    /// One was lost.
    Lost(DisputeId, Timestamp),
    /// One is open.
    Open(DisputeId, Timestamp),
}

impl Disputes {
    /// Takes in a snapshot. Lost can still become won; a verdict never becomes an open question again.
    pub fn note(&mut self, dispute: &Dispute, at: Timestamp) {
        let new = dispute.status;
        match self.0.get(&dispute.id).map(|(status, _)| *status) {
            _ if new == DisputeStatus::Unknown => {}
            Some(old) if old == new => {}
            Some(DisputeStatus::Won | DisputeStatus::Lost)
                if !matches!(new, DisputeStatus::Won | DisputeStatus::Lost) => {}
            Some(_) | None => {
                self.0.insert(dispute.id.clone(), (new, at));
            }
        }
    }

    /// The gravest thing that holds, and since when.
    #[must_use]
    pub fn gravest(&self) -> Disputed {
        let first = |wanted: DisputeStatus| {
            self.0
                .iter()
                .filter(|(_, (s, _))| *s == wanted)
                .min_by_key(|(_, (_, at))| *at)
                .map(|(id, (_, at))| (id.clone(), *at))
        };
        if let Some((id, at)) = first(DisputeStatus::Open) {
            return Disputed::Open(id, at);
        }
        let last_lost = self.0.iter().filter(|(_, (s, _))| *s == DisputeStatus::Lost).max_by_key(|(_, (_, at))| *at);
        if let Some((id, (_, at))) = last_lost {
            return Disputed::Lost(id.clone(), *at);
        }
        if let Some((id, at)) = first(DisputeStatus::Inquiry) {
            return Disputed::Inquiry(id, at);
        }
        match first(DisputeStatus::Won) {
            Some((id, at)) => Disputed::Won(id, at),
            None => Disputed::No,
        }
    }
}

/// What went back of one payment (a charge with its refunds).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refunds {
    charged: Option<i64>,
    told_by_charge: i64,
    wholly: bool,
    singles: BTreeMap<RefundId, (i64, bool)>,
}

/// How much of a payment went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Nothing.
    Nothing,
    /// This many percent, rounded down, less than all.
    Part(u8),
    /// All.
    All,
}

impl Refunds {
    /// Takes in a charge snapshot.
    pub fn note_charge(&mut self, charge: &Charge) {
        self.charged = Some(charge.amount);
        self.told_by_charge = self.told_by_charge.max(charge.amount_refunded);
        self.wholly |= charge.refunded;
        for refund in &charge.refunds {
            self.note_refund(refund);
        }
    }

    /// Takes in a refund snapshot. A refund that failed stays failed.
    pub fn note_refund(&mut self, refund: &Refund) {
        let known = self.singles.entry(refund.id.clone()).or_insert((refund.amount, refund.stands));
        known.1 &= refund.stands;
    }

    /// What was charged, where the charge itself was not seen.
    pub fn assume_charged(&mut self, amount: Option<i64>) {
        if self.charged.is_none() {
            self.charged = amount;
        }
    }

    /// How much went back: the refunds that stand, and what the charge tells of beyond the refunds known by name.
    /// A failed refund is no refund, whatever the charge still counts.
    #[must_use]
    pub fn returned(&self) -> Returned {
        let standing: i64 = self.singles.values().filter(|(_, stands)| *stands).map(|(amount, _)| *amount).sum();
        let known: i64 = self.singles.values().map(|(amount, _)| *amount).sum();
        let total = standing + (self.told_by_charge - known).max(0);
        let fell = self.singles.values().any(|(_, stands)| !stands);
        if total <= 0 && (!self.wholly || fell) {
            return Returned::Nothing;
        }
        match self.charged {
            Some(charged) if charged > 0 && total < charged => {
                Returned::Part(u8::try_from(total.saturating_mul(100) / charged).unwrap_or(100))
            }
            Some(_) => Returned::All,
            None if self.wholly && !fell => Returned::All,
            None => Returned::Part(0),
        }
    }
}

/// The refunds of every payment of a machine, by charge; refunds that name only a payment intent stand under it.
pub type RefundBook = BTreeMap<ChargeId, Refunds>;

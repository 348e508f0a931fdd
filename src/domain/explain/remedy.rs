//! What would change a license.

use std::fmt;

use super::end::promised_at;
use crate::domain::entitlement::{SeatDue, Want, Why};
use crate::domain::id::ObjectKind;
use crate::domain::lifecycle::{Folded, Kind};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(Remedy);

/// What would change a license.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Why it is what it is.
    pub why: Why,
    /// How it is paid.
    pub paid: Payments,
    /// Whether a person keeps it whatever is refunded or disputed.
    pub kept: bool,
    /// Whether its time is over.
    pub is_over: bool,
    /// Whether it has no end.
    pub for_life: bool,
}

/// How a purchase is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payments {
    /// Again and again.
    Renewed,
    /// Once.
    Once,
    /// Not at all: a person issued it.
    Issued,
}

impl Remedy {
    /// For a seat.
    #[must_use]
    pub fn of(machine: &Machine, folded: &Folded, seat: &SeatDue, at: Timestamp) -> Self {
        Self {
            why: seat.why,
            paid: match machine.kind {
                Kind::Subscription => Payments::Renewed,
                Kind::Payment if machine.object().kind() == ObjectKind::Issued => Payments::Issued,
                Kind::Payment => Payments::Once,
            },
            kept: match machine.kind {
                Kind::Subscription => {
                    promised_at(folded, seat).is_some_and(|paid_at| folded.decided.keeps(paid_at))
                }
                Kind::Payment => folded.decided.kept.is_some(),
            },
            is_over: matches!(seat.want, Want::Live { .. }) && !seat.want.live_at(at),
            for_life: seat.want == Want::Live { until: None },
        }
    }

    const fn due(self) -> &'static str {
        match (self.paid, self.is_over, self.kept) {
            (Payments::Renewed, true, _) => {
                "a payment of the next renewal gives more time; so does `keyward extend`"
            }
            (Payments::Once | Payments::Issued, true, _) => {
                "only a person's order, `keyward extend` or `keyward grant`, gives more time"
            }
            (Payments::Renewed, false, false) => {
                "a failed renewal, a refund, a dispute or a cancellation would change it"
            }
            (Payments::Renewed, false, true) => {
                "a failed renewal or a cancellation would change it; a refund or a dispute of what is paid by now does not, by `keyward keep`"
            }
            (Payments::Once, false, false) => {
                "a refund, a dispute or a person's order, like `keyward revoke`, would change it"
            }
            (Payments::Once, false, true) | (Payments::Issued, false, _) => {
                "only a person's order, like `keyward revoke`, changes it"
            }
        }
    }
}

impl Sentence for Remedy {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_renewed = self.paid == Payments::Renewed;
        f.write_str(match self.why {
            Why::Due => self.due(),
            Why::Grace => "a payment of the open invoice ends the grace; `keyward exempt` keeps it open longer",
            Why::Lapsed => "a payment of the open invoice gives the license back; so does `keyward grant`",
            Why::Disputed => "the dispute's end decides; `keyward keep` leaves the license to the customer",
            Why::DisputeLost if is_renewed => "only a new payment, or `keyward keep`, gives a license again",
            Why::Refunded if is_renewed => "only a later payment, or `keyward keep`, gives a license again",
            Why::DisputeLost | Why::Refunded => {
                "only a person's order, `keyward keep` or `keyward grant`, gives a license again"
            }
            Why::Paused => "the end of the pause gives the license back; so does `keyward grant`",
            Why::Ending if self.for_life => "only a refund, a dispute or a person's order would change it",
            Why::Ending => "it runs out with what was paid, unless it is renewed; `keyward extend` gives more",
            Why::Decided => "only another decision changes it",
            Why::Extended => "money back for one of its purchases takes just that time; `keyward extend` gives more",
            Why::NotPaid => "a payment gives a license; so does `keyward grant`",
        })
    }
}

//! Which facts may have decided what a seat is: those that speak of what its row stands for. A snapshot pays for nothing
//! (rule 18), and a query says what was bought, not what became of it.

use super::end;
use crate::domain::entitlement::{SeatDue, Why};
use crate::domain::fact::{Fact, FactBody, InvoiceEvent};
use crate::domain::lifecycle::{Folded, Life, Phase};

/// What a fact speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// Money that came.
    Paid,
    /// Money that is asked for.
    Billed,
    /// Money that did not come.
    Failed,
    /// Money that went back.
    Returned,
    /// A dispute.
    Dispute,
    /// The subscription itself.
    Subscription,
    /// A person's decision.
    Decision,
    /// What belongs together, or what was bought: asked for or told beside what happened.
    Aside,
}

impl Subject {
    const fn of(fact: &Fact) -> Self {
        match &fact.body {
            FactBody::Session(_) => Self::Paid,
            FactBody::Invoice(invoice) if invoice.paid => Self::Paid,
            FactBody::Invoice(invoice) => match invoice.event {
                InvoiceEvent::PaymentFailed
                | InvoiceEvent::ActionRequired
                | InvoiceEvent::Overdue
                | InvoiceEvent::Uncollectible => Self::Failed,
                InvoiceEvent::Queried
                | InvoiceEvent::Finalized
                | InvoiceEvent::FinalizationFailed
                | InvoiceEvent::Updated
                | InvoiceEvent::Paid
                | InvoiceEvent::Voided => Self::Billed,
            },
            FactBody::Charge(_) | FactBody::Refund(_) => Self::Returned,
            FactBody::Dispute(_) => Self::Dispute,
            FactBody::Subscription(_) => Self::Subscription,
            FactBody::Decision(_) => Self::Decision,
            FactBody::Payment(_)
            | FactBody::FraudWarning(_)
            | FactBody::LineItems(_)
            | FactBody::Items(_) => Self::Aside,
        }
    }
}

/// Whose word counts: the narrower one is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Circle {
    /// Facts that speak of what the seat's row stands for.
    Row,
    /// Facts that tell what happened.
    Happened,
    /// Every fact.
    All,
}

impl Circle {
    /// From the narrowest on.
    pub(super) const EACH: [Self; 3] = [Self::Row, Self::Happened, Self::All];

    /// Whether a fact is one of them.
    pub(super) fn has(self, folded: &Folded, seat: &SeatDue, fact: &Fact) -> bool {
        let subject = Subject::of(fact);
        match self {
            Self::Row => row(folded, seat).contains(&subject),
            Self::Happened => subject != Subject::Aside,
            Self::All => true,
        }
    }
}

/// The fact by which the time until the paid end was paid for. It decided of that, also where a snapshot would have spoken for
/// it in the end.
pub(super) fn payment<'f>(folded: &Folded, seat: &SeatDue, facts: &'f [Fact]) -> Option<&'f Fact> {
    let invoice = end::paid_by(folded, seat)?;
    let pays = |fact: &&Fact| fact.invoice().is_some_and(|i| i.paid && i.id == *invoice);
    facts.iter().find(pays).filter(|_| seat.why == Why::Due)
}

/// What the facts speak of that give a seat its row; nothing where more than one kind does.
fn row(folded: &Folded, seat: &SeatDue) -> &'static [Subject] {
    match seat.why {
        Why::Refunded => &[Subject::Returned],
        Why::Disputed | Why::DisputeLost => &[Subject::Dispute],
        Why::Grace | Why::Lapsed => &[Subject::Failed],
        Why::Paused => &[Subject::Subscription],
        // The end, or that the money for the rest went back.
        Why::Ending => &[Subject::Subscription, Subject::Returned],
        Why::Decided => &[Subject::Decision],
        Why::Due => due(folded, seat),
        Why::NotPaid | Why::Extended => &[],
    }
}

fn due(folded: &Folded, seat: &SeatDue) -> &'static [Subject] {
    // An open invoice may carry a license on; a dispute that was won and money that stays after all give one back.
    const PAID: [Subject; 5] = [
        Subject::Paid,
        Subject::Billed,
        Subject::Returned,
        Subject::Dispute,
        Subject::Decision,
    ];
    let billed = match &folded.life {
        Life::Payment(_) => true,
        Life::Subscription(_) => end::paid_by(folded, seat).is_some(),
    };
    match seat.row.map(|row| row.phase) {
        Some(Phase::Trial) => &[Subject::Subscription],
        Some(Phase::Paid) if billed => &PAID,
        // Granted, or kept.
        Some(
            Phase::Paid
            | Phase::NotPaid
            | Phase::Grace
            | Phase::Lapsed
            | Phase::LapsedKept
            | Phase::LapsedForGood,
        )
        | None => &[],
    }
}

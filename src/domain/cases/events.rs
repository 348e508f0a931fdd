//! What Stripe tells of a subscription, and what a person decides, in one line each.

use super::*;
use crate::domain::lifecycle::Life;

impl Case {
    /// Whether a snapshot spoke for a payment that nobody told of.
    pub(super) fn unheard(&self) -> bool {
        let folded = self.machine.folded(&self.rules(), self.now);
        matches!(&folded.life, Life::Subscription(life) if life.unheard)
    }

    pub(in crate::domain) fn decide(&mut self, at: f64, verb: Verb) -> &mut Self {
        let decision = Decision {
            verb,
            author: "op".to_owned(),
            reason: "test".to_owned(),
        };
        self.told(at, "decision", FactBody::Decision(Box::new(decision)))
    }

    /// An invoice for the period is paid.
    pub(in crate::domain) fn paid(&mut self, at: f64, id: &str, from: f64, to: f64) -> &mut Self {
        self.told(
            at,
            "invoice.paid",
            invoice(
                id,
                InvoiceEvent::Paid,
                vec![line("si_1", "price_pro", 1, from, to)],
            ),
        )
    }

    /// An invoice for the period is not paid.
    pub(in crate::domain) fn failed(&mut self, at: f64, id: &str, from: f64, to: f64) -> &mut Self {
        let lines = vec![line("si_1", "price_pro", 1, from, to)];
        self.told(
            at,
            "invoice.payment_failed",
            invoice(id, InvoiceEvent::PaymentFailed, lines),
        )
    }

    /// A snapshot of the subscription, its running period given.
    pub(in crate::domain) fn shown(
        &mut self,
        at: f64,
        from: f64,
        to: f64,
        change: impl FnOnce(&mut Subscription),
    ) -> &mut Self {
        self.told(
            at,
            "customer.subscription.updated",
            snapshot(from, to, change),
        )
    }

    /// Stripe ends the subscription.
    pub(in crate::domain) fn deleted(
        &mut self,
        at: f64,
        from: f64,
        to: f64,
        reason: EndReason,
    ) -> &mut Self {
        self.told(
            at,
            "customer.subscription.deleted",
            snapshot(from, to, |s| {
                (s.event, s.status) = (SubscriptionEvent::Deleted, SubscriptionStatus::Canceled);
                (s.end_reason, s.ended_at) = (Some(reason), Some(day(at)));
            }),
        )
    }
}

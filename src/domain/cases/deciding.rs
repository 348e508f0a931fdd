//! Which fact is named as the one that decided.

use super::*;
use crate::domain::explain::explain;

impl Case {
    /// The type of the fact that decided of the first license, and the day on which it was so.
    fn decided_by(&self) -> (String, String) {
        let explained = explain(&self.machine, &self.rules(), self.now, self.now, 16);
        let fact = explained.reasons[0].decided_by.clone().unwrap();
        (fact.kind, days(fact.at))
    }

    #[track_caller]
    fn was_decided_by(&mut self, kind: &str, on: &str) -> &mut Self {
        let expected = (kind.to_owned(), on.to_owned());
        assert_eq!(self.decided_by(), expected, "on day {}", days(self.now));
        self
    }
}

fn subscribed() -> Case {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

/// A snapshot that comes with a renewal pays for nothing.
#[test]
fn what_is_paid_for_was_decided_by_the_payment_whatever_else_was_told_with_it() {
    let mut case = Case::subscription(|_| {});
    let created = snapshot(0.0, 30.0, |s| {
        (s.event, s.status) = (SubscriptionEvent::Created, SubscriptionStatus::Incomplete);
    });
    case.told(0.0, "customer.subscription.created", created)
        .paid(0.01, "in_1", 0.0, 30.0)
        .shown(0.02, 0.0, 30.0, |_| {})
        .was_decided_by("invoice.paid", "0.01")
        .on(20.0)
        .was_decided_by("invoice.paid", "0.01")
        .paid(30.0, "in_2", 30.0, 60.0)
        .shown(30.01, 30.0, 60.0, |_| {})
        .was_decided_by("invoice.paid", "30")
        .on(38.0)
        .was_decided_by("invoice.paid", "30")
        .shown(40.0, 30.0, 60.0, |s| {
            s.items = vec![item("si_1", "price_team", 1, 30.0, 60.0)];
        })
        .was_decided_by("invoice.paid", "30");
    // The snapshot came first, and the payment was late.
    case.shown(60.0, 60.0, 90.0, |_| {})
        .paid(60.05, "in_3", 60.0, 90.0)
        .shown(60.06, 60.0, 90.0, |_| {})
        .was_decided_by("invoice.paid", "60.05");
    let open = dispute("dp_1", "in_3", DisputeStatus::Open);
    let won = dispute("dp_1", "in_3", DisputeStatus::Won);
    case.told(61.0, "charge.dispute.created", open)
        .shown(61.5, 60.0, 90.0, |_| {})
        .was_decided_by("charge.dispute.created", "61")
        .told(62.0, "charge.dispute.closed", won)
        .shown(62.5, 60.0, 90.0, |_| {})
        .was_decided_by("charge.dispute.closed", "62");
}

#[test]
fn a_grace_was_decided_by_the_first_failure_and_an_end_by_what_scheduled_it() {
    let mut case = subscribed();
    case.failed(30.0, "in_2", 30.0, 60.0)
        .shown(30.01, 30.0, 60.0, |s| {
            s.status = SubscriptionStatus::PastDue
        })
        .was_decided_by("invoice.payment_failed", "30")
        .failed(35.0, "in_2", 30.0, 60.0)
        .on(50.0)
        .was_decided_by("invoice.payment_failed", "30");
    let mut ending = subscribed();
    ending
        .shown(5.0, 0.0, 30.0, |s| s.cancel_at_period_end = true)
        .shown(6.0, 0.0, 30.0, |s| s.cancel_at_period_end = true)
        .was_decided_by("customer.subscription.updated", "5");
}

/// Time that no payment gave was given by the snapshot.
#[test]
fn what_was_granted_or_is_on_trial_was_decided_by_the_snapshot() {
    let mut keeps = subscribed();
    keeps
        .shown(10.0, 0.0, 30.0, |s| s.collection_paused = true)
        .shown(30.0, 30.0, 60.0, |s| s.collection_paused = true)
        .was_decided_by("customer.subscription.updated", "30");
    let mut trial = Case::subscription(|_| {});
    trial
        .shown(0.0, 0.0, 14.0, |s| {
            (s.status, s.trial_end) = (SubscriptionStatus::Trialing, Some(day(14.0)));
        })
        .was_decided_by("customer.subscription.updated", "0");
}

/// What was asked of Stripe afterwards says what was bought, and took nothing.
#[test]
fn a_refund_decided_and_not_the_look_up_of_what_was_bought() {
    let mut case = Case::purchase(|_| {});
    let plain = session_with(PaymentStatus::Paid, |s| s.wants = Wants::default());
    case.told(0.0, "checkout.session.completed", plain)
        .told(5.0, "charge.refunded", charge(100))
        .told(6.0, "lookup.line_items", sold(&[("li_1", "price_pro", 1)]))
        .was_decided_by("charge.refunded", "5");
}

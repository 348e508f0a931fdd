//! A copy of the store is put back: what the store that was lost did meanwhile is not in it, and its events are told again.

use super::*;
use crate::domain::notice::Skipped;
use crate::domain::standing::{Author, Standing, StandingOrder};

/// The copy is of this day.
const COPIED: f64 = 3.0;
/// It is put back on this day.
const RESTORED: f64 = 31.0;
/// The server goes live on this day: an hour later.
const LIVE: f64 = 31.0 + 1.0 / 24.0;

impl Case {
    /// A copy of the third day, put back on the thirty-first.
    fn restored(until: f64, before: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::subscription(|_| {});
        case.revokes_for_good = true;
        case.since = Some(day(-100.0));
        case.paid(0.0, "in_1", 0.0, until);
        before(&mut case);
        case.on(COPIED);
        case.now = day(RESTORED);
        case.gaps.push(Gap::between(day(COPIED), day(RESTORED)));
        case.by_restore(RESTORED, Standing::Observe { plan: None });
        case
    }

    fn by_restore(&mut self, at: f64, what: Standing) {
        self.stands(at, what, Author::Restore);
    }

    /// An order is given before anything that is due is carried out.
    fn stands(&mut self, at: f64, what: Standing, by: Author) {
        let reason = "a copy".to_owned();
        let at = day(at);
        self.standing.add(StandingOrder {
            what,
            by,
            reason,
            at,
        });
        self.reconcile();
    }

    fn goes_live(&mut self) -> &mut Self {
        self.order(LIVE, Standing::Live { plan: None })
    }

    /// Something is told again after the restore.
    fn told_again(&mut self, at: f64, kind: &str, body: FactBody) -> &mut Self {
        self.told_late(RESTORED, at, kind, body)
    }

    fn refunded(&mut self, at: f64, invoice: &str) -> &mut Self {
        let id = format!("re_{invoice}");
        self.told_again(at, "refund.created", refund(&id, invoice, 1))
    }

    fn renewed_again(&mut self, at: f64, id: &str, from: f64, to: f64) -> &mut Self {
        let lines = vec![line("si_1", "price_pro", 1, from, to)];
        let paid = invoice(id, InvoiceEvent::Paid, lines);
        self.told_again(at, "invoice.paid", paid)
    }

    fn made_there(&mut self, until: f64) {
        self.there = Some((GrantStatus::Live, Some(day(until)), Devices::Count(3)));
    }
}

/// Rules 37, 51, 52: its period was refunded, its key revoked, the next period paid and a second key made, all by the store
/// that was lost. The second key is taken over and goes on; where none was made, one is, and it is mailed.
#[test]
fn a_license_that_the_lost_store_revoked_for_a_refund_has_a_successor() {
    for made in [true, false] {
        let mut case = Case::restored(30.0, |_| {});
        case.revoked_there.push("KEY-1");
        if made {
            case.made_there(60.0);
        }
        case.refunded(5.0, "in_1")
            .renewed_again(30.1, "in_2", 30.0, 60.0);
        let acts = ["create check create", "create check create extend"][usize::from(made)];
        case.goes_live().is("active: revoked, live 63").acts(acts);
        case.mails(
            ["license_issued 0, license_issued 31.04", "license_issued 0"][usize::from(made)],
        );
        case.renewed(60.1, "in_3", 60.0, 90.0)
            .is("active: revoked, live 93")
            .tells(0.0, "");
    }
}

/// Whatever is told first: the payment is delivered at once, the refund before it is read from Stripe's list after the license
/// was.
#[test]
fn a_refund_that_is_heard_of_last_counts_where_it_belongs() {
    let mut case = Case::restored(30.0, |_| {});
    case.renewed_again(30.1, "in_2", 30.0, 60.0);
    case.revoked_there.push("KEY-1");
    case.made_there(60.0);
    case.goes_live().is("active: revoked");
    let refunded = refund("re_1", "in_1", 1);
    case.told_late(31.1, 5.0, "refund.created", refunded)
        .is("active: revoked, live 63")
        .mails("license_issued 0");
}

/// It happened twice: the second key is found revoked, too, and the third one goes on.
#[test]
fn each_refund_explains_one_revoked_license() {
    for refunds in [1, 2] {
        let mut case = Case::restored(10.0, |_| {});
        case.refunded(5.0, "in_1")
            .renewed_again(10.0, "in_2", 10.0, 20.0);
        if refunds == 2 {
            case.refunded(15.0, "in_2");
        }
        case.renewed_again(20.1, "in_3", 20.0, 60.0);
        case.revoked_there
            .extend(["KEY-1", "OLD-Stripe sub sub_1 #2"]);
        case.made_there(60.0);
        case.goes_live();
        if refunds == 2 {
            case.is("active: revoked, revoked, live 63").tells(0.0, "");
        } else {
            case.is("active: revoked, revoked")
                .tells(LIVE, "revoked at the license service by somebody else");
        }
    }
}

/// Rule 51: a revocation that no history asks for is another hand's; so is one of a license that is known to have outlived
/// what its history asked for.
#[test]
fn what_no_history_asks_for_was_another_hand() {
    let mut case = Case::restored(30.0, |_| {});
    case.renewed_again(30.1, "in_2", 30.0, 60.0);
    case.revoked_there.push("KEY-1");
    case.made_there(60.0);
    case.goes_live()
        .is("active: revoked")
        .tells(LIVE, "revoked at the license service by somebody else");
    let mut outlived = Case::subscription(|_| {});
    outlived.revokes_for_good = true;
    outlived.paid(0.0, "in_1", 0.0, 30.0).on(30.2);
    outlived.renewed_late(30.2);
    outlived.is("active: live 63").on(40.0);
    outlived.revoked_there.push("KEY-1");
    outlived
        .changed_there(40.0, Some(63.0), 3)
        .is("active: revoked")
        .tells(40.0, "revoked at the license service by somebody else");
}

impl Case {
    /// The period's refund and the next one's payment are told in one moment: nothing is revoked between the two.
    fn renewed_late(&mut self, at: f64) {
        self.now = day(at);
        for (n, (at, kind, body)) in [
            (5.0, "refund.created", refund("re_1", "in_1", 1)),
            (
                30.1,
                "invoice.paid",
                invoice(
                    "in_2",
                    InvoiceEvent::Paid,
                    vec![line("si_1", "price_pro", 1, 30.0, 60.0)],
                ),
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let fact = Fact {
                id: format!("evt_late_{n}").as_str().into(),
                kind: kind.to_owned(),
                at: day(at),
                received: self.now,
                body,
                chain: None,
            };
            add_fact(&mut self.machine, &fact);
        }
        self.reconcile();
    }
}

/// A unit that was given up and bought again lost its key and got another one.
#[test]
fn a_unit_given_up_and_bought_again_has_a_successor() {
    let units = |n: u32| snapshot(0.0, 30.0, |s| s.items[0].quantity = Some(n));
    let kind = "customer.subscription.updated";
    let mut case = Case::restored(30.0, |case| {
        case.revisions[0].plans[0].seats = Seats::Keys;
        case.told(1.0, kind, units(2))
            .is("active: live 33, live 33");
    });
    case.revoked_there.push("KEY-2");
    case.made_there(33.0);
    case.told_again(4.0, kind, units(1));
    case.told_again(6.0, kind, units(2));
    case.goes_live().is("active: live 33, revoked, live 33");
    case.tells(0.0, "");
}

/// What the lost store had mailed is not mailed again, however soon the shop goes live; what comes after is.
#[test]
fn what_was_due_before_the_restore_is_not_mailed() {
    let mut case = Case::restored(30.0, |_| {});
    let lines = vec![line("si_1", "price_pro", 1, 30.0, 60.0)];
    let failed = invoice("in_2", InvoiceEvent::PaymentFailed, lines);
    case.told_again(30.05, "invoice.payment_failed", failed);
    let soon = RESTORED + 0.001;
    case.order(soon, Standing::Live { plan: None });
    case.on(36.0).mails("license_issued 0");
    let skipped: Vec<_> = case
        .machine
        .notices
        .iter()
        .filter_map(|n| n.skipped)
        .collect();
    assert_eq!(skipped, [Skipped::BeforeRestore]);
    case.on(38.0).mails("license_issued 0, grace_ending 37.05");
    // A failure of the time after is told as ever.
    let mut case = Case::restored(30.0, |_| {});
    case.goes_live();
    case.failed(31.1, "in_2", 30.0, 60.0).on(31.2);
    case.mails("license_issued 0, payment_failed 31.11");
}

/// Refunds, disputes, and a license that works again: the lost store told them, or nobody has to.
#[test]
fn no_end_and_no_return_of_the_past_is_told() {
    let mut refunded = Case::restored(40.0, |_| {});
    refunded.refunded(30.999, "in_1");
    refunded.order(RESTORED + 0.001, Standing::Live { plan: None });
    refunded
        .on(33.0)
        .is("active: revoked")
        .mails("license_issued 0");
    // It was suspended when the copy was made, and paid for since.
    for paid_there in [true, false] {
        let disputed = |status| dispute("dp_1", "in_1", status);
        let mut case = Case::restored(40.0, |case| {
            let open = disputed(DisputeStatus::Open);
            case.told(1.0, "charge.dispute.created", open).on(2.0);
        });
        case.mails("license_issued 0, disputed 1.01");
        case.told_again(20.0, "charge.dispute.closed", disputed(DisputeStatus::Won));
        case.works_there = paid_there;
        case.goes_live().on(32.0).is("active: live 43");
        case.mails(
            [
                "license_issued 0, disputed 1.01, restored 31.04",
                "license_issued 0, disputed 1.01",
            ][usize::from(paid_there)],
        );
    }
}

/// The server that the backup is of may still run, and hear of each sale: for a week each create looks first, also one of a
/// further license.
#[test]
fn what_the_old_server_still_makes_is_taken_over() {
    for (live, made_here) in [(-1.0, 0), (-8.0, 1)] {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(-100.0));
        case.on(live - 0.1);
        case.by_restore(live - 0.1, Standing::Observe { plan: None });
        case.order(live, Standing::Live { plan: None });
        let lines = vec![line("si_1", "price_pro", 29, 0.0, 30.0)];
        let paid = invoice("in_1", InvoiceEvent::Paid, lines);
        case.told_late(0.0001, 0.0, "invoice.paid", paid);
        case.made_there(33.0);
        case.on(0.01).is("active: live 33");
        assert_eq!(
            case.machine.licenses_created(),
            made_here,
            "live since {live}"
        );
    }
    let mut case = Case::restored(40.0, |_| {});
    case.goes_live();
    case.told(32.0, "refund.created", refund("re_1", "in_1", 1))
        .is("active: revoked");
    case.made_there(63.0);
    case.renewed(33.0, "in_2", 33.0, 63.0)
        .on(33.1)
        .is("active: revoked, live 66");
    assert_eq!(case.machine.licenses_created(), 1, "the first one");
}

/// A copy that is put back without `restore` looks like a server that was down. Nobody is stopped and no key is made twice; but a
/// customer of whom it hears what went wrong meanwhile was told so by nobody, as far as it knows. Who puts one back orders
/// observe mode before the start.
#[test]
fn a_copy_that_nobody_marked_as_one_mails_of_the_past_unless_it_is_observed_first() {
    for (observed, heard) in [
        (false, 29.9),
        (true, 29.9),
        (false, RESTORED),
        (true, RESTORED),
    ] {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(-100.0));
        let lines = vec![line("si_1", "price_pro", 1, 30.0, 60.0)];
        let failed = invoice("in_2", InvoiceEvent::PaymentFailed, lines);
        case.paid(0.0, "in_1", 0.0, 29.9).on(29.8);
        if heard < RESTORED {
            // Its mail is due ten minutes later, which is after the copy was made.
            case.told(heard, "invoice.payment_failed", failed.clone());
        }
        case.gaps.push(Gap::between(day(29.901), day(RESTORED)));
        case.now = day(RESTORED);
        if observed {
            let by = Author::Person("ada".to_owned());
            case.stands(RESTORED, Standing::Observe { plan: None }, by);
        }
        if heard == RESTORED {
            case.told_again(29.95, "invoice.payment_failed", failed);
        }
        if observed {
            case.order(LIVE, Standing::Live { plan: None });
        }
        case.on(32.0);
        let mails: Vec<&str> = case
            .machine
            .notices
            .iter()
            .filter(|n| n.status == NoticeStatus::Sent)
            .map(|n| n.kind.as_str())
            .collect();
        let again: &[&str] = if observed { &[] } else { &["payment_failed"] };
        assert_eq!(
            mails,
            [&["license_issued"], again].concat(),
            "heard {heard}"
        );
        assert_eq!(case.machine.licenses_created(), 1);
        assert!(case.machine.grants[0].live_at(case.now));
    }
}

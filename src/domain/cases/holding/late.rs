//! A key that was held and its mails: late from when it was let go, and mailed where a mail promised it.

use super::aside::{keyless, paused, resumed};
use super::*;
use crate::domain::notice::{About, Notice, NoticeKind, Part};

impl Case {
    /// A mail said that the key is on its way.
    fn promise(&mut self, at: Timestamp) {
        self.machine.notices.push(Notice {
            id: 1,
            kind: NoticeKind::LicenseDelayed,
            about: About::FirstKey,
            part: Part::Whole,
            status: NoticeStatus::Sent,
            at,
            to: None,
            seats: Vec::new(),
            attempts: 1,
            due: at,
            error: None,
            skipped: None,
            refusals: 0,
        });
    }
}

/// A key that was held is late from when it was let go: nobody is told that it is on its way in the second that it comes.
#[test]
fn a_key_that_was_held_is_not_late_the_moment_it_is_let_go() {
    let mut case = keyless();
    let lines = vec![line("si_1", "price_pro", 29, 30.0, 60.0)];
    case.told(
        30.1,
        "invoice.paid",
        invoice("in_2", InvoiceEvent::Paid, lines),
    );
    case.holds(&[("create_license", Hold::Adoption)]);
    case.on(31.0)
        .approved()
        .is("active: live 63")
        .mails("license_issued 31");

    let mut paused_for_a_day = Case::subscription(|_| {});
    paused_for_a_day.order(-1.0, paused());
    paused_for_a_day.paid(0.0, "in_1", 0.0, 30.0);
    paused_for_a_day
        .order(1.0, resumed())
        .is("active: live 33")
        .mails("license_issued 1");
}

/// And it is late again where its service keeps it waiting then.
#[test]
fn a_key_that_was_held_is_late_where_its_service_keeps_it_waiting() {
    let mut case = Case::subscription(|_| {});
    case.order(-1.0, paused());
    case.ready = vec![day(1.5)];
    case.paid(0.0, "in_1", 0.0, 30.0);
    case.order(1.0, resumed());
    case.on(2.0)
        .mails("license_delayed 1.02, license_issued 1.5");
}

/// A mail that promised the key is kept, whoever made it.
#[test]
fn a_key_that_was_promised_is_mailed_also_where_another_hand_made_it() {
    for promised in [false, true] {
        let mut case = Case::subscription(|_| {});
        case.since = Some(day(-100.0));
        case.order(-1.0, observe());
        case.paid(0.0, "in_1", 0.0, 30.0);
        case.there = Some((GrantStatus::Live, Some(day(33.0)), Devices::Count(3)));
        if promised {
            case.promise(day(0.1));
        }
        case.order(1.0, live()).is("active: live 33");
        assert_eq!(case.machine.licenses_created(), 0, "others made it");
        let mailed = case
            .machine
            .notices
            .iter()
            .filter(|n| n.kind == NoticeKind::LicenseIssued);
        assert_eq!(mailed.count(), usize::from(promised));
    }
}

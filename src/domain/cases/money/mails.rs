//! What is told of money back (rules 36, 37, 39).

use super::*;
use crate::domain::notice::{MailReason, NoticeKind};
use crate::domain::policy::OnInquiry;

/// What the newest mail about a refund says that went back.
fn says_back(case: &Case) -> String {
    let mut notices = case.machine.notices.iter().rev();
    let told = notices.find(|n| n.kind == NoticeKind::Refunded).unwrap();
    let folded = case.machine.folded(&case.rules(), case.now);
    told.money_back(&folded.life).unwrap().to_string()
}

/// Rule 36: a mail about a refund names what went back, not what was paid.
#[test]
fn a_refund_s_mail_names_what_went_back() {
    let half = |p: &mut Policy| p.on_partial_refund = OnPartialRefund::Share(50);
    let mut part = bought(half);
    part.told(1.0, "refund.created", refund("re_1", "cs_1", 20))
        .told(2.0, "refund.created", refund("re_2", "cs_1", 35))
        .on(3.0)
        .mails("license_issued 0, refunded 2.01");
    assert_eq!(says_back(&part), "0.55 USD");
    let mut whole = bought(half);
    whole
        .told(1.0, "refund.created", refund("re_1", "cs_1", 100))
        .on(3.0);
    assert_eq!(says_back(&whole), "1.00 USD");
    let mut month = Case::subscription(half);
    let paid = |id: &str, from, to| {
        let line = line("si_1", "price_pro", 29, from, to);
        invoice(id, InvoiceEvent::Paid, vec![line])
    };
    month
        .told(0.0, "invoice.paid", paid("in_1", 0.0, 30.0))
        .told(30.1, "invoice.paid", paid("in_2", 30.0, 60.0))
        .told(32.0, "refund.created", refund("re_1", "in_2", 16))
        .on(33.0)
        .is("active: revoked");
    assert_eq!(says_back(&month), "0.16 USD");
}

/// Rule 36: a refund that fails and is made again stops the license again, and that is told again: of the same key, or of the
/// one that was made instead. So is a dispute that comes of an inquiry.
#[test]
fn what_stops_again_is_told_again() {
    let again = |change: fn(&mut Case), mails: &str| {
        let mut case = bought(|_| {});
        change(&mut case);
        case.told(1.0, "refund.created", refund("re_1", "cs_1", 100))
            .told(5.0, "refund.failed", failed_refund("re_1", "cs_1", 100))
            .told(8.0, "refund.created", refund("re_2", "cs_1", 100))
            .told(12.0, "refund.failed", failed_refund("re_2", "cs_1", 100))
            .on(20.0)
            .mails(mails);
    };
    again(
        |_| {},
        "license_issued 0, refunded 1.01, restored 5, refunded 8.01, restored 12",
    );
    again(
        |case| case.revokes_for_good = true,
        "license_issued 0, refunded 1.01, license_issued 5, refunded 8.01, license_issued 12",
    );
    let mut inquiry = bought(|p| p.on_inquiry = OnInquiry::Suspend);
    for (at, status) in [
        (2.0, DisputeStatus::Inquiry),
        (4.0, DisputeStatus::InquiryClosed),
        (6.0, DisputeStatus::Open),
        (9.0, DisputeStatus::Won),
    ] {
        let dispute = dispute("dp_1", "cs_1", status);
        inquiry.told(at, "charge.dispute.updated", dispute);
    }
    inquiry
        .on(20.0)
        .mails("license_issued 0, disputed 2.01, restored 4, disputed 6.01, restored 9");
}

/// Rule 37: an earlier period's refund takes no license, so no mail says that it did.
#[test]
fn an_earlier_period_s_refund_is_not_told_as_an_end() {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .paid(30.1, "in_2", 30.0, 60.0)
        .told(35.0, "refund.created", refund("re_2", "in_2", 1))
        .told(40.0, "refund.created", refund("re_1", "in_1", 1))
        .on(50.0)
        .is("active: revoked")
        .mails("license_issued 0, refunded 35.01");
}

/// Rule 39: a license that a dispute ended is told of once, also where no mail had told that the dispute was open.
#[test]
fn a_dispute_that_is_lost_untold_is_told() {
    let after = |change: fn(&mut Policy), told: &[(f64, DisputeStatus)], mails: &str| {
        let mut case = bought(change);
        for (at, status) in told {
            let dispute = dispute("dp_1", "cs_1", *status);
            case.told(*at, "charge.dispute.updated", dispute);
        }
        case.on(50.0).mails(mails);
        let folded = case.machine.folded(&case.rules(), case.now);
        case.machine.notices[1].lost(&folded.life)
    };
    let (open, lost, won) = (DisputeStatus::Open, DisputeStatus::Lost, DisputeStatus::Won);
    let said = after(|_| {}, &[(20.0, lost)], "license_issued 0, disputed 20.01");
    assert_eq!(said, Some(MailReason::Lost));
    after(
        |p| p.on_dispute = OnDispute::Keep,
        &[(10.0, open), (20.0, lost)],
        "license_issued 0, disputed 20.01",
    );
    after(
        |_| {},
        &[(10.0, open), (20.0, lost)],
        "license_issued 0, disputed 10.01",
    );
    let said = after(
        |_| {},
        &[(20.0, lost), (30.0, won)],
        "license_issued 0, disputed 20.01, restored 30",
    );
    assert_eq!(said, None);
    // Each loss that ends a license is told: this one that of the period paid since.
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0)
        .told(9.0, "charge.dispute.closed", dispute("dp_1", "in_1", lost))
        .paid(30.1, "in_2", 30.0, 60.0)
        .told(40.0, "charge.dispute.closed", dispute("dp_2", "in_2", lost))
        .on(50.0)
        .mails("license_issued 0, disputed 9.01, restored 30.1, disputed 40.01");
}

/// Rule 37: of the licenses that a refund stopped, some are paid for again: that they work is told, of them alone.
#[test]
fn what_works_again_beside_what_does_not_is_told() {
    let mut case = Case::subscription(|_| {});
    case.load(-1.0, |r| r.plans[1].seats = Seats::Keys);
    case.shown(0.0, 0.0, 30.0, |s| {
        s.items = vec![
            item("si_1", "price_pro", 1, 0.0, 365.0),
            item("si_2", "price_team", 2, 0.0, 30.0),
        ];
        s.status = SubscriptionStatus::Incomplete;
    });
    let both = vec![
        line("si_1", "price_pro", 290, 0.0, 365.0),
        line("si_2", "price_team", 49, 0.0, 30.0),
    ];
    let month = vec![line("si_2", "price_team", 49, 30.0, 60.0)];
    case.told(
        0.0,
        "invoice.paid",
        invoice("in_1", InvoiceEvent::Paid, both),
    )
    .told(9.0, "refund.created", refund("re_1", "in_1", 339))
    .is("active: revoked, revoked, revoked")
    .told(
        30.1,
        "invoice.paid",
        invoice("in_2", InvoiceEvent::Paid, month),
    )
    .on(33.0)
    .is("active: revoked, live 63, live 63")
    .mails("license_issued 0, refunded 9.01, restored 30.1");
    let told = |case: &Case| case.machine.notices.last().unwrap().seats.clone();
    assert_eq!(told(&case), [2, 3]);
    case.told(40.0, "refund.failed", failed_refund("re_1", "in_1", 339))
        .on(50.0)
        .is("active: live 368, live 63, live 63")
        .mails("license_issued 0, refunded 9.01, restored 30.1, restored 40");
    assert_eq!(told(&case), [1]);
}

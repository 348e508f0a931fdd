//! Whether a license works: the page after the purchase, the portal, the paragraph for its customer and the mails say the same.

use super::explaining::{bought, subscribed};
use super::*;
use crate::domain::explain::explain;
use crate::domain::notice::{Notice, NoticeKind, Part};
use crate::domain::status::PurchaseStatus;
use crate::domain::summary::customer_status;

/// Why a license should stop, as something that happens on day 5 or on the days after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Refunded,
    Disputed,
    DisputeLost,
    Revoked,
    Lapsed,
}

/// What becomes of the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Held,
    Refused,
    Dropped,
}

fn stopped(stop: Stop, fate: Fate) -> Case {
    let mut case = match stop {
        Stop::Lapsed => subscribed(),
        Stop::Refunded | Stop::Disputed | Stop::DisputeLost | Stop::Revoked => bought(),
    };
    if fate != Fate::Done {
        case.paused(4.0);
    }
    match stop {
        Stop::Refunded => {
            case.told(5.0, "charge.refunded", charge(100));
        }
        Stop::Disputed | Stop::DisputeLost => {
            let status = if stop == Stop::Disputed {
                DisputeStatus::Open
            } else {
                DisputeStatus::Lost
            };
            let told = dispute("dp_1", "cs_1", status);
            case.told(5.0, "charge.dispute.created", told);
        }
        Stop::Revoked => {
            case.decide(5.0, Verb::Revoke);
        }
        Stop::Lapsed => {
            case.failed(30.0, "in_2", 30.0, 60.0);
        }
    }
    // A grace is over by then, by the license's own end where nothing keeps it from that.
    case.on(if stop == Stop::Lapsed { 50.0 } else { 6.0 });
    match fate {
        Fate::Done | Fate::Held => {}
        Fate::Refused => {
            case.refused();
        }
        Fate::Dropped => {
            let now = (case.now - day(0.0)).ms();
            #[expect(clippy::cast_precision_loss, reason = "days of a test are small")]
            case.dropped(now as f64 / 86_400_000.0);
        }
    }
    case
}

/// The page after the purchase and the portal speak by the customer's status; `why --for-customer` and the mails by what is
/// there. What each of them says of a license's working is the same, and so.
#[test]
fn page_portal_paragraph_and_mails_agree_on_whether_a_license_works() {
    let stops = [
        Stop::Refunded,
        Stop::Disputed,
        Stop::DisputeLost,
        Stop::Revoked,
        Stop::Lapsed,
    ];
    for stop in stops {
        for fate in [Fate::Done, Fate::Held, Fate::Refused, Fate::Dropped] {
            let mut case = stopped(stop, fate);
            let day_after = case.now + Span::from_hours(30);
            #[expect(clippy::cast_precision_loss, reason = "days of a test are small")]
            case.on((day_after - day(0.0)).ms() as f64 / 86_400_000.0);
            let (now, rules) = (case.now, case.rules());
            let works = case.machine.grants[0].live_at(now);
            let folded = case.machine.folded(&rules, now);
            let due = explain(&case.machine, &rules, now, now, 16).due;
            let status = customer_status(&case.machine, &folded, &due, now);
            let said = case.said();
            let of = format!("{stop:?}, {fate:?}: {status}, `{said}`");
            let shown = matches!(status, PurchaseStatus::Live | PurchaseStatus::Grace);
            assert_eq!(shown, works, "{of}");
            assert_eq!(shown && status.shows_keys(), works, "{of}");
            let written = said.contains(" works until") || said.contains(" works, ");
            assert_eq!(written || said.contains(" still works"), works, "{of}");
            let ends = [
                NoticeKind::Refunded,
                NoticeKind::Disputed,
                NoticeKind::Suspended,
                NoticeKind::Ended,
            ];
            let mut sent = case.machine.notices.iter();
            let told = |n: &Notice| ends.contains(&n.kind) && n.status == NoticeStatus::Sent;
            let says_end = sent.any(|n| told(n) && n.part != Part::Kept);
            assert!(!(says_end && works), "{of}");
        }
    }
}

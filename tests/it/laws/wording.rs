//! A better wording tells nothing twice: what was told is kept by what it is, and no sentence of ours stands in a record.

use std::fmt::Display;

use keyward::domain::action::{Act, Action, Missing, Question};
use keyward::domain::finding::{Finding, Report};
use keyward::domain::hold::{Distrust, DistrustCause, Flaw, Hold};
use keyward::domain::id::{MachineId, SessionId, SourceName};
use keyward::domain::lifecycle::Kind;
use keyward::domain::machine::Machine;
use keyward::domain::notice::{About, Notice, NoticeKind, NoticeStatus, Part, Skipped};
use keyward::domain::routing::Reason;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Input;
use keyward::engine::read::view;
use keyward::engine::record::disposition::Disposition;
use keyward::engine::record::{EventRecord, decode, encode};
use keyward::sim::history::Line;

use crate::support::replay;

const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

fn machine() -> Machine {
    let id: MachineId = "stripe/cs_1".parse().unwrap();
    Machine::new(id, Kind::Payment, SourceName::from("stripe"), Some(true))
}

/// Every kind of finding; the match does not compile until a new one is among them.
fn findings() -> Vec<Finding> {
    let next = |finding: Option<&Finding>| match finding {
        None => Some(Finding::FraudWarning),
        Some(Finding::FraudWarning) => Some(Finding::UnreadableMetadata("plan".into())),
        Some(Finding::UnreadableMetadata(_)) => Some(Finding::NotPaidAfterAll {
            invoice: "in_1".into(),
            event: "invoice.paid".into(),
        }),
        Some(Finding::NotPaidAfterAll { .. }) => Some(Finding::FinalizationFailed("in_1".into())),
        Some(Finding::FinalizationFailed(_)) => Some(Finding::PaidAfterEnd("in_1".into())),
        Some(Finding::PaidAfterEnd(_)) => Some(Finding::RefundUnlinked),
        Some(Finding::RefundUnlinked) => Some(Finding::NothingToHandOut),
        Some(Finding::NothingToHandOut) => Some(Finding::UnknownPlan("pro".into())),
        Some(Finding::UnknownPlan(_)) => Some(Finding::QuantityZero(Some("price_1".into()))),
        Some(Finding::QuantityZero(Some(_))) => Some(Finding::QuantityZero(None)),
        Some(Finding::QuantityZero(None)) => Some(Finding::NoPriceNamed {
            invoice: "in_1".into(),
            until: NOW,
        }),
        Some(Finding::NoPriceNamed { .. }) => Some(Finding::ItemsCut),
        Some(Finding::ItemsCut) => Some(Finding::LinesCut("in_1".into())),
        Some(Finding::LinesCut(_)) => Some(Finding::LineItemsCut),
        Some(Finding::LineItemsCut) => Some(Finding::RevokedElsewhere(1)),
        Some(Finding::RevokedElsewhere(_)) => Some(Finding::GivenElsewhere {
            number: 1,
            time: true,
            devices: true,
        }),
        Some(Finding::GivenElsewhere { .. }) => Some(Finding::OtherLicenses(2)),
        Some(Finding::OtherLicenses(_)) => Some(Finding::ServedTwice(machine().id)),
        Some(Finding::ServedTwice(_)) => Some(Finding::MovedTo {
            machine: machine().id,
            paid_until: Some(NOW),
        }),
        Some(Finding::MovedTo { .. }) => Some(Finding::Held(Flaw::SeatTwice)),
        Some(Finding::Held(_)) => None,
    };
    std::iter::successors(next(None), |last| next(Some(last))).collect()
}

fn notice(about: About, skipped: Option<Skipped>) -> Notice {
    Notice {
        id: 1,
        kind: NoticeKind::Ended,
        about,
        part: Part::Whole,
        status: NoticeStatus::Skipped,
        at: NOW,
        to: None,
        seats: Vec::new(),
        attempts: 0,
        due: NOW,
        error: None,
        skipped,
    }
}

/// Encodes a value, and makes sure that it comes back and that no three words in a row of its sentence are in the bytes.
fn keeps_no_words<T>(value: &T, sentence: &impl Display)
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()> + PartialEq + std::fmt::Debug,
{
    let bytes = encode(value);
    assert_eq!(
        bytes.first(),
        Some(&1),
        "not compressed, or nothing could be found in it"
    );
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value));
    let sentence = sentence.to_string();
    let words: Vec<&str> = sentence.split(' ').collect();
    for words in words.windows(words.len().min(3)) {
        let words = words.join(" ");
        let found = bytes.windows(words.len()).any(|w| w == words.as_bytes());
        assert!(!found, "the record holds `{words}` of `{sentence}`");
    }
}

#[test]
fn no_record_holds_a_sentence_of_ours() {
    for finding in findings() {
        let machine = Machine {
            told: vec![Report::new(NOW, finding.clone())],
            ..machine()
        };
        keeps_no_words(&machine, &finding);
    }
    for about in [
        About::FirstKey,
        About::FailureAt(NOW),
        About::TrialUntil(NOW),
        About::End,
        About::Resend,
    ] {
        keeps_no_words(
            &Machine {
                notices: vec![notice(about.clone(), None)],
                ..machine()
            },
            &about,
        );
    }
    for skipped in Skipped::ALL {
        keeps_no_words(
            &Machine {
                notices: vec![notice(About::End, Some(skipped))],
                ..machine()
            },
            &skipped,
        );
    }
    let flaws = [
        Flaw::NumberTwice,
        Flaw::KeyTwice,
        Flaw::NumberNotGiven,
        Flaw::SeatTwice,
    ];
    for flaw in flaws.into_iter().chain([Flaw::SentUnknown { action: 1 }]) {
        keeps_no_words(
            &Machine {
                held: Some(flaw),
                ..machine()
            },
            &flaw,
        );
    }
    let action = Action::new(
        1,
        Act::Query(Question::LineItems(SessionId::from("cs_1"))),
        0,
        NOW,
    );
    for missing in [Missing::NotMade, Missing::NoneThere] {
        let action = Action {
            missing: Some(missing),
            ..action.clone()
        };
        keeps_no_words(
            &Machine {
                actions: vec![action],
                ..machine()
            },
            &missing,
        );
    }
    let away = Distrust {
        cause: DistrustCause::Away(Span::from_hours(1)),
        until: NOW,
    };
    let jumped = Distrust {
        cause: DistrustCause::Jumped(Span::from_hours(1)),
        ..away
    };
    let person = Hold::Person {
        reason: "vacation".to_owned(),
    };
    for hold in [
        Hold::TimeNotTrusted(away),
        Hold::TimeNotTrusted(jumped),
        person,
    ] {
        let action = Action {
            held: Some(hold.clone()),
            ..action.clone()
        };
        keeps_no_words(
            &Machine {
                actions: vec![action],
                ..machine()
            },
            &hold,
        );
    }
}

#[test]
fn no_event_s_record_holds_our_reason() {
    let reasons = [
        Reason::OtherMode,
        Reason::OtherModeThanPurchase,
        Reason::OtherModeThanCustomer,
        Reason::Connect,
        Reason::UnfitId,
        Reason::NamesNothing,
        Reason::NoSubscription,
        Reason::Setup,
        Reason::InvoiceNotPaid,
        Reason::InvoiceOfOthers,
        Reason::Decision,
        Reason::NeverLinked,
    ];
    for reason in reasons {
        let record = EventRecord {
            kind: "invoice.paid".to_owned(),
            created: NOW,
            received: NOW,
            disposition: Disposition::Ignored(reason.clone()),
            raw: Vec::new(),
            livemode: None,
        };
        keeps_no_words(&record, &reason);
    }
}

/// Every history's purchases are read from their records and settled once more: nothing is told, mailed or queued again.
#[test]
fn what_was_told_is_told_once() {
    let (mut told, mut skipped, mut machines) = (0, 0, 0);
    for history in replay::all() {
        let (mut world, _) = history.replay(None);
        let mut before = Vec::new();
        view::machines(&world.store, |machine| {
            before.push(machine);
            true
        })
        .unwrap();
        for was in before {
            let input = Input::WakeUp {
                machine: was.id.clone(),
            };
            world
                .deliver(&Line {
                    received: world.now,
                    input,
                })
                .unwrap();
            let is = view::machine(&world.store, &was.id).unwrap().unwrap();
            assert_eq!(is, was, "{}: looked at again", history.name);
            machines += 1;
            told += is.told.len();
            skipped += is.notices.iter().filter(|n| n.skipped.is_some()).count();
        }
    }
    assert!(
        machines > 200 && told > 10 && skipped > 0,
        "{machines} purchases, {told} told, {skipped} skipped"
    );
}

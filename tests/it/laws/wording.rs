//! A better wording tells nothing twice: what was told is kept by what it is, and no sentence of ours stands in a record.

mod one_way;
mod records;

use std::fmt::Display;

use keyward::domain::action::{Act, Action, Missing, Question};
use keyward::domain::by_hand::{ByHand, Task};
use keyward::domain::extension::NotExtended;
use keyward::domain::finding::{Finding, Report};
use keyward::domain::hold::{Distrust, DistrustCause, Flaw, Hold};
use keyward::domain::id::{EventId, LicenseKey, MachineId, PlanName, SessionId, SourceName};
use keyward::domain::lifecycle::Kind;
use keyward::domain::machine::Machine;
use keyward::domain::notice::{About, Notice, NoticeKind, NoticeStatus, Part, Skipped};
use keyward::domain::plan::Devices;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Input;
use keyward::engine::read::view;
use keyward::engine::record::{decode, encode};
use keyward::sim::history::Line;
#[cfg(debug_assertions)]
use keyward::{
    domain::words::in_other_words,
    sim::Simulation,
    store::{Direction, KeyRange, Read},
};

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
        Some(Finding::GivenElsewhere { .. }) => {
            Some(Finding::OtherLicenses(vec![LicenseKey::new("KEY-1")]))
        }
        Some(Finding::OtherLicenses(_)) => Some(Finding::ServedTwice(machine().id)),
        Some(Finding::ServedTwice(_)) => Some(Finding::MovedTo {
            machine: machine().id,
            paid_until: Some(NOW),
        }),
        Some(Finding::MovedTo { .. }) => Some(Finding::Held(Flaw::SeatTwice)),
        Some(Finding::Held(_)) => Some(Finding::NoInvoiceHeard(SourceName::from("stripe"))),
        Some(Finding::NoInvoiceHeard(_)) => Some(Finding::LateForUnknown),
        Some(Finding::LateForUnknown) => Some(Finding::UnitsUnknown),
        Some(Finding::UnitsUnknown) => Some(Finding::SoldBeside {
            invoice: "in_1".into(),
            plan: PlanName::from("pro"),
        }),
        Some(Finding::SoldBeside { .. }) => Some(Finding::GuardTripped),
        Some(Finding::GuardTripped) => Some(Finding::NotExtended(NotExtended::Unknown)),
        Some(Finding::NotExtended(why)) => Some(match why {
            NotExtended::Unknown => Finding::NotExtended(NotExtended::OtherCustomer),
            NotExtended::OtherCustomer => Finding::NotExtended(NotExtended::Ended),
            NotExtended::Ended => Finding::NotExtended(NotExtended::OtherApplication),
            NotExtended::OtherApplication => Finding::NotExtended(NotExtended::Several),
            NotExtended::Several => Finding::StillBills(machine().id),
        }),
        Some(Finding::StillBills(_)) => Some(Finding::Extends(machine().id)),
        Some(Finding::Extends(_)) => Some(Finding::ExtendedBy(machine().id)),
        Some(Finding::ExtendedBy(_)) => None,
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
        refusals: 0,
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
}

#[test]
fn no_action_holds_a_sentence_of_ours() {
    let action = Action::new(
        1,
        Act::Query(Question::LineItems(SessionId::from("cs_1"))),
        0,
        NOW,
    );
    for missing in Missing::ALL {
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
    let key = LicenseKey::new("KEY-1");
    let set = Act::SetDevices {
        key: key.clone(),
        devices: Devices::Count(5),
    };
    let decision = EventId::from("dec_1");
    let reset = Act::ResetDevices {
        key,
        decision,
        device: None,
    };
    for (act, by_hand) in [(set, ByHand::SetDevices), (reset, ByHand::ResetDevices)] {
        let action = Action {
            by_hand: Some(by_hand),
            ..Action::new(1, act.clone(), 1, NOW)
        };
        let machine = Machine {
            actions: vec![action],
            ..machine()
        };
        keeps_no_words(&machine, &Task { by_hand, act: &act });
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

/// A whole store, as it lies there.
#[cfg(debug_assertions)]
fn everything(store: &impl Read) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = KeyRange {
        start: Vec::new(),
        end: vec![u8::MAX; 64],
    };
    let entries = store.range(&all, Direction::Forward, usize::MAX).unwrap();
    entries
        .into_iter()
        .map(|(key, value)| (key, value.bytes.to_vec()))
        .collect()
}

/// Plays a history; from a line on, every sentence has other words.
#[cfg(debug_assertions)]
fn played(history: &replay::History, other_words_from: usize) -> Simulation {
    let mut world = Simulation::new(history.rules.clone(), None);
    let lines = history.lines();
    let last = lines.iter().map(|l| l.received).max().unwrap();
    for (number, line) in lines.into_iter().enumerate() {
        let mut hear = || world.hear(&line).unwrap();
        if number < other_words_from {
            hear();
        } else {
            in_other_words(hear);
        }
    }
    let end = last + Span::from_days(60);
    if other_words_from == usize::MAX {
        world.end(end).unwrap();
    } else {
        in_other_words(|| world.end(end).unwrap());
    }
    world
}

/// Every sentence of the domain is put into other words, from the beginning and in the middle of each history: the stores that
/// come of it are the same to the last byte, so nothing is told, mailed, queued or decided anew by a better wording.
#[cfg(debug_assertions)]
#[test]
fn other_words_change_nothing_but_what_people_read() {
    let plain = findings()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    let other = in_other_words(|| {
        findings()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    });
    assert!(
        plain
            .iter()
            .zip(&other)
            .all(|(a, b)| a != b && !b.contains("invoice"))
    );
    let mut reports = 0;
    for history in replay::all() {
        let plain = played(&history, usize::MAX);
        let middle = history.lines().len() / 2;
        for from in [0, middle] {
            let other = played(&history, from);
            assert!(
                everything(&other.store) == everything(&plain.store),
                "{}: other words from line {from} on make another store",
                history.name
            );
        }
        view::machines(&plain.store, |machine| {
            reports += machine.told.len();
            true
        })
        .unwrap();
    }
    assert!(reports > 10, "{reports} reports");
}

//! The records of events and of refused deliveries hold no sentence of ours.

use keyward::domain::id::SourceName;
use keyward::domain::no_use::{NoEvent, NoUse};
use keyward::domain::routing::Reason;
use keyward::engine::record::disposition::Disposition;
use keyward::engine::record::{EventRecord, RefusedRecord, decode, encode};

use super::{NOW, keeps_no_words};

#[test]
fn no_event_s_record_holds_our_reason() {
    let uses = NoUse::ALL.map(Reason::NoUse);
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
    for reason in reasons.into_iter().chain(uses) {
        let record = EventRecord {
            noted: None,
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

#[test]
fn no_refused_delivery_s_record_holds_our_reason() {
    let refusals = [
        NoEvent::NotJson {
            why: "expected value".to_owned(),
        },
        NoEvent::lacks("type"),
        NoEvent::Thin {
            kind: "v1.invoice.paid".to_owned(),
        },
        NoEvent::UnfitId { len_max: 255 },
    ];
    for why in refusals {
        let record = RefusedRecord {
            at: NOW,
            source: SourceName::from("stripe"),
            why: why.clone(),
            excerpt: String::new(),
        };
        assert_eq!(
            decode::<RefusedRecord>(&encode(&record)),
            Ok(record.clone())
        );
        if !matches!(why, NoEvent::NotJson { .. }) {
            keeps_no_words(&record, &why);
        }
    }
}

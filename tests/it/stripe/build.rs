//! Small events to read: an envelope around whatever object a test is about.

use keyward::domain::fact::{
    Charge, Dispute, Fact, FactBody, Invoice, Payment, Refund, Session, Subscription,
};
use keyward::domain::time::Timestamp;
use keyward::sources::stripe::event::{Event, EventContent, Reason, read};
use serde_json::{Value, json};

/// When every event of these tests says it happened.
pub(crate) const CREATED_S: i64 = 1_700_000_000;
/// When every event reaches us.
pub(crate) const RECEIVED_S: i64 = 1_700_000_060;

/// An event of a type around an object.
pub(crate) fn event(kind: &str, object: Value) -> Value {
    json!({"id": "evt_1", "object": "event", "type": kind, "created": CREATED_S, "livemode": true,
           "data": {"object": object}})
}

/// The object with further or other fields; null takes one out.
pub(crate) fn with(mut object: Value, fields: Value) -> Value {
    let (Value::Object(object_fields), Value::Object(fields)) = (&mut object, fields) else {
        panic!("two objects")
    };
    for (key, value) in fields {
        if value.is_null() {
            object_fields.remove(&key);
        } else {
            object_fields.insert(key, value);
        }
    }
    object
}

pub(crate) fn read_event(event: &Value) -> Event {
    read(event.to_string().as_bytes(), Timestamp::from_s(RECEIVED_S)).unwrap()
}

pub(crate) fn heard(kind: &str, object: Value) -> EventContent {
    read_event(&event(kind, object)).content
}

pub(crate) fn fact_of(event: &Value) -> Fact {
    let content = read_event(event).content;
    let EventContent::Fact(fact) = content else {
        panic!(
            "{event}
is no fact: {content:?}"
        )
    };
    fact
}

pub(crate) fn ignored(kind: &str, object: Value) -> Reason {
    let content = heard(kind, object);
    let EventContent::Ignored(reason) = content else {
        panic!("{kind} is not ignored: {content:?}")
    };
    reason
}

macro_rules! readers {
    ($($name:ident $variant:ident $type:ty;)*) => {$(
        pub(crate) fn $name(kind: &str, object: Value) -> $type {
            let body = fact_of(&event(kind, object)).body;
            let FactBody::$variant(it) = body else { panic!("{kind}: {body:?}") };
            *Into::<Box<$type>>::into(it)
        }
    )*};
}

readers! {
    session Session Session;
    subscription Subscription Subscription;
    invoice Invoice Invoice;
    payment Payment Payment;
    charge Charge Charge;
    refund Refund Refund;
    dispute Dispute Dispute;
}

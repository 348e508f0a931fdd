//! How snapshots of one object within one second hang together: digests of what a snapshot shows now, and of what it says
//! was there before (`previous_attributes`).
//!
//! A digest is compared only with a digest of the same field, made here. Nothing and null are alike, a reference is its
//! id, a price is its id, and the order of keys does not matter. Changing what a field's number means would mix up facts
//! that are stored already: numbers are only ever added.

use std::collections::BTreeMap;

use crate::domain::fact::{Chain, FactBody, InvoiceEvent};

use super::envelope::Envelope;
use super::json::Json;

/// A field that tells snapshots apart.
struct Field {
    number: u8,
    key: &'static str,
    form: Form,
}

/// How a field's value is brought into one form.
#[derive(Clone, Copy)]
enum Form {
    /// As it is.
    Plain,
    /// The id of what it refers to.
    Reference,
    /// Of each item its id, price, quantity and period.
    Items,
}

const fn field(number: u8, key: &'static str, form: Form) -> Field {
    Field { number, key, form }
}

/// What follows from these (`canceled_at`) or never changes (`customer`) is left out: every field is stored with every
/// snapshot for ever.
const SUBSCRIPTION: &[Field] = &[
    field(1, "status", Form::Plain),
    field(2, "items", Form::Items),
    field(3, "cancel_at_period_end", Form::Plain),
    field(4, "cancel_at", Form::Plain),
    field(5, "ended_at", Form::Plain),
    field(6, "pause_collection", Form::Plain),
    field(7, "trial_end", Form::Plain),
    field(8, "current_period_end", Form::Plain),
    field(9, "latest_invoice", Form::Reference),
    field(10, "default_payment_method", Form::Reference),
    field(11, "metadata", Form::Plain),
    field(12, "schedule", Form::Reference),
    field(13, "collection_method", Form::Plain),
    // Where there are no items (2015, 2016) these stand for them.
    field(14, "plan", Form::Reference),
    field(15, "quantity", Form::Plain),
];
const INVOICE: &[Field] = &[
    field(1, "status", Form::Plain),
    field(2, "attempt_count", Form::Plain),
    field(3, "next_payment_attempt", Form::Plain),
    field(4, "amount_remaining", Form::Plain),
];
const CHARGE: &[Field] = &[
    field(1, "amount_refunded", Form::Plain),
    field(2, "refunded", Form::Plain),
    field(3, "captured", Form::Plain),
];
/// Of refunds and disputes, beside their two fields of life below.
const STATUS: &[Field] = &[field(1, "status", Form::Plain)];

/// Whether the object is past its beginning. `created` shows the beginning, every other event of it names it as before.
const BEGUN: u8 = 254;
/// Whether it is decided. The deciding event names the undecided as before.
const DECIDED: u8 = 255;

/// The chain of a fact, where its object can have several snapshots of one rank in one second (`domain::fact::order`).
pub(super) fn of(e: &Envelope<'_, '_>, body: &FactBody) -> Option<Chain> {
    let (id, fields) = match body {
        FactBody::Subscription(s) => (s.id.as_str(), SUBSCRIPTION),
        FactBody::Invoice(i) => match i.event {
            InvoiceEvent::Finalized | InvoiceEvent::FinalizationFailed | InvoiceEvent::Updated => {
                (i.id.as_str(), INVOICE)
            }
            // The type says which comes first.
            InvoiceEvent::Paid
            | InvoiceEvent::PaymentFailed
            | InvoiceEvent::ActionRequired
            | InvoiceEvent::Voided
            | InvoiceEvent::Uncollectible
            | InvoiceEvent::Overdue
            | InvoiceEvent::Queried => return None,
        },
        FactBody::Charge(c) => (c.id.as_str(), CHARGE),
        FactBody::Refund(r) => (r.id.as_str(), STATUS),
        FactBody::Dispute(d) => (d.id.as_str(), STATUS),
        FactBody::Session(_)
        | FactBody::Payment(_)
        | FactBody::FraudWarning(_)
        | FactBody::Decision(_)
        | FactBody::LineItems(_)
        | FactBody::Items(_) => {
            return None;
        }
    };
    let mut chain = Chain {
        object: id.to_owned(),
        now: BTreeMap::new(),
        before: BTreeMap::new(),
    };
    let has_items = !e.object.get("items").data().is_empty();
    for Field { number, key, form } in fields {
        if has_items && matches!(*key, "plan" | "quantity") {
            continue;
        }
        let (now, before) = (e.object.named(key), e.previous.named(key));
        if let Some(now) = now {
            chain.now.insert(*number, digest(now, &Json::Null, *form));
        }
        if let Some(before) = before {
            let now = now.unwrap_or(&Json::Null);
            chain
                .before
                .insert(*number, digest_before(now, before, *form));
        }
    }
    if matches!(body, FactBody::Refund(_) | FactBody::Dispute(_)) {
        life(&mut chain, e.kind);
    }
    Some(chain)
}

/// Refunds and disputes rarely come with `previous_attributes`, yet one that cannot be contested is created and closed in
/// the same second.
fn life(chain: &mut Chain, kind: &str) {
    let begins = matches!(kind, "refund.created" | "charge.dispute.created");
    let decides = matches!(kind, "refund.failed" | "charge.dispute.closed");
    chain.now.insert(BEGUN, u32::from(!begins));
    chain.now.insert(DECIDED, u32::from(decides));
    if !begins {
        chain.before.insert(BEGUN, 0);
    }
    if decides {
        chain.before.insert(DECIDED, 0);
    }
}

/// The value before. Of an object that changed, `previous_attributes` shows only the parts that changed, with null for
/// those that were not there: the rest is as it is now.
fn digest_before(now: &Json<'_>, before: &Json<'_>, form: Form) -> u32 {
    let partial = matches!(form, Form::Plain) && now.is_map() && before.is_map();
    if partial {
        digest(before, now, form)
    } else {
        digest(before, &Json::Null, form)
    }
}

/// Digests a value; what it does not mention is taken from `rest`.
fn digest(value: &Json<'_>, rest: &Json<'_>, form: Form) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    match form {
        Form::Plain => feed(&mut hasher, value, rest),
        Form::Reference => hasher.update(value.id().unwrap_or_default().as_bytes()),
        Form::Items => {
            for item in value.data() {
                let price = item
                    .get("price")
                    .id()
                    .or_else(|| item.get("plan").id())
                    .unwrap_or_default();
                hasher.update(price.as_bytes());
                for key in ["id", "quantity", "current_period_end"] {
                    feed(&mut hasher, item.get(key), &Json::Null);
                }
            }
        }
    }
    hasher.finalize()
}

/// Feeds a value in one canonical form: every value begins with a letter for its kind, keys are sorted, nulls left out.
fn feed(hasher: &mut crc32fast::Hasher, value: &Json<'_>, rest: &Json<'_>) {
    match value {
        Json::Null => hasher.update(b"n"),
        Json::Bool(b) => hasher.update(if *b { b"t" } else { b"f" }),
        Json::Int(n) => {
            hasher.update(b"i");
            hasher.update(&n.to_le_bytes());
        }
        Json::Float(f) => {
            hasher.update(b"d");
            hasher.update(&f.to_bits().to_le_bytes());
        }
        Json::Text(text) => feed_text(hasher, text),
        Json::List(list) => {
            hasher.update(b"[");
            for element in *list {
                feed(hasher, element, &Json::Null);
            }
            hasher.update(b"]");
        }
        Json::Map(fields) => {
            hasher.update(b"{");
            // The last of a repeated key counts, as everywhere.
            let mut merged: BTreeMap<&str, &Json<'_>> =
                rest.fields().iter().map(|(k, v)| (&**k, v)).collect();
            merged.extend(fields.iter().map(|(k, v)| (&**k, v)));
            for (key, value) in merged.into_iter().filter(|(_, v)| !v.is_null()) {
                feed_text(hasher, key);
                feed(hasher, value, rest.get(key));
            }
            hasher.update(b"}");
        }
    }
}

fn feed_text(hasher: &mut crc32fast::Hasher, text: &str) {
    hasher.update(b"s");
    hasher.update(text.as_bytes());
    // No byte of a text is 255, so where one ends is plain.
    hasher.update(&[255]);
}

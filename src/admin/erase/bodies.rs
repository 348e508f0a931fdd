//! The bodies of events that name a customer, without them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Person;
use crate::admin::context::Context;
use crate::admin::failure::Failure;
use crate::domain::id::EventId;
use crate::engine::input::ErasedBody;
use crate::engine::read::view;
use crate::engine::record::key::{self, Table};
use crate::engine::record::{self as stored, EventRecord, body_codec};
use crate::engine::write::working::Committed;
use crate::sim::redact::{collect_names, without_person};
use crate::store::KeyRange;

/// Every event is looked at: also those that belong to no purchase. What the customer is called in one of them is taken out
/// of all.
pub(super) fn bodies(context: &Context, person: &mut Person) -> Result<Vec<ErasedBody>, Failure> {
    let own: BTreeSet<EventId> = person
        .machines
        .iter()
        .flat_map(|(machine, _)| machine.facts.iter().map(|f| f.id.clone()))
        .collect();
    let (reader, mut found) = (context.handle.reader(), Vec::new());
    let all = KeyRange::prefix(&[Table::Event as u8]);
    view::walk(reader, all, |entry, first| {
        let Some(event) = key::event_of(entry) else {
            return Ok(true);
        };
        let kept: EventRecord = stored::whole(&Committed(reader), entry, first)?;
        let Some(body) = body_codec::unpack(&kept.raw) else {
            return Ok(true);
        };
        if own.contains(&event) || leads_to(&body, &person.leads) {
            collect_names(&body, &mut person.names);
            found.push(ErasedBody {
                scope: key::scope_of(entry),
                event,
                raw: kept.raw,
            });
        }
        Ok(true)
    })?;
    found.retain_mut(|body| {
        let whole = body_codec::unpack(&body.raw);
        let without = whole.and_then(|whole| without_person(&whole, &person.names));
        without.is_some_and(|without| {
            body.raw = body_codec::pack(&without);
            true
        })
    });
    Ok(found)
}

/// Whether one of the texts that lead to a customer stands in a body.
fn leads_to(body: &[u8], leads: &BTreeSet<String>) -> bool {
    let text = lower(body);
    let in_text = |text: &str| leads.iter().any(|lead| stands_in(lead, text));
    in_text(&text) || text.contains('\\') && in_text(&unescaped(body))
}

/// A body in lower case. Most hold nothing but ASCII, which takes a tenth of the time.
fn lower(body: &[u8]) -> String {
    let ascii = body.is_ascii().then(|| body.to_ascii_lowercase());
    ascii
        .and_then(|ascii| String::from_utf8(ascii).ok())
        .unwrap_or_else(|| String::from_utf8_lossy(body).to_lowercase())
}

/// The texts of a body in lower case, without JSON's escapes.
fn unescaped(body: &[u8]) -> String {
    fn add(value: &Value, all: &mut String) {
        match value {
            Value::String(text) => {
                all.push('\n');
                all.push_str(&text.to_lowercase());
            }
            Value::Array(list) => list.iter().for_each(|item| add(item, all)),
            Value::Object(fields) => fields.values().for_each(|inside| add(inside, all)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut all = String::new();
    if let Ok(value) = serde_json::from_slice(body) {
        add(&value, &mut all);
    }
    all
}

/// Whether an address or an id stands in a text, and not as a part of another: `ann@example.com` is not in
/// `joann@example.com`.
fn stands_in(lead: &str, text: &str) -> bool {
    text.match_indices(lead).any(|(at, _)| {
        let before = text[..at].chars().rev();
        let after = text[at + lead.len()..].chars();
        !goes_on(before) && !goes_on(after)
    })
}

/// Whether what stands beside an address or an id is a part of it. A dot is, where something follows it.
fn goes_on(mut beside: impl Iterator<Item = char>) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+');
    match beside.next() {
        Some('.') => beside.next().is_some_and(is_part),
        next => next.is_some_and(is_part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_another_is_not_the_customer_s() {
        let lead = "ann@example.com";
        for (body, leads) in [
            ("{\"email\":\"Ann@Example.com\"}", true),
            ("{\"email\":\"joann@example.com\"}", false),
            ("{\"email\":\"jo.ann@example.com\"}", false),
            ("{\"email\":\"jo+ann@example.com\"}", false),
            ("{\"email\":\"ann@example.com.au\"}", false),
            ("{\"note\":\"write to ann@example.com.\"}", true),
            ("{\"note\":\"write to\\nann@example.com\"}", true),
            ("{\"note\":\"ann\\u0040example.com\"}", true),
            (
                "{\"url\":\"https://x.example/?email=ann@example.com&a\"}",
                true,
            ),
        ] {
            let leads_there = leads_to(body.as_bytes(), &BTreeSet::from([lead.to_owned()]));
            assert_eq!(leads_there, leads, "{body}");
        }
        assert!(stands_in("cus_1", "\"cus_1\"") && !stands_in("cus_1", "\"cus_12\""));
    }
}

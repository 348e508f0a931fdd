//! Reads a recorded history in each of the forms that people have: JSONL, a JSON array, a list from the events API.

use std::collections::VecDeque;

use serde_json::Value;

use crate::domain::decision::Decision;
use crate::domain::id::{EventId, MachineId, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::input::Input;
use crate::sources::stripe::delivery::delivery;
use crate::sources::stripe::event;
use crate::sources::stripe::lookup;

/// One line of a history.
#[derive(Debug)]
pub struct Line {
    /// When it reached us.
    pub received: Timestamp,
    /// What.
    pub input: Input,
}

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {why}")]
pub struct BadHistory {
    /// The file and line.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

/// Reads a history file.
///
/// # Errors
/// The first line that cannot be read, with its place.
pub fn read(name: &str, text: &str) -> Result<VecDeque<Line>, BadHistory> {
    let bad = |place: String, why: String| BadHistory { place, why };
    let whole = text.trim_start();
    if whole.starts_with('[') || is_list(whole) {
        let value: Value = serde_json::from_str(whole).map_err(|e| bad(name.to_owned(), e.to_string()))?;
        let items = match value {
            Value::Array(items) => items,
            Value::Object(mut list) => match list.remove("data") {
                // The events API and the CLI give the newest first.
                Some(Value::Array(items)) => items.into_iter().rev().collect(),
                Some(_) | None => return Err(bad(name.to_owned(), "the list has no `data`".to_owned())),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        return items
            .into_iter()
            .enumerate()
            .map(|(n, item)| {
                let text = item.to_string();
                line(&text).map_err(|why| bad(format!("{name}, entry {}", n + 1), why))
            })
            .collect();
    }
    text.lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
        .map(|(n, l)| line(l).map_err(|why| bad(format!("{name}:{}", n + 1), why)))
        .collect()
}

/// Whether the text is one object that is a list, and not a line that happens to begin a JSONL file.
fn is_list(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Head {
        object: Option<String>,
    }
    text.starts_with('{') && serde_json::from_str::<Head>(text).is_ok_and(|h| h.object.as_deref() == Some("list"))
}

#[derive(serde::Deserialize)]
struct Envelope<'a> {
    received_at: Option<Timestamp>,
    source: Option<String>,
    /// Of a look-up: the connected account that was asked about. (Events name it themselves, by the same word.)
    account: Option<Value>,
    #[serde(borrow)]
    event: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    decision: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    lookup: Option<&'a serde_json::value::RawValue>,
}

fn line(text: &str) -> Result<Line, String> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let source = SourceName::new(envelope.source.unwrap_or_else(|| "stripe".to_owned()));
    if let Some(decision) = envelope.decision {
        return decided(decision.get(), envelope.received_at, &source);
    }
    if let Some(lookup) = envelope.lookup {
        return looked_up(
            lookup.get(),
            envelope.received_at,
            &source,
            envelope.account.as_ref().and_then(Value::as_str),
        );
    }
    let body = envelope.event.map_or(text, serde_json::value::RawValue::get);
    let mut event = event::read(body.as_bytes(), Timestamp::from_ms(0)).map_err(|e| e.to_string())?;
    let received = envelope.received_at.unwrap_or(event.created);
    if let event::Heard::Fact(fact) = &mut event.says {
        fact.received = received;
    }
    // The body is at hand in the file: the simulated store does not keep another copy.
    let delivery = delivery(event, &source, Vec::new(), received);
    Ok(Line { received, input: Input::Delivery(Box::new(delivery)) })
}

fn decided(text: &str, received: Option<Timestamp>, source: &SourceName) -> Result<Line, String> {
    #[derive(serde::Deserialize)]
    struct Said {
        machine: String,
        id: Option<String>,
        at: Option<Timestamp>,
        #[serde(flatten)]
        decision: Decision,
    }
    let said: Said = serde_json::from_str(text).map_err(|e| format!("a decision: {e}"))?;
    let received = received.or(said.at).ok_or("a decision needs `received_at` or `at`")?;
    let machine = if said.machine.contains('/') { said.machine } else { format!("{source}/{}", said.machine) };
    let id = said.id.unwrap_or_else(|| format!("dec_{}_{:08x}", received.s(), crc32fast::hash(text.as_bytes())));
    let input = Input::Decision {
        machine: MachineId::new(machine),
        id: EventId::new(id),
        decision: said.decision,
        at: said.at.unwrap_or(received),
    };
    Ok(Line { received, input })
}

fn looked_up(
    text: &str,
    received: Option<Timestamp>,
    source: &SourceName,
    account: Option<&str>,
) -> Result<Line, String> {
    let received = received.ok_or("a look-up needs `received_at`")?;
    let delivery = lookup::delivery(text.as_bytes(), source, account, received, Vec::new())?;
    Ok(Line { received, input: Input::Delivery(Box::new(delivery)) })
}

//! One line of a history: an event as Stripe sent it, or in an envelope that says when and from where it came, or what a
//! person decided, or what a query answered.

use serde_json::Value;
use serde_json::value::RawValue;

use super::Line;
use crate::domain::decision::Decision;
use crate::domain::id::{AccountId, EventId, MachineId, ObjectId, Scope, SourceName};
use crate::domain::time::Timestamp;
use crate::engine::input::Input;
use crate::sources::stripe::delivery::delivery;
use crate::sources::stripe::event;
use crate::sources::stripe::query_answer;

#[derive(serde::Deserialize)]
struct LineEnvelope<'a> {
    received_at: Option<Timestamp>,
    source: Option<String>,
    /// Of a query: the connected account that was asked about. (Events name it themselves, by the same word.)
    account: Option<Value>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    decision: Option<&'a RawValue>,
    #[serde(borrow)]
    lookup: Option<&'a RawValue>,
}

/// Reads a line: a bare event, or an event, a decision or a query in an envelope.
pub(super) fn read(text: &str) -> Result<Line, String> {
    if let Some(line) = exported(text) {
        return Ok(line);
    }
    let envelope: LineEnvelope<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let source = SourceName::new(envelope.source.unwrap_or_else(|| "stripe".to_owned()));
    if let Some(decision) = envelope.decision {
        return decided(decision.get(), envelope.received_at, &source);
    }
    if let Some(lookup) = envelope.lookup {
        return looked_up(
            lookup.get(),
            envelope.received_at,
            &Scope::new(
                source,
                envelope
                    .account
                    .as_ref()
                    .and_then(Value::as_str)
                    .map(AccountId::from),
            ),
        );
    }
    let body = envelope.event.map_or(text, RawValue::get);
    let event = event::read_text(body, Timestamp::from_ms(0)).map_err(|e| e.to_string())?;
    Ok(event_line(event, &source, envelope.received_at))
}

fn event_line(mut event: event::Event, source: &SourceName, received: Option<Timestamp>) -> Line {
    let received = received.unwrap_or(event.created);
    if let event::EventContent::Fact(fact) = &mut event.content {
        fact.received = received;
    }
    // The body is at hand in the file: the simulated store does not keep another copy.
    let delivery = delivery(event, source, Vec::new(), received);
    Line {
        received,
        input: Input::Delivery(Box::new(delivery)),
    }
}

/// Reads a line whose event stands at its end, as `keyward export` writes them: its body is looked through once only.
/// `None`: it is of another form, or says nothing that can be read.
fn exported(text: &str) -> Option<Line> {
    const EVENT: &str = r#""event":"#;
    let line = text.trim_end().strip_suffix('}')?;
    let at = line.strip_prefix(r#"{"received_at""#)?.find(EVENT)? + r#"{"received_at""#.len();
    let (head, body) = line.split_at(at + EVENT.len());
    // What stands before is read by itself: if it closes with nothing in the event's place, the event is the line's own.
    let head = [head, "null}"].concat();
    let envelope: LineEnvelope<'_> = serde_json::from_str(&head).ok()?;
    if envelope.decision.is_some() || envelope.lookup.is_some() || envelope.account.is_some() {
        return None;
    }
    let source = SourceName::new(envelope.source.unwrap_or_else(|| "stripe".to_owned()));
    let event = event::read_text(body, Timestamp::from_ms(0)).ok()?;
    Some(event_line(event, &source, envelope.received_at))
}

fn decided(text: &str, received: Option<Timestamp>, source: &SourceName) -> Result<Line, String> {
    #[derive(serde::Deserialize)]
    struct DecisionLine {
        machine: String,
        id: Option<String>,
        at: Option<Timestamp>,
        #[serde(flatten)]
        decision: Decision,
    }
    let said: DecisionLine = serde_json::from_str(text).map_err(|e| format!("a decision: {e}"))?;
    let received = received
        .or(said.at)
        .ok_or("a decision needs `received_at` or `at`")?;
    // An object's id alone is one of the line's source.
    let own = || {
        MachineId::new(
            Scope::new(source.clone(), None),
            ObjectId::from(said.machine.as_str()),
        )
    };
    let machine = said.machine.parse().unwrap_or_else(|_| own());
    let id = said.id.unwrap_or_else(|| {
        format!(
            "dec_{}_{:08x}",
            received.s(),
            crc32fast::hash(text.as_bytes())
        )
    });
    let input = Input::Decision {
        machine,
        id: EventId::new(id),
        decision: said.decision,
        at: said.at.unwrap_or(received),
    };
    Ok(Line { received, input })
}

fn looked_up(text: &str, received: Option<Timestamp>, scope: &Scope) -> Result<Line, String> {
    let received = received.ok_or("a look-up needs `received_at`")?;
    let delivery = query_answer::delivery(text.as_bytes(), scope, received, Vec::new())?;
    Ok(Line {
        received,
        input: Input::Delivery(Box::new(delivery)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_the_same_wherever_its_event_stands() {
        let event =
            r#"{"id":"evt_1","type":"x.y","created":1,"data":{"object":{"id":"o","event":7}}}"#;
        for (text, source, received) in [
            (
                format!(r#"{{"received_at":5,"event":{event}}}"#),
                "stripe",
                5,
            ),
            (
                format!(r#"{{"received_at":5,"source":"a","event":{event} }} "#),
                "a",
                5,
            ),
            (
                format!(r#"{{"received_at":5,"event":{event},"source":"a"}}"#),
                "a",
                5,
            ),
            (
                format!(r#"{{"received_at":5,"x":{{"event":1}},"event":{event}}}"#),
                "stripe",
                5,
            ),
            (
                format!(r#"{{"event":{event},"received_at":5}}"#),
                "stripe",
                5,
            ),
            (format!(r#"{{"event":{event}}}"#), "stripe", 1),
            (event.to_owned(), "stripe", 1),
        ] {
            let line = read(&text).unwrap();
            let Input::Delivery(delivery) = &line.input else {
                panic!("{text}");
            };
            assert_eq!(
                (
                    delivery.id.as_str(),
                    delivery.source.as_str(),
                    line.received.s()
                ),
                ("evt_1", source, received),
                "{text}"
            );
        }
        for bad in [
            format!(r#"{{"received_at":5,"event":{event}"#),
            format!(r#"{{"received_at":5,"event":{event},"event":{event}}}"#),
            format!(r#"{{"received_at":5,,"event":{event}}}"#),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}

//! Writes a history in the form in which `history` reads it: a line for each thing that was received.

mod answers;

use serde_json::{Value, json};

use crate::domain::action::{Action, WordKind};
use crate::domain::customer::Customer;
use crate::domain::decision::{Decision, Verb};
use crate::domain::fact::{Fact, FactBody};
use crate::domain::id::{MachineId, Scope};
use crate::domain::machine::Machine;
use crate::domain::time::Timestamp;

/// What each event has.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "that it is there is asked, and no more")]
struct EventProbe<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
}

/// An event, or what a query answered, with its body as it came but for the blanks between its values. Nothing where the
/// body is no JSON, or no event.
#[must_use]
pub fn received(scope: &Scope, kind: &str, at: Timestamp, body: &[u8]) -> Option<String> {
    let minified = minified(std::str::from_utf8(body).ok()?);
    let is_lookup = kind.starts_with("lookup.");
    if is_lookup {
        serde_json::from_str::<&serde_json::value::RawValue>(&minified).ok()?;
    } else {
        serde_json::from_str::<EventProbe<'_>>(&minified).ok()?;
    }
    let head = format!(
        r#"{{"received_at":"{at}","source":{}"#,
        Value::from(scope.source().as_str())
    );
    Some(match (is_lookup, scope.account()) {
        // An event names its account itself.
        (false, _) => format!(r#"{head},"event":{minified}}}"#),
        (true, None) => format!(r#"{head},"lookup":{minified}}}"#),
        (true, Some(account)) => format!(
            r#"{head},"account":{},"lookup":{minified}}}"#,
            Value::from(account.as_str())
        ),
    })
}

/// What is known of a machine without an event: a person's word, or what a query said. Nothing for events.
#[must_use]
pub fn without_event(source: &str, machine: &MachineId, fact: &Fact) -> Option<String> {
    if let FactBody::Decision(decision) = &fact.body {
        return Some(decided(source, machine, fact, decision));
    }
    let answer = answers::of(fact)?.to_string();
    received(
        machine.scope(),
        &fact.kind,
        fact.received,
        answer.as_bytes(),
    )
}

/// What a person said of held work of a purchase, as a note: a replay holds nothing back, so that there is nothing to let go or
/// give up there. Nothing where nobody said anything.
#[must_use]
pub fn word(machine: &Machine, action: &Action) -> Option<(Timestamp, String)> {
    let word = action.word()?;
    let at = word.at.unwrap_or(action.at);
    let what = match word.what {
        WordKind::Approved => "held approve",
        WordKind::Dropped => "held drop",
        WordKind::Repaired => "audit --repair",
    };
    let (id, number) = (&machine.id, action.id);
    let act = action.act.as_str();
    let note = json!({
        "kind": Verb::Note.as_str(),
        "machine": id.to_string(),
        "at": at,
        "author": word.by,
        "reason": format!("{what} {id}#{number} ({act}): {}", word.reason),
    });
    let source = machine.source.as_str();
    let line = json!({ "received_at": at, "source": source, "decision": note });
    Some((at, line.to_string()))
}

fn decided(source: &str, machine: &MachineId, fact: &Fact, decision: &Decision) -> String {
    // A decision is made of names and texts: it always has a JSON form.
    let mut line = serde_json::to_value(decision).unwrap_or_default();
    line["machine"] = machine.to_string().into();
    line["id"] = fact.id.as_str().into();
    line["at"] = fact.at.to_string().into();
    json!({ "received_at": fact.received, "source": source, "decision": line }).to_string()
}

/// What is known of a customer, as a query would have said it.
#[must_use]
pub fn customer(scope: &Scope, customer: &Customer) -> Option<String> {
    let locales: Vec<&String> = customer.locale.iter().collect();
    let lookup = json!({
        "object": "customer",
        "id": customer.id,
        "email": customer.email,
        "name": customer.name,
        "preferred_locales": locales,
        "deleted": customer.deleted,
    });
    received(
        scope,
        "lookup.customer",
        customer.at,
        lookup.to_string().as_bytes(),
    )
}

/// JSON without the blanks between its values, on one line; everything else stays as it was written.
#[must_use]
pub fn minified(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            quoted = c == '"';
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_between_values_go() {
        for (text, small) in [
            (
                "{ \"a b\" : 1.50 ,\n\t\"c\": [ true, \" \\\" x \" ] }",
                "{\"a b\":1.50,\"c\":[true,\" \\\" x \"]}",
            ),
            (r#"{"a": "\\", "b": 1}"#, r#"{"a":"\\","b":1}"#),
            (" 5 ", "5"),
        ] {
            assert_eq!(minified(text), small);
        }
    }

    #[test]
    fn each_line_is_of_its_form() {
        let line = |scope: &str, kind: &str, body: &[u8]| {
            received(&Scope::of(scope), kind, Timestamp::from_s(1), body)
        };
        let head = r#"{"received_at":"1970-01-01T00:00:01Z","source":"s""#;
        assert_eq!(
            line("s/acct_1", "x", br#"{ "id":"evt_1","type":"x" }"#),
            Some(format!(r#"{head},"event":{{"id":"evt_1","type":"x"}}}}"#))
        );
        assert_eq!(
            line("s", "lookup.customer", b"{}"),
            Some(format!(r#"{head},"lookup":{{}}}}"#))
        );
        let connected = format!(r#"{head},"account":"acct_1","lookup":{{}}}}"#);
        assert_eq!(line("s/acct_1", "lookup.customer", b"{}"), Some(connected));
        assert_eq!(
            [b"{".as_slice(), b"\xff", b"{}", br#"{"id":"evt_1"}"#]
                .map(|body| line("s", "x", body)),
            [None, None, None, None]
        );
    }
}

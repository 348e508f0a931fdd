//! Events changed at random.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::OBJECT;

/// One to three things go wrong with an event.
pub(super) fn mutated(mut event: Value, dice: &mut StdRng) -> Vec<u8> {
    let mut hole = None;
    for _ in 0..dice.random_range(1..=3) {
        let place = place(&event, dice);
        match dice.random_range(0..8) {
            0 | 1 => drop_value(&mut event, &place),
            2 | 3 => set(&mut event, &place, other_type(dice)),
            4 => set(&mut event, &place, huge(dice)),
            5 => wrap(&mut event, &place),
            6 => copy(&mut event, &place, dice),
            _ => hole = Some(place),
        }
    }
    let nested = hole
        .filter(|hole| event.pointer(hole).is_some())
        .map(|hole| {
            set(&mut event, &hole, json!("@deep@"));
            let depth = dice.random_range(10..2_000);
            let (open, close) = *[("[", "]"), ("{\"a\":", "}")].choose(dice).unwrap();
            format!("{}1{}", open.repeat(depth), close.repeat(depth))
        });
    let text = serde_json::to_string(&event).unwrap();
    let mut bytes = nested
        .map_or(text.clone(), |n| text.replace("\"@deep@\"", &n))
        .into_bytes();
    if dice.random_ratio(1, 12) {
        bytes.truncate(dice.random_range(0..bytes.len().max(1)));
    }
    if dice.random_ratio(1, 30) && !bytes.is_empty() {
        let at = dice.random_range(0..bytes.len());
        bytes[at] = dice.random();
    }
    bytes
}

/// Somewhere in the tree, as a JSON pointer: mostly deep down.
fn place(event: &Value, dice: &mut StdRng) -> String {
    let object = event.pointer(OBJECT).filter(|_| dice.random_ratio(4, 5));
    let (mut at, mut pointer) =
        object.map_or((event, String::new()), |object| (object, OBJECT.to_owned()));
    loop {
        let steps: Vec<String> = match at {
            Value::Object(fields) => fields
                .keys()
                .map(|k| k.replace('~', "~0").replace('/', "~1"))
                .collect(),
            Value::Array(items) => (0..items.len()).map(|n| n.to_string()).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        let Some(step) = steps.choose(dice) else {
            return pointer;
        };
        if pointer.len() > OBJECT.len() && dice.random_ratio(1, 5) {
            return pointer;
        }
        pointer = format!("{pointer}/{step}");
        at = event.pointer(&pointer).unwrap();
    }
}

fn set(event: &mut Value, place: &str, value: Value) {
    if let Some(at) = event.pointer_mut(place) {
        *at = value;
    }
}

fn drop_value(event: &mut Value, place: &str) {
    let Some((parent, last)) = place.rsplit_once('/') else {
        return;
    };
    match event.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            drop(fields.remove(&last.replace("~1", "/").replace("~0", "~")))
        }
        Some(Value::Array(items)) => {
            let at = last.parse().unwrap_or(usize::MAX);
            if at < items.len() {
                items.remove(at);
            }
        }
        _ => {}
    }
}

fn other_type(dice: &mut StdRng) -> Value {
    let values = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!("9e9"),
        json!("\u{0}\n"),
        json!("🔑 ключ"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "id": null }),
        json!({ "data": [null, 1, {}] }),
    ];
    values.choose(dice).unwrap().clone()
}

fn huge(dice: &mut StdRng) -> Value {
    match dice.random_range(0..8) {
        0 => json!(i64::MAX),
        1 => json!(i64::MIN),
        2 => json!(u64::MAX),
        3 => json!(1e300),
        4 => json!("9".repeat(30)),
        5 => json!("x".repeat(dice.random_range(200..120_000))),
        6 => json!(vec![
            json!({ "id": "x", "object": "line_item" });
            dice.random_range(100..3_000)
        ]),
        _ => Value::Object(
            (0..dice.random_range(100..2_000))
                .map(|n| (format!("k{n}"), json!(n)))
                .collect(),
        ),
    }
}

/// An array where an object was, and the other way round.
fn wrap(event: &mut Value, place: &str) {
    if let Some(at) = event.pointer_mut(place) {
        *at = if let Value::Array(items) = at {
            items
                .drain(..)
                .enumerate()
                .map(|(n, v)| (n.to_string(), v))
                .collect()
        } else {
            json!([at.take()])
        };
    }
}

/// What stands elsewhere.
fn copy(event: &mut Value, place: &str, dice: &mut StdRng) {
    let elsewhere = self::place(event, dice);
    let value = event.pointer(&elsewhere).cloned().unwrap_or_default();
    set(event, place, value);
}

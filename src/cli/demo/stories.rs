//! The bundled histories, moved in time so that they end now, some of their events doubled or swapped.

use serde_json::Value;

use super::instant;
use crate::admin::Failure;
use crate::domain::time::Timestamp;

/// A bundled life cycle.
pub(super) struct Story {
    /// Its title for people.
    pub(super) title: &'static str,
    /// How far it is told, in its own time: in the middle of what it is about.
    pub(super) told_until: &'static str,
    /// Its deliveries.
    pub(super) history: &'static str,
}

/// The stories. Each is moved in time so that all of them are told as far as they go at [`END`].
pub(super) const STORIES: [Story; 13] = [
    Story {
        title: "bought once by card",
        told_until: "2026-02-14T12:00:00Z",
        history: include_str!("../../../fixtures/histories/onetime-card/history.jsonl"),
    },
    Story {
        title: "bought by bank debit, money on its way",
        told_until: "2026-01-07T12:00:00Z",
        history: include_str!("../../../fixtures/histories/onetime-async-paid/history.jsonl"),
    },
    Story {
        title: "subscribed in the checkout",
        told_until: "2026-01-25T12:00:00Z",
        history: include_str!("../../../fixtures/histories/sub-checkout/history.jsonl"),
    },
    Story {
        title: "a trial that was converted",
        told_until: "2026-02-05T12:00:00Z",
        history: include_str!("../../../fixtures/histories/trial-with-card/history.jsonl"),
    },
    Story {
        title: "renewed twice",
        told_until: "2026-03-20T12:00:00Z",
        history: include_str!("../../../fixtures/histories/renewal/history.jsonl"),
    },
    Story {
        title: "a failed renewal, paid in grace",
        told_until: "2026-02-20T12:00:00Z",
        history: include_str!(
            "../../../fixtures/histories/renewal-recovered-in-grace/history.jsonl"
        ),
    },
    Story {
        title: "suspended, then paid after all",
        told_until: "2026-02-28T12:00:00Z",
        history: include_str!(
            "../../../fixtures/histories/renewal-recovered-after-lapse/history.jsonl"
        ),
    },
    Story {
        title: "a failed renewal, in grace now",
        told_until: "2026-02-10T12:00:00Z",
        history: include_str!("../../../fixtures/histories/failing-stripe-cancels/history.jsonl"),
    },
    Story {
        title: "a failed renewal, grace is over",
        told_until: "2026-02-23T12:00:00Z",
        history: include_str!("../../../fixtures/histories/failing-stays-past-due/history.jsonl"),
    },
    Story {
        title: "cancelled, runs to the period's end",
        told_until: "2026-01-25T12:00:00Z",
        history: include_str!("../../../fixtures/histories/cancel-at-period-end/history.jsonl"),
    },
    Story {
        title: "four seats, three given up",
        told_until: "2026-02-15T12:00:00Z",
        history: include_str!("../../../fixtures/histories/quantity-as-keys/history.jsonl"),
    },
    Story {
        title: "refunded in full",
        told_until: "2026-01-20T12:00:00Z",
        history: include_str!("../../../fixtures/histories/refund-full/history.jsonl"),
    },
    Story {
        title: "disputed, not decided yet",
        told_until: "2026-02-10T12:00:00Z",
        history: include_str!("../../../fixtures/histories/dispute-won/history.jsonl"),
    },
];

/// Every so many deliveries one comes a second time, and one before its predecessor, as Stripe does.
const TWICE_EVERY: usize = 7;
const SWAPPED_EVERY: usize = 11;

/// One delivery.
pub(super) struct Parcel {
    pub(super) at: Timestamp,
    pub(super) body: String,
}

impl Story {
    /// Its deliveries up to the demo's end, moved in time.
    pub(super) fn parcels(&self, end: Timestamp) -> Result<Vec<Parcel>, Failure> {
        let later = end - instant(self.told_until)?;
        let mut parcels = Vec::new();
        for line in self.history.lines().filter(|l| !l.trim().is_empty()) {
            let mut line: Value = serde_json::from_str(line).map_err(|e| {
                Failure::ours(format!("the bundled history of {}: {e}", self.title))
            })?;
            let received = line["received_at"]
                .as_str()
                .and_then(|at| Timestamp::parse(at).ok());
            let mut event = if line["event"].is_object() {
                line["event"].take()
            } else {
                line
            };
            let at = received
                .or(event["created"].as_i64().map(Timestamp::from_s))
                .unwrap_or(Timestamp::from_ms(0))
                + later;
            move_in_time(&mut event, later.ms() / 1000);
            if at <= end {
                parcels.push(Parcel {
                    at,
                    body: event.to_string(),
                });
            }
        }
        Ok(parcels)
    }

    /// Whether it tells of an object.
    pub(super) fn tells_of(&self, object: &str) -> bool {
        self.history.contains(&format!("\"{object}\""))
    }
}

/// What is an instant among an event's numbers: seconds since 1970, of the years 2020 to 2036.
const INSTANTS_S: std::ops::Range<i64> = 1_577_836_800..2_082_758_400;

/// Moves every instant in an event.
fn move_in_time(value: &mut Value, by_s: i64) {
    match value {
        Value::Number(n) => {
            if let Some(at_s) = n.as_i64().filter(|n| INSTANTS_S.contains(n)) {
                *value = Value::from(at_s + by_s);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_in_time(item, by_s)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| move_in_time(field, by_s)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// All stories as one stream of deliveries, with what a network does to it.
pub(super) fn parcels(end: Timestamp) -> Result<Vec<Parcel>, Failure> {
    let mut parcels = Vec::new();
    for story in &STORIES {
        parcels.append(&mut story.parcels(end)?);
    }
    parcels.sort_by_key(|p| p.at);
    let mut n = 0;
    while n + 1 < parcels.len() {
        n += 1;
        if n % SWAPPED_EVERY == 0 && parcels[n].at == parcels[n - 1].at {
            parcels.swap(n - 1, n);
        }
        if n % TWICE_EVERY == 0 {
            let again = Parcel {
                at: parcels[n].at,
                body: parcels[n].body.clone(),
            };
            parcels.insert(n + 1, again);
            n += 1;
        }
    }
    Ok(parcels)
}

//! What Stripe answers when somebody with an API key asks for the rest of a cut list.

use serde_json::{Value, json};

use super::{Lookup, Stripe};

/// So long after an event its lists are asked for.
const ASKED_AFTER: i64 = 25;

impl Stripe {
    /// The answers to what an event leaves open.
    pub(super) fn look_up(&mut self, object: &Value) {
        let cut = |list: &str| object[list]["has_more"] == true;
        if !self.has_key {
            return;
        }
        let at = self.now + ASKED_AFTER;
        if cut("items")
            && let Some(s) = self.subs.iter().position(|s| object["id"] == s.id.as_str())
        {
            let answer = json!({
                "object": "list", "url": "/v1/subscription_items", "subscription": object["id"],
                "shown_at": self.now, "has_more": false, "data": self.item_bodies(s),
            });
            self.lookups.push(Lookup { at, object: answer });
        }
        if cut("lines")
            && let Some(i) = self
                .invoices
                .iter()
                .position(|i| object["id"] == i.id.as_str())
        {
            let mut answer = object.clone();
            answer["lines"] =
                json!({ "object": "list", "has_more": false, "data": self.line_bodies(i) });
            self.lookups.push(Lookup { at, object: answer });
        }
    }
}

//! Histories without persons: ids, names, addresses and free texts are replaced, each in the same way wherever it stands, by
//! what a secret makes of them. What Keyward's rules read (kinds, states, prices, amounts, instants) stays as it is.
//!
//! Only what is known to be harmless stays; a text that nobody here has heard of is replaced.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::stripe_words::{PATHS, prefix};
use crate::domain::fact::{DEVICES_KEY, DURATION_KEY, SOLD_DEVICES_KEY};

/// Fields whose text is one of Stripe's own words, or a number.
const WORDS: &[&str] = &[
    "amount_decimal",
    "api_version",
    "behavior",
    "billing",
    "billing_cycle_anchor_config",
    "billing_reason",
    "billing_scheme",
    "brand",
    "collection_method",
    "cancellation_reason",
    "capture_method",
    "currency",
    "customer_creation",
    "duration",
    "failure_code",
    "failure_reason",
    "feedback",
    "fraud_type",
    "funding",
    "interval",
    "kind",
    "locale",
    "mode",
    "missing_payment_method",
    "network_status",
    "object",
    "outcome",
    "payment_method_collection",
    "payment_status",
    "preferred_locales",
    "proration_behavior",
    "reason",
    "risk_level",
    "save_default_payment_method",
    "start_date",
    "status",
    "submit_type",
    "tax_behavior",
    "tiers_mode",
    "type",
    "types",
    "payment_method_types",
    "ui_mode",
    "unit_amount_decimal",
    "usage_type",
    "aggregate_usage",
    "source_type",
];
/// Metadata that the rules read as it is.
const ASKED: &[&str] = &[DURATION_KEY, DEVICES_KEY, SOLD_DEVICES_KEY, "plan"];
/// A word of Stripe's is not longer.
const WORD_LEN_MAX: usize = 48;

/// Replaces what tells who somebody is.
pub struct Anonymizer {
    secret: Hmac<Sha256>,
    /// Where each event stands among all, sorted by id: what replaces an id must decide ties alike.
    ranks: BTreeMap<String, usize>,
}

impl std::fmt::Debug for Anonymizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anonymizer").finish_non_exhaustive()
    }
}

/// What surrounds a value, as far as it decides what becomes of it.
#[derive(Clone, Copy)]
struct FieldContext<'a> {
    /// The field's name.
    field: &'a str,
    /// Inside of `price` or `plan`.
    price: bool,
    /// Inside of `metadata`.
    metadata: bool,
}

impl Anonymizer {
    /// For one file: a fresh secret, and the ids of all its events.
    #[must_use]
    pub fn new(secret: [u8; 64], events: &[String]) -> Self {
        let mut sorted: Vec<&String> = events.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let ranks = sorted
            .into_iter()
            .enumerate()
            .map(|(n, id)| (id.clone(), n))
            .collect();
        Self {
            secret: Hmac::new(&secret.into()),
            ranks,
        }
    }

    /// A line of a history.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn line(&self, line: &str) -> Result<String, serde_json::Error> {
        let mut line: Value = serde_json::from_str(line)?;
        if let Some(decision) = line.get_mut("decision").and_then(Value::as_object_mut) {
            self.decision(decision);
        }
        if let Some(Value::String(account)) = line.get_mut("account") {
            *account = self.text(account);
        }
        for part in ["event", "lookup"] {
            if let Some(value) = line.get_mut(part) {
                self.value(
                    value,
                    FieldContext {
                        field: part,
                        price: false,
                        metadata: false,
                    },
                );
            }
        }
        Ok(line.to_string())
    }

    /// A decision names its machine; its id and kind are our own.
    fn decision(&self, decision: &mut Map<String, Value>) {
        for (field, value) in decision.iter_mut() {
            let Value::String(text) = value else { continue };
            match field.as_str() {
                "id" | "kind" | "until" | "at" => {}
                "machine" => *text = self.machine(text),
                _ => *text = self.text(text),
            }
        }
    }

    fn machine(&self, id: &str) -> String {
        match id.split_once('/') {
            // The source's name is the config's.
            Some((source, rest)) => {
                let parts: Vec<String> = rest.split('/').map(|part| self.text(part)).collect();
                format!("{source}/{}", parts.join("/"))
            }
            None => self.text(id),
        }
    }

    fn value(&self, value: &mut Value, place: FieldContext<'_>) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                if !stays(text, place) {
                    *text = self.text(text);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|item| self.value(item, place)),
            Value::Object(fields) => {
                for (field, value) in fields.iter_mut() {
                    let priced = ["price", "plan", "price_details"].contains(&field.as_str());
                    let inside = FieldContext {
                        field,
                        price: priced && !place.metadata,
                        metadata: place.metadata || field == "metadata",
                    };
                    let inside = if field == "product" {
                        FieldContext {
                            price: true,
                            ..inside
                        }
                    } else {
                        inside
                    };
                    let own = place.price
                        && ["id", "product", "lookup_key", "price"].contains(&field.as_str());
                    self.value(
                        value,
                        if own {
                            FieldContext {
                                price: true,
                                ..inside
                            }
                        } else {
                            inside
                        },
                    );
                }
            }
        }
    }

    /// What stands for a text: of the same kind, and always the same.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return text.to_owned();
        }
        let code = self.code(trimmed);
        if let Some(rank) = self.ranks.get(trimmed) {
            return format!("evt_{rank:010}{}", &code[..8]);
        }
        if let Some(prefix) = prefix(trimmed) {
            return format!("{prefix}_{code}");
        }
        if trimmed.starts_with("https://") || trimmed.starts_with("http://") {
            return format!("https://example.com/{code}");
        }
        if let Some(path) = trimmed.strip_prefix("/v1/") {
            // Where a list comes from: it may be all that says whose it is.
            let part = |part: &str| {
                if PATHS.contains(&part) {
                    part.to_owned()
                } else {
                    self.text(part)
                }
            };
            return format!(
                "/v1/{}",
                path.split('/').map(part).collect::<Vec<_>>().join("/")
            );
        }
        match trimmed.split_once('@') {
            Some((_, domain)) if domain.contains('.') && !trimmed.contains(char::is_whitespace) => {
                format!("{code}@example.com")
            }
            _ => format!("anon-{code}"),
        }
    }

    fn code(&self, text: &str) -> String {
        let mut mac = self.secret.clone();
        mac.update(text.as_bytes());
        hex::encode(&mac.finalize().into_bytes()[..10])
    }
}

fn stays(text: &str, place: FieldContext<'_>) -> bool {
    if place.metadata {
        return ASKED.contains(&place.field);
    }
    let word = text.len() <= WORD_LEN_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-:".contains(&b));
    place.price && ["id", "product", "lookup_key", "price", "plan"].contains(&place.field)
        || place.field == "lookup_key"
        || ["price_", "prod_", "plan_"]
            .iter()
            .any(|p| text.starts_with(p))
        || WORDS.contains(&place.field) && word
}

#[cfg(test)]
mod tests;

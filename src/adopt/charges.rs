//! Charges: what of one is kept, the purchase to which it belongs, and whether the other lists show what it says went back.
//! Pure.
//!
//! A charge leads from its id to a purchase and does nothing else: what pays is a session or an invoice, what takes it back a
//! refund or a dispute. Who paid, by which card and from where is left out before anything is kept.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

/// What is kept of a charge, by Stripe's names.
const KEPT: [&str; 11] = [
    "id",
    "object",
    "created",
    "livemode",
    "status",
    "payment_intent",
    "invoice",
    "amount",
    "amount_captured",
    "amount_refunded",
    "disputed",
];

/// A charge without what is its customer's alone.
#[must_use]
pub fn bare(charge: &Value) -> Value {
    let fields = KEPT.into_iter().filter(|name| !charge[*name].is_null());
    let field = |name: &str| match name {
        "payment_intent" | "invoice" => json!(reference(&charge[name])),
        _ => charge[name].clone(),
    };
    fields
        .map(|name| (name.to_owned(), field(name)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A charge that succeeded. A large shop has many, so it is as small as can be.
#[derive(Debug)]
pub(super) struct ShownCharge {
    pub(super) id: String,
    pub(super) payment_intent: Option<String>,
    pub(super) invoice: Option<String>,
    created: i64,
    livemode: Option<bool>,
    /// Minor units that went back of it, as it says.
    returned: i64,
    disputed: bool,
}

impl ShownCharge {
    /// `None`: it has not succeeded, or is none.
    pub(super) fn of(charge: &Value) -> Option<Self> {
        if matches!(charge["status"].as_str(), Some("failed" | "pending")) {
            return None;
        }
        let int = |name: &str| charge[name].as_i64();
        let amount = int("amount").unwrap_or(0);
        // Stripe counts what was never captured among what was refunded.
        let released = amount - int("amount_captured").unwrap_or(amount);
        Some(Self {
            id: reference(&charge["id"])?,
            payment_intent: reference(&charge["payment_intent"]),
            invoice: reference(&charge["invoice"]),
            created: int("created").unwrap_or(0),
            livemode: charge["livemode"].as_bool(),
            returned: int("amount_refunded").unwrap_or(0) - released,
            disputed: charge["disputed"] == true,
        })
    }

    /// The ids that lead to its purchase, the most telling first.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let others = self.payment_intent.iter().chain(&self.invoice);
        others.chain(std::iter::once(&self.id))
    }

    /// As Stripe lists it, as far as that links it.
    pub(super) fn link(&self) -> Value {
        json!({
            "id": self.id,
            "created": self.created,
            "livemode": self.livemode,
            "payment_intent": self.payment_intent,
            "invoice": self.invoice,
        })
    }
}

/// What the lists of refunds and disputes show, by the charge or else the payment that each names.
#[derive(Debug, Default)]
pub(super) struct ShownMoney {
    returned: HashMap<String, i64>,
    disputed: HashSet<String>,
}

impl ShownMoney {
    pub(super) fn refund(&mut self, refund: &Value) {
        if let Some(of) = payment_of(refund) {
            *self.returned.entry(of).or_default() += refund["amount"].as_i64().unwrap_or(0);
        }
    }

    pub(super) fn dispute(&mut self, dispute: &Value) {
        self.disputed.extend(payment_of(dispute));
    }

    /// Whether a charge says that more went back than the lists show, or that it is disputed and they do not.
    pub(super) fn lacks(&self, charge: &ShownCharge) -> bool {
        let ids = || std::iter::once(&charge.id).chain(&charge.payment_intent);
        let shown: i64 = ids().filter_map(|id| self.returned.get(id)).sum();
        let is_shown = ids().any(|id| self.disputed.contains(id));
        charge.returned > shown || charge.disputed && !is_shown
    }
}

fn payment_of(money: &Value) -> Option<String> {
    reference(&money["charge"]).or_else(|| reference(&money["payment_intent"]))
}

/// An id, or the id of an object that was expanded.
pub(super) fn reference(value: &Value) -> Option<String> {
    let id = value.as_str().or_else(|| value["id"].as_str())?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_customer_is_kept() {
        let charge = json!({"id": "ch_1", "object": "charge", "status": "succeeded", "created": 5, "amount": 10, "disputed": false,
            "amount_captured": 10, "amount_refunded": 0, "livemode": true, "payment_intent": {"id": "pi_1", "receipt_email": "a@b.example"},
            "customer": "cus_1", "receipt_email": "a@b.example", "receipt_url": "https://x", "description": "d", "metadata": {"k": "v"},
            "billing_details": {"email": "a@b.example"}, "payment_method_details": {"card": {"last4": "4242"}},
            "outcome": {}, "source": {"id": "card_1"}, "shipping": {"name": "Ada"}, "invoice": null});
        let expected = json!({"id": "ch_1", "object": "charge", "status": "succeeded", "created": 5, "amount": 10, "disputed": false,
            "amount_captured": 10, "amount_refunded": 0, "livemode": true, "payment_intent": "pi_1"});
        assert_eq!(bare(&charge), expected);
        let link = ShownCharge::of(&bare(&charge)).unwrap().link();
        assert_eq!(
            link,
            json!({"id": "ch_1", "created": 5, "livemode": true, "payment_intent": "pi_1", "invoice": null})
        );
    }

    #[test]
    fn what_the_lists_do_not_show_is_noticed_and_a_released_authorization_is_no_refund() {
        let mut shown = ShownMoney::default();
        shown.refund(&json!({"charge": "ch_1", "payment_intent": "pi_1", "amount": 4}));
        shown.refund(&json!({"payment_intent": "pi_1", "amount": 3}));
        shown.dispute(&json!({"charge": "ch_2"}));
        let charge = |id: &str, returned: i64, disputed: bool| json!({"id": id, "payment_intent": "pi_1", "amount": 10, "amount_refunded": returned, "disputed": disputed});
        let mut released = charge("ch_1", 9, false);
        released["amount_captured"] = json!(8);
        for (charge, lacks) in [
            (charge("ch_1", 7, false), false),
            (charge("ch_1", 8, false), true),
            (charge("ch_1", 0, true), true),
            (charge("ch_2", 0, true), false),
            (released, false),
        ] {
            let of = ShownCharge::of(&charge).unwrap();
            assert_eq!(shown.lacks(&of), lacks, "{charge}");
        }
        assert!(ShownCharge::of(&json!({"id": "ch_3", "status": "failed"})).is_none());
    }
}

//! What was read of Stripe's lists, by purchase: one per subscription, one per paid session without a subscription, one per
//! paid invoice without either. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::backdate::{self, List};
use super::charges::{ShownCharge, ShownMoney, reference};
use crate::domain::adoption::Metadata;
use crate::domain::lifecycle::Kind;
use crate::domain::time::Timestamp;
use crate::engine::record::body_codec;

/// A purchase as Stripe shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPurchase {
    /// What it is.
    pub kind: Kind,
    /// Its mode.
    pub livemode: Option<bool>,
    /// The events that would have told of it, packed.
    pub events: Vec<Vec<u8>>,
    /// The metadata of its objects.
    pub metadata: Metadata,
    /// When its payment is tried again.
    pub retry_at: Option<Timestamp>,
}

/// Everything that was read, by the object whose life the purchase is.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The purchases.
    pub purchases: BTreeMap<String, ShownPurchase>,
    /// Ids of their objects, each with its purchase.
    pub names: HashMap<String, String>,
    /// Sessions and invoices without a subscription that are listed and not paid: they are no purchases.
    pub unpaid: HashSet<String>,
    /// Refunds and disputes that belong to none of them.
    pub loose: usize,
    /// Charges that succeeded and belong to none of them: nothing says what they sold.
    pub loose_charges: usize,
    /// Charges of purchases that say that money went back or is disputed, where the lists do not show it.
    pub unlisted: Vec<String>,
}

/// Takes objects in, in any order.
#[derive(Debug)]
pub struct Gatherer {
    now: Timestamp,
    gathered: Gathered,
    /// Invoices without a subscription: a session may name them.
    invoices: Vec<Value>,
    charges: Vec<ShownCharge>,
    /// Money that went back, or is disputed.
    money: Vec<(List, Value)>,
}

impl Gatherer {
    /// Begins; what runs at present is dated `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            gathered: Gathered::default(),
            invoices: Vec::new(),
            charges: Vec::new(),
            money: Vec::new(),
        }
    }

    /// Takes an object in.
    pub fn add(&mut self, list: List, object: &Value) {
        match list {
            List::Subscriptions => {
                if let Some(id) = reference(&object["id"]) {
                    self.put(list, object, &id, Kind::Subscription);
                }
            }
            List::Sessions => self.session(object),
            List::Invoices => match subscription_of(object) {
                Some(subscription) => {
                    self.pays(object, &subscription);
                    self.put(list, object, &subscription, Kind::Subscription);
                }
                None if object["status"] == "paid" => self.invoices.push(object.clone()),
                None => self.unpaid(object),
            },
            List::Events => {}
            List::Charges => self.charges.extend(ShownCharge::of(object)),
            List::Refunds | List::Disputes => self.money.push((list, object.clone())),
        }
    }

    /// The purchases, once everything was read.
    #[must_use]
    pub fn finish(mut self) -> Gathered {
        for invoice in std::mem::take(&mut self.invoices) {
            let Some(id) = reference(&invoice["id"]) else {
                continue;
            };
            let purchase = self.gathered.names.get(&id).cloned().unwrap_or(id);
            self.pays(&invoice, &purchase);
            self.put(List::Invoices, &invoice, &purchase, Kind::Payment);
        }
        self.link_charges();
        for (list, object) in std::mem::take(&mut self.money) {
            let by = |name: &str| {
                let id = reference(&object[name])?;
                self.gathered.names.get(&id).cloned()
            };
            match by("payment_intent").or_else(|| by("charge")) {
                Some(purchase) => self.put(list, &object, &purchase, Kind::Payment),
                None => self.gathered.loose += 1,
            }
        }
        self.gathered
    }

    /// Gives each charge to its purchase, by its payment, its invoice, or whatever names it.
    fn link_charges(&mut self) {
        let mut shown = ShownMoney::default();
        for (list, object) in &self.money {
            if *list == List::Refunds {
                shown.refund(object);
            } else {
                shown.dispute(object);
            }
        }
        for charge in std::mem::take(&mut self.charges) {
            let purchase = charge
                .names()
                .find_map(|name| self.gathered.names.get(name))
                .cloned();
            let Some(purchase) = purchase else {
                self.gathered.loose_charges += 1;
                continue;
            };
            for name in std::iter::once(&charge.id).chain(&charge.payment_intent) {
                self.name(name, &purchase);
            }
            self.put(List::Charges, &charge.link(), &purchase, Kind::Payment);
            if shown.lacks(&charge) {
                self.gathered.unlisted.push(charge.id);
            }
        }
    }

    fn session(&mut self, object: &Value) {
        let Some(id) = reference(&object["id"]) else {
            return;
        };
        let paid = matches!(
            object["payment_status"].as_str(),
            Some("paid" | "no_payment_required")
        );
        let purchase = match (object["mode"].as_str(), reference(&object["subscription"])) {
            (_, Some(subscription)) => subscription,
            (Some("payment"), None) if paid => id.clone(),
            _ => return self.unpaid(object),
        };
        let kind = if purchase == id {
            Kind::Payment
        } else {
            Kind::Subscription
        };
        self.name(&id, &purchase);
        for name in ["invoice", "payment_intent"] {
            if let Some(id) = reference(&object[name]) {
                self.name(&id, &purchase);
            }
        }
        self.put(List::Sessions, object, &purchase, kind);
    }

    /// Notes what is listed and not paid, by its own names.
    fn unpaid(&mut self, object: &Value) {
        let names = [&object["id"], &object["payment_intent"]];
        let names = names.into_iter().filter_map(reference);
        self.gathered.unpaid.extend(names);
    }

    fn name(&mut self, id: &str, purchase: &str) {
        self.gathered
            .names
            .insert(id.to_owned(), purchase.to_owned());
    }

    /// Names an invoice and what paid it.
    fn pays(&mut self, invoice: &Value, purchase: &str) {
        let payments = invoice["payments"]["data"].as_array();
        let paid_by = payments.into_iter().flatten().map(|p| &p["payment"]);
        let ids = paid_by
            .flat_map(|p| [&p["payment_intent"], &p["charge"]])
            .chain([
                &invoice["id"],
                &invoice["payment_intent"],
                &invoice["charge"],
            ])
            .filter_map(reference);
        for id in ids.collect::<Vec<_>>() {
            self.name(&id, purchase);
        }
    }

    fn put(&mut self, list: List, object: &Value, purchase: &str, kind: Kind) {
        let shown = self
            .gathered
            .purchases
            .entry(purchase.to_owned())
            .or_insert_with(|| ShownPurchase {
                kind,
                livemode: None,
                events: Vec::new(),
                metadata: Metadata::new(),
                retry_at: None,
            });
        shown.livemode = shown.livemode.or(object["livemode"].as_bool());
        shown.retry_at = shown.retry_at.max(backdate::retry_at(list, object));
        for metadata in [
            &object["metadata"],
            &object["parent"]["subscription_details"]["metadata"],
        ] {
            for (key, value) in metadata.as_object().into_iter().flatten() {
                if let Some(value) = value.as_str().filter(|v| !v.is_empty()) {
                    let values = shown.metadata.entry(key.clone()).or_default();
                    values.insert(value.to_owned());
                }
            }
        }
        for event in backdate::events(list, object, self.now) {
            shown
                .events
                .push(body_codec::pack(event.to_string().as_bytes()));
        }
    }
}

fn subscription_of(invoice: &Value) -> Option<String> {
    let parent = &invoice["parent"]["subscription_details"]["subscription"];
    reference(parent).or_else(|| reference(&invoice["subscription"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What was sold, and money that went back.
    fn sold() -> Vec<(List, Value)> {
        vec![
            (
                List::Refunds,
                json!({"id": "re_1", "payment_intent": "pi_2", "created": 9}),
            ),
            (
                List::Disputes,
                json!({"id": "dp_1", "payment_intent": "pi_9", "charge": "ch_1", "status": "lost"}),
            ),
            (
                List::Refunds,
                json!({"id": "re_2", "payment_intent": "pi_8"}),
            ),
            (
                List::Invoices,
                json!({"id": "in_1", "status": "paid", "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"order": "7"}}},
                    "payments": {"data": [{"id": "p", "status": "paid", "payment": {"charge": "ch_1"}}]}}),
            ),
            (
                List::Invoices,
                json!({"id": "in_2", "status": "paid", "payments": {"data": []}}),
            ),
            (List::Invoices, json!({"id": "in_3", "status": "paid"})),
            (List::Invoices, json!({"id": "in_4", "status": "open"})),
            (
                List::Sessions,
                json!({"id": "cs_2", "mode": "payment", "payment_status": "paid", "payment_intent": "pi_2", "invoice": "in_2"}),
            ),
            (
                List::Sessions,
                json!({"id": "cs_3", "mode": "payment", "payment_status": "unpaid"}),
            ),
            (
                List::Sessions,
                json!({"id": "cs_1", "mode": "subscription", "subscription": {"id": "sub_1"}}),
            ),
            (
                List::Subscriptions,
                json!({"id": "sub_1", "status": "active", "livemode": true}),
            ),
        ]
    }

    /// What was charged for it, and money that names nothing else.
    fn charged() -> Vec<(List, Value)> {
        vec![
            (
                List::Charges,
                json!({"id": "ch_2", "payment_intent": "pi_2", "status": "succeeded", "amount": 9, "amount_refunded": 9}),
            ),
            (
                List::Charges,
                json!({"id": "ch_3", "payment_intent": null, "invoice": "in_3", "status": "succeeded"}),
            ),
            (
                List::Charges,
                json!({"id": "ch_4", "payment_intent": "pi_2", "status": "failed"}),
            ),
            (
                List::Charges,
                json!({"id": "ch_5", "payment_intent": "pi_5", "status": "succeeded"}),
            ),
            (
                List::Refunds,
                json!({"id": "re_3", "payment_intent": null, "charge": "ch_2", "amount": 5}),
            ),
            (
                List::Disputes,
                json!({"id": "dp_3", "payment_intent": null, "charge": "ch_3", "status": "won"}),
            ),
        ]
    }

    #[test]
    fn each_object_finds_its_purchase_in_whatever_order_it_comes() {
        let objects = [sold(), charged()].concat();
        for turned in 0..objects.len() {
            let mut gatherer = Gatherer::new(Timestamp::from_s(100));
            for n in 0..objects.len() {
                let (list, object) = &objects[(n + turned) % objects.len()];
                gatherer.add(*list, object);
            }
            let gathered = gatherer.finish();
            let told: Vec<(&str, usize)> = gathered
                .purchases
                .iter()
                .map(|(id, p)| (id.as_str(), p.events.len()))
                .collect();
            assert_eq!(told, [("cs_2", 5), ("in_3", 3), ("sub_1", 4)]);
            assert_eq!((gathered.loose, gathered.loose_charges), (1, 1));
            assert_eq!(gathered.unlisted, ["ch_2"], "4 of 9 are not shown");
            let unnamed = ["ch_4", "ch_5", "pi_5"].map(|id| gathered.names.get(id));
            assert_eq!(unnamed, [None; 3]);
            let unpaid = std::collections::BTreeSet::from_iter(&gathered.unpaid);
            assert_eq!(unpaid.into_iter().collect::<Vec<_>>(), ["cs_3", "in_4"]);
            let sub = &gathered.purchases["sub_1"];
            assert_eq!((sub.kind, sub.livemode), (Kind::Subscription, Some(true)));
            assert!(sub.metadata["order"].contains("7"));
            assert_eq!(gathered.names["cs_1"], "sub_1");
        }
    }
}

//! Checkout sessions: what is sold at which price, and the form that Stripe takes. Parameters and their exclusions are
//! Stripe's own (<https://docs.stripe.com/api/checkout/sessions/create>); one that it does not know it refuses.

use serde_json::Value;

use super::answer::StripeRefusal;
use super::guide_metadata::GuideTerms;
use super::{Account, Answer};
use crate::config::{Config, PlanCheckout};
use crate::domain::fact::CHECKOUT_KEY;
use crate::domain::id::PriceId;
use crate::domain::plan::Plan;

/// The metadata key under which they name the license that is extended.
const LICENSE_KEY: &str = "keyward_license";
/// The languages of Stripe's page, as it spells them.
pub const LOCALES: [&str; 40] = [
    "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA",
    "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR",
    "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh", "zh-HK", "zh-TW",
];
/// How often a request that was not answered is sent again, under the same idempotency key.
const RETRIES: usize = 2;

/// A price at Stripe, as far as selling it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// Its id.
    pub id: PriceId,
    /// Whether it can be bought.
    pub active: bool,
    /// Its currency, in lower case.
    pub currency: String,
    /// `month`, `year` …; `None`: it is paid once.
    pub interval: Option<String>,
    /// Whether it is billed by use, so that no quantity is asked for.
    pub metered: bool,
}

/// What is to be bought, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutOrder<'a> {
    /// The plan's name, for whoever reads the session at Stripe.
    pub plan: &'a str,
    /// The price.
    pub price: &'a Price,
    /// How many.
    pub quantity: u32,
    /// Up to how many the buyer may make it; 1: the quantity is fixed.
    pub quantity_max: u32,
    /// The days of a trial, where the price is a subscription's.
    pub trial_days: Option<u32>,
    /// Where the buyer goes after paying.
    pub success_url: &'a str,
    /// Where a link back leads, if there is one.
    pub cancel_url: Option<&'a str>,
    /// The buyer's address, as far as it is known.
    pub email: Option<&'a str>,
    /// The vendor's own word for the buyer.
    pub client_reference_id: Option<&'a str>,
    /// The page's language; `None`: the browser's.
    pub locale: Option<&'a str>,
    /// Whether the page takes promotion codes.
    pub promotion_codes: bool,
    /// Whether Stripe works out the taxes.
    pub automatic_tax: bool,
    /// The license that is extended, in place of a new one.
    pub extends: Option<&'a str>,
    /// The customer at Stripe who buys again.
    pub customer: Option<&'a str>,
    /// What the plan gives, in the guide's words.
    pub guide: Option<GuideTerms<'a>>,
}

impl Price {
    fn of(json: &Value) -> Option<Self> {
        let text = |v: &Value| v.as_str().map(str::to_owned);
        let recurring = &json["recurring"];
        Some(Self {
            id: PriceId::new(text(&json["id"])?),
            active: json["active"] == true,
            currency: text(&json["currency"]).unwrap_or_default(),
            interval: text(&recurring["interval"]),
            metered: recurring["usage_type"] == "metered",
        })
    }
}

impl<'a> CheckoutOrder<'a> {
    /// One unit of a plan at a price, as the config says it is sold.
    #[must_use]
    pub fn of(plan: &'a Plan, price: &'a Price, config: &'a Config, success_url: &'a str) -> Self {
        let checkout = &config.checkout;
        let how: PlanCheckout = checkout.plans.get(&plan.name).copied().unwrap_or_default();
        Self {
            plan: plan.name.as_str(),
            price,
            quantity: 1,
            quantity_max: how.quantity_max.unwrap_or(1),
            trial_days: how.trial_days,
            success_url,
            cancel_url: checkout.cancel_url.as_deref(),
            email: None,
            client_reference_id: None,
            locale: None,
            promotion_codes: checkout.promotion_codes,
            automatic_tax: checkout.automatic_tax,
            extends: None,
            customer: None,
            guide: GuideTerms::of(plan, config),
        }
    }
}

/// Where Stripe sends a buyer who has paid; it fills in the session's id.
#[must_use]
pub fn success_url(public_url: &str) -> String {
    format!("{public_url}/success?session_id={{CHECKOUT_SESSION_ID}}")
}

impl CheckoutOrder<'_> {
    /// The form of `POST /v1/checkout/sessions`. Metadata stands on the session and on what it makes, for neither hands it on.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        let subscribes = self.price.interval.is_some();
        let mut form = CheckoutForm::default();
        form.put(
            "mode",
            if subscribes {
                "subscription"
            } else {
                "payment"
            },
        );
        form.put("line_items[0][price]", self.price.id.as_str());
        if !self.price.metered {
            form.put("line_items[0][quantity]", &self.quantity.to_string());
            if self.quantity_max > 1 {
                let adjustable = |key: &str| format!("line_items[0][adjustable_quantity][{key}]");
                form.put(&adjustable("enabled"), "true");
                form.put(&adjustable("minimum"), "1");
                form.put(&adjustable("maximum"), &self.quantity_max.to_string());
            }
        }
        form.put("success_url", self.success_url);
        form.some("cancel_url", self.cancel_url);
        form.some("customer", self.customer);
        form.some(
            "customer_email",
            self.email.filter(|_| self.customer.is_none()),
        );
        form.some("client_reference_id", self.client_reference_id);
        form.put("locale", self.locale.unwrap_or("auto"));
        let made = if subscribes {
            "subscription_data"
        } else {
            "payment_intent_data"
        };
        for (key, value) in self.metadata(subscribes) {
            form.put(&format!("metadata[{key}]"), &value);
            form.put(&format!("{made}[metadata][{key}]"), &value);
        }
        if subscribes {
            let days = self.trial_days.map(|days| days.to_string());
            form.some("subscription_data[trial_period_days]", days.as_deref());
        } else {
            // Without a customer there is nobody to look after the purchase for.
            if self.customer.is_none() {
                form.put("customer_creation", "always");
            }
        }
        if self.promotion_codes {
            form.put("allow_promotion_codes", "true");
        }
        if self.automatic_tax {
            form.put("automatic_tax[enabled]", "true");
            if self.customer.is_some() {
                // A customer without an address is refused, unless the page may write down what is typed.
                form.put("customer_update[address]", "auto");
            }
        }
        form.0
    }

    fn metadata(&self, subscribes: bool) -> Vec<(&'static str, String)> {
        let mut metadata = vec![(CHECKOUT_KEY, self.plan.to_owned())];
        if let Some(license) = self.extends {
            metadata.push((LICENSE_KEY, license.to_owned()));
        } else if self.quantity_max.max(self.quantity) == 1 {
            // The guide sells one license a purchase, and always a new one.
            metadata.extend(self.guide.iter().flat_map(|g| g.pairs(subscribes)));
        }
        metadata
    }
}

#[derive(Default)]
struct CheckoutForm(Vec<(String, String)>);

impl CheckoutForm {
    fn put(&mut self, key: &str, value: &str) {
        self.0.push((key.to_owned(), value.to_owned()));
    }

    fn some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }
}

impl Account {
    /// Whether its key is one of live mode (`Some(true)`) or of test mode.
    #[must_use]
    pub fn livemode(&self) -> Option<bool> {
        self.client.livemode()
    }

    /// A price by its id.
    pub async fn price(&self, id: &PriceId) -> Answer<Price> {
        let object = self.get(&["prices", id.as_str()], &[], None).await;
        match object.done() {
            Ok(object) => Price::of(&object).map_or_else(no_price, Answer::Done),
            Err(other) => other,
        }
    }

    /// The active price that a lookup key names now.
    pub async fn price_by_key(&self, key: &str) -> Answer<Price> {
        let query = [("lookup_keys[]", key), ("active", "true"), ("limit", "1")];
        match self.get(&["prices"], &query, None).await.done() {
            Ok(list) => Price::of(&list["data"][0]).map_or_else(no_price, Answer::Done),
            Err(other) => other,
        }
    }

    /// What Stripe says of each price that a plan names by its id or its lookup key, in the plan's order.
    pub async fn prices_of(&self, plan: &Plan) -> Vec<Answer<Price>> {
        let mut prices = Vec::new();
        for id in plan.prices.iter().filter(|p| p.as_str() != "*") {
            prices.push(self.price(id).await);
        }
        for key in &plan.lookup_keys {
            prices.push(self.price_by_key(key).await);
        }
        prices
    }

    /// Makes a Checkout session; its id and its address. One attempt, however often it is sent, makes one session.
    pub async fn create_session(
        &self,
        purchase: &CheckoutOrder<'_>,
        attempt: &str,
    ) -> Answer<(String, String)> {
        let form = purchase.form();
        let mut answer = self.post(&["checkout", "sessions"], &form, attempt).await;
        for _ in 0..RETRIES {
            if !matches!(answer, Answer::Again { limited: false, .. }) {
                break;
            }
            answer = self.post(&["checkout", "sessions"], &form, attempt).await;
        }
        match answer.done() {
            Ok(session) => match (session["id"].as_str(), session["url"].as_str()) {
                (Some(id), Some(url)) => Answer::Done((id.to_owned(), url.to_owned())),
                _ => no_price(),
            },
            Err(other) => other,
        }
    }

    /// Ends a session that nobody has paid.
    pub async fn expire_session(&self, id: &str, attempt: &str) -> Answer<Value> {
        self.post(&["checkout", "sessions", id, "expire"], &[], attempt)
            .await
    }

    pub(super) async fn post(
        &self,
        path: &[&str],
        form: &[(String, String)],
        attempt: &str,
    ) -> Answer<Value> {
        let _pass = self.throttle.pass(super::Share::Actions).await;
        self.client.post(path, form, attempt).await
    }
}

fn no_price<T>() -> Answer<T> {
    Answer::Refused {
        refusal: StripeRefusal::Missing,
        why: "Stripe has no such price, or answered something else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(interval: Option<&str>) -> Price {
        Price {
            id: PriceId::new("price_1"),
            active: true,
            currency: "usd".to_owned(),
            interval: interval.map(str::to_owned),
            metered: false,
        }
    }

    fn purchase(price: &Price) -> CheckoutOrder<'_> {
        CheckoutOrder {
            plan: "pro",
            price,
            quantity: 1,
            quantity_max: 1,
            trial_days: None,
            success_url: "https://b.example/success?session_id={CHECKOUT_SESSION_ID}",
            cancel_url: None,
            email: None,
            client_reference_id: None,
            locale: None,
            promotion_codes: false,
            automatic_tax: false,
            extends: None,
            customer: None,
            guide: None,
        }
    }

    fn keys(purchase: &CheckoutOrder<'_>) -> Vec<String> {
        purchase.form().into_iter().map(|(key, _)| key).collect()
    }

    /// Either `…_data` in the other mode is an error at Stripe, as is an empty value.
    #[test]
    fn each_mode_has_its_own_parameters() {
        let (once, monthly) = (price(None), price(Some("month")));
        let paid = keys(&purchase(&once));
        assert!(paid.contains(&"payment_intent_data[metadata][keyward_checkout]".to_owned()));
        assert!(paid.contains(&"customer_creation".to_owned()));
        assert!(!paid.iter().any(|k| k.starts_with("subscription_data")));
        let with_trial = CheckoutOrder {
            trial_days: Some(14),
            ..purchase(&monthly)
        };
        let subscribed = keys(&with_trial);
        assert!(subscribed.contains(&"subscription_data[trial_period_days]".to_owned()));
        assert!(
            !subscribed
                .iter()
                .any(|k| k.starts_with("payment_intent") || k == "customer_creation")
        );
        let trial_once = CheckoutOrder {
            trial_days: Some(14),
            ..purchase(&once)
        };
        assert!(!keys(&trial_once).iter().any(|k| k.contains("trial")));
        for form in [purchase(&once).form(), with_trial.form()] {
            assert!(form.iter().all(|(_, value)| !value.is_empty()), "{form:?}");
        }
    }

    #[test]
    fn a_metered_price_has_no_quantity() {
        let metered = Price {
            metered: true,
            ..price(Some("month"))
        };
        let many = CheckoutOrder {
            quantity: 3,
            quantity_max: 9,
            ..purchase(&metered)
        };
        assert!(!keys(&many).iter().any(|k| k.contains("quantity")));
    }
}

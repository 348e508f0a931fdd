//! Sessions of Stripe's billing portal: where a customer sees invoices, changes the card, cancels
//! (<https://docs.stripe.com/api/customer_portal/sessions/create>). The address signs its holder in, so it is made for one
//! click, and neither kept nor logged.

use super::{Account, Answer, StripeRefusal};
use crate::domain::id::{CustomerId, ObjectId};
use crate::secret::Secret;

/// What a customer wants to do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillingFlow<'a> {
    /// Look around.
    Any,
    /// Change how is paid.
    PaymentMethod,
    /// Cancel a subscription.
    Cancel(&'a ObjectId),
}

/// Who goes there, and how back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillingVisit<'a> {
    /// The customer.
    pub customer: &'a CustomerId,
    /// Where the link back leads.
    pub return_url: &'a str,
    /// The page's language.
    pub locale: &'a str,
    /// What for.
    pub flow: BillingFlow<'a>,
}

impl BillingVisit<'_> {
    fn form(&self) -> Vec<(String, String)> {
        let mut form = vec![
            ("customer", self.customer.as_str()),
            ("return_url", self.return_url),
            ("locale", self.locale),
        ];
        match self.flow {
            BillingFlow::Any => {}
            BillingFlow::PaymentMethod => form.push(("flow_data[type]", "payment_method_update")),
            BillingFlow::Cancel(subscription) => {
                form.push(("flow_data[type]", "subscription_cancel"));
                let key = "flow_data[subscription_cancel][subscription]";
                form.push((key, subscription.as_str()));
            }
        }
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        form.into_iter().map(owned).collect()
    }
}

impl Account {
    /// Makes a session; its address. Where Stripe refuses what is wanted there (a subscription that ends already), the
    /// customer can still look around.
    pub async fn billing_session(&self, visit: &BillingVisit<'_>) -> Answer<Secret> {
        let answer = self.billing(visit).await;
        if visit.flow != BillingFlow::Any && matches!(answer, Answer::Refused { .. }) {
            let plain = BillingVisit {
                flow: BillingFlow::Any,
                ..*visit
            };
            return self.billing(&plain).await;
        }
        answer
    }

    async fn billing(&self, visit: &BillingVisit<'_>) -> Answer<Secret> {
        let attempt = format!("keyward-{:032x}", rand::random::<u128>());
        let form = visit.form();
        let made = self.post(&["billing_portal", "sessions"], &form, &attempt);
        match made.await.done() {
            Ok(session) => match session["url"].as_str() {
                Some(url) => Answer::Done(Secret::new(url)),
                None => Answer::Refused {
                    refusal: StripeRefusal::Missing,
                    why: "Stripe answered without an address".to_owned(),
                },
            },
            Err(other) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_names_what_stripe_asks_for() {
        let (customer, subscription) = (CustomerId::from("cus_1"), ObjectId::new("sub_1"));
        let visit = |flow| BillingVisit {
            customer: &customer,
            return_url: "https://b.example/portal",
            locale: "de",
            flow,
        };
        let keys = |flow| {
            let form = visit(flow).form();
            form.into_iter().map(|(k, _)| k).collect::<Vec<_>>()
        };
        assert_eq!(keys(BillingFlow::Any), ["customer", "return_url", "locale"]);
        assert_eq!(keys(BillingFlow::PaymentMethod).len(), 4);
        let cancel = keys(BillingFlow::Cancel(&subscription));
        assert_eq!(cancel[4], "flow_data[subscription_cancel][subscription]");
    }
}

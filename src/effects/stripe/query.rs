//! Which questions to Stripe answer what: the lines of a session, a customer, and what links a payment to its purchase.

use serde_json::{Value, json};

use super::answer::StripeRefusal;
use super::{Account, Answer};
use crate::domain::action::Question;
use crate::domain::fact::{Fact, Name};
use crate::domain::id::AccountId;
use crate::domain::time::Timestamp;

/// Rows of one page.
const PAGE: &str = "100";
/// Pages of one list that are read: Stripe bounds a session's lines and a subscription's items at a few pages, and an
/// invoice's lines at a few hundred. What goes on beyond them is refused rather than taken for whole.
const PAGES_MAX: usize = 20;

impl Account {
    /// Asks one question. The answer has the form of an object at Stripe.
    pub(in crate::effects) async fn ask(
        &self,
        question: &Question,
        account: Option<&AccountId>,
    ) -> Answer<Value> {
        match question {
            Question::LineItems(session) => self.line_items(session.as_str(), account).await,
            Question::Customer(customer) => {
                self.get(&["customers", customer.as_str()], &[], account)
                    .await
            }
            Question::SubscriptionItems {
                subscription,
                shown_at,
            } => self.items(subscription.as_str(), *shown_at, account).await,
            Question::InvoiceLines(invoice) | Question::FirstInvoice(invoice) => {
                self.invoice(invoice.as_str(), account).await
            }
        }
    }

    async fn line_items(&self, session: &str, account: Option<&AccountId>) -> Answer<Value> {
        let rows = self
            .whole(
                &["checkout", "sessions", session, "line_items"],
                &[],
                account,
            )
            .await;
        rows.map(|rows| json!({ "object": "checkout.session.line_items", "session": session, "data": rows }))
    }

    /// All items of a subscription. They are those that it has now, so they are no older than what asked for them.
    async fn items(
        &self,
        subscription: &str,
        shown_at: Timestamp,
        account: Option<&AccountId>,
    ) -> Answer<Value> {
        let rows = self
            .whole(
                &["subscription_items"],
                &[("subscription", subscription)],
                account,
            )
            .await;
        rows.map(|rows| {
            json!({
                "object": "list",
                "url": "/v1/subscription_items",
                "subscription": subscription,
                "shown_at": shown_at.s(),
                "has_more": false,
                "data": rows,
            })
        })
    }

    /// An invoice with all its lines.
    async fn invoice(&self, invoice: &str, account: Option<&AccountId>) -> Answer<Value> {
        let mut object = match self.get(&["invoices", invoice], &[], account).await.done() {
            Ok(object) => object,
            Err(other) => return other,
        };
        if object["lines"]["has_more"] == true {
            match self
                .whole(&["invoices", invoice, "lines"], &[], account)
                .await
                .done()
            {
                Ok(rows) => {
                    object["lines"] = json!({ "object": "list", "has_more": false, "data": rows })
                }
                Err(other) => return other,
            }
        }
        Answer::Done(object)
    }

    /// A list, page by page to its end.
    async fn whole(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        account: Option<&AccountId>,
    ) -> Answer<Vec<Value>> {
        let mut rows: Vec<Value> = Vec::new();
        for _ in 0..PAGES_MAX {
            let last = rows
                .last()
                .and_then(|r| r["id"].as_str())
                .map(str::to_owned);
            let mut query = [&[("limit", PAGE)], query].concat();
            query.extend(last.as_deref().map(|id| ("starting_after", id)));
            let page = match self.get(path, &query, account).await.done() {
                Ok(page) => page,
                Err(other) => return other,
            };
            let Some(data) = page["data"].as_array() else {
                return no_list();
            };
            rows.extend(data.iter().cloned());
            if page["has_more"] != true {
                return Answer::Done(rows);
            }
            // A page without an id to go on from would be asked for again and again.
            if data.last().is_none_or(|row| !row["id"].is_string()) {
                break;
            }
        }
        let why = format!(
            "the list /v1/{} does not end after {} rows",
            path.join("/"),
            rows.len()
        );
        Answer::Refused {
            refusal: StripeRefusal::Question,
            why,
        }
    }

    /// Asks for what could link a parked fact to its purchase: the charge's payment, the payment's session, else its
    /// invoice. No object at all is an answer too.
    pub(in crate::effects) async fn links(
        &self,
        fact: &Fact,
        account: Option<&AccountId>,
    ) -> Answer<Vec<Value>> {
        let (mut payment, mut charge) = (None, None);
        for name in fact.names() {
            match name {
                Name::PaymentIntent(id) => payment = Some(id.as_str().to_owned()),
                Name::Charge(id) => charge = Some(id.as_str().to_owned()),
                Name::Session(_) | Name::Subscription(_) | Name::Invoice(_) => {}
            }
        }
        let mut found = Vec::new();
        if let (None, Some(charge)) = (&payment, &charge) {
            match self.get(&["charges", charge], &[], account).await.done() {
                Ok(object) => {
                    let named = &object["payment_intent"];
                    payment = named
                        .as_str()
                        .or_else(|| named["id"].as_str())
                        .map(str::to_owned);
                    found.push(object);
                }
                Err(other) => return other,
            }
        }
        let by_session = match &payment {
            Some(payment) => {
                self.list(
                    &["checkout", "sessions"],
                    &[("payment_intent", payment)],
                    account,
                )
                .await
            }
            None => Answer::Done(Vec::new()),
        };
        match by_session.done() {
            Ok(sessions) if !sessions.is_empty() => {
                found.extend(sessions);
                return Answer::Done(found);
            }
            Ok(_) => {}
            Err(other) => return other,
        }
        let by = match (&payment, &charge) {
            (Some(payment), _) => [
                ("payment[type]", "payment_intent"),
                ("payment[payment_intent]", payment.as_str()),
            ],
            (None, Some(charge)) => [
                ("payment[type]", "charge"),
                ("payment[charge]", charge.as_str()),
            ],
            (None, None) => return Answer::Done(found),
        };
        self.list(&["invoice_payments"], &by, account)
            .await
            .map(|payments| {
                found.extend(payments);
                found
            })
    }

    /// One page of a list; a payment has one session, and few invoices.
    async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        account: Option<&AccountId>,
    ) -> Answer<Vec<Value>> {
        let query = [&[("limit", PAGE)], query].concat();
        match self.get(path, &query, account).await.done() {
            Ok(page) => page["data"]
                .as_array()
                .cloned()
                .map_or_else(no_list, Answer::Done),
            Err(other) => other,
        }
    }
}

pub(super) fn no_list<T>() -> Answer<T> {
    let why = "the answer is no list: is `api_base` Stripe's API?".to_owned();
    Answer::Again {
        after: None,
        limited: false,
        why,
    }
}

//! Which questions to Stripe answer what: the lines of a session, a customer, and what links a payment to its purchase.

use serde_json::{Value, json};

use super::{Account, Answer};
use crate::domain::action::Question;
use crate::domain::fact::{Fact, Name};
use crate::domain::id::AccountId;

/// Rows of one page.
const PAGE: &str = "100";
/// Pages of line items read: Checkout takes at most 100 lines, so a second page is rare.
const PAGES_MAX: usize = 5;

impl Account {
    /// Asks one question. The answer has the form of an object at Stripe.
    pub(in crate::effects) async fn ask(&self, question: &Question, account: Option<&AccountId>) -> Answer<Value> {
        match question {
            Question::LineItems(session) => self.line_items(session.as_str(), account).await,
            Question::Customer(customer) => self.get(&["customers", customer.as_str()], &[], account).await,
        }
    }

    async fn line_items(&self, session: &str, account: Option<&AccountId>) -> Answer<Value> {
        let mut rows: Vec<Value> = Vec::new();
        for _ in 0..PAGES_MAX {
            let last = rows.last().and_then(|r| r["id"].as_str()).map(str::to_owned);
            let mut query = vec![("limit", PAGE)];
            query.extend(last.as_deref().map(|id| ("starting_after", id)));
            let page = self.get(&["checkout", "sessions", session, "line_items"], &query, account).await;
            let page = match page.done() {
                Ok(page) => page,
                Err(other) => return other,
            };
            let Some(data) = page["data"].as_array() else { return no_list() };
            rows.extend(data.iter().cloned());
            if data.is_empty() || page["has_more"] != true {
                break;
            }
        }
        Answer::Done(json!({ "object": "checkout.session.line_items", "session": session, "data": rows }))
    }

    /// Asks for what could link a parked fact to its purchase: the charge's payment, the payment's session, else its
    /// invoice. No object at all is an answer too.
    pub(in crate::effects) async fn links(&self, fact: &Fact, account: Option<&AccountId>) -> Answer<Vec<Value>> {
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
                    payment = named.as_str().or_else(|| named["id"].as_str()).map(str::to_owned);
                    found.push(object);
                }
                Err(other) => return other,
            }
        }
        let by_session = match &payment {
            Some(payment) => self.list(&["checkout", "sessions"], &[("payment_intent", payment)], account).await,
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
            (Some(payment), _) => [("payment[type]", "payment_intent"), ("payment[payment_intent]", payment.as_str())],
            (None, Some(charge)) => [("payment[type]", "charge"), ("payment[charge]", charge.as_str())],
            (None, None) => return Answer::Done(found),
        };
        self.list(&["invoice_payments"], &by, account).await.map(|payments| {
            found.extend(payments);
            found
        })
    }

    /// One page of a list; a payment has one session, and few invoices.
    async fn list(&self, path: &[&str], query: &[(&str, &str)], account: Option<&AccountId>) -> Answer<Vec<Value>> {
        let query = [&[("limit", PAGE)], query].concat();
        match self.get(path, &query, account).await.done() {
            Ok(page) => page["data"].as_array().cloned().map_or_else(no_list, Answer::Done),
            Err(other) => other,
        }
    }
}

fn no_list<T>() -> Answer<T> {
    let why = "the answer is no list: is `api_base` Stripe's API?".to_owned();
    Answer::Again { after: None, limited: false, why }
}

//! What Stripe answered when it was asked: objects as its API returns them, to what they say. A live query and a line of
//! a replay are read by this same function, so that what was asked once can be replayed for ever.

use bumpalo::Bump;

use super::envelope::Envelope;
use super::event::EventContent;
use super::json::Json;
use super::shape::{customer, invoice, money, session, subscription};
use crate::domain::fact::{
    Fact, FactBody, InvoiceEvent, LineItems, Payment, SessionEvent, SubscriptionItems,
};
use crate::domain::id::{EventId, Scope, SessionId};
use crate::domain::time::Timestamp;
use crate::engine::input::{self, Delivery};

/// What a line of a history, or an answer, may hold.
const READ: &str = "a customer, checkout.session.line_items, checkout.session, invoice, invoice_payment, charge or a list of \
                    subscription items";

/// Reads one answer, received at an instant, as an input of the engine. `raw` is kept with it.
///
/// # Errors
/// Why it says nothing that Keyward could use.
pub fn delivery(
    text: &[u8],
    scope: &Scope,
    received: Timestamp,
    raw: Vec<u8>,
) -> Result<Delivery, String> {
    let arena = Bump::new();
    let utf8 = std::str::from_utf8(text).map_err(|e| format!("a look-up: {e}"))?;
    let json = Json::read(utf8, &arena).map_err(|e| format!("a look-up: {e}"))?;
    let id = EventId::new(format!(
        "lookup_{}_{:08x}",
        received.s(),
        crc32fast::hash(text)
    ));
    let (kind, at, content) = read(&json, &id, received)?;
    let payload = match content {
        EventContent::Fact(fact) => input::EventPayload::Fact(Box::new(Fact { at, ..fact })),
        EventContent::Customer(customer) => input::EventPayload::Customer(customer),
        EventContent::Ignored(reason) => return Err(format!("a look-up: {reason}")),
    };
    Ok(Delivery {
        source: scope.source().clone(),
        id,
        kind: kind.to_owned(),
        created: received,
        livemode: json.get("livemode").bool(),
        account: scope.account().cloned(),
        payload,
        raw,
        received,
    })
}

/// What an answer comes to: its kind, when it was so, and what it says.
type QueryResult = Result<(&'static str, Timestamp, EventContent), String>;

/// An answer that is being read.
struct QueryAnswer<'a> {
    json: &'a Json<'a>,
    id: &'a EventId,
    received: Timestamp,
}

fn read(json: &Json<'_>, id: &EventId, received: Timestamp) -> QueryResult {
    let answer = QueryAnswer { json, id, received };
    match json.get("object").text() {
        Some("customer") => answer.customer(),
        Some("checkout.session") => answer.session(),
        Some("invoice_payment") => {
            let payment = money::invoice_payment(json).map_err(unusable)?;
            answer.is(
                "lookup.invoice_payment",
                received,
                FactBody::Payment(payment),
            )
        }
        Some("charge") => {
            let payment = link_of(json)?;
            answer.is("lookup.charge", received, FactBody::Payment(payment))
        }
        Some("invoice") => answer.invoice(),
        Some("list") if is_of_items(json) => answer.items(),
        Some("checkout.session.line_items" | "list") | None => {
            let items = line_items(json)?;
            answer.is("lookup.line_items", received, FactBody::LineItems(items))
        }
        Some(other) => Err(format!(
            "a look-up of `{other}` says nothing to Keyward: it reads {READ}"
        )),
    }
}

fn unusable(reason: super::event::Reason) -> String {
    format!("a look-up: {reason}")
}

impl QueryAnswer<'_> {
    fn is(&self, kind: &'static str, at: Timestamp, body: FactBody) -> QueryResult {
        let fact = Fact {
            id: self.id.clone(),
            kind: kind.to_owned(),
            at: self.received,
            received: self.received,
            body,
            chain: None,
        };
        Ok((kind, at, EventContent::Fact(fact)))
    }

    /// As if it were an event of its own.
    fn envelope(&self, kind: &'static str) -> Envelope<'_, '_> {
        Envelope {
            id: self.id.clone(),
            kind,
            created: self.received,
            received: self.received,
            object: self.json,
            previous: &Json::Null,
        }
    }

    fn customer(&self) -> QueryResult {
        let kind = "lookup.customer";
        let customer = customer::read(&self.envelope(kind)).map_err(unusable)?;
        Ok((kind, self.received, EventContent::Customer(customer)))
    }

    fn session(&self) -> QueryResult {
        let session = session::read(self.json, event_of(self.json)?).map_err(unusable)?;
        // When it was paid is not told. It was begun less than a day before, and its own event, should it come, wins.
        let at = self.json.get("created").time().unwrap_or(self.received);
        self.is("lookup.session", at, FactBody::Session(Box::new(session)))
    }

    fn invoice(&self) -> QueryResult {
        let kind = "lookup.invoice";
        let invoice =
            invoice::read(&self.envelope(kind), InvoiceEvent::Queried).map_err(unusable)?;
        if !invoice.lines_whole {
            return Err(
                "a look-up of an invoice must hold all its lines, but their `has_more` is true"
                    .to_owned(),
            );
        }
        // It was as it is shown from its payment on; of an unpaid one only the present is told.
        let at = invoice
            .paid_at
            .or(invoice.created)
            .filter(|_| invoice.paid)
            .unwrap_or(self.received);
        self.is(kind, at, FactBody::Invoice(Box::new(invoice)))
    }

    fn items(&self) -> QueryResult {
        let items = items(self.json)?;
        // They are what the subscription has now; by a clock that is behind Stripe's, what it had when that was asked.
        let at = self
            .json
            .get("shown_at")
            .time()
            .map_or(self.received, |shown| self.received.max(shown));
        self.is(
            "lookup.subscription_items",
            at,
            FactBody::Items(Box::new(items)),
        )
    }
}

/// What happened to a session, as far as the session itself tells.
fn event_of(session: &Json<'_>) -> Result<SessionEvent, String> {
    match session.get("status").text() {
        Some("complete") => Ok(SessionEvent::Completed),
        Some("expired") => Ok(SessionEvent::Expired),
        // Before 2021-11 there was no status.
        None if session.get("payment_status").text() == Some("paid") => Ok(SessionEvent::Completed),
        Some(_) | None => {
            Err("a look-up: the Checkout session is still open, so nothing was sold yet".to_owned())
        }
    }
}

/// A charge as a mere link: what it was refunded its own events tell.
fn link_of(charge: &Json<'_>) -> Result<Payment, String> {
    let id = |key: &str| charge.get(key).id();
    let payment = Payment {
        invoice: id("invoice").map(Into::into),
        payment_intent: id("payment_intent").map(Into::into),
        charge: Some(id("id").ok_or("a looked-up charge needs `id`")?.into()),
        id: None,
    };
    if payment.invoice.is_none() && payment.payment_intent.is_none() {
        return Err("a look-up: the charge names neither a payment nor an invoice".to_owned());
    }
    Ok(payment)
}

/// The session's own `line_items`, as Stripe lists them. Whose they are stands in `session`, or in the list's `url`.
fn line_items(json: &Json<'_>) -> Result<LineItems, String> {
    let of_url = || {
        json.get("url")
            .text()?
            .strip_prefix("/v1/checkout/sessions/")?
            .strip_suffix("/line_items")
    };
    let session = json.get("session").id().or_else(of_url);
    let session = session
        .ok_or_else(|| format!("a look-up of line items needs `session`; else it may be {READ}"))?;
    if json.get("data").is_null() {
        return Err("a look-up of line items needs `data`, the list of them".to_owned());
    }
    if json.get("has_more").bool() == Some(true) {
        return Err(
            "a look-up of line items must hold all of them, but `has_more` is true".to_owned(),
        );
    }
    let data = json.get("data").data();
    Ok(LineItems {
        session: SessionId::from(session),
        lines: data.iter().map(session::bought).collect(),
    })
}

/// Whether a list is Stripe's answer to a question for a subscription's items.
fn is_of_items(json: &Json<'_>) -> bool {
    json.get("url").text() == Some("/v1/subscription_items")
        || json
            .get("data")
            .data()
            .first()
            .is_some_and(|row| row.get("object").text() == Some("subscription_item"))
}

/// All items of a subscription. Whose they are stands in `subscription`, or in each item.
fn items(json: &Json<'_>) -> Result<SubscriptionItems, String> {
    let data = json.get("data").data();
    let of_item = || data.first().and_then(|item| item.get("subscription").id());
    let subscription = json.get("subscription").id().or_else(of_item);
    let subscription =
        subscription.ok_or("a look-up of subscription items needs `subscription`")?;
    if data.is_empty() {
        return Err("a look-up of subscription items holds none".to_owned());
    }
    if json.get("has_more").bool() == Some(true) {
        return Err(
            "a look-up of subscription items must hold all of them, but `has_more` is true"
                .to_owned(),
        );
    }
    let items = data
        .iter()
        .map(|item| subscription::item(item, None, None))
        .collect();
    Ok(SubscriptionItems {
        subscription: subscription.into(),
        items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery_of(text: &str) -> Result<Delivery, String> {
        delivery(
            text.as_bytes(),
            &Scope::of("stripe"),
            Timestamp::from_s(1_000),
            Vec::new(),
        )
    }

    fn names(text: &str) -> Vec<String> {
        match delivery_of(text).unwrap().payload {
            input::EventPayload::Fact(fact) => {
                fact.names().iter().map(|n| n.as_str().to_owned()).collect()
            }
            input::EventPayload::Customer(customer) => vec![customer.id.to_string()],
            payload @ (input::EventPayload::Ignored(_) | input::EventPayload::Unreadable(_)) => {
                panic!("{payload:?}")
            }
        }
    }

    #[test]
    fn each_object_names_what_it_links() {
        for (text, expected) in [
            (
                r#"{"object":"customer","id":"cus_1","email":"a@example.com"}"#,
                vec!["cus_1"],
            ),
            (
                r#"{"object":"customer","id":"cus_1","deleted":true}"#,
                vec!["cus_1"],
            ),
            (
                r#"{"object":"charge","id":"ch_1","payment_intent":"pi_1","invoice":null}"#,
                vec!["pi_1", "ch_1"],
            ),
            (
                r#"{"object":"charge","id":"ch_1","payment_intent":{"id":"pi_1"},"invoice":"in_1"}"#,
                vec!["in_1", "pi_1", "ch_1"],
            ),
            (
                r#"{"object":"invoice_payment","id":"inpay_1","invoice":"in_1","payment":{"type":"payment_intent","payment_intent":"pi_1"}}"#,
                vec!["in_1", "pi_1"],
            ),
            (
                r#"{"object":"checkout.session","id":"cs_1","mode":"payment","status":"complete","payment_status":"paid","payment_intent":"pi_1","created":900}"#,
                vec!["cs_1", "pi_1"],
            ),
            (
                r#"{"object":"list","url":"/v1/subscription_items","subscription":"sub_1","data":[{"id":"si_1"}]}"#,
                vec!["sub_1"],
            ),
            (
                r#"{"object":"list","data":[{"id":"si_1","object":"subscription_item","subscription":"sub_1"}]}"#,
                vec!["sub_1"],
            ),
            (
                r#"{"object":"invoice","id":"in_1","status":"open","lines":{"has_more":false,"data":[]}}"#,
                vec!["in_1"],
            ),
            (
                r#"{"object":"checkout.session.line_items","session":"cs_1","data":[]}"#,
                vec!["cs_1"],
            ),
            (
                r#"{"object":"list","url":"/v1/checkout/sessions/cs_1/line_items","has_more":false,"data":[]}"#,
                vec!["cs_1"],
            ),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn a_session_is_dated_by_itself_and_everything_else_by_the_look() {
        let at = |text: &str| match delivery_of(text).unwrap().payload {
            input::EventPayload::Fact(fact) => fact.at.s(),
            input::EventPayload::Customer(_)
            | input::EventPayload::Ignored(_)
            | input::EventPayload::Unreadable(_) => {
                panic!("no fact: {text}")
            }
        };
        let session = r#"{"object":"checkout.session","id":"cs_1","mode":"payment","status":"complete","payment_status":"paid","created":900}"#;
        assert_eq!(at(session), 900);
        assert_eq!(
            at(r#"{"object":"charge","id":"ch_1","payment_intent":"pi_1"}"#),
            1_000
        );
    }

    #[test]
    fn what_says_nothing_is_refused_with_a_reason() {
        for (text, reason) in [
            ("[", "EOF"),
            (
                r#"{"object":"payment_intent","id":"pi_1"}"#,
                "it reads a customer",
            ),
            (r#"{"object":"customer"}"#, "data.object.id"),
            (
                r#"{"object":"charge","id":"ch_1"}"#,
                "neither a payment nor an invoice",
            ),
            (
                r#"{"object":"charge","payment_intent":"pi_1"}"#,
                "needs `id`",
            ),
            (
                r#"{"object":"invoice_payment","payment":{"payment_intent":"pi_1"}}"#,
                "data.object.invoice",
            ),
            (
                r#"{"object":"checkout.session","id":"cs_1","mode":"payment","status":"open"}"#,
                "still open",
            ),
            (
                r#"{"object":"checkout.session","id":"cs_1","mode":"setup","status":"complete"}"#,
                "setup",
            ),
            (r#"{"object":"list","data":[]}"#, "needs `session`"),
            (r#"{"session":"cs_1"}"#, "needs `data`"),
            (
                r#"{"session":"cs_1","has_more":true,"data":[]}"#,
                "`has_more`",
            ),
        ] {
            let why = delivery_of(text).unwrap_err();
            assert!(why.contains(reason), "{text}: {why}");
        }
    }
}

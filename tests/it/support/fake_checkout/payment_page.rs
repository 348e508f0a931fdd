//! Stripe's own side of a purchase: the page on which a buyer pays, the event that tells of it, and what was on the lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::{Checkout, error, fields};
use crate::support::app::Door;
use crate::support::purchase::next_s;

/// Where events are delivered, each as soon as the test lets one out.
pub(super) struct Webhook {
    door: Door,
    gate: Arc<Semaphore>,
}

impl Checkout {
    /// Starts one whose sessions lead to a page of its own.
    pub(crate) async fn with_pages() -> (Self, String) {
        let stripe = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        stripe.0.lock().unwrap().pages = Some(base.clone());
        let pages = Router::new()
            .route("/c/pay/{id}", get(Self::page).post(Self::pay))
            .route(
                "/v1/checkout/sessions/{id}/line_items",
                get(Self::line_items),
            )
            .with_state(stripe.clone());
        let app = stripe.routes().merge(pages);
        tokio::spawn(async move { axum::serve(listener, app).await });
        (stripe, base)
    }

    /// Delivers what happens from now on, one event for each permit of the gate.
    pub(crate) fn tells(&self, door: &Door) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        let webhook = Webhook {
            door: door.clone(),
            gate: Arc::clone(&gate),
        };
        self.0.lock().unwrap().webhook = Some(webhook);
        gate
    }

    /// The form with which a session was made.
    fn session(&self, id: &str) -> Option<BTreeMap<String, String>> {
        let number: usize = id.strip_prefix("cs_live_")?.parse().ok()?;
        let kept = self.0.lock().unwrap();
        let key = kept.order.get(number.checked_sub(1)?)?;
        kept.sessions.get(key).cloned()
    }

    async fn page(State(stripe): State<Self>, Path(id): Path<String>) -> Response {
        let Some(form) = stripe.session(&id) else {
            return error(404, "resource_missing", "No such session");
        };
        let email = form
            .get("customer_email")
            .map_or("", String::as_str)
            .replace('"', "&quot;");
        Html(format!(
            "<!doctype html><title>Checkout</title><meta name=viewport content=\"width=device-width\">\
             <h1>Pay 49.00</h1><form method=post><input id=email name=email type=email value=\"{email}\">\
             <button>Pay</button></form>"
        ))
        .into_response()
    }

    /// The buyer goes on at once; the event comes when it comes.
    async fn pay(State(stripe): State<Self>, Path(id): Path<String>, body: Bytes) -> Response {
        let Some(form) = stripe.session(&id) else {
            return error(404, "resource_missing", "No such session");
        };
        let email = fields(&body).remove("email").unwrap_or_default();
        let event = paid(&id, &form, &email);
        let to = form["success_url"].replace("{CHECKOUT_SESSION_ID}", &id);
        let webhook = {
            let kept = stripe.0.lock().unwrap();
            let webhook = kept.webhook.as_ref().expect("somebody hears of it");
            (webhook.door.clone(), Arc::clone(&webhook.gate))
        };
        tokio::spawn(async move {
            let (door, gate) = webhook;
            gate.acquire().await.unwrap().forget();
            door.event(&event).await;
        });
        (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
    }

    async fn line_items(State(stripe): State<Self>, Path(id): Path<String>) -> Response {
        let Some(form) = stripe.session(&id) else {
            return error(404, "resource_missing", "No such session");
        };
        let price = stripe.0.lock().unwrap().prices[&form["line_items[0][price]"]].clone();
        let quantity: u32 = form["line_items[0][quantity]"].parse().unwrap();
        let line = json!({ "id": format!("li_{id}"), "object": "item", "price": price, "quantity": quantity });
        Json(json!({ "object": "list", "has_more": false, "data": [line] })).into_response()
    }
}

/// The event of a session that was paid at once. It holds no line: those are asked for.
fn paid(id: &str, form: &BTreeMap<String, String>, email: &str) -> Value {
    let metadata: BTreeMap<&str, &String> = form
        .iter()
        .filter_map(|(key, value)| {
            let key = key.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((key, value))
        })
        .collect();
    let made_s = next_s();
    json!({
        "id": format!("evt_{id}"), "object": "event", "type": "checkout.session.completed",
        "api_version": "2025-03-31.basil", "created": made_s, "livemode": true,
        "data": { "object": {
            "id": id, "object": "checkout.session", "mode": form["mode"], "livemode": true, "created": made_s,
            "status": "complete", "payment_status": "paid", "amount_total": 4900, "currency": "usd",
            "customer": form.get("customer").cloned().unwrap_or_else(|| format!("cus_{id}")),
            "customer_details": { "email": email, "name": "Ada Example" },
            "payment_intent": format!("pi_{id}"), "metadata": metadata, "locale": form.get("locale"),
        }},
    })
}

//! Alerts: by mail and to an address, once for each topic, with its end, and not again after a restart.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use keyward::domain::time::Span;
use keyward::engine::record::server::{self, SeenBy};
use keyward::scheduler::jobs;
use keyward::store::Create;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::mail_sink::MailSink;
use crate::support::purchase::{next_s, one_time, refund};
use crate::support::shop::{NOW, Shop, event};
use crate::support::stripe_events_api::EventsApi;
use crate::support::wait::{PATIENCE, until};

/// Takes what is posted to `/alerts`, and counts who asks for `/alive`.
#[derive(Clone, Default)]
pub(super) struct Receiver(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    posted: Vec<Value>,
    alive: usize,
    /// So many of the next posts are answered 500.
    broken: usize,
}

impl Receiver {
    pub(super) async fn start() -> (Self, String) {
        let receiver = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .fallback(Self::take)
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, base)
    }

    async fn take(State(receiver): State<Self>, uri: Uri, body: Bytes) -> StatusCode {
        let mut received = receiver.0.lock().unwrap();
        if uri.path() == "/alive" {
            received.alive += 1;
            return StatusCode::OK;
        }
        if received.broken > 0 {
            received.broken -= 1;
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        received.posted.push(serde_json::from_slice(&body).unwrap());
        StatusCode::NO_CONTENT
    }

    /// What was posted of a cause, as `state about`.
    pub(super) fn of(&self, cause: &str) -> Vec<String> {
        let received = self.0.lock().unwrap();
        let of_cause = received.posted.iter().filter(|p| p["cause"] == cause);
        of_cause
            .map(|p| {
                let word = |name: &str| p[name].as_str().unwrap().to_owned();
                format!("{} {}", word("state"), word("about"))
            })
            .collect()
    }

    pub(super) async fn until(&self, cause: &str, expected: &[&str]) {
        let what = format!("{cause}: {expected:?}, not {:?}", self.of(cause));
        until(&what, PATIENCE, async || {
            (self.of(cause) == *expected).then_some(())
        })
        .await;
    }
}

fn alerting(fake: &Arc<Fake>, base: &str, mail: &MailSink) -> Setup {
    let mut setup = Setup::with(fake);
    setup.mail = format!(
        "transport = \"smtp\"\nfrom = \"Shop <keys@shop.example>\"\nurl = \"smtp://{}\"\n",
        mail.address
    );
    setup.more = format!(
        "[alert]\nemail = [\"ops@shop.example\"]\nurl = \"{base}/alerts\"\nheartbeat_url = \"{base}/alive\"\n\
         every = \"1s\"\n"
    );
    setup
}

/// A create that is refused: one mail and one message when it begins, none after a restart, one when it is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_work_is_reported_once_with_its_end() {
    let faults = Faults {
        refuse: Some(400),
        ..Faults::default()
    };
    let fake = Arc::new(Fake::start(faults).await);
    let (receiver, base) = Receiver::start().await;
    let mail = MailSink::start().await;
    let mut app = TestApp::start(alerting(&fake, &base, &mail)).await;
    app.door().event(&one_time("Refused", next_s())).await;
    receiver.until("refused_action", &["waits "]).await;
    let begins = until("a mail", PATIENCE, async || mail.taken().first().cloned()).await;
    assert!(begins.contains("To: ops@shop.example"), "{begins}");
    assert!(begins.contains("stripe/cs_live_Refused"), "{begins}");
    let posted = receiver.0.lock().unwrap().posted[0].to_string();
    for secret in ["@customer.example", "whsec_", "Ada"] {
        assert!(!posted.contains(secret), "{posted}");
    }
    let alive = || receiver.0.lock().unwrap().alive;
    until("the heartbeat", PATIENCE, async || {
        (alive() == 1).then_some(())
    })
    .await;
    app.terminate();
    app.ended(PATIENCE).await;
    app.restart().await;
    // By then everything was looked at again.
    until("the heartbeat", PATIENCE, async || {
        (alive() == 2).then_some(())
    })
    .await;
    assert_eq!(
        receiver.of("refused_action"),
        ["waits "],
        "nothing is reported twice"
    );
    assert_eq!(mail.taken().len(), 1);
    fake.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--all"]);
    receiver
        .until("refused_action", &["waits ", "recovered "])
        .await;
    let is_over = |mail: &String| mail.contains("Subject: Keyward: recovered");
    let over = async || mail.taken().iter().any(is_over).then_some(());
    until("its end by mail", PATIENCE, over).await;
}

/// A license service without credits is reported at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_refuses_us_is_reported_with_its_end() {
    let faults = Faults {
        refuse: Some(402),
        ..Faults::default()
    };
    let fake = Arc::new(Fake::start(faults).await);
    let (receiver, base) = Receiver::start().await;
    let mail = MailSink::start().await;
    let app = TestApp::start(alerting(&fake, &base, &mail)).await;
    app.door().event(&one_time("Unpaid", next_s())).await;
    receiver.until("service", &["waits authforge"]).await;
    fake.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--service", "authforge"]);
    let over = ["waits authforge", "recovered authforge"];
    receiver.until("service", &over).await;
}

/// A key that lacks a scope, or an application of another account: whatever was refused, it is reported at once, and not with
/// the next digest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_may_not_do_is_reported_at_once() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (receiver, base) = Receiver::start().await;
    let mut setup = Setup::with(&fake);
    setup.more = format!("[alert]\nurl = \"{base}/alerts\"\nevery = \"1h\"\n");
    let app = TestApp::start(setup).await;
    app.door().event(&one_time("Forbids", next_s())).await;
    until("a license", PATIENCE, async || {
        (fake.licenses().len() == 1).then_some(())
    })
    .await;
    fake.switch(|faults| faults.refuse = Some(403));
    app.door().event(&refund("Forbids", next_s())).await;
    receiver.until("refused_action", &["waits "]).await;
    // One that was bought before looks for its license first, and its key waits for that.
    let before = one_time("Before", next_s() - 7 * 86_400);
    app.door().event(&before).await;
    receiver.until("paid_without_key", &["waits "]).await;
    let waits = app.ask(&["attention"]).to_string();
    assert_eq!(waits.matches("403").count(), 2, "{waits}");
    fake.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--all"]);
    until("both are done", PATIENCE, async || {
        let all = fake.licenses();
        let revoked = all.iter().filter(|l| l.status == "revoked").count();
        ((all.len(), revoked) == (2, 1)).then_some(())
    })
    .await;
}

/// The page says that the seller was notified only where that is so: what the seller himself holds back for all is reported to
/// nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_that_the_seller_knows_only_where_an_alert_went_out() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (receiver, base) = Receiver::start().await;
    let mut setup = Setup::with(&fake);
    setup.more = format!("[alert]\nurl = \"{base}/alerts\"\nevery = \"1s\"\n");
    let app = TestApp::start(setup).await;
    // Each visitor may ask only so often: the page is asked once, when it is known what it says.
    let page = async || {
        let page = app
            .door()
            .get("/success?session_id=cs_live_PausedPurchase01")
            .await;
        page.unwrap().body
    };
    app.ask(&[
        "pause",
        "--service",
        "authforge",
        "--reason",
        "a new price list",
    ]);
    app.door()
        .event(&one_time("PausedPurchase01", next_s()))
        .await;
    let held = async || {
        let purchase = app.ask(&["show", "cs_live_PausedPurchase01"]);
        (purchase["actions"][0]["outcome"] == "held").then_some(())
    };
    until("it is held", PATIENCE, held).await;
    let said = page().await;
    assert!(said.contains("takes longer than usual"), "{said}");
    assert!(!said.contains("notified"), "{said}");
    assert_eq!(receiver.of("paid_without_key"), [""; 0]);
    fake.switch(|faults| faults.refuse = Some(400));
    app.ask(&[
        "resume",
        "--service",
        "authforge",
        "--reason",
        "it is there",
    ]);
    receiver.until("refused_action", &["waits "]).await;
    let said = page().await;
    assert!(said.contains("The seller has been notified"), "{said}");
    let why = app.ask(&["why", "cs_live_PausedPurchase01"])[0]["for_customer"].to_string();
    assert!(why.contains("We have been told"), "{why}");
}

/// An address that fails is tried again; what it did not take is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_not_taken_comes_again_and_a_wrong_signature_is_one() {
    let (receiver, base) = Receiver::start().await;
    let (_, stripe) = EventsApi::start().await;
    let more = format!(
        "[alert]\nurl = \"{base}/alerts\"\nheartbeat_url = \"{base}/alive\"\nevery = \"1s\"\n"
    );
    receiver.0.lock().unwrap().broken = 1;
    let mut shop = Shop::open_beside(stripe, more.leak()).await;
    let refused = shop
        .post_signed("whsec_other", &one_time("Forged", NOW.s()))
        .await;
    assert_eq!(refused.status, 400);
    let look = async || {
        shop.later(Span::from_s(20));
        (receiver.of("signatures") == ["waits stripe"]).then_some(())
    };
    until("the second try", PATIENCE, look).await;
    // A restart is no delivery that fits.
    shop.stop().await;
    shop.start(Create::Never).await;
    // The heartbeat's address is asked after a look: by the second one an end would have been told.
    for _ in 0..2 {
        let alive = || receiver.0.lock().unwrap().alive;
        let before = alive();
        shop.later(Span::from_minutes(1));
        jobs::heartbeat(&shop.running().handle).await.unwrap();
        let look = async || (alive() > before).then_some(());
        until("a look", PATIENCE, look).await;
    }
    assert_eq!(receiver.of("signatures"), ["waits stripe"]);
    shop.post(&one_time("Signed", shop.clock.now().s())).await;
    let look = async || {
        shop.later(Span::from_s(1));
        (receiver.of("signatures") == ["waits stripe", "recovered stripe"]).then_some(())
    };
    until("its end", PATIENCE, look).await;
    shop.stop().await;
}

/// What is paid and has no key for a quarter of an hour, and the page that says so to the customer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_late_is_reported() {
    let (receiver, base) = Receiver::start().await;
    let (_, stripe) = EventsApi::start().await;
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let mut shop = Shop::open_beside(stripe, more.leak()).await;
    shop.fake.switch(|faults| faults.refuse = Some(503));
    shop.post(&one_time("Late", NOW.s())).await;
    let look = async || {
        shop.later(Span::from_minutes(2));
        (receiver.of("paid_without_key") == ["waits "]).then_some(())
    };
    until("the alert", PATIENCE, look).await;
    let new = receiver.0.lock().unwrap().posted.clone();
    let late = new
        .iter()
        .find(|p| p["cause"] == "paid_without_key")
        .unwrap();
    assert_eq!(late["new"], json!(["stripe/cs_live_Late"]), "{late}");
    shop.stop().await;
}

/// A subscription that was paid, until its period ends.
fn paid(n: u32, period: Span) -> Value {
    let line = json!({
        "id": format!("il_{n}"), "object": "line_item", "amount": 900, "quantity": 1,
        "subscription_item": format!("si_{n}"),
        "price": { "id": "price_tool", "product": "prod_1" },
        "period": { "start": NOW.s(), "end": (NOW + period).s() },
    });
    let invoice = json!({
        "id": format!("in_{n}"), "object": "invoice", "subscription": format!("sub_{n}"), "status": "paid", "paid": true,
        "billing_reason": "subscription_create", "customer": "cus_1", "customer_email": "ada@example.com",
        "amount_paid": 900, "total": 900, "currency": "usd", "created": NOW.s(),
        "lines": { "object": "list", "has_more": false, "data": [line] },
    });
    event(&format!("evt_in_{n}"), "invoice.paid", NOW, invoice)
}

/// A server that is restarted every two hours notices silence as one that is not, and reports it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_noticed_however_often_the_server_is_restarted() {
    let (receiver, base) = Receiver::start().await;
    let (_, stripe) = EventsApi::start().await;
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let mut shop = Shop::open_beside(stripe, more.leak()).await;
    let period = Span::from_days(30);
    for n in 1..=3 {
        shop.post(&paid(n, period)).await;
    }
    for span in [period, Span::from_hours(2), Span::from_hours(2)] {
        shop.later(span);
        jobs::heartbeat(&shop.running().handle).await.unwrap();
        assert_eq!(receiver.of("silent"), [""; 0]);
        shop.stop().await;
        shop.later_while_down(Span::from_minutes(1));
        shop.start(Create::Never).await;
    }
    receiver.until("silent", &["waits stripe"]).await;
    shop.stop().await;
    shop.start(Create::Never).await;
    shop.post(&paid(4, period)).await;
    let look = async || {
        shop.later(Span::from_minutes(1));
        (receiver.of("silent") == ["waits stripe", "recovered stripe"]).then_some(())
    };
    until("its end", PATIENCE, look).await;
    shop.stop().await;
}

/// A subscription whose period has ended, and no word from Stripe: not a single request arrives, and there is an alert. So
/// there is where Stripe says that the endpoint is disabled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_says_nothing_is_reported() {
    let (receiver, base) = Receiver::start().await;
    let (stripe_api, stripe) = EventsApi::start().await;
    let url = "https://buy.example.com/webhooks/stripe";
    stripe_api.endpoints(vec![
        json!({ "id": "we_1", "url": url, "status": "enabled" }),
    ]);
    let more = format!("[alert]\nurl = \"{base}/alerts\"\n");
    let mut shop = Shop::open_beside(stripe, more.leak()).await;
    let period = Span::from_days(30);
    shop.post(&paid(1, period)).await;
    shop.later(period);
    let look = async || {
        shop.later(Span::from_hours(1));
        (receiver.of("silent") == ["waits stripe"]).then_some(())
    };
    until("silence", PATIENCE, look).await;
    stripe_api.endpoints(vec![
        json!({ "id": "we_1", "url": url, "status": "disabled" }),
    ]);
    shop.later(Span::from_hours(1));
    receiver.until("endpoint", &["waits stripe"]).await;
    // Enabled again, it delivers: Stripe is asked anew as soon as somebody hears of it, and not at the next look by the clock.
    stripe_api.endpoints(vec![
        json!({ "id": "we_1", "url": url, "status": "enabled" }),
    ]);
    shop.later(Span::from_s(11));
    shop.post(&paid(2, period)).await;
    until("its end", PATIENCE, async || {
        server::troubles(shop.running().handle.reader(), SeenBy::Endpoint)
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
    shop.stop().await;
}

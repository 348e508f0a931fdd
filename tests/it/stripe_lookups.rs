//! Look-ups at Stripe: a whole server over a store on disk, with stand-ins for Stripe's API and the license service.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use keyward::clock::Clock;
use keyward::config::{Config, Env};
use keyward::domain::id::MachineId;
use keyward::domain::machine::Machine;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::view;
use keyward::secret::Secret;
use keyward::server::{self, Broke, Server};
use keyward::sources::stripe::signature::sign;
use keyward::store::Create;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http_support::{Answer, request, send};
use crate::support::fake_licenses::{API_KEY, Fake, Faults};
use crate::support::wait::{PATIENCE, until};

const KEY: &str = "rk_live_hush";
const NOW: Timestamp = Timestamp::from_s(1_767_600_000);

/// What Stripe answers to a path: the next of these, and the last one for ever.
type Script = Vec<(u16, &'static [(&'static str, &'static str)], Value)>;

/// A stand-in for Stripe's API.
#[derive(Clone, Default)]
struct Stripe {
    scripts: Arc<Mutex<BTreeMap<String, Script>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stripe {
    /// Starts one on a free port; returns its address too.
    async fn start() -> (Self, String) {
        let stripe = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(Self::answer).with_state(stripe.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (stripe, base)
    }

    fn says(&self, path: &str, answers: Script) {
        self.scripts.lock().unwrap().insert(path.to_owned(), answers);
    }

    /// How often a path was asked for.
    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| *a == path).count()
    }

    async fn answer(State(stripe): State<Self>, uri: Uri, headers: HeaderMap) -> Response {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        assert_eq!(header("authorization"), format!("Bearer {KEY}"));
        assert!(header("stripe-version") >= "2025-03-31.basil", "{headers:?}");
        let query: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|q| *q != "limit=100").collect();
        let account = header("stripe-account");
        let path = [uri.path(), &query.join("&"), account];
        let path = path.iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(" ");
        stripe.asked.lock().unwrap().push(path.clone());
        let mut scripts = stripe.scripts.lock().unwrap();
        let Some(script) = scripts.get_mut(&path) else {
            let missing = json!({ "error": { "code": "resource_missing", "message": format!("no {path}") } });
            return (StatusCode::NOT_FOUND, Json(missing)).into_response();
        };
        let (status, hints, body) = if script.len() > 1 { script.remove(0) } else { script[0].clone() };
        let mut response = (StatusCode::from_u16(status).unwrap(), Json(body)).into_response();
        for (name, value) in hints {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        response
    }
}

fn good(body: Value) -> (u16, &'static [(&'static str, &'static str)], Value) {
    (200, &[], body)
}

fn list(data: Value) -> Value {
    json!({ "object": "list", "has_more": false, "data": data })
}

fn line(id: &str, price: &str) -> Value {
    json!({ "id": id, "object": "item", "quantity": 1, "price": { "id": price, "product": "prod_1", "lookup_key": null } })
}

/// A server with its stand-ins, on a data directory of its own and a clock that the test moves.
struct Shop {
    dir: tempfile::TempDir,
    fake: Fake,
    stripe: Stripe,
    base: String,
    clock: Clock,
    running: Option<Running>,
}

struct Running {
    address: std::net::SocketAddr,
    handle: keyward::engine::Handle,
    due: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Broke>>,
}

impl Shop {
    async fn open() -> Self {
        let (stripe, base) = Stripe::start().await;
        let fake = Fake::start(Faults::default()).await;
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::virtual_at(NOW);
        let mut shop = Self { dir, fake, stripe, base, clock, running: None };
        shop.start(Create::IfMissing).await;
        shop
    }

    fn config(&self, dir: &Path) -> Config {
        let licenses = self.fake.base().trim_end_matches("/v1/").to_owned();
        let text = format!(
            r#"
            listen = "127.0.0.1:0"
            data_dir = "data"
            public_url = "https://buy.example.com"
            [[source]]
            name = "stripe"
            signing_secrets = ["whsec_test"]
            livemode = "live"
            connect = "accept"
            api_key = "{KEY}"
            api_base = "{}"
            [licenses]
            service = "authforge"
            api_base = "{licenses}"
            api_key = "{API_KEY}"
            app_id = "app_test"
            [mail]
            transport = "folder"
            path = "mail"
            from = "Example <keys@example.com>"
            [[plan]]
            name = "tool"
            prices = ["price_tool"]
            license = {{ devices = 2 }}
            "#,
            self.base
        );
        let file = dir.join("keyward.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file, &Env::new(|_| None)).unwrap_or_else(|e| panic!("{e}")).0
    }

    async fn start(&mut self, create: Create) {
        let config = self.config(self.dir.path());
        let opened = server::open(&config, create, None).unwrap_or_else(|e| panic!("{e}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Server::start(config, opened, listener, self.clock.clone()).await.unwrap_or_else(|e| panic!("{e}"));
        let (address, handle, due, stop) =
            (server.address, server.handle.clone(), Arc::clone(&server.due), server.stopper());
        let task = tokio::spawn(server.run(async {}));
        self.running = Some(Running { address, handle, due, stop, task });
    }

    async fn stop(&mut self) {
        let Running { handle, stop, task, .. } = self.running.take().unwrap();
        drop(handle);
        stop.cancel();
        task.await.unwrap().unwrap_or_else(|e| panic!("{e}"));
    }

    fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    async fn post(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = sign(body.as_bytes(), &Secret::new("whsec_test"), self.clock.now());
        let answer = send(self.running().address, &request("stripe", &body, &[("Stripe-Signature", &signature)])).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }

    /// Moves the clock, and rings as the scheduler would.
    fn later(&self, span: Span) {
        self.clock.advance_to(self.clock.now() + span);
        self.running().due.notify_one();
    }

    fn machine(&self, id: &str) -> Option<Machine> {
        view::machine(self.running().handle.reader(), &MachineId::from(id)).unwrap()
    }

    /// A machine's work in short, without what has nothing to do with it.
    fn work(&self, id: &str) -> String {
        let machine = self.machine(id);
        let word = |a: &keyward::domain::action::Action| format!("{} {}", a.kind.as_str(), a.outcome.as_str());
        machine.iter().flat_map(|m| &m.actions).map(word).collect::<Vec<_>>().join(", ")
    }

    async fn until_work(&self, id: &str, expected: &str) {
        let look = async || {
            self.running().due.notify_one();
            (self.work(id) == expected).then_some(())
        };
        crate::support::wait::within(PATIENCE, look)
            .await
            .unwrap_or_else(|| panic!("{id}: {} instead of {expected}\n{:#?}", self.work(id), self.machine(id)));
    }

    fn mails(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.dir.path().join("mail")).into_iter().flatten();
        folder.map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap()).collect()
    }
}

fn event(id: &str, kind: &str, at: Timestamp, object: Value) -> Value {
    json!({ "id": id, "object": "event", "created": at.s(), "livemode": true, "type": kind, "data": { "object": object } })
}

/// A paid session that names neither an application nor a plan.
fn session(id: &str, email: Option<&str>) -> Value {
    json!({
        "id": id, "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "amount_total": 4900, "currency": "usd", "customer": "cus_1", "customer_details": { "email": email },
        "created": NOW.s(), "livemode": true, "payment_intent": format!("pi_{id}"), "metadata": {},
    })
}

fn bought(id: &str, email: Option<&str>) -> Value {
    event(&format!("evt_{id}"), "checkout.session.completed", NOW, session(id, email))
}

/// A whole refund: as the charge's own event where it names its payment, else as the refund's.
fn refunded(intent: Option<&str>, charge: &str) -> Value {
    if let Some(intent) = intent {
        let charge = json!({
            "id": charge, "object": "charge", "amount": 4900, "amount_refunded": 4900, "refunded": true,
            "payment_intent": intent, "status": "succeeded", "created": NOW.s(),
        });
        return event("evt_refund", "charge.refunded", NOW + Span::from_s(60), charge);
    }
    let refund = json!({
        "id": "re_1", "object": "refund", "amount": 4900, "charge": charge,
        "status": "succeeded", "created": NOW.s() + 60,
    });
    event("evt_refund", "refund.created", NOW + Span::from_s(60), refund)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_by_price_only_is_looked_up_page_by_page_and_handed_out() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    let first = json!({ "object": "list", "has_more": true, "data": [line("li_1", "price_sticker")] });
    shop.stripe.says(lines, vec![good(first)]);
    let second = format!("{lines} starting_after=li_1");
    shop.stripe.says(&second, vec![good(list(json!([line("li_2", "price_tool")])))]);
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.until_work("stripe/cs_1", "look_up done, create_license done").await;
    assert_eq!((shop.stripe.asked(lines), shop.stripe.asked(&second)), (1, 1));
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(machine.grants[0].plan.as_ref().map(ToString::to_string).as_deref(), Some("tool"));
    assert!(machine.told.is_empty(), "{:?}", machine.told);
    assert_eq!(shop.fake.licenses().len(), 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_stripe_is_asked_again_after_the_wait_that_it_named() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    let limited = json!({ "error": { "code": "rate_limit" } });
    let again: Script = vec![
        (429, &[("retry-after", "40")], limited),
        (404, &[("stripe-should-retry", "true")], json!({})),
        (500, &[], json!({})),
        good(list(json!([line("li_1", "price_tool")]))),
    ];
    shop.stripe.says(lines, again);
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    let tried = async |times: u32| {
        until("another try", PATIENCE, async || {
            shop.running().due.notify_one();
            let machine = shop.machine("stripe/cs_1")?;
            (machine.actions[0].attempts == times).then_some(machine.actions[0].due)
        })
        .await
    };
    assert!(tried(1).await >= NOW + Span::from_s(40));
    shop.later(Span::from_s(39));
    shop.later(Span::from_s(2));
    tried(2).await;
    shop.later(Span::from_minutes(5));
    tried(3).await;
    shop.later(Span::from_minutes(5));
    shop.until_work("stripe/cs_1", "look_up done, create_license done").await;
    assert_eq!(shop.stripe.asked(lines), 4);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_refund_finds_its_session_and_gives_nothing_for_money_that_went_back() {
    let mut shop = Shop::open().await;
    // The charge alone is named, so its payment is asked for first.
    let charge = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_cs_1", "livemode": true });
    shop.stripe.says("/v1/charges/ch_1", vec![good(charge)]);
    let sessions = "/v1/checkout/sessions payment_intent=pi_cs_1";
    shop.stripe.says(sessions, vec![good(list(json!([session("cs_1", Some("ada@example.com"))])))]);
    shop.stripe.says("/v1/checkout/sessions/cs_1/line_items", vec![good(list(json!([line("li_1", "price_tool")])))]);
    shop.post(&refunded(None, "ch_1")).await;
    assert!(shop.machine("stripe/cs_1").is_none());
    assert_eq!(shop.stripe.asked("/v1/charges/ch_1"), 0, "most links come by themselves");
    shop.later(Span::from_s(11));
    shop.until_work("stripe/cs_1", "look_up done").await;
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(machine.state().map(|s| s.as_str()), Some("refunded"));
    assert!(shop.fake.licenses().is_empty(), "refunded before it was made");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_refund_of_a_renewal_is_linked_by_its_invoice_and_revokes() {
    let mut shop = Shop::open().await;
    let paid = json!({
        "id": "in_1", "object": "invoice", "status": "paid", "customer": "cus_1", "customer_email": "ada@example.com",
        "billing_reason": "subscription_create", "total": 4900, "amount_due": 4900, "currency": "usd",
        "parent": { "type": "subscription_details", "subscription_details": { "subscription": "sub_1", "metadata": {} } },
        "lines": { "object": "list", "data": [{
            "id": "il_1", "object": "line_item", "amount": 4900, "quantity": 1,
            "period": { "start": NOW.s(), "end": NOW.s() + 2_592_000 },
            "pricing": { "type": "price_details", "price_details": { "price": "price_tool", "product": "prod_1" } },
            "parent": { "type": "subscription_item_details", "subscription_item_details": {
                "subscription": "sub_1", "subscription_item": "si_1", "proration": false } },
        }] },
        "status_transitions": { "paid_at": NOW.s() }, "created": NOW.s(), "livemode": true,
    });
    shop.post(&event("evt_paid", "invoice.paid", NOW, paid)).await;
    shop.until_work("stripe/sub_1", "create_license done").await;
    shop.post(&refunded(Some("pi_1"), "ch_1")).await;
    let by_payment = "/v1/invoice_payments payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1";
    let link = json!({
        "id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid", "livemode": true,
        "payment": { "type": "payment_intent", "payment_intent": "pi_1" },
    });
    shop.stripe.says("/v1/checkout/sessions payment_intent=pi_1", vec![good(list(json!([])))]);
    // Nothing at first: the search goes on, and says how often it looked.
    shop.stripe.says(by_payment, vec![good(list(json!([]))), good(list(json!([link])))]);
    shop.later(Span::from_s(11));
    let search = until("an answer without a link", PATIENCE, async || {
        shop.running().due.notify_one();
        let search = view::search(shop.running().handle.reader(), "stripe", "pi_1").unwrap()?;
        (search.answered == 1).then_some(search)
    })
    .await;
    assert!(search.due.is_some() && search.error.is_none(), "{search:?}");
    shop.later(Span::from_minutes(2));
    shop.until_work("stripe/sub_1", "create_license done, revoke_license done").await;
    assert_eq!(view::search(shop.running().handle.reader(), "stripe", "pi_1").unwrap(), None, "it ended");
    assert_eq!(shop.fake.licenses()[0].status, "revoked");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_stripe_does_not_know_is_given_up_after_five_answers() {
    let mut shop = Shop::open().await;
    let none = || vec![good(list(json!([])))];
    shop.stripe.says("/v1/checkout/sessions payment_intent=pi_1", none());
    shop.stripe.says("/v1/invoice_payments payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1", none());
    shop.post(&refunded(Some("pi_1"), "ch_1")).await;
    for answered in 1..=5 {
        shop.later(Span::from_days(2));
        until("an answer", PATIENCE, async || {
            shop.running().due.notify_one();
            let search = view::search(shop.running().handle.reader(), "stripe", "pi_1").unwrap()?;
            (search.answered == answered).then_some(search)
        })
        .await;
    }
    let search = view::search(shop.running().handle.reader(), "stripe", "pi_1").unwrap().unwrap();
    assert_eq!(search.due, None);
    assert!(view::parked_under(shop.running().handle.reader(), "stripe", "pi_1").unwrap().is_some(), "still parked");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_looked_up_and_the_mail_goes_out_to_it_also_of_a_connected_account() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items acct_1";
    shop.stripe.says(lines, vec![good(list(json!([line("li_1", "price_tool")])))]);
    let customer = json!({ "id": "cus_1", "object": "customer", "email": "ada@example.com", "livemode": true });
    shop.stripe.says("/v1/customers/cus_1 acct_1", vec![good(customer)]);
    let mut event = bought("cs_1", None);
    event["account"] = json!("acct_1");
    shop.post(&event).await;
    shop.until_work("stripe/acct_1/cs_1", "look_up done, create_license done, look_up done").await;
    let mail = until("the mail", PATIENCE, async || shop.mails().pop()).await;
    assert!(mail.contains("ada@example.com"), "{mail}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_customer_stays_without_an_address() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    shop.stripe.says(lines, vec![good(list(json!([line("li_1", "price_tool")])))]);
    let gone = json!({ "id": "cus_1", "object": "customer", "deleted": true });
    shop.stripe.says("/v1/customers/cus_1", vec![good(gone)]);
    shop.post(&bought("cs_1", None)).await;
    shop.until_work("stripe/cs_1", "look_up done, create_license done, look_up done").await;
    let machine = shop.machine("stripe/cs_1").unwrap();
    assert_eq!(machine.notices[0].status.as_str(), "no_address");
    assert!(shop.mails().is_empty());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_without_permission_is_told_of_and_tried_again_slowly() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    let may_not = json!({ "error": { "code": "more_permissions_required",
        "message": format!("The provided key '{KEY}' needs 'rak_checkout_session_read'.") } });
    shop.stripe.says(lines, vec![(403, &[], may_not), good(list(json!([line("li_1", "price_tool")])))]);
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    let action = until("the refusal", PATIENCE, async || {
        let action = shop.machine("stripe/cs_1")?.actions[0].clone();
        action.error.is_some().then_some(action)
    })
    .await;
    let error = action.error.unwrap();
    assert!(error.contains("403") && error.contains("rak_checkout_session_read"), "{error}");
    assert!(!error.contains("hush"), "{error}");
    assert_eq!(action.outcome.as_str(), "pending");
    assert!(action.due >= NOW + Span::from_minutes(2), "{}", action.due);
    shop.later(Span::from_minutes(1));
    assert_eq!(shop.stripe.asked(lines), 1);
    shop.later(Span::from_minutes(4));
    shop.until_work("stripe/cs_1", "look_up done, create_license done").await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_told_and_not_asked_for_again() {
    let mut shop = Shop::open().await;
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.until_work("stripe/cs_1", "look_up refused").await;
    shop.later(Span::from_days(1));
    let told = until("the report", PATIENCE, async || {
        shop.running().due.notify_one();
        shop.machine("stripe/cs_1")?.told.first().cloned()
    })
    .await;
    assert!(told.what.starts_with("paid, but nothing to hand out"), "{told:?}");
    assert_eq!(shop.stripe.asked("/v1/checkout/sessions/cs_1/line_items"), 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_goes_on() {
    let mut shop = Shop::open().await;
    let lines = "/v1/checkout/sessions/cs_1/line_items";
    shop.stripe.says(lines, vec![(503, &[], json!({}))]);
    shop.stripe.says("/v1/checkout/sessions payment_intent=pi_cs_2", vec![(503, &[], json!({}))]);
    shop.post(&bought("cs_1", Some("ada@example.com"))).await;
    shop.post(&refunded(Some("pi_cs_2"), "ch_2")).await;
    shop.later(Span::from_s(11));
    until("a try of each", PATIENCE, async || {
        shop.running().due.notify_one();
        let search = view::search(shop.running().handle.reader(), "stripe", "pi_cs_2").unwrap()?;
        (search.attempts > 0 && shop.machine("stripe/cs_1")?.actions[0].attempts > 0).then_some(())
    })
    .await;
    shop.stop().await;
    shop.stripe.says(lines, vec![good(list(json!([line("li_1", "price_tool")])))]);
    shop.stripe.says("/v1/checkout/sessions/cs_2/line_items", vec![good(list(json!([line("li_1", "price_tool")])))]);
    let found = list(json!([session("cs_2", None)]));
    shop.stripe.says("/v1/checkout/sessions payment_intent=pi_cs_2", vec![good(found)]);
    shop.start(Create::Never).await;
    shop.later(Span::from_minutes(5));
    shop.until_work("stripe/cs_1", "look_up done, create_license done").await;
    shop.until_work("stripe/cs_2", "look_up done").await;
    assert_eq!(shop.machine("stripe/cs_2").unwrap().state().map(|s| s.as_str()), Some("refunded"));
    shop.stop().await;
}

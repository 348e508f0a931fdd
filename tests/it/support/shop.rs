//! A whole server over a store on disk, with stand-ins for Stripe's API and the license service.

use std::path::Path;
use std::sync::Arc;

use keyward::clock::Clock;
use keyward::config::{Config, Env};
use keyward::domain::action::Action;
use keyward::domain::id::{MachineId, Scope};
use keyward::domain::machine::Machine;
use keyward::domain::parked_query::ParkedQuery;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Input;
use keyward::engine::read::view;
use keyward::engine::route::parked_query;
use keyward::secret::Secret;
use keyward::server::{self, RunError, Server};
use keyward::sources::stripe::signature::sign;
use keyward::store::{Batch, Commit as _, Create};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fake_licenses::{API_KEY, Fake, Faults};
use super::fake_stripe::{KEY, Stripe};
use super::wait::{PATIENCE, within};
use crate::http::support::{Answer, request, send};

/// Where the clock stands at first.
pub(crate) const NOW: Timestamp = Timestamp::from_s(1_767_600_000);

/// A server with its stand-ins, on a data directory of its own and a clock that the test moves.
pub(crate) struct Shop {
    dir: tempfile::TempDir,
    pub(crate) fake: Fake,
    pub(crate) stripe: Stripe,
    /// Whether the source has an API key.
    pub(crate) has_key: bool,
    base: String,
    /// Further tables of the config.
    more: &'static str,
    pub(crate) clock: Clock,
    running: Option<Running>,
}

pub(crate) struct Running {
    address: std::net::SocketAddr,
    pub(crate) handle: keyward::engine::Handle,
    pub(crate) due: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_by(Clock::virtual_at(NOW)).await
    }

    /// The same by another clock.
    pub(crate) async fn open_by(clock: Clock) -> Self {
        let (stripe, base) = Stripe::start().await;
        Self::open_at(stripe, base, "", clock).await
    }

    /// The same where another stand-in is Stripe, with further tables.
    pub(crate) async fn open_beside(base: String, more: &'static str) -> Self {
        Self::open_at(Stripe::default(), base, more, Clock::virtual_at(NOW)).await
    }

    /// By another clock, with further tables.
    pub(crate) async fn open_with(clock: Clock, more: &'static str) -> Self {
        let (stripe, base) = Stripe::start().await;
        Self::open_at(stripe, base, more, clock).await
    }

    async fn open_at(stripe: Stripe, base: String, more: &'static str, clock: Clock) -> Self {
        let fake = Fake::start(Faults::default()).await;
        let dir = tempfile::tempdir().unwrap();
        let mut shop = Self {
            dir,
            fake,
            stripe,
            has_key: true,
            base,
            more,
            clock,
            running: None,
        };
        shop.start(Create::IfMissing).await;
        shop
    }

    fn config(&self, dir: &Path) -> Config {
        let licenses = self.fake.base().trim_end_matches("/v1/").to_owned();
        let key = if self.has_key {
            format!("api_key = \"{KEY}\"")
        } else {
            String::new()
        };
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
            {key}
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
            products = ["prod_many"]
            license = {{ devices = 2 }}
            {}
            "#,
            self.base, self.more
        );
        let file = dir.join("keyward.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file, &Env::new(|_| None))
            .unwrap_or_else(|e| panic!("{e}"))
            .0
    }

    pub(crate) async fn start(&mut self, create: Create) {
        let config = self.config(self.dir.path());
        let opened = server::open(&config, create, None).unwrap_or_else(|e| panic!("{e}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::start(config, opened, listener, self.clock.clone())
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        let (address, handle, due, stop) = (
            server.address,
            server.handle.clone(),
            Arc::clone(&server.due),
            server.stopper(),
        );
        let task = tokio::spawn(server.run(async {}));
        self.running = Some(Running {
            address,
            handle,
            due,
            stop,
            task,
        });
    }

    pub(crate) async fn stop(&mut self) {
        let Running {
            handle, stop, task, ..
        } = self.running.take().unwrap();
        drop(handle);
        stop.cancel();
        task.await.unwrap().unwrap_or_else(|e| panic!("{e}"));
    }

    /// Stops after a heartbeat: the next start knows until when this one lived.
    pub(crate) async fn stop_after_heartbeat(&mut self) {
        let handle = &self.running().handle;
        handle.submit(Input::Heartbeat).await.unwrap();
        self.stop().await;
    }

    /// Is down for so long, and starts again.
    pub(crate) async fn restart_after(&mut self, span: Span) {
        self.stop_after_heartbeat().await;
        self.later_while_down(span);
        self.start(Create::Never).await;
    }

    /// Writes into the store while nothing runs, past the engine.
    pub(crate) fn write(&self, change: impl FnOnce(&mut Batch)) {
        let opened = server::open(&self.config(self.dir.path()), Create::Never, None).unwrap();
        let (mut writer, reader) = opened.store;
        let mut batch = Batch::new();
        change(&mut batch);
        writer.commit(&batch).unwrap();
        drop(reader);
        writer.close().unwrap();
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Posts an event that is signed with a secret.
    pub(crate) async fn post_signed(&self, secret: &str, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = sign(body.as_bytes(), &Secret::new(secret), self.clock.now());
        send(
            self.running().address,
            &request("stripe", &body, &[("Stripe-Signature", &signature)]),
        )
        .await
    }

    pub(crate) async fn post(&self, event: &Value) -> Answer {
        let answer = self.post_signed("whsec_test", event).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        send(self.running().address, request.as_bytes()).await
    }

    /// Moves the clock, and rings as the scheduler would.
    pub(crate) fn later(&self, span: Span) {
        self.clock.advance_to(self.clock.now() + span);
        self.running().due.notify_one();
    }

    /// Moves the clock while nothing runs.
    pub(crate) fn later_while_down(&self, span: Span) {
        self.clock.advance_to(self.clock.now() + span);
    }

    pub(crate) fn machine(&self, id: &str) -> Option<Machine> {
        view::machine(
            self.running().handle.reader(),
            &id.parse::<MachineId>().unwrap(),
        )
        .unwrap()
    }

    /// The create of a one-time purchase.
    pub(crate) fn create(&self, id: &str) -> Option<Action> {
        let machine = self.machine(&format!("stripe/{id}"))?;
        machine.actions.into_iter().find(|a| a.act.creates())
    }

    /// How the search for a parked name stands.
    pub(crate) fn search(&self, name: &str) -> Option<ParkedQuery> {
        parked_query::of(self.running().handle.reader(), &Scope::of("stripe"), name).unwrap()
    }

    /// A machine's work in short, without what has nothing to do with it.
    pub(crate) fn work(&self, id: &str) -> String {
        let machine = self.machine(id);
        let word = |a: &keyward::domain::action::Action| {
            format!("{} {}", a.act.as_str(), a.outcome.as_str())
        };
        machine
            .iter()
            .flat_map(|m| &m.actions)
            .map(word)
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(crate) async fn until_work(&self, id: &str, expected: &str) {
        let look = async || {
            self.running().due.notify_one();
            (self.work(id) == expected).then_some(())
        };
        within(PATIENCE, look).await.unwrap_or_else(|| {
            panic!(
                "{id}: {} instead of {expected}\n{:#?}",
                self.work(id),
                self.machine(id)
            )
        });
    }

    pub(crate) fn mails(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.dir.path().join("mail"))
            .into_iter()
            .flatten();
        // A mail that is being written has another name.
        let mails = folder
            .map(|f| f.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "eml"));
        mails
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }
}

/// An event.
pub(crate) fn event(id: &str, kind: &str, at: Timestamp, object: Value) -> Value {
    json!({ "id": id, "object": "event", "created": at.s(), "livemode": true, "type": kind, "data": { "object": object } })
}

/// A paid session that names neither an application nor a plan.
pub(crate) fn session(id: &str, email: Option<&str>) -> Value {
    json!({
        "id": id, "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
        "amount_total": 4900, "currency": "usd", "customer": "cus_1", "customer_details": { "email": email },
        "created": NOW.s(), "livemode": true, "payment_intent": format!("pi_{id}"), "metadata": {},
    })
}

/// The event of it.
pub(crate) fn bought(id: &str, email: Option<&str>) -> Value {
    event(
        &format!("evt_{id}"),
        "checkout.session.completed",
        NOW,
        session(id, email),
    )
}

/// The event of one that names its application, so that a license is made at once.
pub(crate) fn sold(id: &str) -> Value {
    let mut sold = bought(id, Some("ada@example.com"));
    sold["data"]["object"]["metadata"] = json!({ "authforge_app_id": "app_test" });
    sold
}

/// A whole refund: as the charge's own event where it names its payment, else as the refund's.
pub(crate) fn refunded(intent: Option<&str>, charge: &str) -> Value {
    if let Some(intent) = intent {
        let charge = json!({
            "id": charge, "object": "charge", "amount": 4900, "amount_refunded": 4900, "refunded": true,
            "payment_intent": intent, "status": "succeeded", "created": NOW.s(),
        });
        return event(
            "evt_refund",
            "charge.refunded",
            NOW + Span::from_s(60),
            charge,
        );
    }
    let refund = json!({
        "id": "re_1", "object": "refund", "amount": 4900, "charge": charge,
        "status": "succeeded", "created": NOW.s() + 60,
    });
    event(
        "evt_refund",
        "refund.created",
        NOW + Span::from_s(60),
        refund,
    )
}

/// A line item of a price.
pub(crate) fn line(id: &str, price: &str) -> Value {
    json!({ "id": id, "object": "item", "quantity": 1, "price": { "id": price, "product": "prod_1", "lookup_key": null } })
}

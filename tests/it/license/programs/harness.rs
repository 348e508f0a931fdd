//! The public listener over an embedded service in memory, with a clock that the test moves, and questions to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use keyward::clock::{Clock, SteadyClock};
use keyward::config::{Config, Network};
use keyward::domain::id::{AppId, LicenseKey};
use keyward::domain::plan::Devices;
use keyward::domain::time::{Span, Timestamp};
use keyward::effects::license::{Client, ClientConfig, NewLicense};
use keyward::embedded::{Embedded, Ledger, Settings, new_token};
use keyward::engine::write::committer::{Committer, start};
use keyward::http::{self, App};
use keyward::store::memory::Memory;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::support::{Answer, config, rules, send};

pub(super) const APP: &str = "app_demo";
/// A nonce of the right form, for questions whose answers are not verified.
pub(crate) const NONCE: &str = "nonce-0123456789";

/// A running service.
pub(super) struct Service {
    pub(super) address: SocketAddr,
    pub(super) clock: Clock,
    /// The same routes, asked without a connection. What is counted for the limits is counted by itself.
    pub(super) router: Router,
    /// Keyward's own client of it.
    pub(super) licenses: Client,
    stop: CancellationToken,
    /// The engine runs as long as it is held.
    _committer: Committer,
}

impl Service {
    /// Starts one; a test's address may say of itself whose visitor it is.
    pub(super) async fn start(ledger: impl Ledger) -> Self {
        let mut config = config();
        config.http.trusted_proxies = vec![Network::parse("127.0.0.1").unwrap()];
        let clock = Clock::virtual_at(Timestamp::from_s(1_767_600_000));
        Self::with(ledger, config, clock).await
    }

    /// The same by another clock.
    pub(super) async fn start_by(ledger: impl Ledger, clock: Clock) -> Self {
        Self::with(ledger, config(), clock).await
    }

    async fn with(ledger: impl Ledger, config: Config, clock: Clock) -> Self {
        let stop = CancellationToken::new();
        let embedded =
            Embedded::start(ledger, SteadyClock::new(clock.clone()), Settings::default())
                .await
                .unwrap();
        let programs = embedded.programs();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1/", listener.local_addr().unwrap());
        let token = new_token();
        let licenses = Client::new(ClientConfig::embedded(&base, token.clone())).unwrap();
        tokio::spawn(embedded.serve(listener, token, stop.clone()));

        let memory = Memory::new();
        let (handle, committer) = start(
            Box::new(memory.clone()),
            Arc::new(memory),
            rules(&config),
            clock.clone(),
            100,
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(config);
        let router = App::new(handle.clone(), Arc::clone(&config)).with_programs(programs.clone());
        let app = App::new(handle, config).with_programs(programs);
        tokio::spawn(http::serve(listener, app, stop.clone()));
        Self {
            address,
            clock,
            router: http::router(router),
            licenses,
            stop,
            _committer: committer,
        }
    }

    /// A license of the application for thirty days.
    pub(super) async fn license(&self, devices: Devices) -> LicenseKey {
        self.license_of(APP, devices).await
    }

    pub(super) async fn license_of(&self, app: &str, devices: Devices) -> LicenseKey {
        let new = NewLicense {
            app_id: AppId::new(app),
            label: "by hand".into(),
            expires_at: Some(self.clock.now() + Span::from_days(30)),
            devices,
        };
        self.licenses.create(&new).await.done().unwrap().key
    }

    /// Asks, as a visitor of one's own.
    pub(super) async fn ask(&self, call: &str, key: &str, device: &str) -> Answer {
        let question = json!({ "key": key, "app": APP, "device": device, "nonce": NONCE });
        self.ask_as("192.0.2.1", call, &question.to_string()).await
    }

    pub(super) async fn ask_as(&self, visitor: &str, call: &str, body: &str) -> Answer {
        send(self.address, request(visitor, call, body).as_bytes()).await
    }

    /// What a license is on a device: `live`, or the reason why not, or the problem's code.
    pub(super) async fn word(&self, call: &str, key: &LicenseKey, device: &str) -> String {
        word(&self.ask(call, key.reveal(), device).await)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A question as it goes over the wire.
pub(super) fn request(visitor: &str, call: &str, body: &str) -> String {
    format!(
        "POST /licenses/v1/{call} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: {visitor}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What an answer comes to, in a word.
pub(super) fn word(answer: &Answer) -> String {
    let json = answer.json();
    let said = if answer.status == 200 {
        let payload = payload(&json);
        if payload["live"] == true {
            return "live".to_owned();
        }
        payload["reason"].clone()
    } else {
        json["error"].clone()
    };
    said.as_str()
        .unwrap_or_else(|| panic!("{}", answer.text))
        .to_owned()
}

/// The payload of a signed answer, not verified.
pub(crate) fn payload(signed: &Value) -> Value {
    serde_json::from_str(signed["payload"].as_str().unwrap()).unwrap()
}

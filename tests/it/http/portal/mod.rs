//! The customer portal at a running server: its story from end to end, and whoever tries to get at what is another's.

mod attacks;
mod billing;
mod cookie;
mod erased;
mod story;
pub(crate) mod visitor;

use std::process::Command;

use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::mail_sink::MailSink;
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// One device a key, so that a second one has to wait until the first is forgotten; and visitors from everywhere.
const MORE: &str = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n\n[portal]\nenabled = true\n\n[[plan]]\nname = \"pro\"\nprices = [\"price_pro\"]\n\
    license = { devices = 1, app_id = \"app_test\" }\n\
    self_service = { reset_devices = \"1/30d\", rekey = \"1/90d\" }\n";

/// A shop whose license service is the embedded one, and whose mails are read.
pub(crate) struct Shop {
    pub(crate) app: TestApp,
    mails: MailSink,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with("livemode = \"live\"\n").await
    }

    async fn with(source: &'static str) -> Self {
        Self::at("", source).await
    }

    /// One that customers reach at an address of its own, behind a proxy.
    async fn at(public_url: &'static str, source: &'static str) -> Self {
        let mails = MailSink::start().await;
        let mail = format!(
            "transport = \"smtp\"\nurl = \"smtp://{}\"\nfrom = \"Shop <keys@shop.example>\"\n",
            mails.address
        );
        let setup = Setup {
            public_url,
            mail,
            source,
            more: MORE.to_owned(),
            ..Setup::embedded()
        };
        let app = TestApp::start(setup).await;
        Self { app, mails }
    }

    /// Sells the plan; the key, once it is mailed.
    pub(crate) async fn sell(&self, name: &str) -> String {
        let mut event = one_time(name, next_s());
        event["data"]["object"]["metadata"] = json!({ "plan": "pro" });
        self.app.door().event(&event).await;
        self.key(name).await
    }

    /// The key of a purchase, once its mail is out.
    async fn key(&self, name: &str) -> String {
        let show = async || {
            let page = self.app.ask(&["show", &machine(name)]);
            let mailed = page["notices"][0]["status"] == "sent";
            let key = page["licenses"][0]["key"].as_str().map(str::to_owned);
            key.filter(|_| mailed)
        };
        until("a key that is mailed", PATIENCE, show).await
    }

    /// What customers decided about a purchase.
    pub(crate) fn decisions(&self, name: &str) -> Vec<String> {
        let file = self.app.dir().join("history.jsonl");
        let _ = std::fs::remove_file(&file);
        let mut export = Command::new(env!("CARGO_BIN_EXE_keyward"));
        export.arg("export").arg(&file).arg("--config");
        let exported = export.arg(self.app.config()).output().unwrap();
        assert!(exported.status.success(), "{exported:?}");
        let lines = std::fs::read_to_string(&file).unwrap();
        let lines = lines
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        let own = lines.filter_map(|line| {
            let decision = &line["decision"];
            let own =
                decision["machine"] == machine(name).as_str() && decision["author"] == "customer";
            decision["kind"].as_str().filter(|_| own).map(str::to_owned)
        });
        own.collect()
    }

    /// The mails to an address that sign it in, the newest last.
    fn sign_in_mails(&self, address: &str) -> Vec<String> {
        let of_address = |mail: &String| {
            mail.contains(&format!("To: {}", address.to_lowercase()))
                && mail.contains("/portal/link/")
        };
        self.mails.taken().into_iter().filter(of_address).collect()
    }

    /// What a program on a device hears of a key.
    pub(crate) async fn activate(&self, key: &str, device: &str) -> String {
        let question = json!({
            "key": key, "app": "app_test", "device": device, "nonce": "nonce-0123456789",
        });
        let url = format!("{}/licenses/v1/activate", self.app.base());
        let request = reqwest::Client::new().post(url).json(&question);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let payload: Value = serde_json::from_str(answer["payload"].as_str().unwrap()).unwrap();
        match payload["reason"].as_str() {
            Some(reason) => reason.to_owned(),
            None => "live".to_owned(),
        }
    }
}

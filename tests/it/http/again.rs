//! The same key again, named by the key itself: the whole way over HTTP, at the real server (rule 55).

use keyward::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::app::{Setup, TestApp};
use crate::support::mail_sink::MailSink;
use crate::support::purchase::{machine, next_s, one_time, refund, session_id};
use crate::support::wait::{PATIENCE, until};

const YEAR_S: i64 = 365 * 86_400;

struct Shop {
    app: TestApp,
    mails: MailSink,
}

impl Shop {
    async fn open() -> Self {
        let mails = MailSink::start().await;
        let mail = format!(
            "transport = \"smtp\"\nurl = \"smtp://{}\"\nfrom = \"Shop <keys@shop.example>\"\n",
            mails.address
        );
        let app = TestApp::start(Setup {
            mail,
            more: "[[plan]]\nname = \"yearly\"\nprices = [\"price_yearly\"]\nlicense = { duration = \"365d\" }\n"
                .to_owned(),
            ..Setup::embedded()
        })
        .await;
        Self { app, mails }
    }

    /// Buys a year; `named`: what it is to extend.
    async fn year(&self, name: &str, at_s: i64, named: Option<&str>) {
        let mut event = one_time(name, at_s);
        let metadata = &mut event["data"]["object"]["metadata"];
        metadata["license_duration"] = json!("365");
        if let Some(named) = named {
            metadata["keyward_license"] = json!(named);
        }
        self.app.door().event(&event).await;
    }

    fn show(&self, name: &str) -> Value {
        self.app.ask(&["show", &machine(name)])
    }

    /// Waits until a license ends then; its key.
    async fn ends(&self, name: &str, at_s: i64) -> String {
        let ends = async || {
            let license = self.show(name)["licenses"][0].clone();
            let ends = Timestamp::parse(license["expires_at"].as_str()?).unwrap();
            (ends.s() == at_s).then(|| license["key"].as_str().unwrap().to_owned())
        };
        until(&format!("an end at {at_s}"), PATIENCE, ends).await
    }

    /// Waits for a mail to an address with these words; how many there are.
    async fn mailed(&self, to: &str, words: &str) -> usize {
        let found = async || {
            let mails = self.mails.taken();
            let count = mails
                .iter()
                .filter(|m| m.contains(&format!("To: {to}")) && m.contains(words))
                .count();
            (count > 0).then_some(count)
        };
        until(words, PATIENCE, found).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_key_extends_it_and_a_refund_takes_that_time_back() {
    let shop = Shop::open().await;
    let bought_s = next_s();
    shop.year("Owner1", bought_s, None).await;
    let key = shop.ends("Owner1", bought_s + YEAR_S).await;
    assert_eq!(shop.mailed("owner1@customer.example", &key).await, 1);

    // Somebody else pays, with the key between blanks, as people paste it.
    let named = format!("  {key} ");
    shop.year("PayerWithTheKey1", bought_s + 1, Some(&named))
        .await;
    assert_eq!(shop.ends("Owner1", bought_s + 2 * YEAR_S).await, key);
    let owner = "owner1@customer.example";
    assert_eq!(shop.mailed(owner, "was extended").await, 1);
    assert_eq!(shop.show("PayerWithTheKey1")["licenses"], json!([]));
    // Whoever named the key sees it on the page of the purchase.
    let session = session_id("PayerWithTheKey1");
    let page = format!("/success?session_id={session}");
    let page = shop.app.door().get(&page).await.unwrap();
    assert!(page.body.contains(&key), "{}", page.body);

    // The money goes back: just that time goes, the license works on, and its owner hears of it, once.
    shop.app
        .door()
        .event(&refund("PayerWithTheKey1", bought_s + 2))
        .await;
    assert_eq!(shop.ends("Owner1", bought_s + YEAR_S).await, key);
    assert_eq!(shop.mailed(owner, "ends earlier").await, 1);
    let page = shop.show("Owner1");
    assert_eq!(page["licenses"][0]["status"], "live", "{page:#}");
    // The page of the payment that went back speaks of that time, not of a license that stopped.
    let back = format!("/success.json?session_id={session}");
    let back: Value =
        serde_json::from_str(&shop.app.door().get(&back).await.unwrap().body).unwrap();
    assert_eq!(back["status"], "refunded", "{back:#}");
    let said = back["text"].as_array().unwrap();
    assert!(
        said.iter()
            .any(|t| t.as_str().unwrap().contains("added no longer counts")),
        "{back:#}"
    );
    let kinds: Vec<&str> = page["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["license_issued", "extended", "shortened"]);
}

/// A purchase that names the very application that a plan leaves to the config is for the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_of_the_config_is_the_same_whether_it_is_named_or_not() {
    let shop = Shop::open().await;
    let bought_s = next_s();
    let mut by_plan = one_time("ByPlan1", bought_s);
    by_plan["data"]["object"]["metadata"] = json!({ "plan": "yearly" });
    shop.app.door().event(&by_plan).await;
    let key = shop.ends("ByPlan1", bought_s + YEAR_S).await;
    let mut by_metadata = one_time("ByMetadata1", bought_s + 1);
    by_metadata["data"]["object"]["metadata"] = json!({
        "authforge_app_id": "keyward", "license_duration": "365", "keyward_license": key,
    });
    shop.app.door().event(&by_metadata).await;
    assert_eq!(shop.ends("ByPlan1", bought_s + 2 * YEAR_S).await, key);
    assert_eq!(shop.show("ByMetadata1")["licenses"], json!([]));
}

//! One walk from the vendor's page to a program that runs, and on to the portal: the real binary with its own license
//! service, a real browser, a real mail server, the small client of docs/licensing.md, and a stand-in for Stripe that
//! refuses what Stripe refuses.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

use crate::http::portal::visitor::secrets;
use crate::license::programs::client::Vendor;
use crate::mail::smtp;
use crate::support::app::{Setup, TestApp, binary};
use crate::support::browser::{Browser, Tab, Visitor, axe};
use crate::support::fake_checkout::Checkout;
use crate::support::fake_stripe::KEY;
use crate::support::wait::{PATIENCE, until};

const APP: &str = "app_forge";
const MORE: &str = "[vendor]\nname = \"Pixel Forge\"\ncolor = \"#8a2be2\"\nsupport_url = \"https://shop.example/help\"\n\n\
    [portal]\nenabled = true\n\n\
    [[plan]]\nname = \"pro\"\ntitle = \"Pixel Forge Pro\"\nprices = [\"price_pro\"]\n\
    license = { devices = 1, app_id = \"app_forge\", duration = \"365d\" }\n\
    self_service = { reset_devices = \"1/30d\" }\n";

/// What a page says, in one language.
struct Words {
    /// What the buyer's address ends with, before the `@`.
    buyer: &'static str,
    on_its_way: &'static str,
    thanks: &'static str,
    subject: &'static str,
    look_into_mail: &'static str,
    licenses: &'static str,
    works: &'static str,
    forgotten: &'static str,
    signed_out: &'static str,
}

const ENGLISH: Words = Words {
    buyer: "ada",
    on_its_way: "Your payment is on its way",
    thanks: "Thank you! Here is your license",
    subject: "Your Pixel Forge Pro license key",
    look_into_mail: "Check your mail",
    licenses: "Your licenses",
    works: "Your license works.",
    forgotten: "The device is being forgotten",
    signed_out: "You are signed out",
};

const GERMAN: Words = Words {
    buyer: "grete",
    on_its_way: "Ihre Zahlung ist unterwegs",
    thanks: "Vielen Dank! Hier ist Ihre Lizenz",
    subject: "Ihr Lizenzschlüssel für Pixel Forge Pro",
    look_into_mail: "Sehen Sie in Ihr Postfach",
    licenses: "Ihre Lizenzen",
    works: "Ihre Lizenz funktioniert.",
    forgotten: "Das Gerät wird vergessen.",
    signed_out: "Sie sind abgemeldet.",
};

/// The shop of a vendor who has nothing but a page with a button on it.
struct Shop {
    app: TestApp,
    mails: smtp::Server,
    /// Lets out what Stripe tells, one event a permit.
    stripe_tells: Arc<Semaphore>,
    vendors_page: String,
    vendor: Vendor,
}

impl Shop {
    async fn open() -> Self {
        let (stripe, base) = Checkout::with_pages().await;
        stripe.sells("price_pro", "usd", "");
        let source = format!("livemode = \"live\"\napi_key = \"{KEY}\"\napi_base = \"{base}\"\n");
        let mails = smtp::Server::start(&serde_json::json!({ "tls": "none" }));
        let mail = format!(
            "transport = \"smtp\"\nurl = \"smtp://localhost:{}\"\nfrom = \"Pixel Forge <keys@shop.example>\"\n",
            mails.port
        );
        let setup = Setup {
            source: source.leak(),
            mail,
            more: MORE.to_owned(),
            ..Setup::embedded()
        };
        let app = TestApp::start(setup).await;
        let public = app.door().get("/licenses/v1/public-key").await.unwrap();
        let public: Value = serde_json::from_str(&public.body).unwrap();
        let vendor = Vendor {
            server: app.base().to_owned(),
            app: APP.to_owned(),
            public_keys: vec![public["public_key"].as_str().unwrap().to_owned()],
        };
        Self {
            stripe_tells: stripe.tells(app.door()),
            vendors_page: page_with(button(&app)).await,
            app,
            mails,
            vendor,
        }
    }

    /// The next mail, to this address.
    fn mail(&self, to: &str) -> Value {
        let mail = block_in_place(|| self.mails.mail());
        assert_eq!(mail["recipients"], serde_json::json!([to]), "{mail}");
        mail
    }

    /// What the program on a device hears.
    async fn program(&self, call: &str, key: &str, device: &str) -> String {
        let (_, said) = self.vendor.ask(call, key, device).await.unwrap();
        said["reason"].as_str().unwrap_or("live").to_owned()
    }
}

/// What `keyward buy-link` gives a vendor to put on a page.
fn button(app: &TestApp) -> String {
    let mut command = Command::new(binary());
    command.args(["buy-link", "pro", "--config"]);
    let printed = command.arg(app.config()).output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let printed = String::from_utf8(printed.stdout).unwrap();
    printed.lines().nth(1).unwrap().to_owned()
}

/// The vendor's own page, elsewhere.
async fn page_with(button: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let page = format!(
        "<!doctype html><meta name=viewport content=\"width=device-width\"><h1>Pixel Forge</h1>{button}"
    );
    let router = Router::new().route("/", get(async || Html(page)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A page that fits its window, and in which nobody is stopped, once it has all its looks.
async fn judged(tab: &Tab<'_>, axe: Option<&str>, name: &str) {
    tab.until("the page is whole", "document.readyState === 'complete'")
        .await;
    if let Some(folder) = std::env::var_os("KEYWARD_PICTURES") {
        let file = Path::new(&folder).join(format!("walk-{name}.png"));
        tab.picture(&file).await;
    }
    assert!(!tab.scrolls_sideways().await, "{name} is too wide");
    if let Some(axe) = axe {
        assert_eq!(tab.barriers(axe).await, Vec::<String>::new(), "{name}");
    }
}

/// From the vendor's button to the key, on the page and in the mail.
async fn buys(shop: &Shop, tab: &Tab<'_>, words: &Words, axe: Option<&str>, name: &str) -> String {
    let address = format!("{}@customer.example", words.buyer);
    tab.go(&shop.vendors_page).await;
    tab.click("a").await;
    tab.shows("Pay 49.00").await;
    tab.type_into("#email", &address).await;
    tab.click("button").await;
    tab.shows(words.on_its_way).await;
    judged(tab, axe, &format!("{name}-1-pending")).await;
    // Stripe tells of it only now; nobody touches the page.
    shop.stripe_tells.add_permits(1);
    tab.shows(words.thanks).await;
    tab.until(
        "the key is there",
        "document.querySelector('code.key') !== null",
    )
    .await;
    judged(tab, axe, &format!("{name}-2-key")).await;
    let key = tab
        .value("document.querySelector('code.key').innerText")
        .await;
    let key = key.as_str().unwrap().to_owned();
    let mail = shop.mail(&address);
    assert_eq!(mail["subject"], words.subject, "{mail}");
    for part in ["text", "html"] {
        assert!(mail[part].as_str().unwrap().contains(&key), "{mail}");
    }
    let portal = format!("{}/portal", shop.app.base());
    assert!(mail["text"].as_str().unwrap().contains(&portal), "{mail}");
    key
}

/// The program, then the portal by the code of a mail, and another device in place of the first.
async fn looks_after_it(
    shop: &Shop,
    tab: &Tab<'_>,
    words: &Words,
    axe: Option<&str>,
    (name, key): (&str, &str),
) {
    let address = format!("{}@customer.example", words.buyer);
    assert_eq!(
        shop.program("validate", key, "laptop").await,
        "not_activated"
    );
    assert_eq!(shop.program("activate", key, "laptop").await, "live");
    assert_eq!(shop.program("validate", key, "laptop").await, "live");
    assert_eq!(
        shop.program("activate", key, "desktop").await,
        "too_many_devices"
    );
    tab.go(&format!("{}/portal", shop.app.base())).await;
    tab.type_into("#address", &address).await;
    tab.click("main form button").await;
    tab.shows(words.look_into_mail).await;
    judged(tab, axe, &format!("{name}-3-code")).await;
    let (code, _) = secrets(shop.mail(&address)["text"].as_str().unwrap());
    tab.type_into("#code", &code).await;
    tab.click("main form button").await;
    tab.shows(words.licenses).await;
    tab.shows(words.works).await;
    let page = tab.text().await;
    assert!(
        !page.contains(key),
        "it is masked until it is asked for: {page}"
    );
    assert!(
        page.contains("Pixel Forge Pro") && page.contains("laptop"),
        "{page}"
    );
    judged(tab, axe, &format!("{name}-4-licenses")).await;
    tab.click("form[action$='/portal/key'] button").await;
    tab.shows(key).await;
    judged(tab, axe, &format!("{name}-5-key")).await;
    tab.click(".devices form[action$='/portal/forget'] button")
        .await;
    tab.shows(words.forgotten).await;
    judged(tab, axe, &format!("{name}-6-forgotten")).await;
    let forgotten = async || {
        let heard = shop.program("validate", key, "laptop").await;
        (heard == "not_activated").then_some(())
    };
    until(
        "the program on the forgotten device is refused",
        PATIENCE,
        forgotten,
    )
    .await;
    assert_eq!(shop.program("activate", key, "desktop").await, "live");
    assert_eq!(
        shop.program("activate", key, "laptop").await,
        "too_many_devices"
    );
    tab.click("form[action$='/portal/sign-out'] button").await;
    tab.shows(words.signed_out).await;
    assert!(
        shop.mails.took_nothing(),
        "one mail with the key, one with the code"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_vendors_button_to_another_device() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let shop = Shop::open().await;
    let axe = axe();
    let phone = Visitor::with_a_phone();
    let in_the_dark_without_scripts = Visitor {
        dark: true,
        script: false,
        ..phone
    };
    let slow_and_german = Visitor {
        slow: true,
        dark: true,
        language: "de-DE,de;q=0.9",
        ..phone
    };
    let without_scripts = Words {
        buyer: "zoe",
        ..ENGLISH
    };
    for (name, visitor, words) in [
        ("phone", phone, ENGLISH),
        ("plain", in_the_dark_without_scripts, without_scripts),
        ("slow", slow_and_german, GERMAN),
    ] {
        let axe = axe.as_deref().filter(|_| visitor.script);
        let tab = browser.visit(visitor).await;
        let key = buys(&shop, &tab, &words, axe, name).await;
        looks_after_it(&shop, &tab, &words, axe, (name, &key)).await;
    }
}

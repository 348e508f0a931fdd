//! Invoices, card and cancelling: the way to Stripe's own pages.

use serde_json::json;

use super::Shop;
use super::visitor::Visitor;
use crate::support::fake_checkout::Checkout;
use crate::support::purchase::{next_s, one_time};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pays_gets_to_stripe_and_who_only_holds_the_key_does_not() {
    let (stripe, base) = Checkout::start().await;
    let source =
        format!("livemode = \"live\"\napi_key = \"rk_live_hush\"\napi_base = \"{base}\"\n");
    let shop = Shop::with(source.leak()).await;
    let mut event = one_time("Gift", next_s());
    event["data"]["object"]["customer"] = json!("cus_1");
    event["data"]["object"]["metadata"] =
        json!({ "plan": "pro", "keyward_deliver_to": "friend@customer.example" });
    shop.app.door().event(&event).await;
    let key = shop.key("Gift").await;

    let mut payer = Visitor::of(&shop);
    payer.sign_in(&shop, "gift@customer.example").await;
    let page = payer.get("/portal").await;
    assert!(
        page.body.contains("was mailed to another address"),
        "{}",
        page.body
    );
    let actions: Vec<String> = page.forms().into_iter().map(|f| f.action).collect();
    assert!(!actions.contains(&"/portal/key".to_owned()), "{actions:?}");
    let to = payer.send(&page.form("/portal/billing")).await;
    assert_eq!(to.status, 303, "{}", to.body);
    assert!(
        to.to
            .unwrap()
            .starts_with("https://billing.stripe.com/p/session/")
    );
    let visit = stripe.billing_visits().pop().unwrap();
    assert_eq!(visit["customer"], "cus_1");
    assert_eq!(visit["return_url"], format!("{}/portal", shop.app.base()));

    let mut friend = Visitor::of(&shop);
    friend.sign_in(&shop, "friend@customer.example").await;
    let page = friend.get("/portal").await;
    let shown = friend.send(&page.form("/portal/key")).await;
    assert!(shown.body.contains(&key));
    let forms = page.forms();
    assert!(forms.iter().all(|f| f.action != "/portal/billing"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_stripe_cannot_be_asked_it_is_said() {
    let shop = Shop::open().await;
    shop.sell("Noel").await;
    let mut noel = Visitor::of(&shop);
    noel.sign_in(&shop, "noel@customer.example").await;
    let page = noel.get("/portal").await;
    assert!(page.body.contains("opened here"), "{}", page.body);
}

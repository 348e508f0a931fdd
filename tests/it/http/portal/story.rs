//! Buy, sign in by a code from the mail, see the key, forget a device, go on with another: at the real server.

use serde_json::json;

use super::Shop;
use super::visitor::{Visitor, mail, secrets};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_looks_after_a_license() {
    let shop = Shop::open().await;
    let key = shop.sell("Ada1").await;
    assert_eq!(shop.activate(&key, "laptop").await, "live");
    assert_eq!(shop.activate(&key, "desktop").await, "too_many_devices");

    let mut ada = Visitor::of(&shop);
    ada.sign_in(&shop, "Ada1@Customer.example").await;
    let page = ada.get("/portal").await;
    assert!(page.body.contains("Your license works."), "{}", page.body);
    assert!(page.body.contains("1 of 1 in use") && page.body.contains("Device laptop"));
    assert!(!page.body.contains(&key), "it is masked");
    assert!(page.body.contains(&key[key.len() - 4..]));

    let shown = ada.send(&page.form("/portal/key")).await;
    assert!(
        shown.status == 200 && shown.body.contains(&key),
        "{}",
        shown.body
    );

    let mut forms = page.forms().into_iter();
    let this = forms.find(|f| f.fields.contains_key("device")).unwrap();
    let done = ada.send(&this).await;
    assert_eq!(done.to.as_deref(), Some("/portal?done=forget_one"));
    // At once: also while the service has not heard of it yet.
    let page = ada.get("/portal?done=forget_one").await.body;
    assert!(page.contains("The device is being forgotten."), "{page}");
    assert!(!page.contains("Device laptop"), "{page}");
    let again = async || (shop.activate(&key, "desktop").await == "live").then_some(());
    until("room for another device", PATIENCE, again).await;
    assert_eq!(shop.decisions("Ada1"), ["reset_devices"]);

    // The plan allows it once in thirty days, and a restart forgets nothing.
    let page = ada.get("/portal").await;
    assert!(
        page.body.contains("You can do this again from"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("/portal/forget\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_outlives_a_restart_and_a_session_does_not() {
    let mut shop = Shop::open().await;
    shop.sell("Eva1").await;
    let mut eva = Visitor::of(&shop);
    eva.sign_in(&shop, "eva1@customer.example").await;
    let page = eva.get("/portal").await;
    let forget = page.form("/portal/forget");
    assert_eq!(
        eva.send(&forget).await.to.as_deref(),
        Some("/portal?done=forget")
    );
    let refused = eva.send(&forget).await;
    assert_eq!(refused.to.as_deref(), Some("/portal?done=not_now"));

    shop.app.kill9();
    shop.app.restart().await;
    let page = eva.get("/portal").await;
    assert!(
        page.body.contains("Enter the e-mail address"),
        "{}",
        page.body
    );
    eva.sign_in(&shop, "eva1@customer.example").await;
    let page = eva.get("/portal").await;
    assert!(
        page.body.contains("You can do this again from"),
        "{}",
        page.body
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_and_another_mail_come_when_they_are_asked_for() {
    let shop = Shop::open().await;
    let old = shop.sell("Ann1").await;
    let mut ann = Visitor::of(&shop);
    ann.sign_in(&shop, "ann1@customer.example").await;
    let page = ann.get("/portal").await;
    let with_key = |key: &str| {
        let mails = shop.mails.taken();
        mails.iter().filter(|mail| mail.contains(key)).count()
    };
    let before = with_key(&old);
    ann.send(&page.form("/portal/resend")).await;
    let mailed = async || (with_key(&old) > before).then_some(());
    until("the key once more", PATIENCE, mailed).await;

    let done = ann.send(&page.form("/portal/rekey")).await;
    assert_eq!(done.to.as_deref(), Some("/portal?done=rekey"));
    let new = async || {
        let page = ann.get("/portal").await;
        let forms = page.forms();
        let show = forms.into_iter().find(|f| f.action == "/portal/key")?;
        let shown = ann.send(&show).await;
        let key = shown.body.split("<code class=\"key\"").nth(1)?;
        let key = key.split(['>', '<']).nth(1)?.to_owned();
        (key != old && !key.contains('•')).then_some(key)
    };
    let new = until("a new key", PATIENCE, new).await;
    let over = async || (shop.activate(&old, "laptop").await == "revoked").then_some(());
    until("the old key's end", PATIENCE, over).await;
    assert_eq!(shop.activate(&new, "laptop").await, "live");
    assert_eq!(shop.decisions("Ann1"), ["resend", "rekey"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_looked_at_by_anybody_and_pressed_once() {
    let shop = Shop::open().await;
    shop.sell("Lin1").await;
    let mut lin = Visitor::of(&shop);
    lin.ask("lin1@customer.example").await;
    let mail = mail(&shop, "lin1@customer.example", 0).await;
    let (_, link) = secrets(&mail);
    let path = format!("/portal/link/{link}");
    for _ in 0..3 {
        // A scanner of the mail server's.
        let seen = Visitor::of(&shop).get(&path).await;
        assert_eq!((seen.status, seen.forms().len()), (200, 1));
    }
    for odd in ["%ff%fe", "%3Cscript%3E", "%00"] {
        let seen = Visitor::of(&shop).get(&format!("/portal/link/{odd}")).await;
        assert_eq!((seen.status, seen.forms().len()), (200, 1), "{odd}");
        assert!(!seen.body.contains("<script>"), "{}", seen.body);
    }
    let page = lin.get(&path).await;
    let pressed = lin.send(&page.form("/portal/link")).await;
    assert_eq!(pressed.to.as_deref(), Some("/portal"));
    assert!(
        lin.get("/portal")
            .await
            .body
            .contains("lin1@customer.example")
    );
    let again = Visitor::of(&shop).send(&page.form("/portal/link")).await;
    assert_eq!(again.status, 403);

    // Signed out here, then everywhere.
    let mut other = Visitor::of(&shop);
    other.sign_in(&shop, "lin1@customer.example").await;
    let out = lin.get("/portal").await.form("/portal/sign-out-everywhere");
    assert_eq!(lin.send(&out).await.to.as_deref(), Some("/portal?done=out"));
    for visitor in [&mut lin, &mut other] {
        let page = visitor.get("/portal").await;
        assert!(page.body.contains("Enter the e-mail address"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_name_the_portal_and_speak_the_visitors_language() {
    let shop = Shop::open().await;
    shop.sell("Mia1").await;
    let portal = format!("{}/portal", shop.app.base());
    assert!(
        shop.mails.taken()[0].contains(&portal),
        "in the mail with the key"
    );
    let mut mia = Visitor::of(&shop);
    mia.lang = "de-DE,de;q=0.9";
    let page = mia.get("/portal").await;
    assert!(page.body.contains("<html lang=\"de\">") && page.body.contains("Anmelden"));
}

/// A purchase that adds to the key of another has a card of its own, which says what was bought.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_extended_a_key_is_called_by_what_was_bought() {
    let shop = Shop::open().await;
    let key = shop.sell("Nora").await;
    let mut event = one_time("NoraAgain", next_s());
    event["data"]["object"]["customer_details"]["email"] = json!("nora@customer.example");
    event["data"]["object"]["metadata"] = json!({ "plan": "pro", "keyward_license": key });
    shop.app.door().event(&event).await;
    let added = async || {
        let page = shop.app.ask(&["show", &machine("NoraAgain")]);
        (page["status"] == "live").then_some(page)
    };
    until("a purchase that extends", PATIENCE, added).await;
    let mut nora = Visitor::of(&shop);
    nora.sign_in(&shop, "nora@customer.example").await;
    let page = nora.get("/portal").await;
    assert_eq!(page.body.matches(">pro</h2>").count(), 2, "{}", page.body);
}

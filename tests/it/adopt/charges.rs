//! Charges lead to their purchases: by their id, for money that goes back and names nothing else, and for nothing more.

use keyward::adopt::{List, ReadPart};
use keyward::clock::Clock;
use keyward::engine::record::body_codec;
use serde_json::{Value, json};

use super::apply::{command, nothing_else, renewal, report, run};
use super::shop::{Customer, Labelled, Life, Shop};
use super::year::events::Told;
use crate::support::app::TestApp;
use crate::support::stripe_lists::Faults;
use crate::support::wait::{PATIENCE, until};

/// Customers whose subscription runs, with a key that carries its name.
fn running(shop: &Shop) -> impl Iterator<Item = &Customer> {
    let runs = |c: &&Customer| c.life == Life::Runs && matches!(c.labelled, Labelled::ById(_));
    shop.customers.iter().filter(runs)
}

/// A charge's id, so many periods back.
fn charge_id(customer: &Customer, back: i64) -> String {
    format!("ch_{}_{back}", customer.n)
}

/// Changes what Stripe lists of the last charge of a customer.
fn rewrite(shop: &Shop, customer: &Customer, change: impl FnOnce(&mut Value)) {
    let mut all = customer.charges(Clock::Wall.now().s());
    let charge = &mut all[0];
    change(charge);
    shop.stripe.replace("/v1/charges", charge.clone());
}

/// The purchases that an id leads to.
fn led_to(app: &TestApp, id: &str) -> Vec<String> {
    let found = app.ask(&["why", id]);
    let rows = found.as_array().unwrap().iter();
    rows.map(|r| r["machine"].as_str().unwrap().to_owned())
        .collect()
}

fn class(report: &Value, customer: &Customer) -> String {
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|r| r["machine"] == customer.machine());
    row.unwrap()["class"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_charge_leads_to_its_purchase_and_so_does_money_that_names_nothing_else() {
    let shop = Shop::of(120).await;
    let some: Vec<&Customer> = running(&shop).take(3).collect();
    let [refunded, disputed, renewed] = some[..] else {
        panic!("too few customers run")
    };
    let now_s = Clock::Wall.now().s();
    let refund = json!({"id": "re_bare", "object": "refund", "amount": 2900, "currency": "usd", "status": "succeeded",
        "charge": charge_id(refunded, 0), "payment_intent": null, "created": now_s - 60});
    shop.stripe.add("/v1/refunds", [refund]);
    rewrite(&shop, refunded, |c| c["amount_refunded"] = json!(2900));
    let licenses = shop.fake.licenses().len();
    let app = shop.server().await;
    let looked = run(&app, &[]);
    let said = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(!said.contains("to no purchase that Stripe lists"), "{said}");
    assert!(!said.contains("lists no such refund"), "{said}");
    let looked = report(&looked);
    assert_eq!(class(&looked, refunded), "alive_after_refund");
    let n = looked["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    nothing_else(&shop, &app, licenses);
    for back in [0, renewed.renewals()] {
        let id = charge_id(renewed, back);
        assert_eq!(led_to(&app, &id), [renewed.machine()], "{id}");
    }
    // Whoever disputes names the charge alone.
    let dispute = json!({"id": "evt_disputed", "object": "event", "type": "charge.dispute.created", "created": now_s,
        "livemode": true, "data": {"object": {"id": "dp_1", "object": "dispute", "charge": charge_id(disputed, 1),
        "payment_intent": null, "status": "needs_response", "amount": 2900, "currency": "usd"}}});
    app.door().event(&dispute).await;
    let taken = until("it is taken in", PATIENCE, async || {
        app.events().remove("evt_disputed")
    })
    .await;
    assert!(taken.to_string().contains(&disputed.machine()), "{taken}");
    let again = report(&run(&app, &[]));
    assert_eq!(again["to_do"], 0, "{again:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_alone_neither_sells_nor_ends_anything_and_is_told_of() {
    let shop = Shop::of(60).await;
    let some: Vec<&Customer> = running(&shop).take(2).collect();
    rewrite(&shop, some[0], |c| c["amount_refunded"] = json!(2900));
    rewrite(&shop, some[1], |c| c["disputed"] = json!(true));
    let mut alone = some[0].charges(Clock::Wall.now().s()).remove(0);
    (alone["id"], alone["payment_intent"]) = (json!("ch_alone"), json!("pi_alone"));
    alone["customer"] = json!("cus_alone");
    shop.stripe.add("/v1/charges", [alone]);
    let app = shop.server().await;
    let looked = run(&app, &[]);
    let said = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(
        said.contains("1 charge belongs to no checkout session"),
        "{said}"
    );
    for customer in &some {
        let id = charge_id(customer, 0);
        assert!(said.contains(&id), "{id}: {said}");
    }
    assert!(said.contains("Stripe lists no such refund"), "{said}");
    let looked = report(&looked);
    for customer in &some {
        assert_eq!(class(&looked, customer), "linked");
    }
    let named = looked.to_string();
    assert!(
        !named.contains("ch_alone") && !named.contains("pi_alone"),
        "{named}"
    );
    let n = looked["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    for customer in &some {
        let page = app.ask(&["show", &customer.machine()]);
        assert_eq!(page["licenses"][0]["status"], "live", "{page:#}");
    }
}

/// A key that may not read charges is told what it lacks, like one that may not read any other list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_not_read_charges_is_told_which_permission_it_lacks() {
    let shop = Shop::of(5).await;
    let app = shop.server().await;
    shop.stripe.faults(Faults {
        forbidden: Some(("/v1/charges", "rak_charge_read")),
        ..Faults::default()
    });
    let refused = run(&app, &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for words in [
        "Stripe refuses to list charges",
        "rak_charge_read",
        "the key must be allowed to read Charges and Refunds",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// What a killed run has kept on disk, unpacked.
fn kept(app: &TestApp) -> Vec<(u8, String)> {
    let mut file = &std::fs::read(app.dir().join("data/adopt.progress")).unwrap()[..];
    let mut pages = Vec::new();
    while file.len() > 8 {
        let len = u32::from_be_bytes(file[..4].try_into().unwrap()) as usize;
        let part: ReadPart = minicbor::decode(&file[8..8 + len]).unwrap();
        if let ReadPart::Page { list, packed, .. } = part {
            let page = body_codec::unpack(&packed).unwrap();
            pages.push((list, String::from_utf8(page).unwrap()));
        }
        file = &file[8 + len..];
    }
    pages
}

/// Who paid and by which card stays at Stripe: not even a run that is killed leaves it on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_who_paid_is_kept_while_charges_are_read() {
    let shop = Shop::of(20).await;
    let app = shop.server().await;
    let faults = |hangs_at| Faults {
        hangs_at,
        ..Faults::default()
    };
    shop.stripe.faults(faults(None));
    let whole = report(&run(&app, &[]));
    let last = shop.stripe.calls() - 1;
    shop.stripe.faults(faults(Some(last)));
    let mut child = command(&app, &[]).spawn().unwrap();
    until("the last list is asked for", PATIENCE, async || {
        (shop.stripe.hanging() > 0).then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    let charges: String = kept(&app)
        .into_iter()
        .filter(|(list, _)| *list == List::Charges.number())
        .map(|(_, page)| page)
        .collect();
    assert!(charges.contains("ch_0_0"), "{charges}");
    // The card's number in quotation marks: an instant may have the same digits.
    for theirs in [
        "@", "\"4242\"", "last4", "Ada", "St James", "receipt", "cus_",
    ] {
        assert!(!charges.contains(theirs), "{theirs}: {charges}");
    }
    // The next run goes on behind them.
    shop.stripe.faults(faults(None));
    assert_eq!(report(&run(&app, &[])), whole);
    assert!(shop.stripe.calls() <= 2, "{}", shop.stripe.calls());
}

/// A renewal that comes while the lists are read, and its refund, of which no webhook tells: the refund names a payment that
/// only another event links to the invoice. Of a purchase that is not taken in nothing begins here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_back_of_a_renewal_meanwhile_is_taken_in_with_it() {
    let shop = Shop::of(60).await;
    let app = shop.server().await;
    let customer = running(&shop).next().unwrap();
    let now_s = Clock::Wall.now().s();
    let paid = renewal(customer, now_s);
    let invoice = paid["data"]["object"]["id"].clone();
    let mut told = Told::default();
    told.refund("pi_next", 2_900, now_s + 2);
    told.refund("pi_of_others", 2_900, now_s + 2);
    let refunds = told.events.into_iter().map(|(_, event)| event);
    let link = json!({"id": "evt_link", "object": "event", "type": "invoice_payment.paid", "created": now_s + 2, "livemode": true,
        "data": {"object": {"id": "inpay_next", "object": "invoice_payment", "status": "paid", "invoice": invoice,
        "payment": {"type": "payment_intent", "payment_intent": "pi_next"}}}});
    shop.stripe
        .add("/v1/events", refunds.chain([link, paid.clone()]));
    let n = report(&run(&app, &[]))["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    let events = app.events();
    let own = |id: &str| {
        let event = events.values().find(|e| e["event"] == id);
        event.is_some_and(|e| e.to_string().contains(&customer.machine()))
    };
    let of_others = |e: &&Value| e.to_string().contains("of_others");
    assert_eq!(events.values().filter(of_others).count(), 0);
    assert!(own(paid["id"].as_str().unwrap()) && own("evt_link"));
    assert_eq!(led_to(&app, "re_pi_next"), [customer.machine()]);
}

/// An invoice that was paid in many parts shows the first of them only; the last one's money goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_an_invoice_that_its_list_does_not_show_leads_to_the_purchase() {
    let shop = Shop::of(60).await;
    let customer = running(&shop).next().unwrap();
    let now_s = Clock::Wall.now().s();
    let mut invoice = customer.invoice(now_s, 0);
    let part = |n: i64| {
        json!({"id": format!("inpay_part_{n}"), "object": "invoice_payment", "status": "paid", "invoice": invoice["id"],
            "created": now_s - 600, "amount_paid": 100,
            "payment": {"type": "payment_intent", "payment_intent": format!("pi_part_{n}")}})
    };
    let parts: Vec<Value> = (0..29).map(part).collect();
    invoice["payments"]["data"] = json!(parts);
    shop.stripe.replace("/v1/invoices", invoice);
    let refund = json!({"id": "re_part", "object": "refund", "amount": 100, "currency": "usd", "status": "succeeded",
        "payment_intent": "pi_part_28", "charge": "ch_part_28", "created": now_s - 60});
    shop.stripe.add("/v1/refunds", [refund]);
    let app = shop.server().await;
    let looked = run(&app, &[]);
    let said = String::from_utf8_lossy(&looked.stderr).into_owned();
    assert!(!said.contains("to no purchase that Stripe lists"), "{said}");
    let n = report(&looked)["to_do"].to_string();
    report(&run(&app, &["--apply", "--expect", &n]));
    assert_eq!(led_to(&app, "re_part"), [customer.machine()]);
}

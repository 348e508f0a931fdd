//! A customer is erased while signed in: nothing is open to them any more, and everything to others.

use super::Shop;
use super::visitor::{Visitor, mail, secrets};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_erased_is_signed_out_everywhere() {
    let shop = Shop::open().await;
    for name in ["Gone1", "Stays1"] {
        shop.sell(name).await;
    }
    let address = "gone1@customer.example";
    let mut phone = Visitor::of(&shop);
    phone.sign_in(&shop, address).await;
    let (mut laptop, mut other) = (Visitor::of(&shop), Visitor::of(&shop));
    laptop.sign_in(&shop, address).await;
    other.sign_in(&shop, "stays1@customer.example").await;
    // And a mail that was not used yet.
    let mut late = Visitor::of(&shop);
    let mails = shop.sign_in_mails(address).len();
    let page = late.ask(address).await;
    let form = page.forms()[0].fields["form"].clone();
    let (code, link) = secrets(&mail(&shop, address, mails).await);

    let erase = ["erase", "Gone1@Customer.example", "--apply"];
    let order = [&erase[..], &["--expect", "1", "--reason", "a request"]].concat();
    assert_eq!(shop.app.ask(&order)["applied"], true);
    for visitor in [&mut phone, &mut laptop] {
        let page = visitor.get("/portal").await;
        assert!(
            page.body.contains("Enter the e-mail address"),
            "{}",
            page.body
        );
    }
    let fields = [("form", form.as_str()), ("code", code.as_str())];
    assert_eq!(late.post("/portal/code", &fields).await.status, 403);
    let pressed = late.post("/portal/link", &[("link", &link)]).await;
    assert_eq!(pressed.status, 403);
    let page = other.get("/portal").await;
    assert!(page.body.contains("Your license works."), "{}", page.body);
}

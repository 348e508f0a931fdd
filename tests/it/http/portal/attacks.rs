//! Two customers: nothing of the one is seen or changed by the other, whatever is tried.

use std::collections::BTreeSet;

use super::Shop;
use super::visitor::{Page, PageForm, Visitor};
use crate::support::wait::{PATIENCE, until};

const A: &str = "anna@customer.example";
const B: &str = "bert@customer.example";

/// Both have bought and are signed in.
struct Two {
    shop: Shop,
    key: String,
    a: Visitor,
    a_page: Page,
    b: Visitor,
    b_page: Page,
}

impl Two {
    async fn meet() -> Self {
        let shop = Shop::open().await;
        let key = shop.sell("Anna").await;
        shop.sell("Bert").await;
        let (mut a, mut b) = (Visitor::of(&shop), Visitor::of(&shop));
        a.sign_in(&shop, A).await;
        b.sign_in(&shop, B).await;
        let (a_page, b_page) = (a.get("/portal").await, b.get("/portal").await);
        Self {
            shop,
            key,
            a,
            a_page,
            b,
            b_page,
        }
    }

    /// An answer to somebody else shows nothing of A.
    fn shows_nothing(&self, page: &Page) {
        for secret in [self.key.as_str(), &self.key[self.key.len() - 4..], A] {
            assert!(!page.body.contains(secret), "{secret} in {}", page.body);
        }
    }

    /// Nothing of A was changed.
    async fn nothing_changed(&mut self) {
        assert!(self.shop.decisions("Anna").is_empty());
        let page = self.a.get("/portal").await;
        assert!(page.body.contains(A), "A is still signed in");
    }
}

/// The same form with one field otherwise.
fn with(form: &PageForm, field: &str, value: &str) -> PageForm {
    let mut form = form.clone();
    form.fields.insert(field.to_owned(), value.to_owned());
    form
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_link_and_no_form_of_as_leads_b_to_anything() {
    let mut two = Two::meet().await;
    let forms = two.a_page.forms();
    let actions: BTreeSet<&str> = forms.iter().map(|f| f.action.as_str()).collect();
    for act in [
        "key",
        "resend",
        "forget",
        "rekey",
        "sign-out",
        "sign-out-everywhere",
    ] {
        assert!(
            actions.contains(format!("/portal/{act}").as_str()),
            "{actions:?}"
        );
    }
    let own_csrf = two.b_page.form("/portal/sign-out").fields["csrf"].clone();
    for link in two.a_page.links().iter().filter(|l| l.starts_with('/')) {
        let page = two.b.clone().get(link).await;
        two.shows_nothing(&page);
    }
    for form in &forms {
        let mut b = two.b.clone();
        let page = b.send(form).await;
        assert_eq!(page.status, 403, "A's form with B's cookie: {form:?}");
        two.shows_nothing(&page);
        if !form.fields.contains_key("purchase") {
            continue;
        }
        // B's own number of the form, A's number of the purchase.
        let page = b.send(&with(form, "csrf", &own_csrf)).await;
        two.shows_nothing(&page);
        let refused = page.status == 403 || form.action == "/portal/key";
        assert!(refused, "{form:?}: {}", page.status);
    }
    two.nothing_changed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_cookies_and_guessed_numbers_open_nothing() {
    let mut two = Two::meet().await;
    let show = two.b_page.form("/portal/key");
    let name = two.b.cookie.split('=').next().unwrap().to_owned();
    let zeros = "0".repeat(64);
    for forged in ["", "x", zeros.as_str(), "%00", A, "../../etc/passwd"] {
        let mut visitor = Visitor::of(&two.shop);
        visitor.cookie = format!("{name}={forged}");
        let page = visitor.get("/portal").await;
        assert!(page.body.contains("Enter the e-mail address"), "{forged}");
        assert_eq!(
            visitor.send(&two.a_page.form("/portal/key")).await.status,
            403
        );
    }
    for guessed in [
        "",
        "1",
        "stripe/cs_live_Anna",
        "cs_live_Anna",
        "Anna",
        A,
        "*",
        "%",
    ] {
        let page = two.b.clone().send(&with(&show, "purchase", guessed)).await;
        two.shows_nothing(&page);
        for act in ["forget", "rekey", "resend"] {
            let form = two.b_page.form(&format!("/portal/{act}"));
            let page = two.b.clone().send(&with(&form, "purchase", guessed)).await;
            assert_eq!(page.status, 403, "{act} {guessed}");
        }
    }
    two.nothing_changed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_pages_cannot_send_as_forms() {
    let mut two = Two::meet().await;
    let base = two.shop.app.base().to_owned();
    let foreign = [
        None,
        Some("null".to_owned()),
        Some("https://evil.example".to_owned()),
        Some(base.replace("http:", "https:")),
        Some(format!("{base}.evil.example")),
    ];
    for form in two.a_page.forms() {
        for origin in &foreign {
            let mut a = two.a.clone();
            a.origin.clone_from(origin);
            assert_eq!(a.send(&form).await.status, 403, "{origin:?} {form:?}");
        }
        for csrf in ["", "x", &"0".repeat(32)] {
            let page = two.a.clone().send(&with(&form, "csrf", csrf)).await;
            assert_eq!(page.status, 403, "{csrf} {form:?}");
        }
        let mut without = form.clone();
        without.fields.remove("csrf");
        assert_eq!(two.a.clone().send(&without).await.status, 403);
        // A link on another page, or a picture.
        let page = two.a.clone().get(&form.action).await;
        assert_eq!(page.status, 405, "{form:?}");
    }
    two.nothing_changed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_an_address_is_known_is_told_to_nobody() {
    let shop = Shop::open().await;
    shop.sell("Cleo").await;
    let mut visitor = Visitor::of(&shop);
    let plain = |page: &Page, address: &str| {
        let form = page.forms()[0].fields["form"].clone();
        let mut headers = page.headers.clone();
        headers.remove("date");
        let body = page.body.replace(&form, "").replace(address, "");
        (page.status, headers, body)
    };
    let (known, unknown) = ("cleo@customer.example", "nobo@customer.example");
    let one = visitor.ask(known).await;
    let other = visitor.ask(unknown).await;
    assert_eq!(plain(&one, known), plain(&other, unknown));
    // Also a wrong code is the same.
    for page in [&one, &other] {
        let form = page.forms()[0].fields["form"].clone();
        for tries in 1..=6 {
            let fields = [("form", form.as_str()), ("code", "0000-0000")];
            let answer = visitor.post("/portal/code", &fields).await;
            let is_over = answer.body.contains("no longer works");
            assert_eq!((answer.status, is_over), (403, tries >= 5), "{tries}");
        }
    }
    let mailed = async || (shop.sign_in_mails(known).len() == 1).then_some(());
    until("a mail to who is known", PATIENCE, mailed).await;
    assert!(shop.sign_in_mails(unknown).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_is_soon_heard_no_more_and_logs_hold_no_secret() {
    let mut two = Two::meet().await;
    let mut guesser = Visitor::of(&two.shop);
    guesser.from = Some("192.0.2.7");
    let form = guesser.ask(A).await.forms()[0].fields["form"].clone();
    let (mut refused, mut signed_in) = (0, 0);
    for guess in 0..200 {
        let code = format!("{guess:08}");
        let fields = [("form", form.as_str()), ("code", code.as_str())];
        let page = guesser.post("/portal/code", &fields).await;
        refused += u32::from(page.status == 429);
        signed_in += u32::from(page.status == 303);
    }
    assert_eq!(signed_in, 0);
    assert!(refused > 150, "{refused}");
    let shown = two.a.send(&two.a_page.form("/portal/key")).await;
    assert_eq!(shown.status, 200, "others go on");
    let log = two.shop.app.said();
    for secret in [two.key.as_str(), A, B, &two.a.cookie, &form] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    for mail in two.shop.sign_in_mails(A) {
        let (code, link) = super::visitor::secrets(&mail);
        assert!(!log.contains(&code) && !log.contains(&link));
    }
    for page in [&two.a_page, &shown] {
        let headers = &page.headers;
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert!(headers["content-security-policy"].starts_with("default-src 'none'"));
    }
    for link in two.a_page.links() {
        if link.starts_with("mailto:") {
            continue;
        }
        assert!(!link.contains('@') && !link.contains("cs_") && !link.contains(&two.key));
    }
}

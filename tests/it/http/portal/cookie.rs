//! The session's cookie as it goes over the wire, behind a proxy that customers reach over TLS.

use super::Shop;
use super::visitor::{Visitor, mail, secrets};

const PUBLIC: &str = "https://licenses.shop.example";

/// The attributes of a cookie, after its name and value.
fn attributes(header: &str) -> Vec<&str> {
    header.split("; ").skip(1).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_cookie_is_of_this_host_alone() {
    let shop = Shop::at(PUBLIC, "livemode = \"live\"\n").await;
    shop.sell("Tls1").await;
    let address = "tls1@customer.example";
    let mut visitor = Visitor::of(&shop);
    visitor.origin = Some(PUBLIC.to_owned());
    let page = visitor.ask(address).await;
    assert!(
        !page.headers.contains_key("set-cookie"),
        "nobody is signed in"
    );
    let text = mail(&shop, address, 0).await;
    assert!(text.contains(&format!("{PUBLIC}/portal/link/")), "{text}");
    let (_, link) = secrets(&text);
    let pressed = visitor.post("/portal/link", &[("link", &link)]).await;
    let set = pressed.headers["set-cookie"].clone();
    let (name, token) = visitor.cookie.split_once('=').unwrap();
    assert_eq!((name, token.len()), ("__Host-keyward", 64));
    let lasts = [
        "Path=/",
        "HttpOnly",
        "SameSite=Lax",
        "Max-Age=3600",
        "Secure",
    ];
    assert_eq!(attributes(&set), lasts);

    // It opens the portal; under the name that it has without TLS, which any neighbour could set, it opens nothing.
    let token = token.to_owned();
    let page = visitor.get("/portal").await;
    assert!(page.body.contains("Your license works."), "{}", page.body);
    let mut other = visitor.clone();
    for forged in [
        "keyward",
        "__host-keyward",
        "__Secure-keyward",
        "x__Host-keyward",
    ] {
        other.cookie = format!("{forged}={token}");
        let page = other.get("/portal").await;
        assert!(page.body.contains("Enter the e-mail address"), "{forged}");
    }

    // A form that says it comes from the address behind the proxy comes from elsewhere.
    let out = page.form("/portal/sign-out");
    other = visitor.clone();
    other.origin = Some(shop.app.base().to_owned());
    assert_eq!(other.send(&out).await.status, 403);
    let out = visitor.send(&out).await;
    let ends = ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=0", "Secure"];
    assert!(out.headers["set-cookie"].starts_with("__Host-keyward=;"));
    assert_eq!(attributes(&out.headers["set-cookie"]), ends);
    visitor.cookie = format!("__Host-keyward={token}");
    let page = visitor.get("/portal").await;
    assert!(page.body.contains("Enter the e-mail address"), "revoked");
}

//! The portal's pages with made-up data, for `keyward preview` and for the judges of all pages.

use super::On;
use super::own::licenses_page;
use super::sign_in::{TypedBefore, ask_page, code_page, link_page};
use super::view::{BillingView, DeviceView, KeyDisplay, KeyView, PurchaseView, WishView};
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::http::samples::{PageSample, title};
use crate::http::web::{Page, Tone, say};

const ADDRESS: &str = "ada@example.com";
const PAY_URL: &str = "https://invoice.example.com/i/abc";

/// All of them.
pub(in crate::http) fn samples(config: &Config) -> Vec<PageSample> {
    let sent = say("portal.code.sent").with("address", ADDRESS);
    let on = On {
        url: "#",
        label: "portal.back",
    };
    let stale = Page::of("portal_on.html", Tone::Wait, "portal.stale").line("portal.stale.text");
    let pages = [
        ("sign-in", ask_page(Tone::Plain, "portal.sign_in.text")),
        ("over", ask_page(Tone::Wait, "portal.code.over")),
        ("code", code_page("0", TypedBefore::Nothing).says(sent)),
        ("code-wrong", code_page("0", TypedBefore::WrongCode)),
        ("link", link_page("0")),
        ("stale", stale.with("on", on)),
        (
            "licenses",
            own(&[live(config, KeyDisplay::Masked), lapsed(config)], None),
        ),
        (
            "key",
            own(
                &[live(config, KeyDisplay::Full)],
                Some("portal.done.resend"),
            ),
        ),
        ("gift", own(&[gift(config)], None)),
        ("nothing", own(&[], None)),
    ];
    let sample = |(name, page): (&str, Page)| PageSample {
        name: format!("portal-{name}"),
        group: "The customer portal",
        page: page.with("portal", "/portal"),
    };
    pages.into_iter().map(sample).collect()
}

fn own(purchases: &[PurchaseView], note: Option<&str>) -> Page {
    let page = licenses_page("0", ADDRESS, purchases);
    page.with("note", note).with("more", None::<u32>)
}

fn live(config: &Config, keys: KeyDisplay) -> PurchaseView {
    let day = |text: &str| Timestamp::parse(text).unwrap_or(Timestamp::MAX);
    let device = |name: &str| DeviceView {
        name: name.to_owned(),
        number: "0".to_owned(),
    };
    let key = keys.of("KEYW-7Q2M-XD4F-9TRA-5NCE");
    let wish = |hint| {
        Some(WishView {
            open: true,
            hint: say(hint),
        })
    };
    PurchaseView {
        number: "0".to_owned(),
        title: title(config).unwrap_or_default().to_owned(),
        tone: Tone::Good,
        status: say("portal.status.live"),
        licenses: vec![KeyView {
            key,
            valid: say("license.until").on("day", day("2027-03-14T08:00:00Z")),
            devices: say("portal.devices.used").with("used", 2).with("max", 3),
            bound: vec![device("7f3a99c1"), device("02be41d8")],
        }],
        shown: keys == KeyDisplay::Full,
        elsewhere: false,
        forget: wish("portal.forget.hint"),
        rekey: Some(WishView {
            open: false,
            hint: say("portal.wait").on("day", day("2026-12-24T08:00:00Z")),
        }),
        resend: wish("portal.resend.ask"),
        billing: Some(BillingView {
            open: true,
            card: false,
            cancel: true,
            pay_url: None,
        }),
    }
}

fn lapsed(config: &Config) -> PurchaseView {
    let live = live(config, KeyDisplay::Masked);
    PurchaseView {
        tone: Tone::Bad,
        status: say("portal.status.lapsed"),
        licenses: vec![KeyView {
            valid: say("license.paused"),
            devices: say("license.device").count(3),
            bound: Vec::new(),
            ..live.licenses[0].clone()
        }],
        forget: None,
        rekey: None,
        billing: Some(BillingView {
            open: true,
            card: true,
            cancel: true,
            pay_url: Some(PAY_URL.to_owned()),
        }),
        ..live
    }
}

/// As who pays sees it, where the keys went to somebody else and Stripe cannot be asked.
fn gift(config: &Config) -> PurchaseView {
    PurchaseView {
        elsewhere: true,
        forget: None,
        rekey: None,
        resend: None,
        billing: Some(BillingView {
            open: false,
            card: false,
            cancel: false,
            pay_url: None,
        }),
        ..live(config, KeyDisplay::Masked)
    }
}

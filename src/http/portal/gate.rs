//! What every request passes first: whose it is, where it comes from, and what its form holds.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt as _, Limited};

use crate::domain::time::Span;
use crate::secret::Secret;

/// The longest form, in bytes: an address, and a few numbers.
const FORM_LEN_MAX: usize = 4 << 10;
/// Fields of a form that are read.
const FIELDS_MAX: usize = 16;

/// How the session's cookie is written. Browsers take a `__Host-` name only over TLS, and then from this very host alone;
/// without TLS, which is for trying things out on one machine, there is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CookieForm {
    Encrypted,
    Loopback,
}

impl CookieForm {
    /// For a public address.
    pub(super) fn of(public_url: &str) -> Self {
        if public_url.starts_with("https://") {
            Self::Encrypted
        } else {
            Self::Loopback
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "__Host-keyward",
            Self::Loopback => "keyward",
        }
    }

    const fn secure(self) -> &'static str {
        match self {
            Self::Encrypted => "; Secure",
            Self::Loopback => "",
        }
    }

    /// The header that sets it for so long.
    pub(super) fn set(self, token: &Secret, lasts: Span) -> Option<HeaderValue> {
        let (name, secure, max_age) = (self.name(), self.secure(), lasts.ms() / 1000);
        let token = token.reveal();
        let cookie =
            format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
        let mut value = HeaderValue::from_str(&cookie).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The header that takes it away.
    pub(super) fn unset(self) -> Option<HeaderValue> {
        self.set(&Secret::new(""), Span::from_ms(0))
    }

    /// What a request's cookie holds.
    pub(super) fn get(self, headers: &HeaderMap) -> Option<Secret> {
        let lines = headers.get_all(header::COOKIE).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        let mut pairs = texts.flat_map(|line| line.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.name()).then(|| Secret::new(value))
        })
    }
}

/// Whether a form was sent from one of our own pages, as the browser says: other pages cannot make it say so. Where a browser
/// names no origin (a page without referrer makes it `null`), it says in another way whether the page was ours.
pub(super) fn is_from_here(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let is_same_site = text("sec-fetch-site") == Some("same-origin");
    match text("origin") {
        Some("null") | None => is_same_site,
        Some(named) => named == origin && text("sec-fetch-site").is_none_or(|_| is_same_site),
    }
}

/// The origin of a public address, as browsers write it.
pub(super) fn origin(public_url: &str) -> String {
    let url = reqwest::Url::parse(public_url).ok();
    url.map_or_else(String::new, |url| url.origin().ascii_serialization())
}

/// A form's fields.
#[derive(Default)]
pub(super) struct PortalForm(BTreeMap<String, String>);

impl PortalForm {
    /// Reads one within its length and time; `None`: it cannot be read.
    pub(super) async fn read(body: Body, patience: Span) -> Option<Self> {
        let collected = Limited::new(body, FORM_LEN_MAX).collect();
        let body = tokio::time::timeout(patience.to_std(), collected).await;
        let bytes = body.ok()?.ok()?.to_bytes();
        let query = String::from_utf8(bytes.to_vec()).ok()?;
        let mut url = reqwest::Url::parse("form:/").ok()?;
        url.set_query(Some(&query));
        let pairs = url.query_pairs().into_owned().take(FIELDS_MAX);
        Some(Self(pairs.collect()))
    }

    /// A field; empty where it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_our_own_pages_send_forms() {
        let ours = "https://buy.example.com";
        let is = |pairs: &[(&'static str, &str)]| is_from_here(&headers(pairs), ours);
        assert!(is(&[("origin", ours)]));
        assert!(is(&[("origin", ours), ("sec-fetch-site", "same-origin")]));
        assert!(is(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(is(&[("sec-fetch-site", "same-origin")]));
        for foreign in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://buy.example.com")],
            &[("origin", "https://buy.example.com.evil.example")],
            &[("origin", ours), ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
            &[
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "same-origin"),
            ],
        ] {
            assert!(!is(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        assert_eq!(origin("https://b.example/keys"), "https://b.example");
        assert_eq!(origin("https://b.example:443"), "https://b.example");
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }

    #[test]
    fn cookies_are_for_this_host_alone() {
        let form = CookieForm::of("https://b.example");
        let set = form.set(&Secret::new("t"), Span::from_hours(1)).unwrap();
        let wanted = "__Host-keyward=t; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure";
        assert_eq!(set.to_str().unwrap(), wanted);
        let got = form.get(&headers(&[("cookie", "a=b; __Host-keyward=t; c")]));
        assert_eq!(got, Some(Secret::new("t")));
        let other = CookieForm::of("http://127.0.0.1:1");
        assert!(
            other
                .get(&headers(&[("cookie", "__Host-keyward=t")]))
                .is_none()
        );
        let set = other.set(&Secret::new("t"), Span::from_hours(1)).unwrap();
        assert!(!set.to_str().unwrap().contains("Secure"));
    }
}

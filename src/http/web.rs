//! Pages for people: one template and one stylesheet, embedded; no JavaScript.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;

#[derive(rust_embed::RustEmbed)]
#[folder = "src/http/web"]
struct Files;

const TEMPLATE: &str = "page.html";
const STYLE: &str = "style.css";

/// What every page forbids: it holds a key, and the address that leads to it is the secret.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// A page's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Page {
    /// `good`, `wait` or `bad`.
    pub(super) tone: &'static str,
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
    pub(super) licenses: Vec<LicenseCard>,
    pub(super) refresh: Option<Refresh>,
}

/// A license as the customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LicenseCard {
    pub(super) seat: u32,
    pub(super) plan: Option<String>,
    pub(super) key: String,
    pub(super) devices: String,
    pub(super) valid: String,
}

/// When and where the page looks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refresh {
    pub(super) after_s: u32,
    pub(super) url: String,
}

impl Page {
    /// Words without a license.
    pub(super) fn plain(tone: &'static str, title: &'static str, lines: &[&str]) -> Self {
        Self {
            tone,
            title,
            lines: lines.iter().map(|l| (*l).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// The answer with this page.
    pub(super) fn respond(&self, app: &App, status: StatusCode) -> Response {
        #[derive(Serialize)]
        struct Shown<'a> {
            #[serde(flatten)]
            page: &'a Page,
            style: String,
        }
        let style = format!("{}/assets/{}", prefix(&app.config.public_url), style_name());
        let shown = Shown { page: self, style };
        let rendered = ENGINE
            .get_template(TEMPLATE)
            .and_then(|t| t.render(minijinja::value::Serde(shown)));
        let mut response = match rendered {
            Ok(html) => (status, html).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be rendered");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "this page could not be shown",
                )
                    .into_response()
            }
        };
        for (name, value) in HEADERS {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

static ENGINE: LazyLock<minijinja::Environment<'static>> = LazyLock::new(|| {
    let mut engine = minijinja::Environment::new();
    engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    engine.set_loader(|name| Ok(text(name)));
    engine
});

fn text(name: &str) -> Option<String> {
    Files::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned())
}

/// The path of our public address: a proxy may serve us under one.
fn prefix(public_url: &str) -> &str {
    let rest = public_url
        .split_once("://")
        .map_or(public_url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

/// The stylesheet's name, with the hash of what is in it: it may be cached for ever.
fn style_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let hash = Files::get(STYLE)
            .map(|f| hex::encode(&f.metadata.sha256_hash()[..8]))
            .unwrap_or_default();
        format!("style.{hash}.css")
    });
    NAME.as_str()
}

/// `GET /assets/{name}`
pub(super) async fn asset(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    match text(STYLE).filter(|_| name == style_name()) {
        Some(css) => {
            let headers = [
                (header::CONTENT_TYPE, "text/css; charset=utf-8"),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, css).into_response()
        }
        None => not_found(State(app)).await,
    }
}

/// An unknown path.
pub(super) async fn not_found(State(app): State<Arc<App>>) -> Response {
    Page::plain(
        "bad",
        "Page not found",
        &["There is nothing at this address."],
    )
    .respond(&app, StatusCode::NOT_FOUND)
}

/// A known path with another method.
pub(super) async fn wrong_method(State(app): State<Arc<App>>) -> Response {
    let page = Page::plain(
        "bad",
        "Not like this",
        &["This address does not take requests of this kind."],
    );
    page.respond(&app, StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn the_path_of_the_public_address_is_kept() {
        assert_eq!(prefix("https://buy.example.com"), "");
        assert_eq!(prefix("https://example.com/keys"), "/keys");
        assert_eq!(prefix("http://127.0.0.1:8080"), "");
    }
}

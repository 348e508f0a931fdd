//! Pages for people: templates, words and one stylesheet, embedded or the vendor's own. One small script makes them nicer;
//! each page works without it.
//!
//! A handler makes a [`Page`]: which template, what to say, which values. The [`Site`] knows everything else: the languages,
//! the vendor's looks, the files beside the pages.

mod brand;
mod files;
mod language;
mod site;
mod words;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use super::App;
pub use files::PageMistake;
pub(super) use language::{nearest, of_browser};
pub(super) use site::{Site, prefix};
pub(super) use words::{Say, Words, say};

/// What every page forbids: it may hold a key, and the address that leads to it may be the secret.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
/// Nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// A logo that is opened by itself runs nothing.
const ASSET_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What a page's sign and colour say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    /// All is well.
    Good,
    /// Something is still to come, or to be done.
    Wait,
    /// Something is wrong.
    Bad,
    /// No sign.
    Plain,
}

/// A page to be written, in no language yet.
#[derive(Clone, Debug)]
pub(super) struct Page {
    template: &'static str,
    tone: Tone,
    title: Say,
    lines: Vec<Say>,
    refresh: Option<Refresh>,
    values: Map<String, Value>,
    /// Where else a form of it may lead, through a redirect.
    form_target: Option<String>,
}

/// When and where a page looks again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refresh {
    pub(super) after_s: u32,
    pub(super) url: String,
}

impl Page {
    /// A page that says the words `title` and `text` of a group of words, and no more.
    pub(super) fn message(tone: Tone, words: &str) -> Self {
        Self::of("message.html", tone, words).line(format!("{words}.text"))
    }

    /// A page by its template, with the `title` of a group of words.
    pub(super) fn of(template: &'static str, tone: Tone, words: &str) -> Self {
        Self {
            template,
            tone,
            title: say(format!("{words}.title")),
            lines: Vec::new(),
            refresh: None,
            values: Map::new(),
            form_target: None,
        }
    }

    /// With one more thing said, by its key.
    pub(super) fn line(self, key: impl Into<Cow<'static, str>>) -> Self {
        self.says(say(key))
    }

    /// With one more thing said.
    pub(super) fn says(mut self, said: Say) -> Self {
        self.lines.push(said);
        self
    }

    /// With a value that its template uses. What cannot be JSON is left out, and a strict template says so.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.values.insert(name.to_owned(), value);
        self
    }

    /// A page that looks again by itself.
    pub(super) fn looking_again(mut self, refresh: Option<Refresh>) -> Self {
        self.refresh = refresh;
        self
    }

    /// A page whose forms may also lead to this origin, like `https://billing.stripe.com`: browsers follow no redirect of a
    /// form to an origin that the page did not name.
    pub(super) fn leading_to(mut self, origin: impl Into<String>) -> Self {
        self.form_target = Some(origin.into());
        self
    }

    /// Its title and its paragraphs, in a language.
    pub(super) fn text(&self, words: &Words, lang: &str) -> (String, Vec<String>) {
        let lines = self.lines.iter().flat_map(|l| words.paragraphs(lang, l));
        (words.line(lang, &self.title), lines.collect())
    }

    /// The page as HTML; what a vendor's own template does wrong is written by the built-in one.
    fn html(&self, site: &Site, lang: &str) -> Result<String, minijinja::Error> {
        site.render(self.template, lang, self.written(site, lang))
    }

    /// What a vendor's own template does wrong with it.
    pub(super) fn mistake(&self, site: &Site, lang: &str) -> Option<PageMistake> {
        site.mistake(self.template, lang, self.written(site, lang))
    }

    fn written(&self, site: &Site, lang: &str) -> impl Serialize {
        #[derive(Serialize)]
        struct Written {
            tone: Tone,
            title: String,
            lines: Vec<String>,
            refresh: Option<Refresh>,
            #[serde(flatten)]
            values: Map<String, Value>,
        }
        let (title, lines) = self.text(site.words(), lang);
        Written {
            tone: self.tone,
            title,
            lines,
            refresh: self.refresh.clone(),
            values: self.values.clone(),
        }
    }

    /// The answer with this page, in the language of the request.
    pub(super) fn respond(&self, app: &App, asked: &HeaderMap, status: StatusCode) -> Response {
        self.respond_in(&app.site, &app.site.language(None, asked), status)
    }

    /// The answer with this page, in a language.
    pub(super) fn respond_in(&self, site: &Site, lang: &str, status: StatusCode) -> Response {
        let mut response = match self.html(site, lang) {
            Ok(html) => (status, html).into_response(),
            Err(error) => {
                tracing::error!(%error, template = self.template, "a page could not be written");
                let said = "this page could not be shown";
                (StatusCode::INTERNAL_SERVER_ERROR, said).into_response()
            }
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let policy = match &self.form_target {
            Some(origin) => format!("{POLICY} {origin}"),
            None => POLICY.to_owned(),
        };
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// `GET /assets/{name}`
pub(super) async fn asset(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    asked: HeaderMap,
) -> Response {
    match asset_of(&app.site, &name) {
        Some(response) => response,
        None => not_found(State(app), asked).await,
    }
}

/// A file beside the pages, by its name.
pub(super) fn asset_of(site: &Site, name: &str) -> Option<Response> {
    let asset = site.asset(name)?;
    let headers = [
        (header::CONTENT_TYPE, asset.content_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, ASSET_POLICY),
    ];
    Some((headers, asset.bytes.clone()).into_response())
}

/// An unknown path.
pub(super) async fn not_found(State(app): State<Arc<App>>, asked: HeaderMap) -> Response {
    Page::message(Tone::Bad, "not_found").respond(&app, &asked, StatusCode::NOT_FOUND)
}

/// A known path with another method.
pub(super) async fn wrong_method(State(app): State<Arc<App>>, asked: HeaderMap) -> Response {
    let page = Page::message(Tone::Bad, "wrong_method");
    page.respond(&app, &asked, StatusCode::METHOD_NOT_ALLOWED)
}

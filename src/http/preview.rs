//! All pages and all mails with made-up data, for a vendor to look at and for tests: the real renderers, no store, no engine.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::samples::{PageSample, samples, title};
use super::web::{Page, Site, Tone, asset_of, say};
use crate::config::Config;
use crate::effects::mail::{KINDS, Letter, LetterColors, Parts, Templates};

/// What a mail may do in the preview: its looks are its own.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:";
/// The mail in which everything optional is absent.
const SHORT: &str = "short";
/// Mails that say something else where the cause is another one, with the word for it; no word of theirs: the usual one.
const CAUSES: [(&str, &str); 2] = [("ended", "usual"), ("shortened", "stopped")];

struct Preview {
    config: Config,
    site: Site,
    pages: Vec<PageSample>,
    mails: Templates,
}

/// What is shown for a config whose `public_url` is the preview's own address.
pub fn preview(config: Config) -> Router {
    let preview = Preview {
        site: Site::load(&config),
        pages: samples(&config),
        mails: Templates::load(
            config.mail.templates.as_deref(),
            &config.mail.default_language,
        ),
        config,
    };
    Router::new()
        .route("/", get(index))
        .route("/{lang}/page/{name}", get(page))
        .route("/{lang}/mail/{kind}/{form}", get(mail))
        .route("/assets/{name}", get(asset))
        .fallback(nothing)
        .with_state(Arc::new(preview))
}

/// A line of the index: something to look at, with an address for each language.
#[derive(Serialize)]
struct IndexLine {
    name: String,
    links: Vec<(String, String)>,
}

#[derive(Serialize)]
struct IndexGroup {
    name: &'static str,
    lines: Vec<IndexLine>,
}

async fn index(State(preview): State<Arc<Preview>>) -> Response {
    let mut groups: Vec<IndexGroup> = Vec::new();
    let line = |name: String, path: &dyn Fn(&str) -> String, langs: &[String]| IndexLine {
        name,
        links: langs.iter().map(|l| (l.clone(), path(l))).collect(),
    };
    let languages: Vec<String> = preview
        .site
        .words()
        .languages()
        .map(str::to_owned)
        .collect();
    for sample in &preview.pages {
        let path = |lang: &str| format!("/{lang}/page/{}", sample.name);
        let line = line(sample.name.clone(), &path, &languages);
        match groups.iter_mut().find(|g| g.name == sample.group) {
            Some(group) => group.lines.push(line),
            None => groups.push(IndexGroup {
                name: sample.group,
                lines: vec![line],
            }),
        }
    }
    for (name, form) in [
        ("Mails", "html"),
        ("Mails as plain text", "txt"),
        ("Mails that know little", SHORT),
    ] {
        let lines = KINDS.map(|kind| {
            let path = |lang: &str| format!("/{lang}/mail/{kind}/{form}");
            line(kind.to_owned(), &path, &preview.mails.languages(kind))
        });
        groups.push(IndexGroup {
            name,
            lines: lines.into(),
        });
    }
    let because = CAUSES.map(|(kind, cause)| {
        let path = |lang: &str| format!("/{lang}/mail/{kind}/{cause}");
        line(
            format!("{kind}: {cause}"),
            &path,
            &preview.mails.languages(kind),
        )
    });
    groups.push(IndexGroup {
        name: "Mails of another cause",
        lines: because.into(),
    });
    let page = Page::of("preview.html", Tone::Plain, "preview").with("groups", groups);
    page.respond_in(&preview.site, "en", StatusCode::OK)
}

async fn page(
    State(preview): State<Arc<Preview>>,
    Path((lang, name)): Path<(String, String)>,
) -> Response {
    match preview.pages.iter().find(|sample| sample.name == name) {
        Some(sample) => sample.page.respond_in(&preview.site, &lang, StatusCode::OK),
        None => nothing(State(preview), HeaderMap::new()).await,
    }
}

async fn mail(
    State(preview): State<Arc<Preview>>,
    Path((lang, kind, form)): Path<(String, String, String)>,
) -> Response {
    let letter = letter(&preview.config, &form);
    let parts = match preview
        .mails
        .render(&kind, &preview.mails.language(&kind, &lang), &letter)
    {
        Ok(parts) => parts,
        Err(why) => return (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    };
    let Parts {
        subject,
        text,
        html,
    } = parts;
    if form == "txt" {
        let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return (plain, format!("{subject}\n\n{text}")).into_response();
    }
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    let policy = HeaderValue::from_static(MAIL_POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// The letter of the samples, from the config's own vendor where it says who that is.
fn letter(config: &Config, form: &str) -> Letter {
    let is_cause = CAUSES.iter().any(|(_, cause)| *cause == form);
    let mut letter = match form {
        SHORT => Letter::bare_sample(),
        cause if is_cause => Letter::sample_because(cause),
        _ => Letter::sample(),
    };
    let sender = config.mail.from.name.as_ref();
    if let Some(name) = config.vendor.name.as_ref().or(sender) {
        letter.vendor.clone_from(name);
    }
    if let Some(title) = title(config) {
        title.clone_into(&mut letter.product);
    }
    letter.colors = LetterColors::of(&config.vendor);
    if let Some(url) = &config.vendor.support_url {
        letter.support_url = Some(url.clone());
    }
    letter
}

async fn asset(
    State(preview): State<Arc<Preview>>,
    Path(name): Path<String>,
    asked: HeaderMap,
) -> Response {
    match asset_of(&preview.site, &name) {
        Some(response) => response,
        None => nothing(State(preview), asked).await,
    }
}

async fn nothing(State(preview): State<Arc<Preview>>, asked: HeaderMap) -> Response {
    let lang = preview.site.language(None, &asked);
    Page::of("message.html", Tone::Bad, "not_found")
        .says(say("not_found.text"))
        .respond_in(&preview.site, &lang, StatusCode::NOT_FOUND)
}

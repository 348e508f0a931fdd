//! Signing in: an address, then a mail, then its code or its link.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::codes::{LASTS, WrongCode};
use super::{RequestParts, Visit, sessions};
use crate::domain::contact::normal_address;
use crate::effects::sign_in::SignInMail;
use crate::http::web::{Page, Tone, say};
use crate::secret::Secret;

/// The longest address there is.
const ADDRESS_LEN_MAX: usize = 254;

/// `POST /portal`: an address. The answer, and all that is done before it, is the same whether it is known or not.
pub(super) async fn ask(parts: RequestParts, body: Body) -> Response {
    match asked(parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn asked(parts: RequestParts, body: Body) -> Result<Response, Response> {
    let visit = Visit::of(parts).await?;
    let form = visit.form(body).await?;
    let limits = &visit.portal.limits;
    limits.ask(visit.visitor).map_err(|s| visit.too_often(s))?;
    let address = normal_address(form.get("address"));
    if address.len() > ADDRESS_LEN_MAX || address.parse::<lettre::Address>().is_err() {
        let page = ask_page(Tone::Bad, "portal.sign_in.wrong_address");
        return Err(visit.shows(page, StatusCode::BAD_REQUEST));
    }
    let begun = visit.portal.sign_ins.begin(&address, visit.now);
    if limits.mail(&address) {
        let portal_url = format!("{}/portal", visit.app.config.public_url);
        let url = format!("{portal_url}/link/{}", begun.link.reveal());
        visit.portal.outbox.put(SignInMail {
            to: address.clone(),
            code: begun.code,
            url: Secret::new(url),
            lasts: LASTS,
            portal_url,
            vendor: visit.app.config.vendor.clone(),
            lang: visit.language(),
            at: visit.now,
        });
    }
    let sent = say("portal.code.sent").with("address", &address);
    let page = code_page(&begun.form, TypedBefore::Nothing).says(sent);
    Ok(visit.shows(page, StatusCode::OK))
}

/// The page that asks for an address, after something was said.
pub(super) fn ask_page(tone: Tone, said: impl Into<Cow<'static, str>>) -> Page {
    Page::of("portal_sign_in.html", tone, "portal.sign_in").line(said)
}

/// What was typed as a code before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypedBefore {
    Nothing,
    WrongCode,
}

/// The page where a code is typed.
pub(super) fn code_page(form: &str, before: TypedBefore) -> Page {
    let page = Page::of("portal_code.html", Tone::Plain, "portal.code");
    page.with("form", form)
        .with("wrong", before == TypedBefore::WrongCode)
}

/// The page with the button that a link leads to.
pub(super) fn link_page(link: &str) -> Page {
    let page = Page::of("portal_link.html", Tone::Plain, "portal.link");
    page.line("portal.link.text").with("link", link)
}

/// `POST /portal/code`: a typed code.
pub(super) async fn code(parts: RequestParts, body: Body) -> Response {
    match typed(parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn typed(parts: RequestParts, body: Body) -> Result<Response, Response> {
    let visit = Visit::of(parts).await?;
    let form = visit.form(body).await?;
    let limits = &visit.portal.limits;
    let tried = limits.attempt(visit.visitor);
    tried.map_err(|s| visit.too_often(s))?;
    let number = form.get("form");
    let sign_ins = &visit.portal.sign_ins;
    match sign_ins.by_code(number, form.get("code"), visit.now) {
        Ok(address) => Ok(signed_in(&visit, address)),
        Err(WrongCode::Wrong) => Err(visit.shows(
            code_page(number, TypedBefore::WrongCode),
            StatusCode::FORBIDDEN,
        )),
        Err(WrongCode::Over) => Err(over(&visit, "portal.code.over")),
    }
}

/// `GET /portal/link/{link}`: a button, whoever opens it. Mail scanners open links, and nothing is looked up for them.
pub(super) async fn opened(
    parts: RequestParts,
    link: Result<Path<String>, PathRejection>,
) -> Response {
    // What cannot be read leads to the same button, and nowhere behind it.
    let link = link.map(|l| l.0).unwrap_or_default();
    let visit = match Visit::of(parts).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    visit.shows(link_page(&link), StatusCode::OK)
}

/// `POST /portal/link`: the button.
pub(super) async fn link(parts: RequestParts, body: Body) -> Response {
    match pressed(parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn pressed(parts: RequestParts, body: Body) -> Result<Response, Response> {
    let visit = Visit::of(parts).await?;
    let form = visit.form(body).await?;
    let limits = &visit.portal.limits;
    let tried = limits.attempt(visit.visitor);
    tried.map_err(|s| visit.too_often(s))?;
    let address = visit.portal.sign_ins.by_link(form.get("link"), visit.now);
    let address = address.ok_or_else(|| over(&visit, "portal.link.over"))?;
    Ok(signed_in(&visit, address))
}

fn over(visit: &Visit, said: &'static str) -> Response {
    visit.shows(ask_page(Tone::Wait, said), StatusCode::FORBIDDEN)
}

/// Opens a session; one that the browser had before ends.
fn signed_in(visit: &Visit, address: String) -> Response {
    let sessions = &visit.portal.sessions;
    if let Some(before) = &visit.session {
        sessions.close(before);
    }
    let token = sessions.open(address, visit.now);
    let mut response = visit.go_home(None);
    if let Some(cookie) = visit.portal.cookie.set(&token, sessions::LASTS) {
        set_cookie(&mut response, cookie);
    }
    response
}

/// Sets a cookie, or takes it away.
pub(super) fn set_cookie(response: &mut Response, cookie: HeaderValue) {
    response.headers_mut().insert(header::SET_COOKIE, cookie);
}

//! What is somebody's own, and what they want done with it. Whose it is is asked anew at each request.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;

use super::sessions::PortalSession;
use super::sign_in::{ask_page, set_cookie};
use super::view::{KeyDisplay, OwnPurchase, PurchaseView, Viewer};
use super::{OwnForm, RequestParts, Visit};
use crate::domain::decision::Decision;
use crate::domain::id::{EventId, LicenseKey, MachineId};
use crate::domain::self_service::{Turn, Wish};
use crate::domain::time::Timestamp;
use crate::engine::input::{Input, Receipt};
use crate::engine::read::addresses::purchases;
use crate::engine::record::RecordError;
use crate::engine::record::key::OF_ADDRESS_MAX;
use crate::http::App;
use crate::http::web::{Page, Tone};

/// What the first page may say was done: a word from here, never a text of the address's.
const DONE: [(&str, &str); 6] = [
    ("resend", "portal.done.resend"),
    ("forget", "portal.done.forget"),
    ("forget_one", "portal.done.forget_one"),
    ("rekey", "portal.done.rekey"),
    ("out", "portal.done.out"),
    ("not_now", "portal.done.not_now"),
];

/// `GET /portal`: the licenses of whoever is signed in; to others the way in.
pub(super) async fn licenses(parts: RequestParts, RawQuery(query): RawQuery) -> Response {
    let visit = match Visit::of(parts).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let note = done(query.as_deref());
    let Some(session) = visit.session.clone() else {
        let page = match note {
            Some(note) => ask_page(Tone::Good, note),
            None => ask_page(Tone::Plain, "portal.sign_in.text"),
        };
        return visit.shows(page, StatusCode::OK);
    };
    match own_page(&visit, &session, note, None).await {
        Ok(response) | Err(response) => response,
    }
}

fn done(query: Option<&str>) -> Option<&'static str> {
    let word = query?.strip_prefix("done=")?;
    let mut known = DONE.into_iter();
    known.find_map(|(done, said)| (done == word).then_some(said))
}

/// `POST /portal/key`: the keys of one purchase, in full.
pub(super) async fn key(parts: RequestParts, body: Body) -> Response {
    match asked_key(parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn asked_key(parts: RequestParts, body: Body) -> Result<Response, Response> {
    let OwnForm {
        visit,
        session,
        form,
    } = OwnForm::of(parts, body).await?;
    own_page(&visit, &session, None, Some(form.get("purchase"))).await
}

/// `POST /portal/resend`
pub(super) async fn resend(parts: RequestParts, body: Body) -> Response {
    wished(parts, body, Wish::Resend).await
}

/// `POST /portal/forget`
pub(super) async fn forget(parts: RequestParts, body: Body) -> Response {
    wished(parts, body, Wish::ResetDevices).await
}

/// `POST /portal/rekey`
pub(super) async fn rekey(parts: RequestParts, body: Body) -> Response {
    wished(parts, body, Wish::Rekey).await
}

/// `POST /portal/sign-out`
pub(super) async fn sign_out(parts: RequestParts, body: Body) -> Response {
    match OwnForm::of(parts, body).await {
        Ok(own) => {
            own.visit.portal.sessions.close(&own.session);
            signed_out(&own.visit)
        }
        Err(response) => response,
    }
}

/// `POST /portal/sign-out-everywhere`: also mails under way sign nobody in any more.
pub(super) async fn sign_out_everywhere(parts: RequestParts, body: Body) -> Response {
    match OwnForm::of(parts, body).await {
        Ok(own) => {
            own.visit.portal.sign_out(&own.session.address);
            signed_out(&own.visit)
        }
        Err(response) => response,
    }
}

fn signed_out(visit: &Visit) -> Response {
    let mut response = visit.go_home(Some("out"));
    if let Some(cookie) = visit.portal.cookie.unset() {
        set_cookie(&mut response, cookie);
    }
    response
}

/// The page of all that is somebody's; `shown`: the purchase whose keys were asked for.
async fn own_page(
    visit: &Visit,
    session: &PortalSession,
    note: Option<&'static str>,
    shown: Option<&str>,
) -> Result<Response, Response> {
    let all = own(visit, session).await?;
    let programs = visit.app.licenses.as_ref().map(|l| l.programs());
    let devices = |key: &LicenseKey| programs.map_or_else(Vec::new, |p| p.devices(key));
    let viewer = Viewer {
        session,
        config: &visit.app.config,
        devices: &devices,
        now: visit.now,
    };
    let view = |p: &OwnPurchase| {
        let is_asked = shown.is_some_and(|number| number == p.number(session));
        let keys = if is_asked {
            KeyDisplay::Full
        } else {
            KeyDisplay::Masked
        };
        p.view(&viewer, keys)
    };
    let purchases: Vec<PurchaseView> = all.iter().map(view).collect();
    let more = (all.len() >= OF_ADDRESS_MAX).then_some(OF_ADDRESS_MAX);
    let page = licenses_page(&session.form_number(), &session.address, &purchases);
    let page = page.with("note", note).with("more", more);
    Ok(visit.shows(page, StatusCode::OK))
}

/// The page of what is somebody's.
pub(super) fn licenses_page(form: &str, address: &str, purchases: &[PurchaseView]) -> Page {
    Page::of("portal_licenses.html", Tone::Plain, "portal.licenses")
        .with("form", form)
        .with("address", address)
        .with("purchases", purchases)
}

/// What is somebody's at present, the newest first.
pub(super) async fn own(
    visit: &Visit,
    session: &PortalSession,
) -> Result<Vec<OwnPurchase>, Response> {
    let (app, address, now) = (Arc::clone(&visit.app), session.address.clone(), visit.now);
    let read = tokio::task::spawn_blocking(move || read(&app, &address, now)).await;
    match read {
        Ok(Ok(all)) => Ok(all),
        Ok(Err(error)) => {
            tracing::error!(%error, "a customer's purchases could not be read");
            Err(visit.unavailable())
        }
        Err(_) => Err(visit.unavailable()),
    }
}

fn read(app: &App, address: &str, now: Timestamp) -> Result<Vec<OwnPurchase>, RecordError> {
    let rules = app.handle.rules();
    let held = purchases(app.handle.reader(), &rules, address, now)?;
    let mut all: Vec<OwnPurchase> = held
        .into_iter()
        .map(|held| {
            let bills = app.stripe.contains_key(&held.machine.source);
            OwnPurchase::of(held, &app.config, &rules, bills, now)
        })
        .collect();
    all.sort_by_key(|p| std::cmp::Reverse(p.machine().first_told()));
    Ok(all)
}

async fn wished(parts: RequestParts, body: Body, wish: Wish) -> Response {
    match grant(parts, body, wish).await {
        Ok(response) | Err(response) => response,
    }
}

/// Grants a wish where its turn has come: a decision of the customer's, on disk when the page says so.
async fn grant(parts: RequestParts, body: Body, wish: Wish) -> Result<Response, Response> {
    let OwnForm {
        visit,
        session,
        form,
    } = OwnForm::of(parts, body).await?;
    let _alone = visit.portal.wishes.lock().await;
    let all = own(&visit, &session).await?;
    let mut meant = all.iter();
    let meant = meant.find(|p| p.number(&session) == form.get("purchase"));
    let meant = meant.ok_or_else(|| visit.stale())?;
    match meant.turn(wish, visit.now) {
        Turn::Now { .. } => {}
        Turn::At(_) | Turn::Never => return Ok(visit.go_home(Some("not_now"))),
    }
    let device = match form.get("device") {
        "" => None,
        number => Some(device(&visit, &session, meant, number).ok_or_else(|| visit.stale())?),
    };
    let forgets_one = device.is_some();
    decide(&visit, &meant.machine().id, wish.decision(device)).await?;
    Ok(visit.go_home(Some(match wish {
        Wish::Resend => "resend",
        Wish::ResetDevices if forgets_one => "forget_one",
        Wish::ResetDevices => "forget",
        Wish::Rekey => "rekey",
    })))
}

/// The device of a purchase that a number in a form stands for.
fn device(
    visit: &Visit,
    session: &PortalSession,
    meant: &OwnPurchase,
    number: &str,
) -> Option<String> {
    let programs = visit.app.licenses.as_ref()?.programs();
    let usable = meant.machine().grants.iter().filter(|g| g.can_be_mailed());
    let mut devices = usable.flat_map(|g| programs.devices(&g.key));
    devices.find(|device| session.number_of(device) == number)
}

async fn decide(visit: &Visit, machine: &MachineId, decision: Decision) -> Result<(), Response> {
    let at = visit.now;
    // Told apart from what operators decide in the same millisecond.
    let id = format!("dec_{}_{:08x}", at.ms(), rand::random::<u32>());
    let input = Input::Decision {
        machine: machine.clone(),
        id: EventId::new(id),
        decision,
        at,
    };
    match visit.app.handle.submit(input).await {
        Ok(Receipt::Done | Receipt::Applied(_) | Receipt::Duplicate) => Ok(()),
        Ok(Receipt::Unknown | Receipt::Ignored(_) | Receipt::Parked(_)) | Err(_) => {
            Err(visit.unavailable())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::done;

    #[test]
    fn only_known_words_are_said() {
        assert_eq!(done(Some("done=rekey")), Some("portal.done.rekey"));
        for other in ["done=<b>", "done=", "x=rekey", "done=rekey&x"] {
            assert_eq!(done(Some(other)), None, "{other}");
        }
    }
}

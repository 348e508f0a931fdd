//! The way to Stripe's billing portal: invoices, card, cancelling at the period's end.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use super::own::own;
use super::view::OwnPurchase;
use super::{On, OwnForm, RequestParts, STRIPE, Visit};
use crate::effects::stripe::Answer;
use crate::effects::stripe::billing::{BillingFlow, BillingVisit};
use crate::http::web::{Page, Tone};
use crate::secret::Secret;

/// `POST /portal/billing`
pub(super) async fn visit(parts: RequestParts, body: Body) -> Response {
    match go(parts, body).await {
        Ok(response) | Err(response) => response,
    }
}

async fn go(parts: RequestParts, body: Body) -> Result<Response, Response> {
    let OwnForm {
        visit,
        session,
        form,
    } = OwnForm::of(parts, body).await?;
    let all = own(&visit, &session).await?;
    let mut meant = all.iter();
    let meant = meant.find(|p| p.number(&session) == form.get("purchase"));
    let meant = meant.ok_or_else(|| visit.stale())?;
    let flow = match form.get("for") {
        "card" => BillingFlow::PaymentMethod,
        "cancel" if meant.can_cancel() => BillingFlow::Cancel(meant.machine().object()),
        _ => BillingFlow::Any,
    };
    let url = session_url(&visit, meant, flow).await;
    let url = url.ok_or_else(|| failed(&visit))?;
    Ok(lead(&visit, &url))
}

/// Makes a session at Stripe for the purchase's own customer.
async fn session_url(visit: &Visit, meant: &OwnPurchase, flow: BillingFlow<'_>) -> Option<Secret> {
    let account = visit.app.stripe.get(&meant.machine().source)?;
    let return_url = format!("{}/portal", visit.app.config.public_url);
    let language = visit.language();
    let what = BillingVisit {
        customer: meant.billed()?,
        return_url: &return_url,
        locale: &language,
        flow,
    };
    match account.billing_session(&what).await {
        Answer::Done(url) => Some(url),
        Answer::Again { why, .. } | Answer::Refused { why, .. } => {
            tracing::warn!(source = %meant.machine().source, "Stripe's billing portal cannot be opened: {why}");
            None
        }
    }
}

fn failed(visit: &Visit) -> Response {
    visit.message(StatusCode::BAD_GATEWAY, Tone::Wait, "portal.billing_failed")
}

/// On to Stripe. To an address of the vendor's own no form may lead, so a link does.
fn lead(visit: &Visit, url: &Secret) -> Response {
    let theirs = url.reveal().strip_prefix(STRIPE);
    if theirs.is_some_and(|path| path.starts_with('/')) {
        return visit.go(url.reveal());
    }
    let on = On {
        url: url.reveal(),
        label: "portal.to_stripe.go",
    };
    let page = Page::of("portal_on.html", Tone::Plain, "portal.to_stripe");
    let page = page.line("portal.to_stripe.text").with("on", on);
    visit.shows(page, StatusCode::OK)
}

//! What the success page says of a purchase, from its status. Pure: no request, no clock.

use super::web::{LicenseCard, Page};
use super::words::{TOLD, UNKNOWN, Words, table, to_come};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::{Grant, LicenseStatus, Machine};
use crate::domain::plan::Devices;
use crate::domain::status::PurchaseStatus;
use crate::domain::summary::status;
use crate::domain::time::{Span, Timestamp};
use crate::engine::input::Rules;
use crate::engine::read::view;

/// What is said.
pub(super) struct StatusText {
    /// A word for it, from a fixed set.
    pub(super) word: &'static str,
    /// Whether the page should look again by itself.
    pub(super) waits: bool,
    /// Whether there is such a purchase, or may soon be.
    pub(super) found: bool,
    pub(super) page: Page,
}

/// The redirect can be faster than the webhook, but not by more than this.
const WEBHOOK_WITHIN: Span = Span::from_minutes(2);

/// What is said of a session that nobody has heard of, to a visitor who has waited so long. `contact`: where to write.
pub(super) fn of_unknown(waited: Span, mails: bool, contact: Option<&str>) -> StatusText {
    if waited < WEBHOOK_WITHIN {
        return of_status(PurchaseStatus::OnItsWay, mails);
    }
    let mut said = said(UNKNOWN);
    said.page.lines.push(match contact {
        Some(address) => format!("Questions? Please write to {address}."),
        None => "Questions? Please write to the seller.".to_owned(),
    });
    StatusText {
        found: false,
        ..said
    }
}

/// What a purchase comes to. `mails` says whether keys are mailed at all, `alerts` whether the seller is alerted.
pub(super) fn of(
    machine: &Machine,
    rules: &Rules,
    now: Timestamp,
    (mails, alerts): (bool, bool),
) -> StatusText {
    let folded = machine.folded(&rules.revisions, now);
    let status = status(machine, &folded, &view::seats(machine, rules, now), now);
    let mut said = of_status(status, mails);
    if alerts && status == PurchaseStatus::Delayed {
        said.page.lines.push(TOLD.to_owned());
    }
    if status.shows_keys() {
        said.page.licenses = machine
            .grants
            .iter()
            .filter(|g| g.can_be_mailed())
            .map(|g| license(g, now))
            .collect();
    }
    if let (PurchaseStatus::Grace, Some(ends)) = (status, grace_ends(&folded)) {
        said.page.lines.push(format!(
            "Without a payment it stops working on {}.",
            day(ends)
        ));
    }
    said
}

fn of_status(status: PurchaseStatus, mails: bool) -> StatusText {
    let mut said = said(table(status));
    said.page
        .lines
        .extend(to_come(status, mails).map(str::to_owned));
    said
}

fn said((word, waits, tone, title, lines): Words) -> StatusText {
    StatusText {
        word,
        waits,
        found: true,
        page: Page::plain(tone, title, lines),
    }
}

fn grace_ends(folded: &Folded) -> Option<Timestamp> {
    folded.life.open_episode().map(|e| e.ends)
}

fn license(grant: &Grant, now: Timestamp) -> LicenseCard {
    let devices = match grant.devices {
        Devices::Count(1) => "1 device".to_owned(),
        Devices::Count(n) => format!("up to {n} devices"),
        Devices::Unlimited => "any number".to_owned(),
    };
    let valid = match (grant.status_at(now), grant.expires_at) {
        (LicenseStatus::Suspended, _) => "paused for now".to_owned(),
        (LicenseStatus::Expired, Some(at)) => format!("ended on {}", day(at)),
        (LicenseStatus::Live | LicenseStatus::Revoked, Some(at)) => format!("until {}", day(at)),
        (LicenseStatus::Live | LicenseStatus::Revoked | LicenseStatus::Expired, None) => {
            "for life".to_owned()
        }
    };
    LicenseCard {
        seat: grant.number,
        plan: grant.plan.as_ref().map(ToString::to_string),
        key: grant.key.reveal().to_owned(),
        devices,
        valid,
    }
}

fn day(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.ms())
        .map_or_else(|| at.to_string(), |t| t.format("%-d %B %Y").to_string())
}

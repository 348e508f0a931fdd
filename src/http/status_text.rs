//! What the success page says of a purchase, from its status. Pure: no request, no clock.

use axum::http::StatusCode;
use serde::Serialize;

use super::license_words::{self, ADDED, masked, takes_only_what_it_added, tone};
use super::web::{Page, Say, Tone, say};
use crate::config::Link;
use crate::domain::machine::Grant;
use crate::domain::plan::Devices;
use crate::domain::status::PurchaseStatus;
use crate::domain::time::Timestamp;

/// What a license that works is called once its key is masked: there is nothing to keep any more.
const LATER: &str = "success.live_later";

/// What there is to say of a purchase.
#[derive(Clone, Debug, Default)]
pub(super) struct PurchaseText {
    /// What it comes to; `None`: nobody has heard of it.
    pub(super) status: Option<PurchaseStatus>,
    /// Whether it made no license, but added to one that was there.
    pub(super) only_adds: bool,
    /// Whether keys are mailed at all.
    pub(super) mails: bool,
    /// Whether the seller was alerted to what is delayed.
    pub(super) seller_told: bool,
    /// Until when the license works without the payment.
    pub(super) grace_ends: Option<Timestamp>,
    /// Where the open invoice is paid.
    pub(super) pay_url: Option<String>,
    /// The licenses that are shown.
    pub(super) licenses: Vec<LicenseCard>,
    /// Where the software is downloaded.
    pub(super) downloads: Vec<Link>,
}

/// A license as the customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LicenseCard {
    /// What the customer calls its plan.
    pub(super) title: Option<String>,
    /// The key, or what is shown of it.
    pub(super) key: String,
    /// Whether that is all of it.
    pub(super) whole: bool,
    pub(super) devices: Say,
    pub(super) validity: Say,
    /// Its plan's name in the config, for a vendor's own page.
    pub(super) plan: Option<String>,
    /// For how many devices; `None`: for any number.
    pub(super) devices_max: Option<u32>,
    /// When it ends; `None`: never.
    pub(super) valid_until: Option<Timestamp>,
    /// Whether it works now.
    pub(super) works: bool,
}

impl PurchaseText {
    /// Its status as one word, which programs and the metric read.
    pub(super) const fn word(&self) -> &'static str {
        match self.status {
            Some(status) => status.as_str(),
            None => "unknown",
        }
    }

    /// The answer's status: nothing is found where nobody has heard of it.
    pub(super) const fn http_status(&self) -> StatusCode {
        match self.status {
            Some(_) => StatusCode::OK,
            None => StatusCode::NOT_FOUND,
        }
    }

    /// Whether the page should look again by itself.
    pub(super) const fn waits(&self) -> bool {
        match self.status {
            None => true,
            Some(status) => waits(status),
        }
    }

    /// The page that says it.
    pub(super) fn page(&self) -> Page {
        let words = self.words();
        let tone = self.status.map_or(Tone::Bad, tone);
        let mut page = Page::of("success.html", tone, &words);
        if words != LATER {
            page = page.line(format!("{words}.text"));
        }
        if let (Some(PurchaseStatus::Grace), Some(ends)) = (self.status, self.grace_ends) {
            page = page.says(say("success.grace.until").on("day", ends));
        }
        for note in self.notes() {
            page = page.line(note);
        }
        page.with("licenses", &self.licenses)
            .with("downloads", &self.downloads)
            .with("pay_url", &self.pay_url)
    }

    /// The group of words that say it.
    fn words(&self) -> String {
        let is_live = self.status == Some(PurchaseStatus::Live);
        match self.licenses.as_slice() {
            [one, ..] if is_live && !one.whole => LATER.to_owned(),
            [_, _, ..] if is_live => "success.live_several".to_owned(),
            _ if self.only_adds && self.status.is_some_and(takes_only_what_it_added) => {
                format!("success.{}{ADDED}", self.word())
            }
            _ => format!("success.{}", self.word()),
        }
    }

    /// What is added, whatever the status says.
    fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if self.seller_told {
            notes.push("success.note.seller_told");
        }
        let is_to_come = self.status.is_some_and(key_is_to_come);
        let is_live = !self.licenses.is_empty() && self.downloads_are_shown();
        notes.extend(match (self.mails, is_to_come, is_live) {
            (true, true, _) => Some("success.note.comes_by_mail"),
            (false, true, _) => Some("success.note.comes_here_only"),
            (false, false, true) => Some("success.note.keep_key"),
            (true, false, _) | (false, false, false) => None,
        });
        if self.licenses.iter().any(|license| !license.whole) {
            notes.push("success.note.masked");
        }
        notes
    }

    /// Whether a key works, so that there is something to download for.
    pub(super) const fn downloads_are_shown(&self) -> bool {
        matches!(
            self.status,
            Some(
                PurchaseStatus::Live
                    | PurchaseStatus::Ending
                    | PurchaseStatus::Partial
                    | PurchaseStatus::Grace
            )
        )
    }
}

/// Whether more will be known soon.
const fn waits(status: PurchaseStatus) -> bool {
    match status {
        PurchaseStatus::OnItsWay
        | PurchaseStatus::AwaitingPayment
        | PurchaseStatus::Preparing
        | PurchaseStatus::Delayed
        | PurchaseStatus::Partial => true,
        PurchaseStatus::Live
        | PurchaseStatus::Ending
        | PurchaseStatus::Grace
        | PurchaseStatus::Trial
        | PurchaseStatus::Lapsed
        | PurchaseStatus::Paused
        | PurchaseStatus::Disputed
        | PurchaseStatus::DisputeLost
        | PurchaseStatus::Refunded
        | PurchaseStatus::Revoked
        | PurchaseStatus::Ended
        | PurchaseStatus::Failed
        | PurchaseStatus::Expired
        | PurchaseStatus::Nothing => false,
    }
}

/// Whether a key is still to come.
const fn key_is_to_come(status: PurchaseStatus) -> bool {
    waits(status) && !matches!(status, PurchaseStatus::Partial)
        || matches!(status, PurchaseStatus::Trial)
}

impl LicenseCard {
    /// A license as it is shown, in full or masked.
    pub(super) fn of(grant: &Grant, title: Option<&str>, whole: bool, now: Timestamp) -> Self {
        let key = grant.key.reveal();
        Self {
            title: title.map(str::to_owned),
            key: if whole { key.to_owned() } else { masked(key) },
            whole,
            devices: license_words::devices(grant.devices),
            validity: license_words::validity(grant, now),
            plan: grant.plan.as_ref().map(ToString::to_string),
            devices_max: match grant.devices {
                Devices::Count(n) => Some(n),
                Devices::Unlimited => None,
            },
            valid_until: grant.expires_at,
            works: grant.live_at(now),
        }
    }
}

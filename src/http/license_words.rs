//! What pages say of a license and of a purchase, whichever page it is. Pure.

use super::web::{Say, Tone, say};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::{Grant, LicenseStatus};
use crate::domain::plan::Devices;
use crate::domain::status::PurchaseStatus;
use crate::domain::time::Timestamp;

/// For how many devices a license is.
pub(super) fn devices(devices: Devices) -> Say {
    match devices {
        Devices::Count(n) => say("license.device").count(n),
        Devices::Unlimited => say("license.device.any"),
    }
}

/// Until when a license works, or since when it does not.
pub(super) fn validity(grant: &Grant, now: Timestamp) -> Say {
    match (grant.status_at(now), grant.expires_at) {
        (LicenseStatus::Suspended, _) => say("license.paused"),
        (LicenseStatus::Expired, Some(at)) => say("license.ended").on("day", at),
        (LicenseStatus::Live | LicenseStatus::Revoked, Some(at)) => {
            say("license.until").on("day", at)
        }
        (LicenseStatus::Live | LicenseStatus::Revoked | LicenseStatus::Expired, None) => {
            say("license.for_life")
        }
    }
}

/// Where an unpaid renewal is paid, while that brings the license back or keeps it.
pub(super) fn pay_url(folded: &Folded, status: PurchaseStatus) -> Option<String> {
    let episode = folded.life.open_episode().filter(|_| status.owes())?;
    let url = episode.owed.hosted_url.as_ref();
    url.filter(|url| url.starts_with("https://")).cloned()
}

/// Until when its license works without the payment. One that goes on after that, for its end is held, goes on until who
/// knows when.
pub(super) fn grace_ends(folded: &Folded, now: Timestamp) -> Option<Timestamp> {
    let ends = folded.life.open_episode().map(|e| e.ends);
    ends.filter(|ends| *ends > now)
}

/// What ends the names of words for a purchase that made no license, but added to one that was there.
pub(super) const ADDED: &str = "_added";

/// Whether words about a license that stopped would be wrong of a purchase that only added to one: the license is as it was
/// before.
pub(super) const fn takes_only_what_it_added(status: PurchaseStatus) -> bool {
    matches!(
        status,
        PurchaseStatus::Disputed
            | PurchaseStatus::DisputeLost
            | PurchaseStatus::Refunded
            | PurchaseStatus::Revoked
    )
}

/// What a page's colour and sign say.
pub(super) const fn tone(status: PurchaseStatus) -> Tone {
    match status {
        PurchaseStatus::Preparing
        | PurchaseStatus::Live
        | PurchaseStatus::Ending
        | PurchaseStatus::Partial
        | PurchaseStatus::Trial
        | PurchaseStatus::Nothing => Tone::Good,
        PurchaseStatus::OnItsWay
        | PurchaseStatus::AwaitingPayment
        | PurchaseStatus::Delayed
        | PurchaseStatus::Grace
        | PurchaseStatus::Paused
        | PurchaseStatus::Ended => Tone::Wait,
        PurchaseStatus::Lapsed
        | PurchaseStatus::Disputed
        | PurchaseStatus::Refunded
        | PurchaseStatus::Revoked
        | PurchaseStatus::DisputeLost
        | PurchaseStatus::Failed
        | PurchaseStatus::Expired => Tone::Bad,
    }
}

/// A key of which only the end can be read: enough to tell two keys apart. A short one shows nothing.
pub(super) fn masked(key: &str) -> String {
    const SHOWN: usize = 4;
    let len = key.chars().count();
    let shown_from = if len >= 3 * SHOWN { len - SHOWN } else { len };
    let hide = |(at, c): (usize, char)| {
        if at >= shown_from || c == '-' {
            c
        } else {
            '•'
        }
    };
    key.chars().enumerate().map(hide).collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn of_a_masked_key_only_the_end_is_read() {
        for (key, shown) in [
            ("KEYW-7Q2M-XD4F-9TRA", "••••-••••-••••-9TRA"),
            ("ABCD-EFGH", "••••-••••"),
            ("", ""),
        ] {
            assert_eq!(masked(key), shown);
        }
    }
}

//! The ways to stop a license before its end so that it can be started again, and back.
//!
//! The core says "suspend"; how is a setting, for AuthForge has no such status. Its customers then read "expired, renew"
//! (shortened) or "revoked, contact support" (revoked).

use super::send::{cannot, no_effect};
use super::{Answer, Client, License, Status};
use crate::domain::action::GrantStatus;
use crate::domain::id::LicenseKey;
use crate::domain::time::Timestamp;

/// How a license is stopped reversibly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspendBy {
    /// The service has a status for it.
    Native,
    /// Its end is set to now, and later back.
    Shorten,
    /// It is revoked, and later made active again.
    Revoke,
    /// Not at all: it runs to its end, and a suspension is refused as
    /// [`CannotDo`](super::RefusalKind::CannotDo).
    Wait,
}

/// What a license is brought back from, as we know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// A suspension of ours, in the configured way.
    Suspension,
    /// A revocation that is to be undone, whatever the configured way of stopping is.
    Revocation,
}

impl StoppedBy {
    /// By the record: where the service knows no suspension, we alone can tell the two apart.
    #[must_use]
    pub const fn of(status: Option<GrantStatus>) -> Self {
        match status {
            Some(GrantStatus::Revoked) => Self::Revocation,
            Some(GrantStatus::Live | GrantStatus::Suspended) | None => Self::Suspension,
        }
    }
}

impl Client {
    /// Stops a license now so that it can be started again, in the configured way, and confirms it.
    /// A service that turns out not to be able to shorten refuses as [`Client::shorten`] says.
    pub async fn suspend(&self, key: &LicenseKey, now: Timestamp) -> Answer<License> {
        match self.suspend_by() {
            SuspendBy::Native => self.suspend_natively(key).await,
            SuspendBy::Shorten => self.shorten(key, now).await,
            SuspendBy::Revoke if self.abilities().revoke_reversible => self.revoke(key).await,
            SuspendBy::Revoke => cannot("undo a revocation, so it is not used to suspend"),
            SuspendBy::Wait => cannot("stop a license before its end (suspend = \"wait\")"),
        }
    }

    /// Starts a stopped license again, with the end that it should have (`None`: for life), and confirms both. A suspension is
    /// undone in the configured way; a revocation only by making the license active.
    pub async fn reinstate(
        &self,
        key: &LicenseKey,
        expires_at: Option<Timestamp>,
        stopped: StoppedBy,
    ) -> Answer<License> {
        let activates = matches!(self.suspend_by(), SuspendBy::Native | SuspendBy::Revoke);
        if activates || stopped == StoppedBy::Revocation {
            match self.activate(key).await.confirmed() {
                Ok(license) if license.expires_at.shows(expires_at) => {
                    return Answer::Done(license);
                }
                Ok(_) => {}
                Err(other) => return other,
            }
        }
        match self.set_expiry(key, expires_at).await.confirmed() {
            Ok(license) if license.status == Status::Active => Answer::Done(license),
            // Somebody else ended it: to undo that is a person's decision.
            Ok(license) => no_effect(format!(
                "its end was set, but the service shows it as {:?}",
                license.status
            )),
            Err(other) => other,
        }
    }
}

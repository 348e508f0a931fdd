//! A license without an end, where the service lets no end go.
//!
//! AuthForge's documentation says that a license can be made for life, and not that a running one can become so again. What was
//! stopped by setting its end then gets a date so far off that it is none ([`FAR_END`]). Nobody outside the license module
//! sees that date: it is read as "for life", so pages, mails and `why` show no date, and the drift audit sees no difference.

use std::sync::atomic::Ordering;

use super::client::Client;
use super::far_end::FAR_END;
use super::wire::LicenseUpdate;
use super::{Answer, Expiry, License, RefusalKind};
use crate::domain::id::LicenseKey;

impl Client {
    /// Makes a license one for life: without an end, or, where the service is known to refuse that or does so now, with
    /// one that stands for it. Both are absolute, so both may be sent again.
    pub(super) async fn set_for_life(&self, key: &LicenseKey) -> Answer<License> {
        let refused = if self.keeps_ends() {
            None
        } else {
            match self.take_end_away(key).await {
                Answer::Refused(refusal)
                    if matches!(
                        refusal.kind,
                        RefusalKind::BadRequest | RefusalKind::NoEffect
                    ) =>
                {
                    Some(refusal)
                }
                other @ (Answer::Done(_)
                | Answer::Again { .. }
                | Answer::NotSent { .. }
                | Answer::Unknown { .. }
                | Answer::Refused(_)) => return other,
            }
        };
        match (self.set_far_end(key).await, refused) {
            (Answer::Done(license), refused) => {
                if let Some(refusal) = refused {
                    self.0.keeps_ends.store(true, Ordering::Relaxed);
                    tracing::warn!(
                        "the license service takes no end away ({refusal}): licenses for life that come back get the end {FAR_END}, which counts as none"
                    );
                }
                Answer::Done(license)
            }
            // What it said first is about what was wanted.
            (Answer::Refused(_), Some(refusal)) => Answer::Refused(refusal),
            (other, _) => other,
        }
    }

    /// Takes a license's end away, or learns that the service does not.
    pub(super) async fn take_end_away(&self, key: &LicenseKey) -> Answer<License> {
        self.update(key, LicenseUpdate::Extend(None), |l| {
            l.expires_at == Expiry::Never
        })
        .await
    }

    /// Gives a license the end that stands for none.
    pub(super) async fn set_far_end(&self, key: &LicenseKey) -> Answer<License> {
        self.update(key, LicenseUpdate::Extend(Some(FAR_END)), |l| {
            l.expires_at == Expiry::Never
        })
        .await
    }

    /// Whether the service is known to take no end away: by a probe, or because it refused to.
    fn keeps_ends(&self) -> bool {
        !self.abilities().can_be_for_life || self.0.keeps_ends.load(Ordering::Relaxed)
    }
}

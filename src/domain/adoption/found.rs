//! A license that was found at the license service and carries a purchase's name.

use super::noted_seat::NotedSeat;
use crate::domain::action::GrantStatus;
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::plan::Devices;
use crate::domain::time::{Span, Timestamp};

/// Two ends that lie no further apart are the same: services round, and two clocks differ.
pub(super) const SAME_END: Span = Span::from_minutes(5);

/// A license that carries a purchase's name, as its service shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLicense {
    /// The key.
    pub key: LicenseKey,
    /// The application.
    pub app_id: Option<AppId>,
    /// Whether it works; `None`: in a word that is not known.
    pub status: Option<GrantStatus>,
    /// Its end; the outer `None`: not told, the inner one: for life.
    pub expires_at: Option<Option<Timestamp>>,
    /// Its devices, where told.
    pub devices: Option<Devices>,
    /// Its label, where it was read.
    pub label: Option<String>,
    /// When it was made, where told.
    pub made: Option<Timestamp>,
    /// The seat that it was noted for.
    pub seat: Option<NotedSeat>,
}

impl FoundLicense {
    /// Whether it works at an instant. What is not told works: nobody is called unpaid by a guess.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.status == Some(GrantStatus::Live)
            && self.expires_at.flatten().is_none_or(|end| end > now)
    }

    /// Whether it works at least until an instant (`None`: for life).
    pub(super) fn lasts(&self, until: Option<Timestamp>, now: Timestamp) -> bool {
        let ends = self.expires_at.flatten();
        self.is_live(now)
            && match (ends, until) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(ends), Some(until)) => ends + SAME_END >= until,
            }
    }
}

/// The time between two instants, whichever comes first.
pub(super) fn between(a: Timestamp, b: Timestamp) -> Span {
    Span::from_ms((a - b).ms().abs())
}

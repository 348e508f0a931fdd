//! The word for what a license is.

use std::fmt;

/// What a license is at an instant, for people and for whoever counts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum LicenseStatus {
    /// It works.
    Live,
    /// It is stopped, and can come back.
    Suspended,
    /// It is ended for good.
    Revoked,
    /// Its time is over.
    Expired,
}

impl LicenseStatus {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Live, Self::Suspended, Self::Revoked, Self::Expired];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for LicenseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

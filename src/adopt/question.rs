//! What is asked about a shop.

use std::path::Path;

use super::known::KnownShop;
use super::licenses::CrawlError;
use super::read::ReadError;
use crate::domain::adoption::{Asking, Template};
use crate::domain::id::{AppId, Scope};
use crate::domain::revision::Revisions;
use crate::domain::time::Timestamp;
use crate::effects::license;
use crate::effects::stripe;
use crate::effects::throttle::{Share, Throttle};

/// The licenses of a shop, and how they are read.
#[derive(Clone, Debug)]
pub struct LicenseList {
    /// The service.
    pub client: license::Client,
    /// Its pace.
    pub throttle: Throttle,
    /// For whom it is read: beside a server's work, at half its pace.
    pub share: Share,
    /// The application where a purchase names none.
    pub app: AppId,
}

/// What is asked about a shop.
pub struct Question<'a> {
    /// The source.
    pub scope: Scope,
    /// Its account.
    pub stripe: &'a stripe::Client,
    /// Calls a second to Stripe at most; 0: no limit.
    pub reads_per_s: u32,
    /// The license service; `None`: it is this program's own, and nobody else made licenses there.
    pub licenses: Option<LicenseList>,
    /// Plans and policies.
    pub revisions: &'a Revisions,
    /// The most devices of one key.
    pub devices_max: u32,
    /// The vendor's own label forms.
    pub templates: &'a [Template],
    /// What the store knows.
    pub known: &'a KnownShop,
    /// What for.
    pub asking: Asking,
    /// Where progress is kept; `None`: nowhere.
    pub progress: Option<&'a Path>,
    /// A digest of the account's key, so that no other account's progress is taken up.
    pub account: u64,
    /// The instant.
    pub now: Timestamp,
}

/// Why a shop could not be examined. What was read is kept: the next run goes on there.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// At Stripe.
    #[error(transparent)]
    Stripe(#[from] ReadError),
    /// At the license service.
    #[error(transparent)]
    Licenses(#[from] CrawlError),
}

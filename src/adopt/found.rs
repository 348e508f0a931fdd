//! What a look at a shop found.

use std::collections::{HashMap, HashSet};

use super::alone::Unshown;
use super::examine::Judgement;
use super::report::ReportRow;
use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;

/// What a look found.
#[derive(Debug, Default)]
pub struct Found {
    /// Whose shop it is; `None` before anything was read.
    pub source: Option<SourceName>,
    /// What it comes to.
    pub judged: Judgement,
    /// Digests of keys and labels that were learnt, to be remembered.
    pub labels: Vec<(u64, u64)>,
    /// Licenses that the lists do not show.
    pub unshown: Unshown,
    /// Working keys whose label names no purchase: somebody else's matter.
    pub unlabelled: usize,
    /// Working keys without a purchase, before every source was looked at.
    pub strays: Vec<StrayKey>,
    /// What this source's lists name.
    pub sold: Sold,
    /// Refunds and disputes that belong to no purchase.
    pub loose: usize,
    /// Charges that succeeded and belong to no purchase.
    pub loose_charges: usize,
    /// Charges that say that money went back or is disputed, where the lists do not show it.
    pub unlisted: Vec<String>,
    /// Calls to Stripe and to the license service.
    pub calls: (u64, u64),
    /// When the first page was read: what changed since is looked at again.
    pub began: Option<Timestamp>,
    /// Ids of objects, each with its purchase.
    pub names: HashMap<String, String>,
    /// Where no license list was read: an application at AuthForge that purchases name, and how many name one.
    pub elsewhere: Option<(String, usize)>,
}

/// A working key without a purchase in one source's look.
#[derive(Clone, Debug)]
pub struct StrayKey {
    /// A digest of the key.
    pub(super) key: u64,
    /// The purchase that its label names.
    pub(super) object: Option<String>,
    /// Whether the source lists that purchase, as one that is not paid.
    pub(super) is_listed: bool,
    /// What is told of it, where its label names a purchase.
    pub(super) row: Option<ReportRow>,
}

/// What one source's lists name.
#[derive(Clone, Debug, Default)]
pub struct Sold {
    /// Digests of the keys of its purchases.
    pub(super) keys: HashSet<u64>,
    /// Its purchases that bought something.
    pub(super) purchases: HashSet<String>,
}

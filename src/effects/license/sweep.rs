//! The way through an application's whole list that finds licenses by label, where the list neither shows labels nor
//! can be asked for one. Pure: pages and licenses go in, what to fetch next comes out.
//!
//! First all pages are read, quickly, for a cursor may not live long; then each license that is left is read by
//! itself, once in its lifetime, for a label never changes. "Absent" may be concluded only from a sweep that is over.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::License;
use super::wire::LicensePage;
use crate::domain::id::LicenseKey;
use crate::domain::time::{Span, Timestamp};

/// How far the service's clock may be off ours when a license's age is compared with an attempt.
pub const CLOCK_SKEW: Span = Span::from_minutes(10);
/// The most pages of one sweep: 4 million licenses. What is longer does not end.
pub const PAGES_MAX: u32 = 20_000;
/// The most licenses that one sweep reads: some 40 MB of keys, and hours at the usual rate.
pub const READS_MAX: usize = 500_000;
/// The most licenses whose labels are remembered, 16 bytes each and some; those beyond are read in each sweep.
pub const MEMORY_MAX: usize = 1_000_000;

/// A hash that is the same in every process, so that what was learnt may be kept. 64 bits: among a million licenses
/// the chance that any two meet is one in 37 million, and a label that seems to fit is always read and compared whole.
#[must_use]
pub fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Which license carries which label, as far as it was ever read: hashes only.
#[derive(Debug, Default)]
pub struct Memory {
    labels: HashMap<u64, u64>,
    /// What was learnt since it was last taken to be kept.
    fresh: Vec<(u64, u64)>,
    /// Whether what was kept has been taken up.
    pub is_loaded: bool,
}

impl Memory {
    /// What was learnt, as pairs to keep over a restart.
    pub fn pairs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.labels.iter().map(|(key, label)| (*key, *label))
    }

    /// Takes up pairs that were kept.
    pub fn learn(&mut self, pairs: impl IntoIterator<Item = (u64, u64)>) {
        for (key, label) in pairs {
            self.insert(key, label);
        }
    }

    /// Takes what was learnt since it was last taken, if it is so much.
    pub fn take_fresh(&mut self, at_least: usize) -> Vec<(u64, u64)> {
        if self.fresh.len() < at_least {
            Vec::new()
        } else {
            std::mem::take(&mut self.fresh)
        }
    }

    fn keep(&mut self, key: u64, label: u64) {
        if self.insert(key, label) {
            self.fresh.push((key, label));
        }
    }

    /// Whether it was news.
    fn insert(&mut self, key: u64, label: u64) -> bool {
        let has_place = self.labels.len() < MEMORY_MAX || self.labels.contains_key(&key);
        has_place && self.labels.insert(key, label) != Some(label)
    }
}

/// A label that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The label, byte for byte.
    pub label: String,
    /// When our own attempt was sent, where the question is only whether that came through; `None`: whoever made it,
    /// whenever (rule 52).
    pub sent_at: Option<Timestamp>,
}

/// A list that is too long, or does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of licenses does not end: {pages} pages, {reads} licenses to be read")]
pub struct Endless {
    /// Pages so far.
    pub pages: u32,
    /// Licenses left to be read.
    pub reads: usize,
}

/// A complete sweep's result.
#[derive(Debug, Default)]
pub struct Swept {
    /// The licenses that carry each wanted label; a label that is missing here is absent from the list.
    pub found: HashMap<String, Vec<License>>,
    /// Of a crawl: all labels.
    pub index: Index,
    /// Which labels the list showed at all; `None`: only those were asked for that were wanted.
    pub shown: Option<ShownLabels>,
}

impl Swept {
    /// The licenses that carry any of these labels.
    #[must_use]
    pub fn licenses(&self, wanted: &[Wanted]) -> Vec<License> {
        let found = wanted.iter().filter_map(|w| self.found.get(&w.label));
        found.flatten().cloned().collect()
    }
}

/// The labels on a whole list, but for those of licenses that somebody holds: hashes only, 16 bytes each and some.
#[derive(Debug)]
pub struct ShownLabels {
    labels: HashSet<u64>,
    /// Licenses made before this were passed over if their label was not known.
    not_before: Option<Timestamp>,
}

impl ShownLabels {
    /// Whether a label was on none of the licenses that could be meant.
    #[must_use]
    pub fn lacks(&self, wanted: &Wanted) -> bool {
        let passed_over = match (self.not_before, wanted.sent_at) {
            (None, _) => false,
            (Some(cut), Some(sent)) => sent - CLOCK_SKEW < cut,
            (Some(_), None) => true,
        };
        !passed_over && !self.labels.contains(&hash(&wanted.label))
    }
}

/// All labels of an application and the keys that carry them.
#[derive(Debug, Default)]
pub struct Index(HashMap<u64, Vec<LicenseKey>>);

impl Index {
    /// The keys that carry a label. Read them before they are believed: the index knows hashes.
    #[must_use]
    pub fn keys_of(&self, label: &str) -> &[LicenseKey] {
        self.0.get(&hash(label)).map_or(&[], Vec::as_slice)
    }
}

/// One way through an application's list.
#[derive(Debug)]
pub struct Sweep {
    /// Hashes of the wanted labels; `None`: all labels.
    wanted: Option<HashSet<u64>>,
    labels: HashSet<String>,
    /// Licenses made before this cannot be from the attempts in question.
    not_before: Option<Timestamp>,
    /// Whether a list entry without a label has none.
    list_shows_label: bool,
    next_page: Option<Option<String>>,
    pages: u32,
    cursors: HashSet<u64>,
    seen: HashSet<u64>,
    unread: Vec<LicenseKey>,
    shown: HashSet<u64>,
    swept: Swept,
}

impl Sweep {
    /// Looks for these labels.
    #[must_use]
    pub fn for_labels(wanted: &[Wanted], list_shows_label: bool) -> Self {
        let sent: Option<Vec<Timestamp>> = wanted.iter().map(|w| w.sent_at).collect();
        Self {
            wanted: Some(wanted.iter().map(|w| hash(&w.label)).collect()),
            labels: wanted.iter().map(|w| w.label.clone()).collect(),
            not_before: sent
                .and_then(|sent| sent.into_iter().min())
                .map(|first| first - CLOCK_SKEW),
            ..Self::for_all(list_shows_label)
        }
    }

    /// Looks for all labels.
    #[must_use]
    pub fn for_all(list_shows_label: bool) -> Self {
        Self {
            wanted: None,
            labels: HashSet::new(),
            not_before: None,
            list_shows_label,
            next_page: Some(None),
            pages: 0,
            cursors: HashSet::new(),
            seen: HashSet::new(),
            unread: Vec::new(),
            shown: HashSet::new(),
            swept: Swept::default(),
        }
    }

    /// The page to fetch next, by its cursor (`Some(None)`: the first); then [`page`](Self::page) or
    /// [`restart`](Self::restart). `None`: all pages were read.
    #[must_use]
    pub fn next_page(&self) -> Option<Option<String>> {
        self.next_page.clone()
    }

    /// Hands out a license to be read by itself, once; then [`read`](Self::read), unless it is gone. `None`, after all
    /// pages: none is left.
    pub fn next_read(&mut self) -> Option<LicenseKey> {
        self.unread.pop()
    }

    /// Takes a page: drops what is held, what is too old, and what is known to carry another label.
    ///
    /// # Errors
    /// When the list does not end.
    pub fn page(
        &mut self,
        page: LicensePage,
        memory: &mut Memory,
        is_held: impl Fn(&LicenseKey) -> bool,
    ) -> Result<(), Endless> {
        for license in page.licenses {
            let key = hash(license.key.reveal());
            if !self.seen.insert(key) || is_held(&license.key) {
                continue;
            }
            if license.label.is_some() || self.list_shows_label {
                memory.keep(key, hash(license.label.as_deref().unwrap_or_default()));
            }
            match memory.labels.get(&key) {
                Some(label) => self.known(*label, license.key),
                None if self.is_too_old(license.created_at) => {}
                None => self.unread.push(license.key),
            }
        }
        self.pages += 1;
        // A cursor that comes twice would lead round in circles.
        let circles = page
            .cursor
            .as_deref()
            .is_some_and(|cursor| !self.cursors.insert(hash(cursor)));
        if circles || self.pages > PAGES_MAX || self.unread.len() > READS_MAX {
            return Err(Endless {
                pages: self.pages,
                reads: self.unread.len(),
            });
        }
        self.next_page = page.cursor.map(Some);
        Ok(())
    }

    /// The cursor was refused: from the first page again. What was seen stays seen.
    pub fn restart(&mut self) {
        self.next_page = Some(None);
        self.cursors.clear();
    }

    /// Takes a license that was read by itself.
    pub fn read(&mut self, license: License, memory: &mut Memory) {
        let label = license.label.clone().unwrap_or_default();
        memory.keep(hash(license.key.reveal()), hash(&label));
        self.shown.insert(hash(&label));
        if self.wanted.is_none() {
            self.swept
                .index
                .0
                .entry(hash(&label))
                .or_default()
                .push(license.key);
        } else if self.labels.contains(&label) {
            self.swept.found.entry(label).or_default().push(license);
        }
    }

    /// The result, once there is no next page and no next read, and all that was handed out has come back.
    #[must_use]
    pub fn finish(self) -> Swept {
        let shown = ShownLabels {
            labels: self.shown,
            not_before: self.not_before,
        };
        Swept {
            shown: Some(shown),
            ..self.swept
        }
    }

    fn known(&mut self, label: u64, key: LicenseKey) {
        self.shown.insert(label);
        match &self.wanted {
            None => self.swept.index.0.entry(label).or_default().push(key),
            // Read for its details, and to compare the label itself.
            Some(wanted) if wanted.contains(&label) => self.unread.push(key),
            Some(_) => {}
        }
    }

    fn is_too_old(&self, created_at: Option<Timestamp>) -> bool {
        matches!((created_at, self.not_before), (Some(made), Some(cut)) if made < cut)
    }
}

#[cfg(test)]
mod tests;

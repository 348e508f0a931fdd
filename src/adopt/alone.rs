//! Licenses that are read by themselves, for what a list does not tell of them. What a list does not show is unknown, not gone;
//! and what it shows may be wrong for an hour.

use std::collections::BTreeSet;
use std::fmt;

use super::examine::Matches;
use super::licenses::{Crawl, CrawlError, LicenseIndex, found};
use super::question::{ExamineError, LicenseList, Question};
use super::table::KeyTable;
use crate::domain::adoption::{Asking, FoundLicense};
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::machine::Grant;
use crate::domain::words::counted;
use crate::effects::license::sweep::hash;
use crate::effects::license::{Expiry, License, Status};

/// Licenses of one look that are read by themselves because of what a list says of them, or does not.
const READS_MAX: usize = 1_000;

/// Keys without a purchase whose labels are read once more, where only their digests are remembered.
const STRAYS_MAX: usize = 1_000;

/// Whether a working key belongs to no purchase, neither by what was read nor here.
fn is_stray(question: &Question<'_>, matched: &Matches, n: usize, license: &FoundLicense) -> bool {
    let is_held = question.known.holder(&license.key).is_some();
    !matched.has(n) && !is_held && license.is_live(question.now)
}

/// Reads the labels of such keys once more where only their digests are remembered: what they say is told to people.
pub(super) async fn read_strays(
    question: &Question<'_>,
    licenses: &mut LicenseIndex,
    matched: &Matches,
    crawl: &mut Crawl<'_>,
) -> Result<(), ExamineError> {
    let Some(list) = &question.licenses else {
        return Ok(());
    };
    let mut read = 0;
    for (n, listed) in licenses.all.iter_mut().enumerate() {
        let license = found(&listed.license);
        let is_unread = license.label.is_none() && listed.label != hash("");
        if !is_unread || !is_stray(question, matched, n, &license) {
            continue;
        }
        if read == STRAYS_MAX {
            break;
        }
        read += 1;
        let app = license.app_id.clone().unwrap_or_else(|| list.app.clone());
        let read = crawl.read_one(&app, &license.key).await?;
        listed.license.label = read.and_then(|license| license.label);
    }
    Ok(())
}

/// Reads by themselves the licenses of which a purchase has more than it bought: which one is in use, a list may not show.
pub(super) async fn read_doubled(
    list: &LicenseList,
    licenses: &mut LicenseIndex,
    doubled: &[usize],
    crawl: &mut Crawl<'_>,
) -> Result<(), ExamineError> {
    for n in doubled {
        let license = &mut licenses.all[*n].license;
        if license.bound.is_some() {
            continue;
        }
        let app = license.app_id.clone().unwrap_or_else(|| list.app.clone());
        let read = crawl.read_one(&app, &license.key).await?;
        license.bound = read.and_then(|license| license.bound);
    }
    Ok(())
}

/// Licenses that the lists do not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unshown {
    /// The service has them all the same, as it said of each by itself.
    pub there: usize,
    /// Nobody knows whether they work: more are not read by themselves, or the service refused to show them.
    pub unknown: usize,
}

impl Unshown {
    /// Whether the lists show everything.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.there == 0 && self.unknown == 0
    }
}

impl fmt::Display for Unshown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let licenses = |n| counted(n, "license", "licenses");
        f.write_str("the license service's list does not show ")?;
        match (self.there, self.unknown) {
            (there, 0) => write!(
                f,
                "{} that it has: each was read by itself",
                licenses(there)
            ),
            (0, unknown) => write!(
                f,
                "{} that are held here, and they were not read by themselves: whether they work is not known",
                licenses(unknown)
            ),
            (there, unknown) => write!(
                f,
                "{}: {there} were read by themselves and are there; of {unknown} it is not known whether they work",
                licenses(there + unknown)
            ),
        }
    }
}

/// Reads what the lists do not show, or show otherwise than this store knows it.
pub(super) struct Alone<'q, 'c, 'p> {
    asking: Asking,
    list: &'q LicenseList,
    crawl: &'c mut Crawl<'p>,
    /// The applications whose lists were read.
    listed: BTreeSet<AppId>,
    /// Licenses that were read by themselves.
    read: BTreeSet<u64>,
    /// What the lists do not show.
    pub(super) unshown: Unshown,
}

/// What reading one license by itself came to.
enum LicenseRead {
    There(License),
    Gone,
    /// It is not to be asked, or would not say.
    Nothing,
}

impl<'q, 'c, 'p> Alone<'q, 'c, 'p> {
    pub(super) fn new(
        (asking, list): (Asking, &'q LicenseList),
        crawl: &'c mut Crawl<'p>,
        listed: BTreeSet<AppId>,
    ) -> Self {
        Self {
            asking,
            list,
            crawl,
            listed,
            read: BTreeSet::new(),
            unshown: Unshown::default(),
        }
    }

    /// Finds the licenses that are held here and that no list has shown: in the application that they are of, or by themselves.
    pub(super) async fn find_held(
        &mut self,
        held: impl IntoIterator<Item = &Grant>,
        licenses: &mut LicenseIndex,
    ) -> Result<(), ExamineError> {
        for grant in held {
            let is_shown = |licenses: &LicenseIndex| licenses.keyed(grant.key.reveal()).is_some();
            if is_shown(licenses) {
                continue;
            }
            if let Some(app) = &grant.app_id {
                self.list_of(app, licenses).await?;
            }
            if is_shown(licenses) {
                continue;
            }
            match self.ask(&grant.key).await? {
                LicenseRead::There(license) => {
                    // The application that the config named when it was made: the list has the others, too.
                    if let Some(app) = license.app_id.clone() {
                        self.list_of(&app, licenses).await?;
                    }
                    if !is_shown(licenses) {
                        self.unshown.there += 1;
                        licenses.add_whole(license);
                    }
                }
                // An adoption takes in what is there.
                LicenseRead::Gone if self.asking == Asking::Audit => {
                    licenses.add_whole(gone(grant));
                }
                LicenseRead::Gone => {}
                LicenseRead::Nothing => {
                    self.unshown.unknown += 1;
                    licenses.unknown.insert(grant.key.clone());
                }
            }
        }
        Ok(())
    }

    /// Finds the licenses that the vendor's table names and that no list has shown.
    pub(super) async fn find_named(
        &mut self,
        table: &KeyTable,
        licenses: &mut LicenseIndex,
    ) -> Result<(), ExamineError> {
        for row in &table.rows {
            if licenses.keyed(row.key.reveal()).is_some() {
                continue;
            }
            if let LicenseRead::There(license) = self.ask(&row.key).await? {
                self.unshown.there += 1;
                licenses.add_whole(license);
            }
        }
        Ok(())
    }

    /// Reads once more, each by itself, the licenses of which something is about to be said by the list's word alone.
    pub(super) async fn read_again(
        &mut self,
        which: &[usize],
        licenses: &mut LicenseIndex,
    ) -> Result<(), ExamineError> {
        for n in which {
            let key = licenses.all[*n].license.key.clone();
            let said = self.ask(&key).await?;
            let license = &mut licenses.all[*n].license;
            match said {
                LicenseRead::There(read) => *license = read,
                LicenseRead::Gone => license.status = Status::Revoked,
                LicenseRead::Nothing => {}
            }
        }
        Ok(())
    }

    /// Reads the list of an application that only licenses name which are held here. One that the service does not list any
    /// more is no reason to say nothing of all others.
    async fn list_of(
        &mut self,
        app: &AppId,
        licenses: &mut LicenseIndex,
    ) -> Result<(), ExamineError> {
        if !self.listed.insert(app.clone()) {
            return Ok(());
        }
        match self.crawl.read(app, licenses).await {
            Ok(()) | Err(CrawlError::Refused { .. }) => Ok(()),
            Err(failed) => Err(failed.into()),
        }
    }

    async fn ask(&mut self, key: &LicenseKey) -> Result<LicenseRead, ExamineError> {
        let digest = hash(key.reveal());
        if self.read.len() >= READS_MAX || !self.read.insert(digest) {
            return Ok(LicenseRead::Nothing);
        }
        match self.crawl.read_one(&self.list.app, key).await {
            Ok(Some(license)) => Ok(LicenseRead::There(license)),
            Ok(None) => Ok(LicenseRead::Gone),
            Err(CrawlError::Refused { .. }) => Ok(LicenseRead::Nothing),
            Err(failed) => Err(failed.into()),
        }
    }
}

/// A license that the service does not have any more, as good as revoked.
fn gone(grant: &Grant) -> License {
    License {
        key: grant.key.clone(),
        app_id: grant.app_id.clone(),
        status: Status::Revoked,
        expires_at: Expiry::Untold,
        devices: None,
        bound: None,
        label: None,
        created_at: None,
    }
}

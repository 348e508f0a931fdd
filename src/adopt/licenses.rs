//! The license service's whole list, once: every license with its label. Lists may not show labels, so each license is read
//! by itself once in its lifetime.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::progress::{Progress, ReadPart};
use super::so_far::{ReadSoFar, Trouble, WAIT_MAX};
use crate::clock::pause;
use crate::domain::action::GrantStatus;
use crate::domain::adoption::FoundLicense;
use crate::domain::id::{AppId, LicenseKey};
use crate::domain::time::Span;
use crate::effects::license::sweep::{PAGES_MAX, hash};
use crate::effects::license::{Answer, Client, License, RefusalKind, Status};
use crate::effects::throttle::{Share, Throttle};

/// Licenses that are read side by side.
const READS_AT_ONCE: usize = 4;
/// Labels that are kept in one part of the progress.
const LABELS_AT_ONCE: usize = 50;
/// How often one call is tried.
const TRIES_MAX: u32 = 10;
const FIRST_WAIT: Span = Span::from_ms(250);
const WHAT: &str = "licenses";

/// Why the licenses could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CrawlError {
    /// The service refuses.
    #[error("the license service refuses to list application {app}: {why}")]
    Refused {
        /// The application.
        app: AppId,
        /// What it said.
        why: String,
    },
    /// The service does not answer.
    #[error("the license service does not answer: {0}")]
    Unanswered(String),
    /// The list does not end.
    #[error("the license service's list does not end")]
    Endless,
    /// The progress.
    #[error("the progress cannot be kept: {0}")]
    Progress(#[from] std::io::Error),
}

/// A license with what is known of its label.
#[derive(Clone, Debug)]
pub struct ListedLicense {
    /// As the service shows it.
    pub license: License,
    /// The digest of its label.
    pub label: u64,
}

/// Every license of some applications, by label and by key.
#[derive(Debug, Default)]
pub struct LicenseIndex {
    /// All of them.
    pub all: Vec<ListedLicense>,
    by_label: HashMap<u64, Vec<usize>>,
    by_key: HashMap<LicenseKey, usize>,
    /// Held here, not shown by a list, and not read by themselves.
    pub(super) unknown: HashSet<LicenseKey>,
}

impl LicenseIndex {
    /// Licenses whose labels are known.
    #[must_use]
    pub fn of(licenses: impl IntoIterator<Item = License>) -> Self {
        let mut index = Self::default();
        licenses.into_iter().for_each(|l| index.add_whole(l));
        index
    }

    /// Adds one that was read by itself, with its label.
    pub(super) fn add_whole(&mut self, license: License) {
        let label = hash(license.label.as_deref().unwrap_or_default());
        self.add(ListedLicense { license, label });
    }

    fn add(&mut self, listed: ListedLicense) {
        let at = self.all.len();
        if self.by_key.contains_key(&listed.license.key) {
            return;
        }
        self.by_key.insert(listed.license.key.clone(), at);
        self.by_label.entry(listed.label).or_default().push(at);
        self.all.push(listed);
    }

    /// The licenses that carry a label.
    pub fn labelled(&self, label: &str) -> impl Iterator<Item = usize> {
        self.by_label
            .get(&hash(label))
            .into_iter()
            .flatten()
            .copied()
    }

    /// That of a key.
    #[must_use]
    pub fn keyed(&self, key: &str) -> Option<usize> {
        self.by_key.get(&LicenseKey::new(key)).copied()
    }
}

/// A license as the rules see it.
#[must_use]
pub fn found(license: &License) -> FoundLicense {
    FoundLicense {
        key: license.key.clone(),
        app_id: license.app_id.clone(),
        status: match &license.status {
            Status::Active => Some(GrantStatus::Live),
            Status::Suspended => Some(GrantStatus::Suspended),
            Status::Revoked => Some(GrantStatus::Revoked),
            Status::Other(word) => word.is_empty().then_some(GrantStatus::Live),
        },
        expires_at: license.expires_at.known(),
        devices: license.devices,
        label: license.label.clone(),
        made: license.created_at,
        seat: None,
    }
}

/// Reads the licenses of one service.
pub struct Crawl<'a> {
    client: &'a Client,
    throttle: Throttle,
    share: Share,
    progress: &'a mut Progress,
    watch: &'a mut (dyn FnMut(ReadSoFar<'_>) + Send),
    /// Labels that were read before: a digest of the key, and one of the label.
    remembered: BTreeMap<u64, u64>,
    /// Those that this run, or one that was killed, read.
    texts: HashMap<String, String>,
    /// What was learnt, to be remembered.
    pub fresh: Vec<(u64, u64)>,
    /// Calls so far.
    pub calls: u64,
    told: String,
}

impl<'a> Crawl<'a> {
    /// `remembered` by the store and `kept` by an earlier run: what is known of labels.
    pub fn new(
        client: &'a Client,
        (throttle, share): (Throttle, Share),
        progress: &'a mut Progress,
        watch: &'a mut (dyn FnMut(ReadSoFar<'_>) + Send),
        remembered: &[(u64, u64)],
        kept: &[ReadPart],
    ) -> Self {
        let labels = kept.iter().filter_map(|part| match part {
            ReadPart::Labels(pairs) => Some(pairs),
            ReadPart::Begun { .. } | ReadPart::Page { .. } => None,
        });
        Self {
            client,
            throttle,
            share,
            progress,
            watch,
            remembered: remembered.iter().copied().collect(),
            texts: labels.flatten().cloned().collect(),
            fresh: Vec::new(),
            calls: 0,
            told: String::new(),
        }
    }

    /// Reads an application.
    ///
    /// # Errors
    /// [`CrawlError`].
    pub async fn read(&mut self, app: &AppId, into: &mut LicenseIndex) -> Result<(), CrawlError> {
        let listed = self.pages(app).await?;
        let mut unread = Vec::new();
        for mut license in listed {
            let key = license.key.reveal().to_owned();
            if license.label.is_none() {
                license.label = self.texts.get(&key).cloned();
            }
            let label = license.label.as_deref().map(hash);
            match label.or_else(|| self.remembered.get(&hash(&key)).copied()) {
                Some(label) => {
                    self.learn(&license, label);
                    into.add(ListedLicense { license, label });
                }
                None => unread.push(license),
            }
        }
        self.labels(app, unread, into).await
    }

    /// Reads one license: lists may show neither its label nor its devices. `None`: it is gone.
    ///
    /// # Errors
    /// [`CrawlError`].
    pub async fn read_one(
        &mut self,
        app: &AppId,
        key: &LicenseKey,
    ) -> Result<Option<License>, CrawlError> {
        let (tell, _) = unbounded_channel();
        let pace = (&self.throttle, self.share);
        let (license, calls) = get(self.client, pace, app, key, &tell).await?;
        self.calls += calls;
        Ok(license)
    }

    fn learn(&mut self, license: &License, label: u64) {
        let key = hash(license.key.reveal());
        if self.remembered.insert(key, label) != Some(label) {
            self.fresh.push((key, label));
        }
    }

    async fn pages(&mut self, app: &AppId) -> Result<Vec<License>, CrawlError> {
        let (mut all, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
        let (mut wait, mut tries) = (FIRST_WAIT, 0);
        loop {
            let pass = self.throttle.pass(self.share).await;
            self.calls += 1;
            let answer = self.client.list(app, cursor.as_deref()).await;
            drop(pass);
            match answer {
                Answer::Done(page) => {
                    all.extend(page.licenses);
                    let (read, calls) = (all.len(), self.calls);
                    (self.watch)(ReadSoFar {
                        what: WHAT,
                        read,
                        calls,
                        trouble: None,
                    });
                    (wait, tries, pages) = (FIRST_WAIT, 0, pages + 1);
                    match page.cursor {
                        None => return Ok(all),
                        next if pages > PAGES_MAX || next == cursor => {
                            return Err(CrawlError::Endless);
                        }
                        next => cursor = next,
                    }
                }
                // A cursor that does not live as long as the list is long: from the beginning.
                Answer::Refused(_) if cursor.is_some() && tries < TRIES_MAX => {
                    (cursor, tries) = (None, tries + 1);
                    all.clear();
                }
                Answer::Refused(refusal) => {
                    return Err(CrawlError::Refused {
                        app: app.clone(),
                        why: refusal.to_string(),
                    });
                }
                other
                @ (Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. }) => {
                    tries += 1;
                    let (after, why) = later(other);
                    if tries >= TRIES_MAX {
                        return Err(CrawlError::Unanswered(why));
                    }
                    self.stands_still(&why);
                    pause(wait.max(after).min(WAIT_MAX)).await;
                    wait = Span::from_ms(wait.ms() * 2).min(WAIT_MAX);
                }
            }
        }
    }

    /// Says once why it stands still.
    fn stands_still(&mut self, why: &str) {
        if self.told == why {
            return;
        }
        self.told = why.to_owned();
        let trouble = Trouble::of("the license service", why, FIRST_WAIT, TRIES_MAX);
        (self.watch)(ReadSoFar {
            what: WHAT,
            read: 0,
            calls: self.calls,
            trouble: Some(&trouble),
        });
    }

    /// Reads licenses by themselves, for their labels.
    async fn labels(
        &mut self,
        app: &AppId,
        mut unread: Vec<License>,
        into: &mut LicenseIndex,
    ) -> Result<(), CrawlError> {
        let (mut reads, mut news) = (JoinSet::new(), Vec::new());
        let total = unread.len();
        let mut read = 0;
        let (tell, mut troubles) = unbounded_channel();
        loop {
            while reads.len() < READS_AT_ONCE
                && let Some(license) = unread.pop()
            {
                let (client, throttle) = (self.client.clone(), self.throttle.clone());
                let share = self.share;
                let (app, tell) = (app.clone(), tell.clone());
                reads.spawn(async move {
                    get(&client, (&throttle, share), &app, &license.key, &tell).await
                });
            }
            let joined = tokio::select! {
                joined = reads.join_next() => joined,
                Some(why) = troubles.recv() => {
                    self.stands_still(&why);
                    continue;
                }
            };
            let Some(joined) = joined else {
                break;
            };
            let (license, calls) = joined.map_err(|e| CrawlError::Unanswered(e.to_string()))??;
            self.calls += calls;
            read += 1;
            // One that is gone since it was listed is none.
            if let Some(license) = license {
                let text = license.label.clone().unwrap_or_default();
                news.push((license.key.reveal().to_owned(), text.clone()));
                let label = hash(&text);
                self.learn(&license, label);
                into.add(ListedLicense { license, label });
            }
            if news.len() >= LABELS_AT_ONCE || read == total {
                self.progress
                    .add(&ReadPart::Labels(std::mem::take(&mut news)))?;
                let calls = self.calls;
                (self.watch)(ReadSoFar {
                    what: "labels",
                    read,
                    calls,
                    trouble: None,
                });
            }
        }
        Ok(())
    }
}

/// Reads one license, tried again while that can help; `None`: it is gone. With the number of calls.
async fn get(
    client: &Client,
    (throttle, share): (&Throttle, Share),
    app: &AppId,
    key: &LicenseKey,
    tell: &UnboundedSender<String>,
) -> Result<(Option<License>, u64), CrawlError> {
    let (mut wait, mut calls) = (FIRST_WAIT, 0);
    loop {
        let pass = throttle.pass(share).await;
        calls += 1;
        let answer = client.get(key).await;
        drop(pass);
        match answer {
            Answer::Done(license) => return Ok((Some(license), calls)),
            Answer::Refused(refusal) if refusal.kind == RefusalKind::NotFound => {
                return Ok((None, calls));
            }
            Answer::Refused(refusal) => {
                return Err(CrawlError::Refused {
                    app: app.clone(),
                    why: refusal.to_string(),
                });
            }
            other @ (Answer::Again { .. } | Answer::NotSent { .. } | Answer::Unknown { .. }) => {
                let (after, why) = later(other);
                if calls >= u64::from(TRIES_MAX) {
                    return Err(CrawlError::Unanswered(why));
                }
                // Whoever does not listen any more needs not to know.
                let _ = tell.send(why);
                pause(wait.max(after).min(WAIT_MAX)).await;
                wait = Span::from_ms(wait.ms() * 2).min(WAIT_MAX);
            }
        }
    }
}

/// What an answer that is none yet asks for.
fn later<T>(answer: Answer<T>) -> (Span, String) {
    match answer {
        Answer::Again { after, why } | Answer::Unknown { after, why } => {
            (after.unwrap_or(Span::ZERO), why)
        }
        Answer::NotSent { why } => (Span::ZERO, why),
        Answer::Done(_) | Answer::Refused(_) => (Span::ZERO, String::new()),
    }
}

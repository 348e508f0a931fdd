//! A store's purchases, page by page, while those of the pages before are played.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::admin::{self, Failure, HistoryEntry, HistoryQuery, Purchases};
use crate::cli::ask::Conversation;
use crate::cli::history_pages::{self, Part};
use crate::domain::customer::Customer;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::sim::compare::{self, Both, Compared, Window};
use crate::sim::groups;
use crate::sim::history::{self, Line};
use crate::sim::purchase::{self, Purchase};

/// Purchases that one thread plays before it hands over what came of them.
const PORTION: usize = 32;

/// Some of a store's histories, to be played under both rules.
pub(super) struct Portion {
    histories: Vec<Together>,
    until: Timestamp,
}

enum Together {
    /// Purchases that are played together.
    Purchases(Purchases),
    /// Lines that belong to no purchase so far.
    Loose(Vec<Line>),
}

/// Asks for one page after the other.
pub(super) struct Pager<'c> {
    asked: &'c mut Conversation,
    /// The end of the histories: the instant of the first page.
    pub(super) until: Timestamp,
    /// Events whose bodies are not kept any more.
    pub(super) missing: u64,
    purchases: Cursor,
    index: Cursor,
    loose: Vec<HistoryEntry>,
    ready: VecDeque<Portion>,
}

/// Where a walk through pages stands.
enum Cursor {
    Begin,
    After(String),
    End,
}

impl Cursor {
    /// What the next page begins after; `None`: there is none.
    fn next(&self) -> Option<Option<String>> {
        match self {
            Self::Begin => Some(None),
            Self::After(key) => Some(Some(key.clone())),
            Self::End => None,
        }
    }

    fn go_on(&mut self, next: Option<String>) {
        *self = next.map_or(Self::End, Self::After);
    }
}

impl<'c> Pager<'c> {
    pub(super) fn new(asked: &'c mut Conversation) -> Self {
        Self {
            asked,
            until: Timestamp::from_ms(0),
            missing: 0,
            purchases: Cursor::Begin,
            index: Cursor::Begin,
            loose: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    fn read(&mut self) -> Result<Option<Portion>, Failure> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            let purchases = self.purchases.next();
            let index = self.index.next();
            if purchases.is_none() && index.is_none() && self.loose.is_empty() {
                return Ok(None);
            }
            if let Some(after) = purchases {
                self.read_purchases(after)?;
            }
            // In turn with the purchases, so that there is work for the other threads meanwhile.
            if let Some(after) = index {
                self.read_index(after)?;
            } else if matches!(self.purchases, Cursor::End) {
                self.read_loose()?;
            }
        }
    }

    fn read_purchases(&mut self, after: Option<String>) -> Result<(), Failure> {
        let until = after.is_some().then_some(self.until);
        let page: Part<Purchases> =
            history_pages::part(self.asked, HistoryQuery::Purchases { after, until })?;
        self.until = page.at;
        self.purchases.go_on(page.next);
        let mut rows = page.rows.into_iter().map(Together::Purchases).peekable();
        while rows.peek().is_some() {
            let histories = rows.by_ref().take(PORTION).collect();
            self.ready.push_back(Portion {
                histories,
                until: self.until,
            });
        }
        Ok(())
    }

    fn read_index(&mut self, after: Option<String>) -> Result<(), Failure> {
        let pages = HistoryQuery::Events {
            loose: true,
            after,
            until: Some(self.until),
        };
        let mut page: Part<HistoryEntry> = history_pages::part(self.asked, pages)?;
        self.loose.append(&mut page.rows);
        self.index.go_on(page.next);
        Ok(())
    }

    /// What sold nothing so far might have under the new config.
    fn read_loose(&mut self) -> Result<(), Failure> {
        let mut entries = std::mem::take(&mut self.loose);
        entries.sort_unstable();
        let (mut lines, mut missing) = (Vec::new(), 0);
        history_pages::bodies(self.asked, &entries, |line| {
            match line.text {
                Some(text) => lines.extend(history::read("the store", &text).map_err(ours)?),
                None => missing += 1,
            }
            Ok(())
        })?;
        self.missing = missing;
        let histories = groups::apart(lines).into_iter().map(Together::Loose);
        self.ready.push_back(Portion {
            histories: histories.collect(),
            until: self.until,
        });
        Ok(())
    }
}

impl Iterator for &mut Pager<'_> {
    type Item = Result<Portion, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Portion {
    /// Plays them.
    pub(super) fn played(
        self,
        rules: &Both<Arc<Rules>>,
        since: Timestamp,
    ) -> Result<Compared, Failure> {
        let window = Window {
            since,
            until: self.until,
        };
        let mut all = Compared::default();
        for history in self.histories {
            let lines = match history {
                Together::Purchases(purchases) => lines(&purchases).map_err(ours)?,
                Together::Loose(lines) => lines,
            };
            all.append(compare::compare(&lines, rules, window).map_err(ours)?);
        }
        Ok(all)
    }
}

fn lines(together: &Purchases) -> Result<Vec<Line>, String> {
    let purchases = together.purchases.iter();
    let purchases: Vec<Purchase> = purchases
        .map(|text| admin::unpacked(text))
        .collect::<Result<_, _>>()?;
    let customer: Option<Customer> = together
        .customer
        .as_deref()
        .map(admin::unpacked)
        .transpose()?;
    let scope = purchases.first().map(|p| p.id.scope().clone());
    Ok(purchase::lines(purchases, scope.as_ref().zip(customer)))
}

fn ours(why: impl ToString) -> Failure {
    Failure::ours(why.to_string())
}

//! What holds for a subscription at an instant: what its course came to.

use std::collections::{BTreeMap, BTreeSet};

use super::grace::{Episode, SideFailure};
use super::paid_time::PaidTime;
use super::subscription::SubscriptionState as S;
use crate::domain::action::Question;
use crate::domain::decided::Decided;
use crate::domain::fact::Wants;
use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::money::Money;
use crate::domain::object::{
    Disputes, ItemHistory, ItemThen, Objects, ReturnedByInvoice, Subscription,
};
use crate::domain::time::Timestamp;

/// What holds for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionLife {
    /// Its state.
    pub state: S,
    /// When the first license became due: the first payment, or the trial's start.
    pub began: Option<Timestamp>,
    /// Its items as they are now, with their histories: of the newest snapshot, else as invoices bill them.
    pub items: Vec<(ItemThen, ItemHistory)>,
    /// Whether those are all there are: the license of an item that is none of them was given up.
    pub items_told: bool,
    /// What metadata asks for: one license for the subscription.
    pub asked: Option<Wants>,
    /// Items whose paid time keeps that license alive.
    pub carriers: Vec<ItemKey>,
    /// What the newest snapshot's metadata asks for.
    pub wants: Wants,
    /// Paid and granted time by item.
    pub paid: BTreeMap<ItemKey, PaidTime>,
    /// End of the newest trial that hands out a license.
    pub trial_until: Option<Timestamp>,
    /// When each item came: one that came after the trial had none.
    pub came: BTreeMap<ItemKey, Timestamp>,
    /// Grace periods, oldest first.
    pub episodes: Vec<Episode>,
    /// Failed invoices for something else.
    pub side_failures: Vec<SideFailure>,
    /// Open renewals that keep a license alive for a while, by what they carry to, ascending.
    pub open_renewals: Vec<OpenRenewal>,
    /// When a snapshot will speak for a payment, if no invoice is heard of until then.
    pub speaks_at: Option<Timestamp>,
    /// Whether that came: its beginning was heard of, its payment was not, and its source is said to hear of invoices.
    pub unheard: bool,
    /// How it ended.
    pub ended: Option<Deleted>,
    /// When an end was scheduled.
    pub scheduled_since: Option<Timestamp>,
    /// `cancel_at`, where one is set.
    pub cancel_at: Option<Timestamp>,
    /// Whether it ends with its period.
    pub cancel_at_period_end: bool,
    /// A pause that is on.
    pub paused: Option<Pause>,
    /// The newest snapshot that said that a trial ends soon.
    pub trial_ending: Option<TrialEnding>,
    /// Where its disputes stand.
    pub disputes: Disputes,
    /// What went back of its invoices.
    pub returned: ReturnedByInvoice,
    /// The same as money, for people.
    pub money_back: BTreeMap<InvoiceId, Money>,
    /// What no event told and Stripe could.
    pub unknown: Vec<Question>,
    /// Items that appeared in a cut list, and since when we know them: each may have taken the place of one that is not
    /// shown.
    pub newcomers: Option<(Timestamp, Vec<ItemKey>)>,
}

/// How a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The instant.
    pub at: Timestamp,
    /// When that was said, by the provider's clock.
    pub told: Timestamp,
    /// Whether Stripe gave up collecting.
    pub gave_up: bool,
    /// Whether somebody asked for it, as far as anybody told.
    pub asked: bool,
    /// The first payment was never made: nothing remains.
    pub never_began: bool,
}

/// A renewal invoice that is final, open and not failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRenewal {
    /// The items that it renews; none: not known, so all.
    pub items: Option<BTreeSet<ItemKey>>,
    /// Since when it is open. It keeps alive what was alive then; it does not revive.
    pub since: Timestamp,
    /// Until when it carries the license.
    pub until: Timestamp,
    /// Whether it is a sent invoice, which has until its due date.
    pub sent: bool,
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Whether the trial's end brought it, without a payment method.
    pub trial_over: bool,
    /// Whether the subscription itself is paused, not only its collection: what it resumes with may be billed.
    pub whole: bool,
}

/// A snapshot that says that a trial ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialEnding {
    /// When the trial ends.
    pub trial_end: Timestamp,
    /// When that was said.
    pub at: Timestamp,
    /// When we heard it.
    pub learned: Timestamp,
}

impl SubscriptionLife {
    /// A life of which nothing has happened yet, with what its objects say of it as a whole.
    pub(super) fn unbegun(objects: &Objects<'_>) -> Self {
        let subscription = &objects.subscription;
        let newest = subscription.newest().map(|v| v.shown);
        let returned = objects.returned_by_invoice();
        let wants = newest.map(|s| s.wants.clone()).unwrap_or_default();
        Self {
            state: S::Incomplete,
            began: None,
            items: Vec::new(),
            items_told: false,
            asked: subscription.asked.clone(),
            carriers: subscription.carriers(),
            wants,
            paid: BTreeMap::new(),
            trial_until: None,
            came: came(subscription),
            episodes: Vec::new(),
            side_failures: Vec::new(),
            open_renewals: Vec::new(),
            speaks_at: None,
            unheard: false,
            ended: None,
            scheduled_since: None,
            cancel_at: None,
            cancel_at_period_end: false,
            paused: None,
            trial_ending: None,
            disputes: objects.disputes.clone(),
            money_back: objects.money_back_by_invoice(&returned),
            returned,
            unknown: Vec::new(),
            newcomers: None,
        }
    }

    /// The episode that is running or has lapsed without being settled; of several, the latest.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        self.episodes.iter().rev().find(|e| e.is_open())
    }

    /// The end of an item's time that was paid, granted or on trial; `None`: nothing was.
    #[must_use]
    pub fn paid_end(&self, key: &ItemKey) -> Option<Timestamp> {
        let paid = self.paid.get(key).and_then(PaidTime::end);
        let came = self.came.get(key);
        let trial = self
            .trial_until
            .filter(|until| came.is_none_or(|came| came < until));
        paid.max(trial)
    }

    /// The same, with the time that a person added.
    #[must_use]
    pub fn base_end(&self, key: &ItemKey, decided: &Decided) -> Option<Timestamp> {
        self.paid_end(key).max(decided.extended())
    }

    /// The items that carry what metadata asks for: it lives while any of them is paid for (rule 10). One whose money went back
    /// is none of them where another was paid for then, or has been since (rule 37).
    #[must_use]
    pub fn carrying(&self) -> Vec<&ItemKey> {
        let lost_at = |key: &ItemKey| self.paid.get(key)?.taken_by().map(|(_, since)| since);
        let (lost, stand): (Vec<_>, Vec<_>) =
            self.carriers.iter().partition(|key| lost_at(key).is_some());
        let end = stand.iter().filter_map(|key| self.paid_end(key)).max();
        let since = lost.iter().filter_map(|key| lost_at(key)).max();
        if since < end {
            stand
        } else {
            self.carriers.iter().collect()
        }
    }

    /// Whether an item keeps what metadata asks for no longer alive: it is billed by use by now.
    #[must_use]
    pub fn only_used(&self, item: &ItemThen) -> bool {
        self.asked.is_some() && item.metered
    }
}

/// Items of the first snapshot of a subscription whose beginning was not heard of came nobody knows when: it may have had them
/// all along.
fn came(subscription: &Subscription<'_>) -> BTreeMap<ItemKey, Timestamp> {
    let first = subscription.versions.first();
    let first = first.filter(|_| !subscription.heard_from_its_beginning());
    let is_known = |key: &ItemKey| first.is_none_or(|v| v.items.iter().all(|i| i.key != *key));
    let since = |(key, history): (&ItemKey, &ItemHistory)| {
        let first = history.prices.first()?;
        Some((key.clone(), first.since))
    };
    let known = subscription.items.iter().filter(|(key, _)| is_known(key));
    known.filter_map(since).collect()
}

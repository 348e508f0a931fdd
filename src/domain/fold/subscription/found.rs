//! What the walk over a subscription's facts finds.

use std::collections::BTreeMap;

use crate::domain::condition::{Disputed, Returned};
use crate::domain::fact::{Priced, Subscription};
use crate::domain::fold::Decided;
use crate::domain::fold::cover::Cover;
use crate::domain::fold::known::{ItemKey, Known};
use crate::domain::id::InvoiceId;
use crate::domain::policy::Policy;
use crate::domain::subscription::State as S;
use crate::domain::time::Timestamp;

/// What holds for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFold {
    /// Its state.
    pub state: S,
    /// The newest snapshot, and when it was so.
    pub snapshot: Option<(Timestamp, Subscription)>,
    /// The items and their prices through time.
    pub known: Known,
    /// Paid time by item.
    pub covers: BTreeMap<ItemKey, Cover>,
    /// Time granted without a payment (pauses, debts written off), by item.
    pub granted: BTreeMap<ItemKey, Timestamp>,
    /// End of the newest trial that hands out a license.
    pub trial_until: Option<Timestamp>,
    /// When the first license became due: the first payment, or the trial's start.
    pub began: Option<Timestamp>,
    /// Grace periods, oldest first.
    pub episodes: Vec<Episode>,
    /// Failed invoices for something else.
    pub side_failures: Vec<SideFailure>,
    /// Open renewal invoices keep a license alive for a while: until when, ascending.
    pub processing: Vec<Timestamp>,
    /// The due date of an open sent renewal invoice.
    pub sent_until: Option<Timestamp>,
    /// When a snapshot will speak for a payment, if no invoice is heard of until then.
    pub speaks_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<Ending>,
    /// When an end was planned.
    pub planned_since: Option<Timestamp>,
    /// A pause that is on.
    pub paused: Option<Pause>,
    /// The newest word that a trial ends soon.
    pub trial_ending: Option<TrialEnding>,
    /// Where its disputes stand.
    pub disputed: Disputed,
    /// Invoices whose payment went back, with how much and since when.
    pub returned: BTreeMap<InvoiceId, (Returned, Timestamp)>,
    /// What refunds of payments say that belong to no known invoice.
    pub returned_unlinked: bool,
    /// The newest quantities on invoice lines, where no snapshot tells.
    pub line_quantities: BTreeMap<ItemKey, (Priced, u32)>,
}

/// A grace period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The failed invoice, or a name made from the instant where none is known.
    pub id: String,
    /// When the renewal failed.
    pub started: Timestamp,
    /// When we first heard of it.
    pub learned: Timestamp,
    /// When the grace is over.
    pub ends: Timestamp,
    /// Whether the customer must act (3-D Secure).
    pub action_required: bool,
    /// The policy that judges it.
    pub policy: Policy,
    /// How it ended.
    pub outcome: Outcome,
    /// When it lapsed, if it did.
    pub lapsed: Option<Timestamp>,
    /// Stripe's next attempt, as last told.
    pub next_attempt: Option<Timestamp>,
    /// The page where the customer can pay.
    pub hosted_url: Option<String>,
    /// What is owed, in minor units, and the currency.
    pub owed: Option<(i64, String)>,
    /// Stripe has ended the subscription meanwhile.
    pub gave_up: bool,
}

/// How a grace period ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs, or has lapsed and nothing came of it yet.
    Open,
    /// Paid, or written off.
    Recovered(Timestamp),
    /// The subscription was ended.
    Ended(Timestamp),
}

/// A failed invoice in mid period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFailure {
    /// The invoice.
    pub invoice: InvoiceId,
    /// When it failed.
    pub at: Timestamp,
    /// When we heard of it.
    pub learned: Timestamp,
    /// When it was settled.
    pub settled: Option<Timestamp>,
    /// Whether the customer must act.
    pub action_required: bool,
    /// The page where the customer can pay.
    pub hosted_url: Option<String>,
    /// Stripe's next attempt.
    pub next_attempt: Option<Timestamp>,
    /// What is owed.
    pub owed: Option<(i64, String)>,
}

/// How a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// When we were told by the provider's clock.
    pub told: Timestamp,
    /// Whether Stripe gave up while a grace was promised.
    pub gave_up: bool,
    /// The first payment was never made: nothing remains.
    pub never_began: bool,
}

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Whether the trial's end brought it, without a payment method.
    pub trial_over: bool,
}

/// Stripe's word that a trial ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialEnding {
    /// When the trial ends.
    pub trial_end: Timestamp,
    /// When that was said.
    pub at: Timestamp,
    /// When we heard it.
    pub learned: Timestamp,
}

impl SubscriptionFold {
    pub(super) fn new(known: Known) -> Self {
        Self {
            state: S::Incomplete,
            snapshot: None,
            known,
            covers: BTreeMap::new(),
            granted: BTreeMap::new(),
            trial_until: None,
            began: None,
            episodes: Vec::new(),
            side_failures: Vec::new(),
            processing: Vec::new(),
            sent_until: None,
            speaks_at: None,
            ended: None,
            planned_since: None,
            paused: None,
            trial_ending: None,
            disputed: Disputed::No,
            returned: BTreeMap::new(),
            returned_unlinked: false,
            line_quantities: BTreeMap::new(),
        }
    }

    /// The episode that is running or has lapsed without being settled.
    #[must_use]
    pub fn open_episode(&self) -> Option<&Episode> {
        self.episodes.last().filter(|e| e.outcome == Outcome::Open)
    }

    /// The end of an item's time that was paid, granted or on trial; `None`: nothing was.
    #[must_use]
    pub fn base_end(&self, key: &str, decided: &Decided) -> Option<Timestamp> {
        let paid = self.covers.get(key).and_then(|c| c.end);
        let granted = self.granted.get(key).copied();
        paid.max(granted).max(self.trial_until).max(decided.extended)
    }
}

//! What happens in a made-up shop: purchases, and for each the steps that people and banks take, as plain data that shrinks and that can be kept.
//!
//! A step that does not apply (a refund when nothing was paid) is skipped by the small Stripe, so every part of a script is a script.

use serde::{Deserialize, Serialize};

use super::policy::Policy;

/// A shop, how its events reach us, and when it is looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shop {
    pub(crate) policy: Policy,
    pub(crate) purchases: Vec<Purchase>,
    pub(crate) delivery: Delivery,
    /// Each picks an event and a number of hours after it.
    pub(crate) looks: Vec<(u16, u16)>,
}

/// How events reach us.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// The shape of 2025-09-30.clover; else that of 2022-11-15.
    pub(crate) new_shape: bool,
    pub(crate) types: Types,
    /// Some events come up to three days late, some twice.
    pub(crate) late: bool,
    pub(crate) seed: u32,
}

impl Delivery {
    /// Whether there is an API key: the half of all shops.
    pub(crate) const fn has_key(&self) -> bool {
        self.seed.is_multiple_of(2)
    }
}

/// Which types the endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Types {
    /// All that Keyward recommends.
    All,
    /// The four that a handler after AuthForge's guide serves: sessions, subscriptions created and deleted, paid invoices.
    Guide,
    /// Sessions and subscriptions, no invoice.
    Snapshots,
}

/// How somebody pays from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Method {
    Card,
    Declined,
    /// Wants 3-D Secure at every attempt off session.
    Secure,
    /// A bank debit that takes days, and comes through or not.
    Debit {
        days: u8,
        comes: bool,
    },
    None,
}

/// What Stripe does when all retries of a renewal failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum GivesUp {
    Cancel,
    Unpaid,
    Leave,
}

/// One purchase and its life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Purchase {
    pub(crate) what: What,
    pub(crate) steps: Vec<Timed>,
}

/// What is bought, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Subscription {
        /// Price ids and quantities.
        items: Vec<(String, u64)>,
        checkout: bool,
        method: Method,
        trial_days: u8,
        /// Invoices are sent and due after so many days.
        sent: Option<u8>,
        retries: u8,
        gives_up: GivesUp,
        /// AuthForge's metadata: devices.
        metadata: Option<u64>,
        /// A set-up fee stands on the first invoice.
        fee: bool,
        /// Invoices are paid in two payments.
        halves: bool,
        /// Began so many days before it was made.
        backdated: u8,
        /// A trial that ends without a payment method pauses it, and does not end it.
        #[serde(default)]
        pauses: bool,
    },
    Once {
        price: String,
        quantity: u64,
        told: Told,
        /// Days until a delayed method decides, and how.
        waits: Option<(u8, bool)>,
        free: bool,
    },
    /// A session that nobody finishes.
    Abandoned,
}

/// How a session says what it sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// `metadata.plan`.
    Plan,
    /// AuthForge's keys: days (0: for life) and devices.
    Guide { days: u16, devices: u64 },
    /// The answer of a look-up.
    Lines,
    /// Nothing.
    Nothing,
}

/// A step, so many hours after the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Timed {
    pub(crate) hours: u16,
    pub(crate) step: Step,
}

/// When a change of items is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Billed {
    Now,
    Next,
    Never,
}

/// What becomes of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Done,
    PendingFor(u8),
    FailsAfter(u8),
}

/// What becomes of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Won,
    Lost,
    /// Lost, and won days later.
    LostThenWon,
    /// An inquiry that is closed.
    Closed,
    /// An inquiry that becomes a chargeback and is lost.
    Escalates,
    Open,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Word {
    /// A live license for so many days; 0: for life.
    Grant {
        days: u16,
    },
    /// The paid time does not end within so many days.
    Extend {
        days: u16,
    },
    /// No grace ends within so many days.
    Exempt {
        days: u16,
    },
    Revoke,
    Keep,
}

/// What somebody does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    PaysBy(Method),
    PayOpen {
        oldest: bool,
        out_of_band: bool,
    },
    WriteOff {
        void: bool,
    },
    CancelNow,
    CancelAtEnd,
    CancelAt {
        days: u8,
    },
    Undo,
    Refund {
        back: u8,
        percent: u8,
        fate: Fate,
    },
    Dispute {
        back: u8,
        days: u8,
        verdict: Verdict,
    },
    Change {
        which: u8,
        price: String,
        billed: Billed,
    },
    Swap {
        which: u8,
        price: String,
        billed: Billed,
    },
    Quantity {
        which: u8,
        quantity: u64,
        billed: Billed,
    },
    Add {
        price: String,
        quantity: u64,
        billed: Billed,
    },
    Remove {
        which: u8,
        billed: Billed,
    },
    Pause,
    Resume,
    Manual,
    Coupon(bool),
    AddTrial {
        days: u8,
    },
    Metadata,
    MoveLookup,
    ResetAnchor,
    /// The price changes when the next period begins, as a schedule or the portal does it.
    ChangeAtTurn {
        which: u8,
        price: String,
    },
    /// A person at the vendor's decides.
    Decide(Word),
    /// Who has ended begins anew, with the same price or another one.
    Resubscribe {
        price: Option<String>,
    },
}

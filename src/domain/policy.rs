//! Policies: what happens when a payment fails, is refunded, disputed, cancelled or paused.
//!
//! The names and defaults are the config's own; the first value of each kind is its default.

use minicbor::{Decode, Encode};

use super::id::PolicyName;
use super::time::Span;

/// The name of the policy that counts where a plan names none.
pub const STANDARD: &str = "standard";

/// A named set of answers to what can happen to a purchase after it was made.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize)]
pub struct Policy {
    /// The name in the config, `[policy.NAME]`.
    #[n(0)]
    pub name: PolicyName,
    /// From the first failed renewal to the stop. Stripe's own retries take two weeks.
    #[n(1)]
    pub grace: Span,
    /// Offsets from the failure at which the customer is written to, ascending; `0d` is `payment_failed`.
    #[n(2)]
    pub reminders: Vec<Span>,
    /// What happens when the grace is over.
    #[n(3)]
    pub at_grace_end: AtGraceEnd,
    /// What a cancellation does.
    #[n(4)]
    pub on_cancel: OnCancel,
    /// What a full refund does.
    #[n(5)]
    pub on_refund: OnRefund,
    /// What a partial refund does.
    #[n(6)]
    pub on_partial_refund: OnPartialRefund,
    /// What an open dispute does.
    #[n(7)]
    pub on_dispute: OnDispute,
    /// What an inquiry (a dispute without money moved) does.
    #[n(8)]
    pub on_inquiry: OnInquiry,
    /// What a won dispute does.
    #[n(9)]
    pub on_dispute_won: OnDisputeWon,
    /// What a lost dispute does.
    #[n(10)]
    pub on_dispute_lost: OnDisputeLost,
    /// What a pause of the collection, or one that was asked for, does.
    #[n(11)]
    pub on_pause: OnPause,
    /// How long a license outlives the paid end, so that a renewal has time to be paid.
    #[n(12)]
    pub expiry_margin: Span,
    /// How long an open, not failed renewal invoice keeps a license alive (bank debits take days).
    #[n(13)]
    pub processing_margin: Span,
    /// Whether a trial hands out a license.
    #[n(14)]
    pub trial: Trial,
    /// What a new subscription of a former customer gets.
    #[n(15)]
    pub resubscribe: Resubscribe,
    /// How long an alarming notice waits, in case the failure is over before it is known.
    #[n(16)]
    pub notice_delay: Span,
    /// Who warns the customer of failed payments.
    #[n(17)]
    pub dunning_mail: DunningMail,
    /// How long before an end that no renewal moves the customer is written to, descending; empty: never.
    #[n(18)]
    #[cbor(default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expiring: Vec<Span>,
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $n:literal $variant:ident = $text:literal,)+ })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize)]
        pub enum $name { $($(#[$vdoc])* #[n($n)] #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value as it is written in the config, the default first.
            pub const CHOICES: &'static [(&'static str, Self)] = &[$(($text, Self::$variant)),+];
            /// The value as it is written in the config.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    )*};
}
pub(crate) use choices;

choices! {
    /// At the end of a grace period.
    AtGraceEnd {
        /// The license stops, and comes back when the customer pays.
        0 Suspend = "suspend",
        /// The license ends for good; paying makes the old one work again or gives a new one.
        1 Revoke = "revoke",
        /// The license lives until Stripe ends the subscription.
        2 Keep = "keep",
    }
    /// On cancellation.
    OnCancel {
        /// The license lives to the end of what was paid.
        0 PeriodEnd = "period_end",
        /// The license ends with the subscription.
        1 Now = "now",
        /// The license lives on without an end.
        2 Keep = "keep",
    }
    /// On a full refund.
    OnRefund {
        /// The license ends.
        0 Revoke = "revoke",
        /// The customer keeps it.
        1 Keep = "keep",
    }
    /// While a dispute is open.
    OnDispute {
        /// The license stops until the dispute is closed.
        0 Suspend = "suspend",
        /// The license works on.
        1 Keep = "keep",
    }
    /// While an inquiry is open.
    OnInquiry {
        /// The license works on.
        0 Keep = "keep",
        /// The license stops until the inquiry is closed.
        1 Suspend = "suspend",
    }
    /// When a dispute was won.
    OnDisputeWon {
        /// The license works again.
        0 Reinstate = "reinstate",
        /// The license stays as the dispute left it.
        1 Keep = "keep",
    }
    /// When a dispute was lost.
    OnDisputeLost {
        /// The license ends.
        0 Revoke = "revoke",
        /// The customer keeps it.
        1 Keep = "keep",
    }
    /// While a subscription is paused.
    OnPause {
        /// Periods that turn while paused are granted.
        0 Keep = "keep",
        /// The license stops with the pause and works again with its end.
        1 Suspend = "suspend",
    }
    /// During a trial.
    Trial {
        /// A license until the trial's end.
        0 License = "license",
        /// Nothing until a payment.
        1 None = "none",
    }
    /// For a customer who subscribes to the same plan again.
    Resubscribe {
        /// The old key works again.
        0 Restore = "restore",
        /// A new key.
        1 New = "new",
    }
    /// Who writes to a customer whose payment failed.
    DunningMail {
        /// Keyward does.
        0 Keyward = "keyward",
        /// Stripe does; Keyward tells only of a stop, its end, and of the license being restored.
        1 Stripe = "stripe",
    }
}

/// On a partial refund: `"keep"`, `"revoke"`, or a share of the charge like `"50%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum OnPartialRefund {
    /// The customer keeps the license.
    #[n(0)]
    Keep,
    /// Any partial refund ends the license.
    #[n(1)]
    Revoke,
    /// The license ends once this many percent (1 to 100) of the charge are refunded.
    #[n(2)]
    Share(#[n(0)] u8),
}

impl OnPartialRefund {
    /// Reads the config's form; `None` when it is none of `keep`, `revoke`, `1%` to `100%`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "keep" => Some(Self::Keep),
            "revoke" => Some(Self::Revoke),
            _ => {
                let percent: u8 = text.strip_suffix('%')?.trim().parse().ok()?;
                (1..=100).contains(&percent).then_some(Self::Share(percent))
            }
        }
    }
}

impl std::fmt::Display for OnPartialRefund {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Revoke => f.write_str("revoke"),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

impl serde::Serialize for OnPartialRefund {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Policy {
    /// The documented defaults, under a name.
    #[must_use]
    pub fn named(name: impl AsRef<str>) -> Self {
        Self {
            name: PolicyName::new(name),
            grace: Span::from_days(16),
            reminders: vec![Span::ZERO, Span::from_days(7), Span::from_days(14)],
            at_grace_end: AtGraceEnd::Suspend,
            on_cancel: OnCancel::PeriodEnd,
            on_refund: OnRefund::Revoke,
            on_partial_refund: OnPartialRefund::Keep,
            on_dispute: OnDispute::Suspend,
            on_inquiry: OnInquiry::Keep,
            on_dispute_won: OnDisputeWon::Reinstate,
            on_dispute_lost: OnDisputeLost::Revoke,
            on_pause: OnPause::Keep,
            expiry_margin: Span::from_days(3),
            processing_margin: Span::from_days(14),
            trial: Trial::License,
            resubscribe: Resubscribe::Restore,
            notice_delay: Span::from_minutes(10),
            dunning_mail: DunningMail::Keyward,
            expiring: Vec::new(),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::named(STANDARD)
    }
}

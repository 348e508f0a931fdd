//! Policy overrides: values of the policy that a person set for one customer. They judge what happens while they are in
//! force, in place of the plan's policy; what happened before stays as it was judged (rule 49).
//!
//! An override is ordered for a customer ([`super::standing`]), and each of their purchases knows it as a decision of its own
//! ([`super::customer_orders`]).

use std::collections::BTreeMap;
use std::fmt;

use minicbor::{Decode, Encode};

use super::policy::{
    AtGraceEnd, DunningMail, OnCancel, OnDispute, OnDisputeLost, OnDisputeWon, OnInquiry,
    OnPartialRefund, OnPause, OnRefund, Policy,
};
use super::time::{Span, Timestamp};

/// The longest span that a customer gets: what the config takes, too.
const SPAN_MAX: Span = Span::from_days(36_525);

/// A value that stands in a text.
trait PolicyValue: Copy {
    /// Reads it.
    fn read(text: &str) -> Option<Self>;
    /// Writes it.
    fn written(self) -> String;
    /// What is read.
    fn expected() -> String;
}

impl PolicyValue for Span {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|span| *span <= SPAN_MAX)
    }

    fn written(self) -> String {
        self.to_string()
    }

    fn expected() -> String {
        "a span like 30d".to_owned()
    }
}

impl PolicyValue for OnPartialRefund {
    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn written(self) -> String {
        self.to_string()
    }

    fn expected() -> String {
        "keep, revoke, or a share like 50%".to_owned()
    }
}

macro_rules! choice_values {
    ($($name:ident),+) => {$(
        impl PolicyValue for $name {
            fn read(text: &str) -> Option<Self> {
                Self::CHOICES.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
            }

            fn written(self) -> String {
                self.as_str().to_owned()
            }

            fn expected() -> String {
                let words: Vec<&str> = Self::CHOICES.iter().map(|(word, _)| *word).collect();
                words.join(" or ")
            }
        }
    )+};
}

choice_values!(
    AtGraceEnd,
    OnCancel,
    OnRefund,
    OnDispute,
    OnInquiry,
    OnDisputeWon,
    OnDisputeLost,
    OnPause,
    DunningMail
);

/// A text that sets no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// The key is none of those that a customer can have of their own.
    #[error("`{key}` cannot be overridden for a customer; {} can", PolicyOverride::KEYS.join(", "))]
    Key {
        /// As it was given.
        key: String,
    },
    /// The value is none of the key's.
    #[error("`{value}` is no value of `{key}`: {expected}")]
    Value {
        /// The key.
        key: String,
        /// As it was given.
        value: String,
        /// What it takes.
        expected: String,
    },
}

macro_rules! overridden {
    ($($n:literal $key:ident: $kind:ty,)+) => {
        /// Values that count for one customer; absent: as the plan's policy says. The keys are the policy's own.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
        pub struct PolicyOverride { $(#[n($n)] $key: Option<$kind>,)+ }

        impl PolicyOverride {
            /// The keys that a customer can have of their own. What concerns a purchase's beginning is not among them, nor what
            /// only the shop as a whole can sensibly have.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($key)),+];

            /// Sets a value, as the config writes it.
            ///
            /// # Errors
            /// [`OverrideError`].
            pub fn set(&mut self, key: &str, value: &str) -> Result<(), OverrideError> {
                match key {
                    $(stringify!($key) => self.$key = Some(read(key, value)?),)+
                    _ => return Err(OverrideError::Key { key: key.to_owned() }),
                }
                Ok(())
            }

            /// The values, in the config's form.
            #[must_use]
            pub fn values(&self) -> Vec<(&'static str, String)> {
                let all = [$((stringify!($key), self.$key.map(PolicyValue::written))),+];
                all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
            }

            /// Puts them in the place of a policy's.
            pub fn apply(&self, policy: &mut Policy) {
                $(if let Some(value) = self.$key { policy.$key = value; })+
            }
        }
    };
}

overridden! {
    0 grace: Span,
    1 at_grace_end: AtGraceEnd,
    2 on_cancel: OnCancel,
    3 on_refund: OnRefund,
    4 on_partial_refund: OnPartialRefund,
    5 on_dispute: OnDispute,
    6 on_inquiry: OnInquiry,
    7 on_dispute_won: OnDisputeWon,
    8 on_dispute_lost: OnDisputeLost,
    9 on_pause: OnPause,
    10 processing_margin: Span,
    11 dunning_mail: DunningMail,
}

fn read<T: PolicyValue>(key: &str, value: &str) -> Result<T, OverrideError> {
    T::read(value).ok_or_else(|| OverrideError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        expected: T::expected(),
    })
}

impl PolicyOverride {
    /// Whether it sets nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl TryFrom<BTreeMap<String, String>> for PolicyOverride {
    type Error = OverrideError;

    fn try_from(values: BTreeMap<String, String>) -> Result<Self, OverrideError> {
        let mut all = Self::default();
        for (key, value) in values {
            all.set(&key, &value)?;
        }
        Ok(all)
    }
}

impl From<PolicyOverride> for BTreeMap<String, String> {
    fn from(set: PolicyOverride) -> Self {
        let values = set.values().into_iter();
        values.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// As in `grace = 30d, on_refund = keep`.
impl fmt::Display for PolicyOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (key, value)) in self.values().into_iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{key} = {value}")?;
        }
        Ok(())
    }
}

/// An override with when it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedOverride {
    /// From when on.
    pub from: Timestamp,
    /// Until when; `None`: until it is ended.
    pub until: Option<Timestamp>,
    /// What it sets.
    pub values: PolicyOverride,
}

impl DatedOverride {
    /// Whether it judges what happens at an instant.
    #[must_use]
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_the_policy_s_own_and_reads_what_it_writes() {
        let policy = serde_json::to_value(Policy::default()).unwrap();
        let mut all = PolicyOverride::default();
        for key in PolicyOverride::KEYS {
            let value = policy[*key].as_str().unwrap_or_else(|| panic!("{key}"));
            all.set(key, value).unwrap();
            assert!(all.set(key, "weather").is_err(), "{key}");
        }
        let mut same = Policy::default();
        all.apply(&mut same);
        assert_eq!(same, Policy::default());
        assert_eq!(all.values().len(), PolicyOverride::KEYS.len());
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<PolicyOverride>(&json).unwrap(), all);
        let bytes = minicbor::to_vec(&all).unwrap();
        assert_eq!(minicbor::decode::<PolicyOverride>(&bytes).unwrap(), all);
    }

    #[test]
    fn what_a_customer_cannot_have_of_his_own_is_refused() {
        let mut set = PolicyOverride::default();
        for (key, value) in [
            ("trial", "none"),
            ("expiry_margin", "9d"),
            ("grace", "101y"),
            ("grace", "36526d"),
            ("on_refund", "50%"),
            ("on_partial_refund", "101%"),
        ] {
            assert!(set.set(key, value).is_err(), "{key} = {value}");
        }
        assert!(set.is_empty());
        set.set("grace", "30d").unwrap();
        set.set("on_partial_refund", "50%").unwrap();
        assert_eq!(set.to_string(), "grace = 30d, on_partial_refund = 50%");
    }
}

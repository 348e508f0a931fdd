//! What becomes of an event.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::domain::id::MachineId;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Disposition {
    /// It belongs to this machine; `None`: it is a record of its own.
    #[n(0)]
    Applied(#[n(0)] Option<MachineId>),
    /// It waits for one of these names.
    #[n(1)]
    Parked(#[n(0)] Vec<String>),
    /// It changes nothing.
    #[n(2)]
    Ignored(#[n(0)] Reason),
    /// It could not be read, as its source says: a newer binary reads it again. For people it is one of the ignored.
    #[n(3)]
    Unreadable(#[n(0)] String),
}

impl Disposition {
    /// Why it changes nothing, in words.
    #[must_use]
    pub fn why_ignored(&self) -> Option<String> {
        match self {
            Self::Applied(_) | Self::Parked(_) => None,
            Self::Ignored(reason) => Some(reason.to_string()),
            Self::Unreadable(why) => Some(why.clone()),
        }
    }
}

/// Why an event changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// Its source has no use for it, and says why in words for people.
    #[n(0)]
    NoUse(#[n(0)] String),
    /// It is of the mode that its source does not take.
    #[n(1)]
    OtherMode,
    /// It is of another mode than the purchase.
    #[n(2)]
    OtherModeThanPurchase,
    /// It is of another mode than the customer.
    #[n(3)]
    OtherModeThanCustomer,
    /// It is a connected account's, and the source takes none of these.
    #[n(4)]
    Connect,
    /// One of its ids fits no key.
    #[n(5)]
    UnfitId,
    /// It names nothing that could lead to a purchase.
    #[n(6)]
    NamesNothing,
    /// A subscription checkout that started no subscription.
    #[n(7)]
    NoSubscription,
    /// A setup checkout.
    #[n(8)]
    Setup,
    /// A one-off invoice that is not paid.
    #[n(9)]
    InvoiceNotPaid,
    /// A one-off invoice that sells nothing of ours.
    #[n(10)]
    InvoiceOfOthers,
    /// A decision that came as an event: it names its machine itself.
    #[n(11)]
    Decision,
    /// It waited for its purchase in vain.
    #[n(12)]
    NeverLinked,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoUse(why) => why,
            Self::OtherMode => "an event of the other mode (live or test) than this source takes",
            Self::OtherModeThanPurchase => "an event of the other mode than the purchase that it names",
            Self::OtherModeThanCustomer => "an event of the other mode than the customer that it names",
            Self::Connect => "an event of a connected account, and the source does not say connect = \"accept\"",
            Self::UnfitId => "it names an object by an id that is too long, or holds a zero byte or a slash",
            Self::NamesNothing => "it names nothing that could lead to a purchase",
            Self::NoSubscription => "a subscription checkout that started no subscription",
            Self::Setup => "a setup checkout sells nothing",
            Self::InvoiceNotPaid => "a one-off invoice counts when it is paid",
            Self::InvoiceOfOthers => {
                "a one-off invoice whose lines no plan names and whose metadata asks for no license"
            }
            Self::Decision => "a decision names its machine itself",
            Self::NeverLinked => "never linked: no purchase that it names became known",
        })
    }
}

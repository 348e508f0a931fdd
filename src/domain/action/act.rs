//! What an action does, each act with what it needs and no more.

use minicbor::{Decode, Encode};

use crate::domain::id::{
    AppId, CustomerId, EventId, InvoiceId, ItemKey, LicenseKey, PlanName, SessionId, SubscriptionId,
};
use crate::domain::plan::Devices;
use crate::domain::service_move::KeptKey;
use crate::domain::time::Timestamp;

/// What an action does. Absolute values only: repeating it is harmless, except for a create.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Act {
    /// Make a license.
    #[n(0)]
    Create(#[n(0)] NewLicense),
    /// Set the end, later or earlier; `None`: for life.
    #[n(1)]
    SetExpiry {
        /// The license.
        #[n(0)]
        key: LicenseKey,
        /// The end.
        #[n(1)]
        until: Option<Timestamp>,
    },
    /// Stop it, so that it can come back.
    #[n(2)]
    Suspend {
        /// The license.
        #[n(0)]
        key: LicenseKey,
    },
    /// Make it work again, until an end.
    #[n(3)]
    Reinstate {
        /// The license.
        #[n(0)]
        key: LicenseKey,
        /// The end; `None`: for life.
        #[n(1)]
        until: Option<Timestamp>,
    },
    /// End it.
    #[n(4)]
    Revoke {
        /// The license.
        #[n(0)]
        key: LicenseKey,
    },
    /// Set the devices.
    #[n(5)]
    SetDevices {
        /// The license.
        #[n(0)]
        key: LicenseKey,
        /// How many.
        #[n(1)]
        devices: Devices,
    },
    /// Forget the devices that are bound to it, once for each decision.
    #[n(6)]
    ResetDevices {
        /// The license.
        #[n(0)]
        key: LicenseKey,
        /// The decision that asks for it.
        #[n(1)]
        decision: EventId,
        /// This device alone; `None`: all. A service that cannot forget one forgets all.
        #[n(2)]
        device: Option<String>,
    },
    /// Read it once more: a request of unknown outcome may have landed late.
    #[n(7)]
    Read {
        /// The license.
        #[n(0)]
        key: LicenseKey,
    },
    /// Find one that should have ended: the purchase is older than this store, and others may have made it.
    #[n(8)]
    Recover(#[n(0)] NewLicense),
    /// Ask Stripe for something that no event tells ([`crate::domain::query`]).
    #[n(9)]
    Query(#[n(0)] Question),
}

/// A license to be made, or as one that is found should be.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NewLicense {
    /// The seat that it stands for.
    #[n(0)]
    pub seat: SeatId,
    /// The application; `None`: the one under `[licenses]`.
    #[n(1)]
    pub app_id: Option<AppId>,
    /// The plan, for the record.
    #[n(2)]
    pub plan: Option<PlanName>,
    /// The expiry; `None`: for life.
    #[n(3)]
    pub expires_at: Option<Timestamp>,
    /// The devices.
    #[n(4)]
    pub devices: Devices,
    /// The key that its customer has from the service of before.
    #[n(5)]
    pub keeps: Option<KeptKey>,
}

/// A seat of a purchase: an item, or the line that stands for it, and the unit of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct SeatId {
    /// The item.
    #[n(0)]
    pub item: ItemKey,
    /// Its unit.
    #[n(1)]
    pub unit: u32,
}

/// A question to Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Question {
    /// What a session sold.
    #[n(0)]
    LineItems(#[n(0)] SessionId),
    /// A customer's address.
    #[n(1)]
    Customer(#[n(0)] CustomerId),
    /// All items of a subscription whose snapshot shows only the first ones.
    #[n(2)]
    SubscriptionItems {
        /// The subscription.
        #[n(0)]
        subscription: SubscriptionId,
        /// When it was as the snapshot shows it; what is answered is not older.
        #[n(1)]
        shown_at: Timestamp,
    },
    /// All lines of an invoice whose events show only the first ones.
    #[n(3)]
    InvoiceLines(#[n(0)] InvoiceId),
    /// Whether a new subscription's first invoice is paid.
    #[n(4)]
    FirstInvoice(#[n(0)] InvoiceId),
}

impl Question {
    /// The id of what is asked about.
    #[must_use]
    pub fn about(&self) -> &str {
        match self {
            Self::LineItems(session) => session.as_str(),
            Self::Customer(customer) => customer.as_str(),
            Self::SubscriptionItems { subscription, .. } => subscription.as_str(),
            Self::InvoiceLines(invoice) | Self::FirstInvoice(invoice) => invoice.as_str(),
        }
    }
}

impl Act {
    /// Its name in lists and answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Create(_) => "create_license",
            Self::SetExpiry { .. } => "extend_license",
            Self::Suspend { .. } => "suspend_license",
            Self::Reinstate { .. } => "reinstate_license",
            Self::Revoke { .. } => "revoke_license",
            Self::SetDevices { .. } => "update_license",
            Self::ResetDevices { .. } => "reset_devices",
            Self::Read { .. } => "check_license",
            Self::Recover(_) => "find_license",
            Self::Query(_) => "look_up",
        }
    }

    /// Whether it makes a license: the one act that must not be repeated.
    #[must_use]
    pub const fn creates(&self) -> bool {
        matches!(self, Self::Create(_))
    }

    /// The license that it makes or finds.
    #[must_use]
    pub const fn new_license(&self) -> Option<&NewLicense> {
        match self {
            Self::Create(new) | Self::Recover(new) => Some(new),
            Self::SetExpiry { .. }
            | Self::Suspend { .. }
            | Self::Reinstate { .. }
            | Self::Revoke { .. }
            | Self::SetDevices { .. }
            | Self::ResetDevices { .. }
            | Self::Read { .. }
            | Self::Query(_) => None,
        }
    }

    /// The license that it is about, where that exists.
    #[must_use]
    pub const fn key(&self) -> Option<&LicenseKey> {
        match self {
            Self::SetExpiry { key, .. }
            | Self::Suspend { key }
            | Self::Reinstate { key, .. }
            | Self::Revoke { key }
            | Self::SetDevices { key, .. }
            | Self::ResetDevices { key, .. }
            | Self::Read { key } => Some(key),
            Self::Create(_) | Self::Recover(_) | Self::Query(_) => None,
        }
    }

    /// The end that it sets, for life being `Some(None)`.
    #[must_use]
    pub const fn sets_end(&self) -> Option<Option<Timestamp>> {
        match self {
            Self::Create(new) => Some(new.expires_at),
            Self::SetExpiry { until, .. } | Self::Reinstate { until, .. } => Some(*until),
            Self::Suspend { .. }
            | Self::Revoke { .. }
            | Self::SetDevices { .. }
            | Self::ResetDevices { .. }
            | Self::Read { .. }
            | Self::Recover(_)
            | Self::Query(_) => None,
        }
    }

    /// The devices that it sets.
    #[must_use]
    pub const fn sets_devices(&self) -> Option<Devices> {
        match self {
            Self::Create(new) => Some(new.devices),
            Self::SetDevices { devices, .. } => Some(*devices),
            Self::SetExpiry { .. }
            | Self::Suspend { .. }
            | Self::Reinstate { .. }
            | Self::Revoke { .. }
            | Self::ResetDevices { .. }
            | Self::Read { .. }
            | Self::Recover(_)
            | Self::Query(_) => None,
        }
    }

    /// What it asks Stripe.
    #[must_use]
    pub const fn question(&self) -> Option<&Question> {
        if let Self::Query(question) = self {
            Some(question)
        } else {
            None
        }
    }
}

//! Plans: what a price stands for, as a template for licenses.

use std::fmt;

use minicbor::{Decode, Encode};

use super::id::{AppId, PlanName, PolicyName, PriceId, ProductId};
use super::policy::choices;
use super::time::Span;

/// Maps prices to a license template.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize)]
pub struct Plan {
    /// The name in the config.
    #[n(0)]
    pub name: PlanName,
    /// Price ids; the single entry `*` stands for every price that no other plan names.
    #[n(1)]
    pub prices: Vec<PriceId>,
    /// Stripe lookup keys.
    #[n(2)]
    pub lookup_keys: Vec<String>,
    /// Product ids.
    #[n(3)]
    pub products: Vec<ProductId>,
    /// The policy's name; `None`: the policy named `standard`, else the documented defaults.
    #[n(4)]
    pub policy: Option<PolicyName>,
    /// What a quantity buys.
    #[n(5)]
    pub seats: Seats,
    /// What a license looks like.
    #[n(6)]
    pub license: Template,
    /// Plans of which a customer's only license is extended, in place of a new one.
    #[n(7)]
    #[cbor(default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extends: Vec<PlanName>,
}

impl Plan {
    /// Whether what was bought can say by itself that it is this plan: by price, lookup key or product.
    #[must_use]
    pub fn is_sold_by_price(&self) -> bool {
        !(self.prices.is_empty() && self.lookup_keys.is_empty() && self.products.is_empty())
    }

    /// Whether the plan takes every price that no other plan names.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        self.prices.iter().any(|p| p.as_str() == "*")
    }
}

choices! {
    /// What a quantity buys.
    Seats {
        /// One key that allows more devices.
        0 Devices = "devices",
        /// A key per unit.
        1 Keys = "keys",
    }
    /// When a purchase needs more devices than the license service allows on one key.
    AtDeviceLimit {
        /// Several keys share the devices.
        0 Split = "split",
        /// One key without a device limit.
        1 Unlimited = "unlimited",
    }
}

/// How many devices a license allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Devices {
    /// This many.
    #[n(0)]
    Count(#[n(0)] u32),
    /// Any number.
    #[n(1)]
    Unlimited,
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(1) => f.write_str("1 device"),
            Self::Count(n) => write!(f, "{n} devices"),
            Self::Unlimited => f.write_str("any number of devices"),
        }
    }
}

impl serde::Serialize for Devices {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(n) => serializer.serialize_u32(*n),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

/// What a license of a plan looks like.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize)]
pub struct Template {
    /// Devices whatever the quantity. `None` with `devices_per_unit` given: none besides those; else one.
    #[n(0)]
    pub devices: Option<Devices>,
    /// Devices per unit bought, for `seats = "devices"`.
    #[n(1)]
    pub devices_per_unit: Option<u32>,
    /// For one-time purchases: how long from the payment; `None` is for life.
    #[n(2)]
    pub duration: Option<Span>,
    /// The application at the license service; `None`: the one under `[licenses]`.
    #[n(3)]
    pub app_id: Option<AppId>,
    /// What happens above the service's device limit.
    #[n(4)]
    pub at_device_limit: AtDeviceLimit,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            devices: None,
            devices_per_unit: None,
            duration: None,
            app_id: None,
            at_device_limit: AtDeviceLimit::Split,
        }
    }
}

//! Whether Keyward acts, how plans are sold, and what customers can do by themselves.

use std::collections::BTreeMap;

use crate::domain::id::PlanName;
use crate::domain::self_service::SelfService;

/// How plans are sold: `[checkout]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Where the link back of Stripe's page leads.
    pub cancel_url: Option<String>,
    /// Web pages of the vendor's that may make sessions from a browser, like `https://example.com`.
    pub origins: Vec<String>,
    /// Whether Stripe's page takes promotion codes.
    pub promotion_codes: bool,
    /// Whether Stripe works out the taxes.
    pub automatic_tax: bool,
    /// Whether sessions also carry what the guide has a seller write.
    pub guide_metadata: bool,
    /// What is particular to a plan.
    pub plans: BTreeMap<PlanName, PlanCheckout>,
}

impl Default for Checkout {
    fn default() -> Self {
        Self {
            cancel_url: None,
            origins: Vec::new(),
            promotion_codes: false,
            automatic_tax: false,
            guide_metadata: true,
            plans: BTreeMap::new(),
        }
    }
}

/// How one plan is sold: `buy` in a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCheckout {
    /// Up to how many one purchase may hold; `None`: one.
    pub quantity_max: Option<u32>,
    /// The days of a trial.
    pub trial_days: Option<u32>,
}

/// Whether what is decided is carried out: `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Live,
    /// It is only watched.
    Observe,
}

impl Mode {
    /// Every value as it is written in the config, the default first.
    pub const CHOICES: &'static [(&'static str, Self)] =
        &[("live", Self::Live), ("observe", Self::Observe)];
}

/// The customer portal: `[portal]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portal {
    /// Whether it is served.
    pub enabled: bool,
    /// What the customers of each plan may do by themselves.
    pub plans: BTreeMap<PlanName, SelfService>,
}

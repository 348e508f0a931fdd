//! The customer portal: `[portal]`, and `self_service` in a plan.

use super::super::Absent::Means;
use super::super::ValueKind::{Allowance, Flag};
use crate::config::keys::Section;
use crate::config::keys::spec::key;

/// `[portal]`.
pub(in crate::config) const PORTAL: Section = Section {
    heading: "[portal]",
    doc: "The customer portal at `/portal`: customers sign in with their e-mail address and see their licenses.",
    keys: &[key(
        "enabled",
        Flag,
        Means("`true` where mail is sent and `public_url` is an `https://` address"),
        "Whether it is served. Its address then stands in each mail.",
    )],
};

/// `self_service` in a plan.
pub(in crate::config) const SELF_SERVICE: Section = Section {
    heading: "self_service = { … } in a plan",
    doc: "What customers of the plan may do in the portal, and how often for each purchase: `\"3/30d\"` is three times in any thirty days.",
    keys: &[
        key(
            "reset_devices",
            Allowance,
            Means("they cannot"),
            "Have the devices of their licenses forgotten.",
        ),
        key(
            "rekey",
            Allowance,
            Means("they cannot"),
            "Get new keys in place of the old ones, which end then.",
        ),
    ],
};

//! The kinds of mail there are, and the languages they are written in.

/// The mail that signs a customer in at the portal: the one that is about no purchase.
pub const SIGN_IN: &str = "sign_in";

/// Every kind of mail, by the name that a notice has in the store, in the log and in the templates' folder.
pub const KINDS: [&str; 16] = [
    "license_issued",
    "license_delayed",
    "payment_failed",
    "grace_ending",
    "suspended",
    "restored",
    "ended",
    "refunded",
    "disputed",
    "action_required",
    "trial_ending",
    "extended",
    "expiring",
    "shortened",
    "time_restored",
    SIGN_IN,
];

/// The languages that come with Keyward. An operator's folder may add others.
pub const LANGUAGES: [&str; 4] = ["en", "de", "fr", "es"];

/// A language tag as it is used in file names: lower case, `_` read as `-`. Stripe's `auto` and nonsense give `None`.
pub(super) fn language_tag(tag: &str) -> Option<String> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    let plain = tag.len() <= 16 && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (plain && tag.len() >= 2 && tag != "auto").then_some(tag)
}

//! Texts that are Stripe's own by their form: ids, and the paths under which it lists things.

/// Stripe's prefixes. A text that begins otherwise is no id, and keeps nothing of itself.
const PREFIXES: &[&str] = &[
    "acct",
    "ba",
    "bpc",
    "bps",
    "btok",
    "card",
    "ch",
    "cn",
    "cnli",
    "cs",
    "cs_live",
    "cs_test",
    "cus",
    "cusacc",
    "di",
    "dp",
    "dpm",
    "du",
    "evt",
    "fee",
    "fr",
    "ii",
    "il",
    "in",
    "inpay",
    "iinv",
    "issfr",
    "li",
    "mandate",
    "mbur",
    "pi",
    "plink",
    "pm",
    "po",
    "pst",
    "promo",
    "py",
    "pyr",
    "re",
    "req",
    "rcpt",
    "seti",
    "setatt",
    "si",
    "sli",
    "src",
    "sub",
    "sub_sched",
    "tax",
    "tok",
    "tr",
    "trr",
    "txi",
    "txn",
    "txr",
    "we",
];
/// Parts of the paths under which Stripe lists things.
pub(super) const PATHS: &[&str] = &[
    "charges",
    "checkout",
    "customers",
    "invoices",
    "line_items",
    "lines",
    "refunds",
    "sessions",
    "subscription_items",
    "subscriptions",
];

/// The longest of Stripe's prefixes that the text begins with, and that is followed by more than one letter.
pub(super) fn prefix(text: &str) -> Option<&'static str> {
    let begins = |p: &&&str| {
        text.strip_prefix(**p)
            .and_then(|rest| rest.strip_prefix('_'))
            .is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            })
    };
    PREFIXES
        .iter()
        .filter(begins)
        .max_by_key(|p| p.len())
        .copied()
}

/// Whether a text is one of Stripe's ids.
pub(super) fn is_id(text: &str) -> bool {
    prefix(text).is_some()
}

/// Whether a text is a path under which Stripe lists things.
pub(super) fn is_list_path(text: &str) -> bool {
    text.strip_prefix("/v1/").is_some_and(|path| {
        let is_known = |part: &str| PATHS.contains(&part) || is_id(part);
        path.split('/').all(is_known)
    })
}

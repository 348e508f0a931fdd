//! What a mail may say.

use std::fmt;

use serde_json::Value;

use crate::config::Vendor;

/// The longest product or vendor in a mail; a name is at most 256 characters at Stripe, and a subject is one line.
const NAMED_CHARS_MAX: usize = 256;
/// The longest name that we greet somebody by.
const NAME_CHARS_MAX: usize = 60;

/// The causes that a mail may give.
pub const REASONS: [&str; 6] = ["payment", "pause", "kept", "partly", "stopped", "lost"];

/// Everything that a mail's templates can use. Instants are given as RFC 3339 or `2026-03-14`; the templates' filter `date`
/// writes them in the mail's language. What is absent is left out of the text.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Letter {
    /// The product or plan as the customer knows it.
    pub product: String,
    /// The license keys that the mail hands out.
    pub keys: Vec<LetterKey>,
    /// The customer's name. Anybody can type one at the checkout, so one that looks like an address or a link is not used.
    pub customer_name: Option<String>,
    /// The customer's address.
    pub customer_email: String,
    /// Who sells, as customers know it.
    pub vendor: String,
    /// The amount in question, already formatted: `19.99 USD`.
    pub amount: Option<String>,
    /// When Stripe tries the payment again; absent: not again.
    pub next_attempt: Option<String>,
    /// The hosted invoice, where the customer can pay.
    pub pay_url: Option<String>,
    /// The customer's portal.
    pub portal_url: Option<String>,
    /// What signs the customer in at the portal; only in the mail `sign_in`.
    pub sign_in: Option<LetterSignIn>,
    /// The page that shows the order and its keys.
    pub success_url: Option<String>,
    /// Where the same license is bought for longer.
    pub buy_url: Option<String>,
    /// Until when the license works without the payment; absent also where it is not stopped at the grace's end.
    pub grace_end: Option<String>,
    /// Until when is paid (a subscription), or until when a trial runs.
    pub paid_until: Option<String>,
    /// Why, where a kind has several causes: `payment` (`ended`: for lack of payment), `pause` (`suspended`: with the
    /// subscription's pause), `kept` (`refunded`, `disputed`: the license goes on), `partly` (the same: one of several does), `stopped` (`shortened`: no license works
    /// any more), `lost` (`disputed`: the dispute was lost, and the license has ended). Other words mean the usual cause. [`REASONS`] has them all.
    pub reason: Option<String>,
    /// Where an answer goes; absent: the mail does not invite one.
    pub reply_to: Option<String>,
    /// The vendor's help page.
    pub support_url: Option<String>,
    /// The vendor's colours, for buttons; absent: ours.
    pub colors: Option<LetterColors>,
}

/// The colours of buttons, and of what stands on them: `#rrggbb`.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct LetterColors {
    /// By day.
    pub light: String,
    /// On it.
    pub on_light: String,
    /// On a dark screen.
    pub dark: String,
    /// On that.
    pub on_dark: String,
}

impl LetterColors {
    /// Those of a vendor who has any.
    #[must_use]
    pub fn of(vendor: &Vendor) -> Option<Self> {
        let light = vendor.color?;
        let dark = vendor.color_dark.unwrap_or(light);
        Some(Self {
            light: light.to_string(),
            on_light: light.ink().to_string(),
            dark: dark.to_string(),
            on_dark: dark.ink().to_string(),
        })
    }
}

/// One key of a mail.
#[derive(Clone, Default, serde::Serialize)]
pub struct LetterKey {
    /// The key itself.
    pub key: String,
    /// For how many devices; absent: not said (any number).
    pub devices: Option<u32>,
    /// When it ends. Leave it out for a subscription, whose end moves with each payment: say `paid_until` instead.
    pub expires_at: Option<String>,
}

impl fmt::Debug for LetterKey {
    /// The key opens the customer's software, so it does not show itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LetterKey")
            .field("key", &"…")
            .field("devices", &self.devices)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// What signs a customer in at the portal, once.
#[derive(Clone, Default, serde::Serialize)]
pub struct LetterSignIn {
    /// The code to type.
    pub code: String,
    /// The link to open.
    pub url: String,
    /// For how many minutes they work.
    pub minutes: i64,
}

impl fmt::Debug for LetterSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LetterSignIn").finish_non_exhaustive()
    }
}

impl Letter {
    /// A letter in which every value is present: what templates are tried with.
    #[must_use]
    pub fn sample() -> Self {
        let some = |text: &str| Some(text.to_owned());
        Self {
            product: "Pixel Forge Pro".to_owned(),
            keys: vec![
                LetterKey {
                    key: "KEYW-7Q2M-XD4F-9TRA".to_owned(),
                    devices: Some(3),
                    expires_at: some("2027-03-14"),
                },
                LetterKey {
                    key: "KEYW-B6HN-P0ZC-4WLE".to_owned(),
                    devices: Some(1),
                    expires_at: None,
                },
            ],
            customer_name: some("Ada Lovelace"),
            customer_email: "ada@example.com".to_owned(),
            vendor: "Pixel Forge".to_owned(),
            amount: some("19.99 USD"),
            next_attempt: some("2026-03-17T09:30:00Z"),
            pay_url: some("https://invoice.example.com/i/abc?s=1&t=2"),
            portal_url: some("https://licenses.example.com/portal"),
            sign_in: Some(LetterSignIn {
                code: "7Q2M-XD4F".to_owned(),
                url: "https://licenses.example.com/portal/link/0123456789abcdef".to_owned(),
                minutes: 15,
            }),
            success_url: some("https://licenses.example.com/success?session_id=cs_1"),
            buy_url: some("https://licenses.example.com/buy/pro?extends=cs_1"),
            grace_end: some("2026-03-30T08:00:00Z"),
            paid_until: some("2026-04-14T08:00:00Z"),
            reason: some("payment"),
            reply_to: some("help@example.com"),
            support_url: some("https://example.com/help"),
            colors: Some(LetterColors {
                light: "#8a2be2".to_owned(),
                on_light: "#ffffff".to_owned(),
                dark: "#ffd500".to_owned(),
                on_dark: "#000000".to_owned(),
            }),
        }
    }

    /// A letter in which everything optional is absent.
    #[must_use]
    pub fn bare_sample() -> Self {
        let key = LetterKey {
            key: "KEYW-7Q2M-XD4F-9TRA".to_owned(),
            ..LetterKey::default()
        };
        Self {
            product: "Pixel Forge Pro".to_owned(),
            vendor: "Pixel Forge".to_owned(),
            keys: vec![key],
            ..Self::default()
        }
    }

    /// A letter in which every value is present, for one of the causes of [`Self::reason`].
    #[must_use]
    pub fn sample_because(reason: &str) -> Self {
        let mut letter = Self::sample();
        if reason == "stopped" {
            letter.keys.iter_mut().for_each(|k| k.expires_at = None);
        }
        letter.reason = Some(reason.to_owned());
        letter
    }

    /// The values as templates see them: each on one line, only web links, and no name that could pass for one.
    pub(super) fn values(&self) -> serde_json::Map<String, Value> {
        // A struct of texts and numbers always becomes an object; were it otherwise, strict templates would say so.
        let Ok(Value::Object(mut values)) = serde_json::to_value(self) else {
            return serde_json::Map::new();
        };
        values.values_mut().for_each(flatten);
        for named in ["product", "vendor"] {
            let cut: String = values[named]
                .as_str()
                .unwrap_or_default()
                .chars()
                .take(NAMED_CHARS_MAX)
                .collect();
            values[named] = Value::String(cut);
        }
        for link in [
            "pay_url",
            "portal_url",
            "success_url",
            "support_url",
            "buy_url",
        ] {
            let web = values[link]
                .as_str()
                .is_some_and(|url| url.starts_with("https://") || url.starts_with("http://"));
            if !web {
                values[link] = Value::Null;
            }
        }
        if !values["customer_name"].as_str().is_some_and(is_a_name) {
            values["customer_name"] = Value::Null;
        }
        values
    }
}

/// Whether a greeting may use it. The checkout's form takes any name and any address, so a "name" could carry somebody's
/// advertisement into a stranger's mailbox under the vendor's good name.
fn is_a_name(name: &str) -> bool {
    let name = name.trim();
    let link = name.contains(['/', '@', '<', '>', ':']) || name.to_lowercase().contains("www.");
    !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !link
}

/// Puts every text of a value on one line.
fn flatten(value: &mut Value) {
    match value {
        Value::String(text) => *text = one_line(text),
        Value::Array(values) => values.iter_mut().for_each(flatten),
        Value::Object(values) => values.values_mut().for_each(flatten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text without line breaks and other control characters, white space single.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if is_break(c) { ' ' } else { c })
        .collect();
    spaced
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Control characters, and the two that Unicode adds to break lines; also those that turn the reading direction, with which
/// a text can be made to look like another.
fn is_break(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_on_one_line_and_links_are_links() {
        let letter = Letter {
            product: "Two\r\nlines\u{2028}and\ta tab".to_owned(),
            pay_url: Some("javascript:alert(1)".to_owned()),
            portal_url: Some("https://example.com/".to_owned()),
            ..Letter::default()
        };
        let values = letter.values();
        assert_eq!(values["product"], "Two lines and a tab");
        assert!(values["pay_url"].is_null());
        assert_eq!(values["portal_url"], "https://example.com/");
    }

    #[test]
    fn a_name_that_is_an_advertisement_is_not_greeted() {
        for (name, used) in [
            ("Ada Lovelace", true),
            ("Jean-Luc O’Neil (Acme GmbH & Co.)", true),
            ("Visit https://evil.example", false),
            ("you won at WWW.evil.example", false),
            ("a@b.example", false),
            ("   ", false),
            (&"x".repeat(61), false),
        ] {
            assert_eq!(is_a_name(name), used, "{name}");
        }
    }

    #[test]
    fn keys_do_not_show_themselves() {
        assert!(!format!("{:?}", Letter::sample()).contains("KEYW-"));
    }
}

//! The metadata that asks Keyward for something: the keys of AuthForge's guide, and our own.

use crate::domain::fact::{
    APP_ID_KEY, CHECKOUT_KEY, DEVICES_KEY, DURATION_KEY, NamedLicense, SOLD_DEVICES_KEY, Wants,
};
use crate::domain::time::Span;

use super::super::json::Json;

/// The longest address that mail knows (RFC 5321, erratum 1690).
const ADDRESS_BYTES_MAX: usize = 254;

/// Longer than any key or id.
const LICENSE_BYTES_MAX: usize = 255;

/// Reads one object's `metadata`.
pub(super) fn read(metadata: &Json<'_>) -> Wants {
    let mut wants = Wants::default();
    for key in [
        APP_ID_KEY,
        DURATION_KEY,
        DEVICES_KEY,
        "plan",
        "keyward_deliver_to",
        "keyward_license",
    ] {
        let value = metadata.get(key);
        // Nothing, and an empty text, ask for nothing.
        if value.is_null() || matches!(value, Json::Text(t) if t.trim().is_empty()) {
            continue;
        }
        // What Keyward's own checkout said of the plan is the plan's to say.
        if wrote_it(metadata, key) {
            continue;
        }
        if !take(&mut wants, key, value) {
            wants.unreadable.push(key.to_owned());
        }
    }
    wants
}

/// Whether Keyward's own checkout wrote what stands under one of the guide's keys. A number of devices is a person's if it
/// is no longer the one that was sold.
fn wrote_it(metadata: &Json<'_>, key: &str) -> bool {
    if metadata.get(CHECKOUT_KEY).text().is_none() {
        return false;
    }
    match key {
        APP_ID_KEY | DURATION_KEY => true,
        DEVICES_KEY => metadata.get(DEVICES_KEY).text() == metadata.get(SOLD_DEVICES_KEY).text(),
        _ => false,
    }
}

/// Takes one value over; false where it cannot be read.
fn take(wants: &mut Wants, key: &str, value: &Json<'_>) -> bool {
    let positive = value.int().filter(|n| *n > 0);
    match key {
        APP_ID_KEY => wants.app_id = opaque(value),
        DURATION_KEY => wants.duration = positive.map(Span::from_days),
        DEVICES_KEY => wants.devices = positive.and_then(|n| u32::try_from(n).ok()),
        "plan" => wants.plan = value.text().map(str::to_owned),
        "keyward_license" => {
            wants.license = value
                .text()
                .map(str::trim)
                .filter(|t| t.len() <= LICENSE_BYTES_MAX)
                .map(NamedLicense::of);
        }
        _ => {
            wants.deliver_to = value
                .text()
                .filter(|t| looks_like_an_address(t))
                .map(str::to_owned)
        }
    }
    match key {
        APP_ID_KEY => wants.app_id.is_some(),
        DURATION_KEY => wants.duration.is_some(),
        DEVICES_KEY => wants.devices.is_some(),
        "plan" => wants.plan.is_some(),
        "keyward_license" => wants.license.is_some(),
        _ => wants.deliver_to.is_some(),
    }
}

/// A text, or a whole number where a hand-made event left the quotes away.
fn opaque(value: &Json<'_>) -> Option<String> {
    value
        .text()
        .map(str::to_owned)
        .or_else(|| value.int().map(|n| n.to_string()))
}

/// One `@` with something on both sides, a dot in the domain, and nothing that belongs into a list or a header. What is
/// really deliverable only the mail server knows.
fn looks_like_an_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')')
    };
    text.len() <= ADDRESS_BYTES_MAX
        && !local.is_empty()
        && !domain.contains('@')
        && domain.split('.').count() >= 2
        && domain.split('.').all(|label| !label.is_empty())
        && !text.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(metadata: &str) -> Wants {
        read(&Json::read(metadata, &bumpalo::Bump::new()).unwrap())
    }

    #[test]
    fn the_guide_s_keys_are_read() {
        let wants = read_text(
            r#"{"authforge_app_id": "app_7", "license_duration": "30", "max_hwid_slots": "2", "plan": "pro",
                "keyward_deliver_to": "a@example.com", "another": "x"}"#,
        );
        assert_eq!(wants.app_id.as_deref(), Some("app_7"));
        assert_eq!(wants.duration, Some(Span::from_days(30)));
        assert_eq!(wants.devices, Some(2));
        assert_eq!(wants.plan.as_deref(), Some("pro"));
        assert_eq!(wants.deliver_to.as_deref(), Some("a@example.com"));
        assert!(wants.unreadable.is_empty());
    }

    #[test]
    fn what_our_own_checkout_wrote_in_the_guide_s_words_asks_for_nothing() {
        let sold = |slots: &str| {
            read_text(&format!(
                r#"{{"keyward_checkout": "pro", "authforge_app_id": "app_7", "license_duration": "30",
                    "keyward_devices": "2", "max_hwid_slots": "{slots}"}}"#
            ))
        };
        assert!(sold("2").is_empty());
        let more_devices = Wants {
            devices: Some(5),
            ..Wants::default()
        };
        assert_eq!(sold("5"), more_devices);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (key, value) in [
            ("license_duration", r#""a month""#),
            ("license_duration", r#""0""#),
            ("license_duration", r#""-3""#),
            ("license_duration", r#""1.5""#),
            ("license_duration", "{}"),
            ("max_hwid_slots", r#""many""#),
            ("max_hwid_slots", r#""99999999999""#),
            ("authforge_app_id", "[]"),
            ("plan", "7"),
            ("keyward_deliver_to", r#""the boss""#),
            ("keyward_deliver_to", r#""a@b""#),
            ("keyward_deliver_to", r#""a@b.c, d@e.f""#),
            ("keyward_deliver_to", r#""A <a@b.c>""#),
            ("keyward_deliver_to", r#""a@.c""#),
        ] {
            let wants = read_text(&format!(r#"{{"{key}": {value}}}"#));
            assert_eq!(
                wants,
                Wants {
                    unreadable: vec![key.to_owned()],
                    ..Wants::default()
                },
                "{key} {value}"
            );
        }
    }

    #[test]
    fn nothing_asks_for_nothing() {
        for metadata in [
            "null",
            "{}",
            r#"{"license_duration": ""}"#,
            r#"{"plan": null}"#,
            "[]",
            "7",
        ] {
            assert!(read_text(metadata).is_empty(), "{metadata}");
        }
    }
}

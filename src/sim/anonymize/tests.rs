//! Tests of `anonymize.rs`.

use super::*;

fn anonymizer(secret: u8) -> Anonymizer {
    Anonymizer::new([secret; 64], &["evt_b".to_owned(), "evt_a".to_owned()])
}

#[test]
fn texts_become_others_of_their_kind() {
    let a = anonymizer(1);
    for (text, begins, ends) in [
        ("sub_Ada", "sub_", ""),
        ("cs_test_Ada1", "cs_test_", ""),
        ("ada@example.org", "", "@example.com"),
        ("https://pay.stripe.com/ada", "https://example.com/", ""),
        (
            "/v1/checkout/sessions/cs_live_Ada/line_items",
            "/v1/checkout/sessions/cs_live_",
            "/line_items",
        ),
        ("ada_lovelace", "anon-", ""),
        ("Ada Lovelace", "anon-", ""),
        ("sub_ and more", "anon-", ""),
    ] {
        let said = a.text(text);
        assert!(
            said.starts_with(begins) && said.ends_with(ends),
            "{text}: {said}"
        );
        assert!(!said.to_lowercase().contains("ada"), "{text}: {said}");
        assert_eq!(said, a.text(text), "the same is the same");
        assert_ne!(said, anonymizer(2).text(text), "in one file only");
    }
    assert_eq!(a.text("  "), "  ");
    assert!(
        a.text("evt_a") < a.text("evt_b"),
        "ids of events sort as before"
    );
}

#[test]
fn what_the_rules_read_stays() {
    let line = r#"{"received_at":"2026-01-01T00:00:00Z","source":"shop","event":{"id":"evt_a","type":"invoice.paid",
        "created":5,"data":{"object":{"object":"invoice","id":"in_1","status":"paid","customer_name":"Ada",
        "description":"for Ada","metadata":{"plan":"pro","max_hwid_slots":"2","note":"Ada","authforge_app_id":"app_7",
        "keyward_deliver_to":"ada@example.org"},"lines":{"data":[{"price":{"id":"gold","product":"tool",
        "nickname":"Ada's","lookup_key":"pro_monthly"},"plan":{"id":"gold"},"amount":900}]}}}}}"#;
    let said: Value = serde_json::from_str(&anonymizer(1).line(line).unwrap()).unwrap();
    assert!(
        !said.to_string().contains("Ada") && !said.to_string().contains("ada@"),
        "{said}"
    );
    let object = &said["event"]["data"]["object"];
    assert_eq!(
        (&said["source"], &said["event"]["type"]),
        (&"shop".into(), &"invoice.paid".into())
    );
    assert_eq!(
        (&object["status"], &object["object"]),
        (&"paid".into(), &"invoice".into())
    );
    let metadata = &object["metadata"];
    assert_eq!(
        (&metadata["plan"], &metadata["max_hwid_slots"]),
        (&"pro".into(), &"2".into())
    );
    assert_ne!(metadata["authforge_app_id"], "app_7");
    let price = &object["lines"]["data"][0]["price"];
    assert_eq!(
        (&price["id"], &price["product"], &price["lookup_key"]),
        (&"gold".into(), &"tool".into(), &"pro_monthly".into())
    );
    assert_eq!(object["lines"]["data"][0]["plan"]["id"], "gold");
    let decision = r#"{"received_at":"2026-01-01T00:00:00Z","decision":{"machine":"shop/sub_1","id":"dec_1","kind":"address",
        "email":"ada@example.org","author":"Ada","reason":"asked"}}"#;
    let said: Value = serde_json::from_str(&anonymizer(1).line(decision).unwrap()).unwrap();
    let decision = &said["decision"];
    assert_eq!(
        decision["machine"],
        format!("shop/{}", anonymizer(1).text("sub_1"))
    );
    assert_eq!(
        (&decision["kind"], &decision["id"]),
        (&"address".into(), &"dec_1".into())
    );
    assert!(
        decision["email"]
            .as_str()
            .unwrap()
            .ends_with("@example.com")
            && decision["author"] != "Ada",
        "{said}"
    );
}

//! Tests of `redact.rs`.

use super::*;

fn said(body: &str) -> Value {
    let mut names = Names::default();
    collect_names(body.as_bytes(), &mut names);
    serde_json::from_slice(&without_person(body.as_bytes(), &names).unwrap()).unwrap()
}

#[test]
fn the_person_goes_and_the_rest_stays() {
    let body = r#"{"id":"evt_1","type":"checkout.session.completed","data":{"object":{"object":"checkout.session",
        "id":"cs_1","customer":"cus_1","amount_total":4900,"customer_email":"ada@example.org","payment_status":"paid",
        "customer_details":{"email":"ada@example.org","name":"Ada Lovelace","address":{"city":"London"}},
        "metadata":{"plan":"pro","keyward_deliver_to":"team@example.org"},"description":"for ADA Lovelace",
        "custom_text":["Ada Lovelace","pro"]}}}"#;
    let expected = serde_json::json!({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {
        "object": "checkout.session", "id": "cs_1", "customer": "cus_1", "amount_total": 4900, "payment_status": "paid",
        "metadata": {"plan": "pro"}, "custom_text": ["pro"]}}});
    assert_eq!(said(body), expected);
    let record = r#"{"object":"customer","id":"cus_1","name":"Ada Lovelace","description":"x","preferred_locales":["de"]}"#;
    let expected =
        serde_json::json!({"object": "customer", "id": "cus_1", "preferred_locales": ["de"]});
    assert_eq!(said(record), expected);
    let names = Names::default();
    assert_eq!(without_person(b"no JSON", &names), None);
    assert_eq!(without_person(br#"{ "id": "evt_1" }"#, &names), None);
}

/// What the readers read stays, whatever somebody is called and wherever an `@` stands.
#[test]
fn stripe_s_words_are_nobody_s() {
    let body = |name: &str| {
        serde_json::json!({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {
            "object": "checkout.session", "id": "cs_test_a1", "payment_intent": "pi_live_1", "status": "complete",
            "payment_status": "paid", "lookup_key": "pro@2", "url": "/v1/checkout/sessions/cs_test_a1/line_items",
            "locale": "de", "metadata": {"plan": "team", "note": name}, "customer_details": {"name": name},
            "description": format!("A gift by {name}.")}}})
    };
    for name in [
        "complete", "Checkout", "test", "live", "paid", "Team", "session", "de", "pro",
    ] {
        let mut expected = body(name);
        let object = expected["data"]["object"].as_object_mut().unwrap();
        object.remove("customer_details");
        object.remove("description");
        object["metadata"].as_object_mut().unwrap().remove("note");
        assert_eq!(said(&body(name).to_string()), expected, "{name}");
    }
}

//! Bodies of events without the person: addresses, names and what stands beside them go; ids, states, prices, amounts and
//! instants stay, so that what is read from a body stays what it was.

use serde_json::{Map, Value};

/// Fields that hold who somebody is, whole.
const PERSONAL: &[&str] = &[
    "account_name",
    "billing_details",
    "business_name",
    "collected_information",
    "custom_fields",
    "customer_address",
    "customer_details",
    "customer_email",
    "customer_name",
    "customer_phone",
    "customer_shipping",
    "customer_tax_ids",
    "email",
    "individual_name",
    "ip",
    "phone",
    "receipt_email",
    "shipping",
    "shipping_details",
    "tax_ids",
];
/// Further fields of a customer's own record.
const OF_CUSTOMER: &[&str] = &["address", "description", "metadata", "name"];
/// A shorter name may be a part of any word.
const NAME_LEN_MIN: usize = 4;

/// The body without the person; `None`: it is no JSON, so nothing can be taken out of it.
#[must_use]
pub fn without_person(body: &[u8]) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let mut names = Vec::new();
    collect_names(&value, &mut names);
    names.retain(|name| name.chars().count() >= NAME_LEN_MIN);
    take_out(&mut value, &names);
    serde_json::to_vec(&value).ok()
}

/// The names that stand where a person's name stands.
fn collect_names(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let is_customer = fields.get("object").is_some_and(|o| o == "customer");
            for (field, inside) in fields {
                let holds_name = matches!(
                    field.as_str(),
                    "customer_details" | "billing_details" | "shipping" | "customer_shipping"
                );
                let name = if holds_name { &inside["name"] } else { inside };
                let is_name =
                    holds_name || field == "customer_name" || (is_customer && field == "name");
                if let (true, Value::String(name)) = (is_name, name) {
                    names.push(name.clone());
                }
                collect_names(inside, names);
            }
        }
        Value::Array(list) => list.iter().for_each(|item| collect_names(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn take_out(value: &mut Value, names: &[String]) {
    match value {
        Value::Object(fields) => of_fields(fields, names),
        Value::Array(list) => {
            list.retain(|item| !is_personal(item, names));
            list.iter_mut().for_each(|item| take_out(item, names));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn of_fields(fields: &mut Map<String, Value>, names: &[String]) {
    let is_customer = fields.get("object").is_some_and(|o| o == "customer");
    fields.retain(|field, inside| {
        let personal = PERSONAL.contains(&field.as_str())
            || (is_customer && OF_CUSTOMER.contains(&field.as_str()));
        !personal && !is_personal(inside, names)
    });
    fields
        .values_mut()
        .for_each(|inside| take_out(inside, names));
}

/// Whether a text tells who somebody is.
fn is_personal(value: &Value, names: &[String]) -> bool {
    let Value::String(text) = value else {
        return false;
    };
    text.contains('@') || names.iter().any(|name| text.contains(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_goes_and_the_rest_stays() {
        let body = br#"{"id":"evt_1","type":"checkout.session.completed","data":{"object":{"object":"checkout.session",
            "id":"cs_1","customer":"cus_1","amount_total":4900,"customer_email":"ada@example.org","payment_status":"paid",
            "customer_details":{"email":"ada@example.org","name":"Ada Lovelace","address":{"city":"London"}},
            "metadata":{"plan":"pro","keyward_deliver_to":"team@example.org"},"description":"for Ada Lovelace",
            "custom_text":["Ada Lovelace","pro"]}}}"#;
        let said: Value = serde_json::from_slice(&without_person(body).unwrap()).unwrap();
        let expected = serde_json::json!({"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {
            "object": "checkout.session", "id": "cs_1", "customer": "cus_1", "amount_total": 4900, "payment_status": "paid",
            "metadata": {"plan": "pro"}, "custom_text": ["pro"]}}});
        assert_eq!(said, expected);
        let record = br#"{"object":"customer","id":"cus_1","name":"Ada Lovelace","description":"x","preferred_locales":["de"]}"#;
        let said: Value = serde_json::from_slice(&without_person(record).unwrap()).unwrap();
        let expected =
            serde_json::json!({"object": "customer", "id": "cus_1", "preferred_locales": ["de"]});
        assert_eq!(said, expected);
        assert_eq!(without_person(b"no JSON"), None);
    }
}

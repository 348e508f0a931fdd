//! One page of a list: what was asked for, and what of it is shown.

use serde_json::{Value, json};

use super::{Refused, refusal};

/// Nested lists show no more.
const SHOWN: usize = 10;

/// What a list is asked for.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) limit: usize,
    pub(super) after: Option<String>,
    before: Option<String>,
    created: Vec<(String, i64)>,
    equal: Vec<(String, String)>,
    pub(super) expand: Vec<String>,
}

impl Page {
    pub(super) fn of(query: &[(String, String)], takes: &[&str]) -> Result<Self, Refused> {
        let mut page = Self {
            limit: 10,
            ..Self::default()
        };
        for (key, value) in query {
            let head = key.split('[').next().unwrap_or_default();
            match key.as_str() {
                "limit" => page.limit = value.parse().unwrap_or(0),
                "starting_after" => page.after = Some(value.clone()),
                "ending_before" => page.before = Some(value.clone()),
                "expand[]" if takes.contains(&"expand[]") => page.expand.push(value.clone()),
                _ if !takes.contains(&head) => return Err(refusal("parameter_unknown", key)),
                _ if head == "created" => {
                    let at = value.parse();
                    let at = at.map_err(|_| refusal("parameter_invalid_integer", key))?;
                    page.created.push((key.clone(), at));
                }
                _ => page.equal.push((key.clone(), value.clone())),
            }
        }
        match page.limit {
            1..=100 => Ok(page),
            _ => Err(refusal("parameter_invalid_integer", "limit")),
        }
    }

    pub(super) fn takes(&self, path: &str, object: &Value) -> bool {
        let at = object["created"].as_i64().unwrap_or(0);
        let within = self.created.iter().all(|(key, bound)| match key.as_str() {
            "created[gte]" => at >= *bound,
            "created[gt]" => at > *bound,
            "created[lte]" => at <= *bound,
            "created[lt]" => at < *bound,
            _ => at == *bound,
        });
        let status = self.equal.iter().find(|(key, _)| key == "status");
        let status = match (path, status.map(|(_, v)| v.as_str())) {
            ("/v1/subscriptions", Some("all")) => true,
            // The default leaves out what has ended.
            ("/v1/subscriptions", None) => object["status"] != "canceled",
            (_, None) => true,
            (_, Some(status)) => object["status"] == status,
        };
        let mut others = self.equal.iter().filter(|(key, _)| key != "status");
        within && status && others.all(|(key, value)| object[key] == *value)
    }

    pub(super) fn cut(&self, rows: &[&Value], url: &str) -> Result<Value, Refused> {
        let place = |id: &String, param: &str| {
            let found = rows.iter().position(|o| o["id"] == *id);
            found.ok_or_else(|| refusal("resource_missing", param))
        };
        let (begin, end) = match (&self.after, &self.before) {
            (Some(_), Some(_)) => return Err(refusal("parameter_unknown", "ending_before")),
            (Some(id), None) => {
                let begin = place(id, "starting_after")? + 1;
                (begin, rows.len().min(begin + self.limit))
            }
            (None, Some(id)) => {
                let end = place(id, "ending_before")?;
                (end.saturating_sub(self.limit), end)
            }
            (None, None) => (0, rows.len().min(self.limit)),
        };
        let more = if self.before.is_some() {
            begin > 0
        } else {
            end < rows.len()
        };
        Ok(json!({"object": "list", "url": url, "has_more": more, "data": rows[begin..end]}))
    }
}

/// What the list does not show of an object.
pub(super) fn hide(object: &mut Value, page: &Page) {
    for name in ["items", "lines", "line_items", "payments"] {
        let expanded = page.expand.iter().any(|e| *e == format!("data.{name}"));
        if matches!(name, "line_items" | "payments") && !expanded {
            if let Some(fields) = object.as_object_mut() {
                fields.remove(name);
            }
            continue;
        }
        if let Some(data) = object[name]["data"].as_array() {
            let cut = data.len() > SHOWN;
            let shown: Vec<Value> = data.iter().take(SHOWN).cloned().collect();
            object[name] = json!({"object": "list", "has_more": cut, "data": shown});
        }
    }
}

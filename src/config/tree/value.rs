//! One value of the tree, with its place in the file.

use std::ops::Range;

use toml::de::DeValue;

use super::{Table, TreeReader};
use crate::config::hush::Expanded;
use crate::config::keys::{KeySpec, Section, example};

/// A value that is being read, with its place and its key.
#[derive(Clone, Debug)]
pub(in crate::config) struct Value<'a> {
    pub(in crate::config) reader: &'a TreeReader<'a>,
    pub(in crate::config) path: String,
    pub(in crate::config) value: &'a DeValue<'a>,
    pub(in crate::config) span: Range<usize>,
    pub(in crate::config) key: &'static KeySpec,
}

impl<'a> Value<'a> {
    /// Tells a mistake at this value.
    pub(in crate::config) fn mistake(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.reader.mistake(Some(self.span.clone()), message, hint);
    }

    /// Tells that the value is of another type than expected.
    pub(in crate::config) fn wrong(&self, expected: &str) {
        let message = format!(
            "`{}` must be {expected}, not {}",
            self.key.name,
            self.type_name()
        );
        let like = || format!("like `{} = {}`", self.key.name, example(self.key));
        let hint = self
            .key
            .kind
            .heading()
            .map_or_else(like, |heading| format!("it is written as {heading}"));
        self.mistake(message, hint);
    }

    fn type_name(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    pub(super) fn table(&self, section: &'static Section) -> Option<Table<'a>> {
        if let DeValue::Table(entries) = self.value {
            Some(
                self.reader
                    .table(&self.path, entries, self.span.clone(), section),
            )
        } else {
            let name = self.path.trim_start_matches('/').replace('/', ".");
            let hint = self
                .key
                .kind
                .heading()
                .map(|h| format!("it is written as {h}"))
                .unwrap_or_default();
            self.mistake(
                format!("`{name}` must be a table, not {}", self.type_name()),
                hint,
            );
            None
        }
    }

    /// The items of a list.
    pub(in crate::config) fn items(&self) -> Option<Vec<Self>> {
        let DeValue::Array(items) = self.value else {
            self.wrong("a list");
            return None;
        };
        let mut values = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let path = format!("{}/{i}", self.path);
            self.reader
                .spots
                .borrow_mut()
                .insert(path.clone(), item.span());
            values.push(Value {
                path,
                value: item.get_ref(),
                span: item.span(),
                ..self.clone()
            });
        }
        Some(values)
    }

    /// A text with its variables filled in. `None` when it is none, or (in replay, without a word) when a variable is missing.
    pub(in crate::config) fn filled(&self) -> Option<String> {
        let DeValue::String(text) = self.value else {
            self.wrong(if self.path.ends_with(self.key.name) {
                "a text"
            } else {
                "a list of texts"
            });
            return None;
        };
        let filled = self.reader.env.fill(text);
        if filled.broken {
            self.mistake(
                "`${` begins the name of an environment variable, and this is none",
                "write `${NAME}` with letters, digits and `_`; a plain `${` is written `$${`",
            );
            return None;
        }
        if filled.text != text.as_ref() {
            self.reader.expanded.borrow_mut().push(Expanded {
                written: text.to_string(),
                filled: filled.text.clone(),
            });
        }
        if filled.missing.is_empty() {
            return Some(filled.text);
        }
        if !self.reader.env.is_lenient() {
            for name in &filled.missing {
                self.mistake(
                    format!("the environment variable `{name}` is not set"),
                    format!(
                        "set it where Keyward is started: `export {name}=…`, or `Environment=` in its systemd unit"
                    ),
                );
            }
        }
        None
    }
}

//! The templates' texts, and where each came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::parts::RenderError;

pub(super) const SUBJECT: &str = "subject.txt";
pub(super) const TEXT: &str = "text.txt";
pub(super) const HTML: &str = "html.html";
/// The three files of a mail, in the folder `<kind>/<language>/`.
pub(super) const PARTS: [&str; 3] = [SUBJECT, TEXT, HTML];
/// Sources by template name, with the file that each operator's template came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, PathBuf>,
}

impl Sources {
    /// The template's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Where a person finds the template: the operator's file, or its name among the built-in ones.
    pub(super) fn shown(&self, name: &str) -> String {
        self.files.get(name).map_or_else(
            || format!("built-in {name}"),
            |file| file.display().to_string(),
        )
    }

    /// Whether a mail of the kind can be written in the language.
    pub(super) fn has(&self, kind: &str, lang: &str) -> bool {
        PARTS
            .iter()
            .all(|part| self.texts.contains_key(&format!("{kind}/{lang}/{part}")))
    }

    /// Every language in which at least one file of the kind is there.
    pub(super) fn languages(&self, kind: &str) -> BTreeSet<String> {
        let prefix = format!("{kind}/");
        let of_kind = self
            .texts
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix));
        of_kind
            .filter_map(|rest| rest.split_once('/'))
            .map(|(lang, _)| lang.to_owned())
            .collect()
    }

    /// The parts that a language lacks.
    pub(super) fn missing(&self, kind: &str, lang: &str) -> Vec<RenderError> {
        let name = |part: &&str| format!("{kind}/{lang}/{part}");
        let missing = PARTS
            .iter()
            .map(name)
            .filter(|name| !self.texts.contains_key(name));
        missing
            .map(|name| {
                RenderError::new(
                    name,
                    None,
                    "this file is missing: a language needs all three parts",
                )
            })
            .collect()
    }
}

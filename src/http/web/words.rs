//! The words of all pages, a table for each language.
//!
//! In: the files `words/<language>.toml`. A key that a language lacks is said in English, so that a vendor's own language can
//! begin with a few.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::files::{PageFiles, PageMistake, embedded};
use crate::config::nearest;
use crate::domain::time::Timestamp;
use crate::effects::mail::long_date;

/// The language in which every key is written.
const FIRST: &str = "en";
const FOLDER: &str = "words/";
const ENDING: &str = ".toml";

/// Something to say: a key, and the values that stand in its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::http) struct Say {
    key: Cow<'static, str>,
    values: Vec<(Cow<'static, str>, WordValue)>,
}

/// A value in the middle of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WordValue {
    Text(String),
    /// Written as the language writes days.
    Day(Timestamp),
}

/// The words of a key.
pub(in crate::http) fn say(key: impl Into<Cow<'static, str>>) -> Say {
    Say {
        key: key.into(),
        values: Vec::new(),
    }
}

impl Say {
    /// With a text for `{name}`.
    pub(in crate::http) fn with(mut self, name: &'static str, text: impl ToString) -> Self {
        self.values
            .push((name.into(), WordValue::Text(text.to_string())));
        self
    }

    /// With a day for `{name}`.
    pub(in crate::http) fn on(mut self, name: &'static str, day: Timestamp) -> Self {
        self.values.push((name.into(), WordValue::Day(day)));
        self
    }

    /// With a number for `{n}`; the key has the words `one` and `other`.
    pub(in crate::http) fn count(self, n: u32) -> Self {
        let form = if n == 1 { "one" } else { "other" };
        let key = format!("{}.{form}", self.key);
        Self {
            key: Cow::Owned(key),
            ..self
        }
        .with("n", n)
    }
}

/// The words of every language.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct Words {
    languages: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Words {
    /// Reads the tables; what is wrong with a vendor's is returned.
    pub(super) fn load(files: &PageFiles) -> (Self, Vec<PageMistake>) {
        let (mut words, mut mistakes) = (Self::default(), Vec::new());
        let first = embedded(&format!("{FOLDER}{FIRST}{ENDING}")).unwrap_or_default();
        let (first, _) = read(&first);
        for name in files.ending(ENDING) {
            let Some(lang) = name
                .strip_prefix(FOLDER)
                .map(|n| n.trim_end_matches(ENDING))
            else {
                continue;
            };
            // A vendor's table goes over the binary's, word by word.
            let mut table = embedded(name).map(|text| read(&text).0).unwrap_or_default();
            let (own, wrong) = read(files.text(name).unwrap_or_default());
            let told = wrong.into_iter().chain(judge(&own, &first));
            mistakes.extend(told.map(|why| PageMistake::new(files.shown(name), why)));
            table.extend(own);
            words.languages.insert(lang.to_owned(), table);
        }
        (words, mistakes)
    }

    /// Whether anything is written in the language.
    pub(super) fn has(&self, lang: &str) -> bool {
        self.languages.contains_key(lang)
    }

    /// Every language.
    pub(in crate::http) fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.keys().map(String::as_str)
    }

    /// The paragraphs of a key; none, where no language has it.
    pub(in crate::http) fn paragraphs(&self, lang: &str, said: &Say) -> Vec<String> {
        let of = |lang: &str| self.languages.get(lang).and_then(|t| t.get(&*said.key));
        let Some(found) = of(lang).or_else(|| of(FIRST)) else {
            tracing::error!(key = %said.key, "a page has no words for this");
            return Vec::new();
        };
        found.iter().map(|text| filled(text, said, lang)).collect()
    }

    /// The same on one line.
    pub(in crate::http) fn line(&self, lang: &str, said: &Say) -> String {
        self.paragraphs(lang, said).join(" ")
    }

    /// Whether there are words for a key.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.languages
            .get(FIRST)
            .is_some_and(|t| t.contains_key(key))
    }

    /// The keys of a language.
    #[cfg(test)]
    pub(in crate::http) fn keys(&self, lang: &str) -> BTreeSet<String> {
        let table = self.languages.get(lang);
        table.into_iter().flat_map(|t| t.keys().cloned()).collect()
    }
}

fn filled(text: &str, said: &Say, lang: &str) -> String {
    let mut text = text.to_owned();
    for (name, value) in &said.values {
        let value = match value {
            WordValue::Text(text) => text.clone(),
            WordValue::Day(day) => long_date(&day.to_string(), lang),
        };
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    text
}

/// A file's words by key, like `success.live.title`, and what is wrong with it.
fn read(text: &str) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let (mut words, mut wrong) = (BTreeMap::new(), Vec::new());
    match text.parse::<toml::Table>() {
        Ok(table) => flatten("", table, &mut words, &mut wrong),
        Err(why) => wrong.push(why.message().to_owned()),
    }
    (words, wrong)
}

fn flatten(
    head: &str,
    table: toml::Table,
    words: &mut BTreeMap<String, Vec<String>>,
    wrong: &mut Vec<String>,
) {
    for (name, value) in table {
        let key = format!("{head}{name}");
        let texts: Option<Vec<String>> = match value {
            toml::Value::Table(table) => {
                flatten(&format!("{key}."), table, words, wrong);
                continue;
            }
            toml::Value::String(text) => Some(vec![text]),
            toml::Value::Array(list) => list
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => None,
        };
        match texts {
            Some(texts) => drop(words.insert(key, texts)),
            None => wrong.push(format!("`{key}` must be a text, or a list of texts")),
        }
    }
}

/// What a table has that no page says, or fills with values that are not there.
fn judge(
    own: &BTreeMap<String, Vec<String>>,
    first: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, texts) in own {
        let Some(known) = first.get(key) else {
            let near = nearest(key, first.keys().map(String::as_str));
            let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            wrong.push(format!("no page says `{key}`{hint}"));
            continue;
        };
        for name in names(texts).difference(&names(known)) {
            wrong.push(format!("`{key}` has no value `{{{name}}}`"));
        }
    }
    wrong
}

/// The names in braces.
fn names(texts: &[String]) -> BTreeSet<&str> {
    let braces = texts.iter().flat_map(|t| t.split('{').skip(1));
    braces
        .filter_map(|t| t.split_once('}').map(|(name, _)| name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Words {
        let (words, mistakes) = Words::load(&PageFiles::load(None));
        assert_eq!(mistakes, []);
        words
    }

    #[test]
    fn every_language_has_every_key() {
        let words = built_in();
        let all = words.keys(FIRST);
        assert!(all.len() > 60, "{all:?}");
        for lang in crate::effects::mail::LANGUAGES {
            assert_eq!(words.keys(lang), all, "{lang}");
        }
        assert_eq!(
            words.languages().count(),
            crate::effects::mail::LANGUAGES.len()
        );
    }

    /// Each language fills in what English fills in, and leaves nothing untranslated but names.
    #[test]
    fn every_language_says_the_same() {
        let words = built_in();
        let first = &words.languages[FIRST];
        for (lang, table) in &words.languages {
            for (key, texts) in table {
                assert_eq!(names(texts), names(&first[key]), "{lang} {key}");
                assert_eq!(texts.len(), first[key].len(), "paragraphs of {lang} {key}");
                assert!(texts.iter().all(|t| !t.trim().is_empty()), "{lang} {key}");
                assert!(
                    lang == FIRST || *texts != first[key],
                    "{lang} {key} is English"
                );
            }
        }
    }

    #[test]
    fn values_are_filled_in_as_the_language_writes_them() {
        let words = built_in();
        let day = Timestamp::parse("2026-03-14T08:00:00Z").unwrap();
        let until = say("license.until").on("day", day);
        assert_eq!(words.line("de", &until), "bis 14. März 2026");
        assert_eq!(words.line("nl", &until), "until 2026-03-14");
        assert_eq!(
            words.line("en", &say("license.device").count(1)),
            "1 device"
        );
        assert_eq!(
            words.line("fr", &say("license.device").count(3)),
            "jusqu’à 3 appareils"
        );
    }

    #[test]
    fn a_vendor_s_table_goes_over_ours_and_its_slips_are_told() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("words")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
        write("words/nl.toml", "[license]\nkey = \"Licentiesleutel\"\n");
        write(
            "words/de.toml",
            "[license]\nkey = \"Schlüssel\"\nkeys = \"?\"\nuntil = \"bis zum {tag}\"\ncopy = 7\n",
        );
        write("words/fr.toml", "[license\n");
        write("styles.css", "");
        let files = PageFiles::load(Some(home.path()));
        let (words, mistakes) = Words::load(&files);
        assert_eq!(words.line("nl", &say("license.key")), "Licentiesleutel");
        assert_eq!(words.line("nl", &say("license.copy")), "Copy");
        assert_eq!(words.line("de", &say("license.key")), "Schlüssel");
        assert_eq!(words.line("de", &say("license.copied")), "Kopiert");
        assert_eq!(words.line("fr", &say("license.copy")), "Copier");
        let told: Vec<String> = mistakes
            .iter()
            .chain(&files.mistakes)
            .map(|m| m.why.clone())
            .collect();
        for part in [
            "`license.copy` must be a text",
            "no page says `license.keys`; did you mean `license.key`?",
            "`license.until` has no value `{tag}`",
            "did you mean `style.css`?",
        ] {
            assert!(
                told.iter().any(|t| t.contains(part)),
                "{part} is missing in {told:?}"
            );
        }
        assert_eq!(told.len(), 5, "{told:?}");
    }
}

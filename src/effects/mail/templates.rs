//! Where the templates come from: the operator's folder, file by file, else the binary.
//!
//! Everything is read once, here; rendering is a function of what was read. To pick up edited files, load again.

use std::path::Path;
use std::sync::Arc;

use super::kind::{KINDS, language_tag};
use super::letter::{Letter, REASONS};
use super::parts::{Parts, RenderError};
use super::render;
use super::sources::{PARTS, Sources};
use crate::config::nearest;
use crate::effects::own_files;

#[derive(rust_embed::RustEmbed)]
#[folder = "src/effects/mail/templates"]
struct Embedded;

/// How deep the operator's folder is read: `<kind>/<language>/<file>`.
const DEPTH: usize = 3;

/// The mail templates: the built-in ones, each replaced by the operator's file of the same name where there is one.
#[derive(Debug)]
pub struct Templates {
    sources: Arc<Sources>,
    engine: minijinja::Environment<'static>,
    default_lang: String,
    unread: Vec<RenderError>,
}

impl Templates {
    /// Reads the templates. `folder` has the operator's own files; `default_lang` is used where a customer's language is
    /// unknown or not written. What could not be read is told by [`Self::check`].
    #[must_use]
    pub fn load(folder: Option<&Path>, default_lang: &str) -> Self {
        let (mut sources, mut unread) = (built_in(), Vec::new());
        if let Some(folder) = folder {
            for read in own_files::read(folder, DEPTH) {
                match read {
                    Ok(file) => {
                        sources.texts.insert(file.name.clone(), file.text);
                        sources.files.insert(file.name, file.path);
                    }
                    Err(wrong) => {
                        let path = wrong.path.display().to_string();
                        unread.push(RenderError::new(path, None, wrong.why));
                    }
                }
            }
        }
        let sources = Arc::new(sources);
        let engine = render::engine(Arc::clone(&sources));
        let default_lang = language_tag(default_lang).unwrap_or_else(|| "en".to_owned());
        Self {
            sources,
            engine,
            default_lang,
            unread,
        }
    }

    /// Writes a mail: a pure function of what was loaded and the arguments.
    ///
    /// # Errors
    /// When there is no such kind, or the template has a mistake; the error names file and line.
    pub fn render(&self, kind: &str, lang: &str, letter: &Letter) -> Result<Parts, RenderError> {
        if !KINDS.contains(&kind) {
            return Err(RenderError::new(
                kind,
                None,
                "there is no such kind of mail",
            ));
        }
        render::parts(
            &self.engine,
            &self.sources,
            kind,
            &self.language(kind, lang),
            letter,
        )
    }

    /// The language in which a mail of the kind will be written for a customer who asked for `lang`.
    #[must_use]
    pub fn language(&self, kind: &str, lang: &str) -> String {
        let wanted = language_tag(lang);
        let wishes = wanted
            .iter()
            .map(String::as_str)
            .chain([self.default_lang.as_str(), "en"]);
        let with_base = wishes.flat_map(|tag| [tag, tag.split('-').next().unwrap_or(tag)]);
        with_base
            .into_iter()
            .find(|tag| self.sources.has(kind, tag))
            .unwrap_or("en")
            .to_owned()
    }

    /// The languages in which a mail of the kind can be written.
    #[must_use]
    pub fn languages(&self, kind: &str) -> Vec<String> {
        let all = self.sources.languages(kind).into_iter();
        all.filter(|lang| self.sources.has(kind, lang)).collect()
    }

    /// Tries every kind in every language with everything present, for each cause, and with everything optional absent, and
    /// reads every file of the operator's folder. Empty: all is well.
    #[must_use]
    pub fn check(&self) -> Vec<RenderError> {
        let mut mistakes = self.unread.clone();
        for name in self.sources.files.keys() {
            mistakes.extend(misplaced(name));
            mistakes.extend(render::compiles(&self.engine, &self.sources, name));
        }
        let because = REASONS.iter().map(|reason| Letter::sample_because(reason));
        let letters: Vec<Letter> = because.chain([Letter::bare_sample()]).collect();
        for kind in KINDS {
            for lang in self.sources.languages(kind) {
                mistakes.extend(self.sources.missing(kind, &lang));
                if self.sources.has(kind, &lang) {
                    for letter in &letters {
                        mistakes.extend(render::mistakes(
                            &self.engine,
                            &self.sources,
                            kind,
                            &lang,
                            letter,
                        ));
                    }
                }
            }
        }
        mistakes.sort();
        mistakes.dedup();
        mistakes
    }
}

fn built_in() -> Sources {
    let mut sources = Sources::default();
    for name in Embedded::iter() {
        let text =
            Embedded::get(&name).map(|file| String::from_utf8_lossy(&file.data).into_owned());
        sources
            .texts
            .extend(text.map(|text| (name.into_owned(), text)));
    }
    sources
}

/// Whether an operator's file lies where nothing looks for it: a slip of the pen would otherwise just have no effect.
fn misplaced(name: &str) -> Option<RenderError> {
    let parts: Vec<&str> = name.split('/').collect();
    let why = match parts[..] {
        [_] => return None,
        ["shared", ..] => return None,
        [kind, ..] if !KINDS.contains(&kind) => unknown(kind, &KINDS, "kind of mail"),
        [_, lang, _] if language_tag(lang).as_deref() != Some(lang) => {
            format!("`{lang}` is not a language: write it in lower case, like `de` or `pt-br`")
        }
        [_, _, part] if !PARTS.contains(&part) => unknown(part, &PARTS, "part of a mail"),
        [_, _, _] => return None,
        _ => "templates lie in <kind>/<language>/".to_owned(),
    };
    Some(RenderError::new(name, None, why))
}

fn unknown(word: &str, known: &[&str], what: &str) -> String {
    let near = nearest(word, known.iter().copied());
    let hint = near.map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    format!("`{word}` is no {what}; {hint}")
}

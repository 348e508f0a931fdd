//! What pages are made of, as files: the vendor's folder, file by file, else the binary.
//!
//! Everything is read once, at the start; what could not be read is kept for `keyward check` and the log.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::nearest;
use crate::effects::own_files::{self, OwnFile};

#[derive(rust_embed::RustEmbed)]
#[folder = "src/http/web/files"]
struct EmbeddedPages;

/// How deep the vendor's folder is read: `words/<language>.toml`.
const DEPTH: usize = 2;

/// What is wrong with a file of the pages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageMistake {
    /// The file.
    pub file: String,
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for PageMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.why),
            None => write!(f, "{}: {}", self.file, self.why),
        }
    }
}

impl PageMistake {
    pub(super) fn new(file: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            why: why.into(),
        }
    }
}

/// The files by name, each with the place that a vendor's own came from.
#[derive(Clone, Debug, Default)]
pub(super) struct PageFiles {
    texts: BTreeMap<String, String>,
    own: BTreeMap<String, PathBuf>,
    pub(super) mistakes: Vec<PageMistake>,
}

impl PageFiles {
    /// Reads the binary's files, and a vendor's over them.
    pub(super) fn load(folder: Option<&Path>) -> Self {
        let mut files = Self::default();
        for name in EmbeddedPages::iter() {
            files
                .texts
                .extend(embedded(&name).map(|t| (name.into_owned(), t)));
        }
        if let Some(folder) = folder {
            for read in own_files::read(folder, DEPTH) {
                match read {
                    Ok(file) => files.take_own(file),
                    Err(unread) => files.mistakes.push(PageMistake::new(
                        unread.path.display().to_string(),
                        unread.why,
                    )),
                }
            }
        }
        files
    }

    /// A file's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The names that end so.
    pub(super) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.texts
            .keys()
            .map(String::as_str)
            .filter(move |name| name.ends_with(end))
    }

    /// Where a person finds a file.
    pub(super) fn shown(&self, name: &str) -> String {
        self.own
            .get(name)
            .map_or_else(|| format!("built-in {name}"), |p| p.display().to_string())
    }

    fn take_own(&mut self, file: OwnFile) {
        self.mistakes.extend(misplaced(&file));
        self.texts.insert(file.name.clone(), file.text);
        self.own.insert(file.name, file.path);
    }
}

/// The binary's own text of a file.
pub(super) fn embedded(name: &str) -> Option<String> {
    EmbeddedPages::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned())
}

/// Whether a vendor's file lies where nothing looks for it: a slip of the pen would otherwise just have no effect.
fn misplaced(file: &OwnFile) -> Option<PageMistake> {
    let name = file.name.as_str();
    let is_words = name.starts_with("words/") && name.ends_with(".toml");
    let is_page = name.ends_with(".html") && !name.contains('/');
    if is_words || is_page || EmbeddedPages::get(name).is_some() {
        return None;
    }
    let all: Vec<String> = EmbeddedPages::iter()
        .map(std::borrow::Cow::into_owned)
        .collect();
    let why = nearest(name, all.iter().map(String::as_str)).map_or_else(
        || "nothing uses it: there are pages (`*.html`), `style.css`, `script.js` and `words/<language>.toml`".to_owned(),
        |near| format!("nothing uses it; did you mean `{near}`?"),
    );
    Some(PageMistake::new(file.path.display().to_string(), why))
}

//! What pages are made of, as files: the vendor's folder, file by file, else the binary.
//!
//! Everything is read once, at the start; what could not be read is kept for `keyward check` and the log.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(rust_embed::RustEmbed)]
#[folder = "src/http/web/files"]
struct EmbeddedPages;

/// The largest file of a vendor's that is read: no page needs more.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// How deep the vendor's folder is read: `words/<language>.toml`.
const DEPTH_MAX: usize = 2;
/// How alike two names must be for one to be suggested for the other.
const ALIKE_MIN: f64 = 0.8;

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
            files.read_folder(folder, folder, 1);
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

    fn read_folder(&mut self, root: &Path, folder: &Path, depth: usize) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(why) => {
                let mistake = PageMistake::new(folder.display().to_string(), why.to_string());
                return self.mistakes.push(mistake);
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
        paths.sort();
        for path in paths {
            let is_hidden = |n: &std::ffi::OsStr| n.to_string_lossy().starts_with('.');
            if path.file_name().is_some_and(is_hidden) {
                continue;
            }
            if path.is_dir() && depth < DEPTH_MAX {
                self.read_folder(root, &path, depth + 1);
                continue;
            }
            match read_file(root, &path) {
                Ok((name, text)) => {
                    self.mistakes.extend(misplaced(&name, &path));
                    self.texts.insert(name.clone(), text);
                    self.own.insert(name, path);
                }
                Err(why) => self
                    .mistakes
                    .push(PageMistake::new(path.display().to_string(), why)),
            }
        }
    }
}

/// The binary's own text of a file.
pub(super) fn embedded(name: &str) -> Option<String> {
    EmbeddedPages::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned())
}

/// A file's name below the folder, and its text.
fn read_file(root: &Path, path: &Path) -> Result<(String, String), String> {
    let size = std::fs::metadata(path).map_err(|why| why.to_string())?;
    if !size.is_file() {
        return Err("is no file".to_owned());
    }
    if size.len() > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    let inside = path.strip_prefix(root).map_err(|why| why.to_string())?;
    let name: Vec<String> = inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let bytes = std::fs::read(path).map_err(|why| why.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    Ok((name.join("/"), text))
}

/// Whether a vendor's file lies where nothing looks for it: a slip of the pen would otherwise just have no effect.
fn misplaced(name: &str, path: &Path) -> Option<PageMistake> {
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
    Some(PageMistake::new(path.display().to_string(), why))
}

/// The name that was probably meant.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(alike, _)| *alike > ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

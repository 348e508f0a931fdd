//! The first step: a tree that knows where every value stands, and one place where all that is found wrong is collected.
//!
//! A getter answers `None` for a key that is absent, and for one whose value is wrong, which it has then told. So reading
//! goes on with a default, and the next mistake is found too.

mod value;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::env::Env;
use super::hush::{Expanded, as_written};
use super::keys::{Section, ValueKind, example};
pub(super) use value::Value;

/// How alike two names must be for one to be suggested for the other.
const ALIKE_MIN: f64 = 0.8;

/// What kind of thing was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundKind {
    /// It cannot be meant.
    Mistake,
    /// Something is not there that must be; that may be a syntax error's doing.
    Absence,
    /// It is unwise.
    Warning,
}

/// Something found wrong, before it is known which text it is shown in.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: FoundKind,
    pub(super) at: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Reads tables, and remembers what it found and where.
#[derive(Debug)]
pub(super) struct TreeReader<'a> {
    pub(super) env: &'a Env<'a>,
    /// The config file's folder.
    pub(super) dir: PathBuf,
    found: RefCell<Vec<Found>>,
    spots: RefCell<BTreeMap<String, Range<usize>>>,
    /// The texts with variables in them.
    expanded: RefCell<Vec<Expanded>>,
}

impl<'a> TreeReader<'a> {
    pub(super) fn new(env: &'a Env<'a>, dir: PathBuf) -> Self {
        Self {
            env,
            dir,
            found: RefCell::default(),
            spots: RefCell::default(),
            expanded: RefCell::default(),
        }
    }

    /// What was found, in the order of finding, without what the environment holds.
    pub(super) fn into_found(self) -> Vec<Found> {
        let expanded = self.expanded.into_inner();
        let mut found = self.found.into_inner();
        for f in &mut found {
            f.message = as_written(std::mem::take(&mut f.message), &expanded);
            f.hint = f.hint.take().map(|hint| as_written(hint, &expanded));
        }
        found
    }

    /// Tells a mistake.
    pub(super) fn mistake(
        &self,
        at: Option<Range<usize>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(FoundKind::Mistake, at, message.into(), hint.into());
    }

    /// Tells that something is not there that must be.
    pub(super) fn absence(
        &self,
        at: Option<Range<usize>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(FoundKind::Absence, at, message.into(), hint.into());
    }

    /// Tells what is unwise.
    pub(super) fn warning(
        &self,
        at: Option<Range<usize>>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(FoundKind::Warning, at, message.into(), hint.into());
    }

    fn push(&self, kind: FoundKind, at: Option<Range<usize>>, message: String, hint: String) {
        let hint = Some(hint).filter(|h| !h.is_empty());
        // A table is read by each who wants something of it; its mistakes are told once.
        let told = |f: &Found| f.at == at && f.message == message;
        if at.is_some() && self.found.borrow().iter().any(told) {
            return;
        }
        self.found.borrow_mut().push(Found {
            kind,
            at,
            message,
            hint,
        });
    }

    /// Where something stands, by its path like `policy/standard/grace`; what is absent stands where its table does.
    pub(super) fn spot(&self, path: &str) -> Option<Range<usize>> {
        let spots = self.spots.borrow();
        let mut path = path;
        loop {
            if let Some(span) = spots.get(path) {
                return Some(span.clone());
            }
            path = path.rsplit_once('/')?.0;
        }
    }

    /// Whether a mistake was told inside the value at a path, so that its emptiness is not to be blamed as well.
    pub(super) fn told_in(&self, path: &str) -> bool {
        let spot = self.spots.borrow().get(path).cloned();
        let inside = |at: &Range<usize>| {
            spot.as_ref()
                .is_some_and(|s| s.start <= at.start && at.end <= s.end)
        };
        self.found
            .borrow()
            .iter()
            .any(|f| f.kind != FoundKind::Warning && f.at.as_ref().is_some_and(inside))
    }

    /// A table of the file, whose keys are those of a section; tells the ones that are not.
    pub(super) fn table(
        &'a self,
        path: &str,
        entries: &'a DeTable<'a>,
        span: Range<usize>,
        section: &'static Section,
    ) -> Table<'a> {
        for (name, _) in entries
            .iter()
            .filter(|(name, _)| section.key(name.get_ref()).is_none())
        {
            self.unknown(name.get_ref(), name.span(), section);
        }
        self.spots.borrow_mut().insert(path.to_owned(), span);
        Table {
            reader: self,
            path: path.to_owned(),
            entries,
            section,
        }
    }

    fn unknown(&self, name: &str, at: Range<usize>, section: &Section) {
        let place = place_of(section);
        let elsewhere: Vec<&str> = super::keys::SECTIONS
            .iter()
            .filter(|s| s.key(name).is_some())
            .map(|s| place_of(s))
            .collect();
        let near = nearest(name, section.keys.iter().map(|k| k.name));
        let hint = match (near, elsewhere.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, false) => format!("`{name}` belongs to {}", elsewhere.join(" or ")),
            (None, true) => {
                let names: Vec<_> = section.keys.iter().map(|k| k.name).collect();
                format!("there are: {}", names.join(", "))
            }
        };
        self.mistake(Some(at), format!("unknown key `{name}` in {place}"), hint);
    }
}

fn place_of(section: &Section) -> &'static str {
    match section.heading {
        "" => "the top of the file",
        heading => heading,
    }
}

/// The name that was probably meant.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|n| {
            (
                strsim::jaro_winkler(&name.to_lowercase(), &n.to_lowercase()),
                n,
            )
        })
        .filter(|(alike, _)| *alike > ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| n)
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) reader: &'a TreeReader<'a>,
    pub(super) path: String,
    pub(super) entries: &'a DeTable<'a>,
    section: &'static Section,
}

impl<'a> Table<'a> {
    /// The value of a key, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        let key = self.section.key(name);
        debug_assert!(
            key.is_some(),
            "`{name}` of {} is missing in the table of keys",
            self.section.heading
        );
        let value = self.entries.get(name)?;
        let path = format!("{}/{name}", self.path);
        self.reader
            .spots
            .borrow_mut()
            .insert(path.clone(), value.span());
        Some(Value {
            reader: self.reader,
            path,
            value: value.get_ref(),
            span: value.span(),
            key: key?,
        })
    }

    /// Whether the key is there, right or wrong.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Where the table stands.
    pub(super) fn span(&self) -> Option<Range<usize>> {
        self.reader.spot(&self.path)
    }

    /// Tells when a key that is needed is not there, with the reason why it is needed. Replay needs no secrets.
    pub(super) fn require(&self, name: &str, why: &str) {
        let secret = self.section.key(name).is_some_and(|k| {
            matches!(
                k.kind,
                ValueKind::Secret | ValueKind::Secrets | ValueKind::SmtpUrl
            )
        });
        if self.has(name) || (self.reader.env.is_lenient() && (secret || name == "app_id")) {
            return;
        }
        let example = self.section.key(name).map(example).unwrap_or_default();
        self.reader.absence(
            self.span(),
            format!("`{name}` is missing: {why}"),
            format!("add `{name} = {example}`"),
        );
    }

    /// Tells keys that change nothing here.
    pub(super) fn idle(&self, names: &[&str], why: &str) {
        for name in names.iter().filter(|n| self.has(n)) {
            let at = self.get(name).map(|v| v.span);
            self.reader
                .warning(at, format!("`{name}` has no effect {why}"), "leave it out");
        }
    }

    /// The tables of an array of tables like `[[plan]]`.
    pub(super) fn tables(&self, name: &str, section: &'static Section) -> Vec<Table<'a>> {
        let Some(value) = self.get(name) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.value else {
            value.wrong(&format!("tables under the heading `[[{name}]]`"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let value = Value {
                path: format!("{}/{i}", value.path),
                value: item.get_ref(),
                span: item.span(),
                ..value.clone()
            };
            tables.extend(value.table(section));
        }
        tables
    }

    /// The tables inside a table like `policy`, with their names.
    pub(super) fn named_tables(
        &self,
        name: &str,
        section: &'static Section,
    ) -> Vec<(&'a str, Table<'a>)> {
        let Some(value) = self.get(name) else {
            return Vec::new();
        };
        let DeValue::Table(entries) = value.value else {
            value.wrong(&format!("tables under headings like `[{name}.standard]`"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (own, item) in entries.iter() {
            let own: &'a str = own.get_ref();
            let value = Value {
                path: format!("{}/{own}", value.path),
                value: item.get_ref(),
                span: item.span(),
                ..value.clone()
            };
            tables.extend(value.table(section).map(|t| (own, t)));
        }
        tables
    }

    /// The table of a key.
    pub(super) fn sub(&self, name: &str, section: &'static Section) -> Option<Table<'a>> {
        self.get(name)?.table(section)
    }
}

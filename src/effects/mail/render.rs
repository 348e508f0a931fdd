//! A letter becomes subject, text and HTML. Pure: the templates were read before, nothing here looks at the world.

use crate::effects::mail::parts::{Parts, RenderError};
use std::error::Error as _;
use std::sync::Arc;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, HtmlEscape, State, UndefinedBehavior};

use super::letter::{Letter, one_line};
use super::locale::{amount, long_date};
use super::sources::{HTML, SUBJECT, Sources, TEXT};

/// How many steps a template may take. A mail with a thousand keys needs some 60,000; a loop without end is stopped here.
const FUEL: u64 = 500_000;

impl std::error::Error for RenderError {}

impl RenderError {
    pub(super) fn new(
        file: impl Into<String>,
        line: Option<usize>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line,
            why: why.into(),
        }
    }

    /// The innermost mistake of an error: where the template's author has to look.
    fn of(sources: &Sources, name: &str, error: &minijinja::Error) -> Self {
        let (mut inner, mut place) = (error, (name, None));
        loop {
            if let Some(name) = inner.name() {
                place = (name, inner.line());
            }
            match inner.source().and_then(|source| source.downcast_ref()) {
                Some(next) => inner = next,
                None => break,
            }
        }
        let why = inner.detail().map_or_else(
            || inner.kind().to_string(),
            |detail| format!("{}: {detail}", inner.kind()),
        );
        Self::new(sources.shown(place.0), place.1, why)
    }
}

/// The template engine over what was read. A name is only a key into the sources, so no template can reach another file.
pub(super) fn engine(sources: Arc<Sources>) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_auto_escape_callback(|name| {
        if is_html(name) {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    engine.set_loader(move |name| Ok(sources.text(name).map(str::to_owned)));
    engine.add_filter("date", |state: &State<'_, '_>, text: String| {
        let lang = state
            .lookup("lang")
            .map(|lang| lang.to_string())
            .unwrap_or_default();
        long_date(&text, &lang)
    });
    engine
}

fn is_html(name: &str) -> bool {
    name.rsplit('.').next() == Some("html")
}

/// Writes the three parts in a language that is there.
pub(super) fn parts(
    engine: &Environment<'static>,
    sources: &Sources,
    kind: &str,
    lang: &str,
    letter: &Letter,
) -> Result<Parts, RenderError> {
    let writer = Renderer::new(engine, sources, kind, lang, letter);
    Ok(Parts {
        subject: writer.subject()?,
        text: writer.text()?,
        html: writer.html()?,
    })
}

/// Every mistake that the three parts make with a letter.
pub(super) fn mistakes(
    engine: &Environment<'static>,
    sources: &Sources,
    kind: &str,
    lang: &str,
    letter: &Letter,
) -> Vec<RenderError> {
    let writer = Renderer::new(engine, sources, kind, lang, letter);
    [writer.subject(), writer.text(), writer.html()]
        .into_iter()
        .filter_map(Result::err)
        .collect()
}

struct Renderer<'a> {
    engine: &'a Environment<'static>,
    sources: &'a Sources,
    kind: &'a str,
    lang: &'a str,
    letter: serde_json::Map<String, serde_json::Value>,
}

impl<'a> Renderer<'a> {
    fn new(
        engine: &'a Environment<'static>,
        sources: &'a Sources,
        kind: &'a str,
        lang: &'a str,
        letter: &Letter,
    ) -> Self {
        Self {
            engine,
            sources,
            kind,
            lang,
            letter: letter.values(),
        }
    }

    fn name(&self, part: &str) -> String {
        format!("{}/{}/{part}", self.kind, self.lang)
    }

    /// What a template can use: the letter, which mail it is, and whether its foot is to name the portal.
    fn values(&self, portal_in_foot: bool) -> Value {
        let mut values = self.letter.clone();
        if let Some(serde_json::Value::String(text)) = values.get_mut("amount") {
            *text = amount(text, self.lang);
        }
        values.insert("lang".to_owned(), self.lang.into());
        values.insert("kind".to_owned(), self.kind.into());
        values.insert("portal_in_foot".to_owned(), portal_in_foot.into());
        Value::from(Serde(values))
    }

    fn part(&self, part: &str, portal_in_foot: bool) -> Result<String, RenderError> {
        let name = self.name(part);
        let written = self
            .engine
            .get_template(&name)
            .and_then(|template| template.render(self.values(portal_in_foot)));
        written.map_err(|error| RenderError::of(self.sources, &name, &error))
    }

    /// The portal stands in each mail, and once: in the foot where the mail itself does not lead there.
    fn body(&self, part: &str) -> Result<String, RenderError> {
        let written = self.part(part, false)?;
        let portal = self.letter.get("portal_url").and_then(|url| url.as_str());
        match portal {
            Some(url)
                if !written.contains(url) && !written.contains(&HtmlEscape(url).to_string()) =>
            {
                self.part(part, true)
            }
            _ => Ok(written),
        }
    }

    fn subject(&self) -> Result<String, RenderError> {
        let subject = one_line(&self.part(SUBJECT, false)?);
        if subject.is_empty() {
            return Err(RenderError::new(
                self.sources.shown(&self.name(SUBJECT)),
                None,
                "the subject is empty",
            ));
        }
        Ok(subject)
    }

    fn text(&self) -> Result<String, RenderError> {
        Ok(tidy(&self.body(TEXT)?, 1))
    }

    fn html(&self) -> Result<String, RenderError> {
        Ok(tidy(&self.body(HTML)?, 0))
    }
}

/// The mistake that keeps a template from compiling, if there is one.
pub(super) fn compiles(
    engine: &Environment<'static>,
    sources: &Sources,
    name: &str,
) -> Option<RenderError> {
    engine
        .get_template(name)
        .err()
        .map(|error| RenderError::of(sources, name, &error))
}

/// Drops what template tags leave behind: white space at line ends, and more than `blank_max` empty lines in a row.
fn tidy(text: &str, blank_max: usize) -> String {
    let (mut out, mut blank) = (String::with_capacity(text.len()), blank_max);
    for line in text.lines().map(str::trim_end) {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank <= blank_max && !(line.is_empty() && out.is_empty()) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

//! What all pages share: templates, words, looks and the files beside them. Loaded once at the start; writing a page is a
//! function of what was loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use serde::{Deserialize as _, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{PageFiles, PageMistake};
use super::words::{Say, Words, say};
use super::{brand, language};
use crate::config::{Config, Transport};
use crate::effects::mail::long_date;

/// How many steps a template may take: a loop without end in a vendor's template is stopped here.
const FUEL: u64 = 500_000;

/// A file beside the pages, under a name that changes with its content.
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// Where a page finds the files beside it.
#[derive(Clone, Debug, Default, Serialize)]
struct AssetUrls {
    style: String,
    colors: String,
    script: String,
    logo: Option<String>,
}

/// Who sells, as templates see it.
#[derive(Clone, Debug, Default, Serialize)]
struct VendorShown {
    name: Option<String>,
    support_url: Option<String>,
    /// Where a customer can write.
    address: Option<String>,
}

/// Everything that pages are made of.
pub(in crate::http) struct Site {
    engine: Environment<'static>,
    /// The built-in templates, for when a vendor's own fails.
    built_in: Environment<'static>,
    files: Arc<PageFiles>,
    words: Arc<Words>,
    assets: BTreeMap<String, Asset>,
    urls: AssetUrls,
    vendor: VendorShown,
    default_language: String,
    mistakes: Vec<PageMistake>,
}

impl Site {
    /// Loads what the config names. What cannot be used is left out, and told by [`Self::mistakes`].
    pub(in crate::http) fn load(config: &Config) -> Self {
        let files = PageFiles::load(config.vendor.templates.as_deref());
        let (words, mut mistakes) = Words::load(&files);
        mistakes.extend(files.mistakes.iter().cloned());
        let logo = config.vendor.logo.as_deref().map(brand::logo).transpose();
        let logo = logo.unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        });
        let (assets, urls) = assets(config, &files, logo);
        let words = Arc::new(words);
        let files = Arc::new(files);
        let engine = engine_of(Arc::clone(&files), &words);
        for name in files.ending(".html") {
            let wrong = engine.get_template(name).err();
            mistakes.extend(wrong.map(|e| mistake(&files, name, &e)));
        }
        let built_in = engine_of(Arc::new(PageFiles::load(None)), &words);
        let default = config.vendor.language.as_ref();
        let default = default.unwrap_or(&config.mail.default_language);
        Self {
            engine,
            built_in,
            files,
            words,
            assets,
            urls,
            vendor: vendor(config),
            default_language: default.clone(),
            mistakes,
        }
    }

    /// What is wrong with the vendor's files.
    pub(in crate::http) fn mistakes(&self) -> &[PageMistake] {
        &self.mistakes
    }

    /// The words of all languages.
    pub(in crate::http) fn words(&self) -> &Words {
        &self.words
    }

    /// The language of a page: the customer's where it is known, else what the browser asks for, else the config's.
    pub(in crate::http) fn language(&self, known: Option<&str>, headers: &HeaderMap) -> String {
        let wishes = language::wishes(headers);
        let all = known
            .into_iter()
            .chain(wishes.iter().map(String::as_str))
            .chain([self.default_language.as_str()]);
        let written = language::first_written(all, |tag| self.words.has(tag));
        written.unwrap_or_else(|| "en".to_owned())
    }

    /// A file beside the pages.
    pub(super) fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(name)
    }

    /// Writes a page; where a vendor's own template fails, by the built-in one.
    pub(super) fn render(
        &self,
        template: &str,
        lang: &str,
        page: impl Serialize,
    ) -> Result<String, Error> {
        let values = self.values(lang, page);
        write(&self.engine, template, &values).or_else(|error| {
            tracing::error!(%error, template, "a page's own template failed: the built-in one is shown");
            write(&self.built_in, template, &values)
        })
    }

    /// What a vendor's own template does wrong with a page.
    pub(super) fn mistake(
        &self,
        template: &str,
        lang: &str,
        page: impl Serialize,
    ) -> Option<PageMistake> {
        let wrong = write(&self.engine, template, &self.values(lang, page)).err()?;
        Some(mistake(&self.files, template, &wrong))
    }

    fn values(&self, lang: &str, page: impl Serialize) -> minijinja::Value {
        #[derive(Serialize)]
        struct Shown<'a, P> {
            lang: &'a str,
            assets: &'a AssetUrls,
            vendor: &'a VendorShown,
            #[serde(flatten)]
            page: P,
        }
        minijinja::Value::from(minijinja::value::Serde(Shown {
            lang,
            assets: &self.urls,
            vendor: &self.vendor,
            page,
        }))
    }
}

fn write(
    engine: &Environment<'static>,
    template: &str,
    values: &minijinja::Value,
) -> Result<String, Error> {
    engine.get_template(template)?.render(values.clone())
}

fn engine_of(files: Arc<PageFiles>, words: &Arc<Words>) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_loader(move |name| Ok(files.text(name).map(str::to_owned)));
    engine.add_filter("date", |state: &State<'_, '_>, day: String| {
        long_date(&day, &lang(state))
    });
    // Words that the handler chose, with their values: `say(license.validity)`.
    let all = Arc::clone(words);
    let speak = move |state: &State<'_, '_>, said: minijinja::Value| {
        let said = Say::deserialize(said)?;
        Ok::<_, Error>(all.line(&lang(state), &said))
    };
    engine.add_function("say", speak);
    // The words of a key, with values for its names: `t("license.until", day=license.until|date)`.
    let words = Arc::clone(words);
    let translate = move |state: &State<'_, '_>, key: String, values: Kwargs| {
        if !words.knows(&key) {
            let why = format!("there are no words for `{key}`");
            return Err(Error::new(ErrorKind::InvalidOperation, why));
        }
        let mut text = words.line(&lang(state), &say(key));
        for name in values.args() {
            let value: minijinja::Value = values.get(name)?;
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        Ok(text)
    };
    engine.add_function("t", translate);
    engine
}

fn lang(state: &State<'_, '_>) -> String {
    state
        .lookup("lang")
        .map(|l| l.to_string())
        .unwrap_or_default()
}

/// The innermost mistake of an error: where the template's author has to look.
fn mistake(files: &PageFiles, name: &str, error: &Error) -> PageMistake {
    let why = error.detail().map_or_else(
        || error.kind().to_string(),
        |detail| format!("{}: {detail}", error.kind()),
    );
    PageMistake {
        file: files.shown(error.name().unwrap_or(name)),
        line: error.line(),
        why,
    }
}

fn vendor(config: &Config) -> VendorShown {
    let mail = &config.mail;
    let mails = mail.transport != Transport::None;
    let sender = mail.from.name.clone().filter(|_| mails);
    let writes = mail.reply_to.as_ref().or(config.vendor.reply_to.as_ref());
    let writes = writes.or(Some(&mail.from).filter(|_| mails));
    VendorShown {
        name: config.vendor.name.clone().or(sender),
        support_url: config.vendor.support_url.clone(),
        address: writes.map(|mailbox| mailbox.email.to_string()),
    }
}

/// The files beside the pages, each under the hash of what is in it: they may be cached for ever.
fn assets(
    config: &Config,
    files: &PageFiles,
    logo: Option<brand::Logo>,
) -> (BTreeMap<String, Asset>, AssetUrls) {
    let mut all = BTreeMap::new();
    let text = |name: &str| files.text(name).unwrap_or_default().as_bytes().to_vec();
    let mut add = |stem: &str, ending: &str, content_type, bytes: Vec<u8>| {
        let hash = hex::encode(&Sha256::digest(&bytes)[..8]);
        let name = format!("{stem}.{hash}.{ending}");
        let url = format!("{}/assets/{name}", prefix(&config.public_url));
        all.insert(
            name,
            Asset {
                content_type,
                bytes,
            },
        );
        url
    };
    let css = "text/css; charset=utf-8";
    let colors = brand::colors(&config.vendor).into_bytes();
    let urls = AssetUrls {
        style: add("style", "css", css, text("style.css")),
        colors: add("colors", "css", css, colors),
        script: add(
            "script",
            "js",
            "text/javascript; charset=utf-8",
            text("script.js"),
        ),
        logo: logo.map(|l| add("logo", l.ending, l.content_type, l.bytes)),
    };
    (all, urls)
}

/// The path of our public address: a proxy may serve us under one.
pub(in crate::http) fn prefix(public_url: &str) -> &str {
    let rest = public_url
        .split_once("://")
        .map_or(public_url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn the_path_of_the_public_address_is_kept() {
        assert_eq!(prefix("https://buy.example.com"), "");
        assert_eq!(prefix("https://example.com/keys"), "/keys");
        assert_eq!(prefix("http://127.0.0.1:8080"), "");
    }
}

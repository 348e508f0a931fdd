//! Values of every kind that a key can take. Each getter is `None` for what is absent, or wrong and told.

mod number;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use lettre::message::Mailbox;
use toml::de::DeValue;

use super::super::keys::{ValueKind, example};
use super::super::size::ByteSize;
use super::super::tree::{Table, Value, nearest};
use super::super::types::{Cron, Network};
use crate::domain::adoption::Template;
use crate::domain::plan::Devices;
use crate::domain::policy::OnPartialRefund;
use crate::domain::self_service::Allowance;
use crate::domain::time::Span;
use crate::secret::Secret;

/// All variables of a plan together, in bytes.
const VARIABLES_LEN_MAX: usize = 4 << 10;

impl Table<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.text()
    }
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.list(name, Value::text)
    }
    pub(super) fn templates(&self, name: &str) -> Option<Vec<Template>> {
        self.list(name, Value::template)
    }
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name)?.secret()
    }
    pub(super) fn secrets(&self, name: &str) -> Option<Vec<Secret>> {
        self.list(name, Value::secret)
    }
    pub(super) fn url(&self, name: &str) -> Option<String> {
        self.get(name)?.url()
    }
    pub(super) fn socket(&self, name: &str) -> Option<SocketAddr> {
        self.get(name)?.socket()
    }
    pub(super) fn networks(&self, name: &str) -> Option<Vec<Network>> {
        self.list(name, Value::network)
    }
    pub(super) fn mailbox(&self, name: &str) -> Option<Mailbox> {
        self.get(name)?.mailbox()
    }
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name)?.path()
    }
    pub(super) fn length(&self, name: &str) -> Option<Span> {
        self.get(name)?.length()
    }
    pub(super) fn lengths(&self, name: &str) -> Option<Vec<Span>> {
        self.list(name, Value::length)
    }
    pub(super) fn size(&self, name: &str) -> Option<ByteSize> {
        self.get(name)?.size()
    }
    pub(super) fn count(&self, name: &str) -> Option<u32> {
        self.get(name)?.count()
    }
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.flag()
    }
    pub(super) fn cron(&self, name: &str) -> Option<Cron> {
        self.get(name)?.cron()
    }
    pub(super) fn variables(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.get(name)?.variables()
    }
    pub(super) fn devices(&self, name: &str) -> Option<Devices> {
        self.get(name)?.devices()
    }
    pub(super) fn share(&self, name: &str) -> Option<OnPartialRefund> {
        self.get(name)?.share()
    }
    pub(super) fn allowance(&self, name: &str) -> Option<Allowance> {
        self.get(name)?.allowance()
    }
    pub(super) fn percent(&self, name: &str) -> Option<u32> {
        self.get(name)?.percent()
    }
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&'static str, T)]) -> Option<T> {
        self.get(name)?.choice(choices)
    }

    /// A list; its wrong items are told and left out.
    fn list<'v, T>(&'v self, name: &str, read: impl Fn(&Value<'v>) -> Option<T>) -> Option<Vec<T>> {
        Some(self.get(name)?.items()?.iter().filter_map(read).collect())
    }
}

impl Value<'_> {
    /// A text that is not empty.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.filled()?;
        if text.trim().is_empty() {
            self.mistake(
                format!("`{}` is empty", self.key.name),
                "write it, or leave the key out",
            );
            return None;
        }
        Some(text)
    }

    /// A secret that is not empty; blanks around it are told, for they are the commonest reason why one fails.
    fn secret(&self) -> Option<Secret> {
        let text = self.filled()?;
        if text.trim().is_empty() {
            let hint =
                "with an empty secret anybody could pass; check the variable that it comes from";
            self.mistake(format!("`{}` holds an empty secret", self.key.name), hint);
            return None;
        }
        if matches!(self.key.kind, ValueKind::Secret)
            && text.contains(|c: char| c.is_control() || !c.is_ascii())
        {
            let message = format!(
                "the key in `{}` holds characters that cannot be sent",
                self.key.name
            );
            self.mistake(message, "copy it again; it is ASCII without line breaks");
            return None;
        }
        if text.trim() != text {
            let message = format!(
                "the secret in `{}` begins or ends with a blank or a line break",
                self.key.name
            );
            self.reader.warning(
                Some(self.span.clone()),
                message,
                "it is used as it is, and will probably not be accepted",
            );
        }
        Some(Secret::new(text))
    }

    /// A table of texts.
    fn variables(&self) -> Option<BTreeMap<String, String>> {
        let DeValue::Table(entries) = self.value else {
            self.wrong("a table of texts");
            return None;
        };
        let mut variables = BTreeMap::new();
        for (name, value) in entries.iter() {
            let value = Value {
                path: format!("{}/{}", self.path, self.key.name),
                value: value.get_ref(),
                span: value.span(),
                ..self.clone()
            };
            if let Some(text) = value.filled() {
                variables.insert(name.get_ref().to_string(), text);
            }
        }
        if variables
            .iter()
            .map(|(k, v)| k.len() + v.len())
            .sum::<usize>()
            > VARIABLES_LEN_MAX
        {
            self.mistake(
                format!("`{}` is longer than 4 KiB", self.key.name),
                "every answer to a program carries them: keep them short",
            );
        }
        Some(variables)
    }

    /// An address on the web, without a slash at the end.
    fn url(&self) -> Option<String> {
        let text = self.text()?;
        let expected = format!(
            "`{}` must begin with http:// or https:// and name a host",
            self.key.name
        );
        let hint = format!("like `{} = {}`", self.key.name, example(self.key));
        let Some(url) = reqwest::Url::parse(&text)
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https") && u.has_host())
        else {
            self.mistake(expected, hint);
            return None;
        };
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            self.mistake(
                format!(
                    "`{}` must be a plain address, without name, password, `?` or `#`",
                    self.key.name
                ),
                hint,
            );
            return None;
        }
        Some(text.trim().trim_end_matches('/').to_owned())
    }

    fn socket(&self) -> Option<SocketAddr> {
        let text = self.text()?;
        let text = text.replacen("localhost:", "127.0.0.1:", 1);
        let parsed = text.trim().parse().ok();
        if parsed.is_none() {
            let message = format!(
                "`{}` must be an address and a port from 0 to 65535",
                self.key.name
            );
            self.mistake(
                message,
                "like `127.0.0.1:8080`, `0.0.0.0:8080` or `[::1]:8080`",
            );
        }
        parsed
    }

    fn network(&self) -> Option<Network> {
        let text = self.text()?;
        let parsed = Network::parse(text.trim());
        if parsed.is_none() {
            self.mistake(
                format!("`{text}` is neither an address nor a network"),
                "like `127.0.0.1` or `172.16.0.0/12`",
            );
        }
        parsed
    }

    fn mailbox(&self) -> Option<Mailbox> {
        let text = self.text()?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("`{}` is not a mailbox", self.key.name);
            self.mistake(
                message,
                "like `Example <keys@example.com>` or `keys@example.com`",
            );
        }
        parsed
    }

    /// A path; a relative one counts from the config file's folder.
    fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        // `./mail` and `mail` shall print alike, and `Path::join` keeps the dot.
        Some(
            self.reader
                .dir
                .join(text.strip_prefix("./").unwrap_or(&text)),
        )
    }

    fn flag(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.wrong("true or false");
        }
        flag
    }

    fn template(&self) -> Option<Template> {
        let text = self.text()?;
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(why) => {
                let hint = "write `{session}`, `{sub}`, `{invoice}` or `{payment}` where your labels have Stripe's id";
                self.mistake(
                    format!("`{}` cannot have \"{text}\": {why}", self.key.name),
                    hint,
                );
                None
            }
        }
    }

    fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let all = choices
                .iter()
                .map(|(name, _)| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(", ");
            let hint = match nearest(&text, choices.iter().map(|(name, _)| *name)) {
                Some(near) => format!("did you mean \"{near}\"? There are: {all}"),
                None => format!("there are: {all}"),
            };
            self.mistake(format!("`{}` cannot be \"{text}\"", self.key.name), hint);
        }
        found
    }

    /// A cron expression, read by the scheduler's own parser, that will occur.
    fn cron(&self) -> Option<Cron> {
        let text = self.text()?;
        let parser = croner::parser::CronParser::builder()
            .seconds(croner::parser::Seconds::Required)
            .dom_and_dow(true)
            .build();
        let hint = "six fields: second minute hour day month weekday, like `0 */5 * * * *` for every five minutes";
        match parser.parse(&text) {
            Err(e) => {
                self.mistake(
                    format!("`{}` is not a cron expression: {e}", self.key.name),
                    hint,
                );
                None
            }
            // Any instant will do to ask from: what occurs at all occurs again.
            Ok(cron)
                if cron
                    .find_next_occurrence(&chrono::DateTime::UNIX_EPOCH, false)
                    .is_err() =>
            {
                self.mistake(
                    format!("`{}` names a moment that never comes", self.key.name),
                    hint,
                );
                None
            }
            Ok(_) => Some(Cron(text)),
        }
    }
}

//! Values that are counted or measured: lengths of time, sizes, numbers, devices, shares.

use toml::de::DeValue;

use crate::config::keys::{ValueKind, example};
use crate::config::size::ByteSize;
use crate::config::tree::Value;
use crate::domain::plan::Devices;
use crate::domain::policy::OnPartialRefund;
use crate::domain::self_service::{Allowance, NotAnAllowance};
use crate::domain::time::{NotASpan, Span};

/// The way out of a length that cannot be read.
fn length_hint(error: &NotASpan) -> String {
    let units = "ms, s, m (minutes), h, d and w are understood";
    match error.suggestion() {
        Some(meant) => format!("did you mean `{meant}`? {units}"),
        None => format!("{units}; a month or a year has no fixed length"),
    }
}

impl Value<'_> {
    pub(super) fn length(&self) -> Option<Span> {
        let kind = self.key.kind;
        let (from_s, to_s, whole_s) =
            if let ValueKind::Span(from_s, to_s) | ValueKind::Spans(from_s, to_s) = kind {
                (from_s, to_s, true)
            } else if let ValueKind::Wait(from_s, to_s) | ValueKind::Waits(from_s, to_s) = kind {
                (from_s, to_s, false)
            } else {
                return None;
            };
        if matches!(self.value, DeValue::Integer(_)) {
            self.wrong("a length of time with its unit");
            return None;
        }
        let text = self.text()?;
        let span: Span = match text.parse() {
            Ok(span) => span,
            Err(error) => {
                self.mistake(error.to_string(), length_hint(&error));
                return None;
            }
        };
        let span = self.within(span, Span::from_s(from_s), Span::from_s(to_s))?;
        if whole_s && span.ms() % 1000 != 0 {
            let message = format!(
                "`{}` is {span}, and it counts in whole seconds",
                self.key.name
            );
            self.mistake(message, "only time-outs take `ms`");
            return None;
        }
        Some(span)
    }

    pub(super) fn size(&self) -> Option<ByteSize> {
        let ValueKind::Size(from, to) = self.key.kind else {
            return None;
        };
        if matches!(self.value, DeValue::Integer(_)) {
            self.wrong("a size with its unit");
            return None;
        }
        match self.text()?.parse::<ByteSize>() {
            Ok(size) => self.within(size, ByteSize::from_bytes(from), ByteSize::from_bytes(to)),
            Err(e) => {
                self.mistake(
                    e.to_string(),
                    format!("like `{} = {}`", self.key.name, example(self.key)),
                );
                None
            }
        }
    }

    fn within<T: PartialOrd + std::fmt::Display>(&self, value: T, from: T, to: T) -> Option<T> {
        if from <= value && value <= to {
            return Some(value);
        }
        let name = self.key.name;
        let bound = if value < from {
            format!("at least {from}")
        } else {
            format!("at most {to}")
        };
        self.mistake(
            format!("`{name}` is {value}, and it must be {bound}"),
            format!("from {from} to {to}"),
        );
        None
    }

    /// A whole number of a range.
    fn integer(&self, from: u32, to: u32) -> Option<u32> {
        let DeValue::Integer(n) = self.value else {
            self.wrong("a whole number");
            return None;
        };
        let parsed = u32::from_str_radix(n.as_str(), n.radix())
            .ok()
            .filter(|n| (from..=to).contains(n));
        if parsed.is_none() {
            self.mistake(
                format!("`{}` is {n}, which is out of range", self.key.name),
                format!("from {from} to {to}"),
            );
        }
        parsed
    }

    pub(super) fn count(&self) -> Option<u32> {
        let (from, to, as_text) = if let ValueKind::Count(from, to) = self.key.kind {
            (from, to, false)
        } else if let ValueKind::CountText(from, to) = self.key.kind {
            (from, to, matches!(self.value, DeValue::String(_)))
        } else {
            return None;
        };
        if !as_text {
            return self.integer(from, to);
        }
        let text = self.text()?;
        let parsed = text.parse().ok().filter(|n| (from..=to).contains(n));
        if parsed.is_none() {
            let message = format!("`{}` cannot be \"{text}\"", self.key.name);
            self.mistake(message, format!("a whole number from {from} to {to}"));
        }
        parsed
    }

    pub(super) fn devices(&self) -> Option<Devices> {
        match self.value {
            DeValue::String(_) => {
                let text = self.text()?;
                if text == "unlimited" {
                    return Some(Devices::Unlimited);
                }
                self.mistake(
                    format!(
                        "`{}` must be a whole number or \"unlimited\"",
                        self.key.name
                    ),
                    "like `devices = 3`",
                );
                None
            }
            DeValue::Integer(_) => self.integer(1, 1_000_000).map(Devices::Count),
            DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => {
                self.wrong("a whole number or \"unlimited\"");
                None
            }
        }
    }

    pub(super) fn allowance(&self) -> Option<Allowance> {
        let text = self.text()?;
        match text.parse() {
            Ok(allowance) => Some(allowance),
            Err(error) => {
                let error: NotAnAllowance = error;
                let example = example(self.key);
                self.mistake(
                    error.to_string(),
                    format!("like `{} = {example}`", self.key.name),
                );
                None
            }
        }
    }

    pub(super) fn percent(&self) -> Option<u32> {
        let text = self.text()?;
        let number = text.strip_suffix('%').and_then(|n| n.parse().ok());
        let percent = number.filter(|n| *n <= 100);
        if percent.is_none() {
            let message = format!("`{}` cannot be \"{text}\"", self.key.name);
            self.mistake(message, "a percentage from 0% to 100%, like \"2%\"");
        }
        percent
    }

    pub(super) fn share(&self) -> Option<OnPartialRefund> {
        let text = self.text()?;
        let parsed = OnPartialRefund::parse(&text);
        if parsed.is_none() {
            let message = format!("`{}` cannot be \"{text}\"", self.key.name);
            self.mistake(
                message,
                "\"keep\", \"revoke\", or a percentage from \"1%\" to \"100%\"",
            );
        }
        parsed
    }
}

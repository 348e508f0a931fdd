//! Who the vendor is to customers.

use std::path::PathBuf;

use lettre::message::Mailbox;

use super::Mail;
use crate::domain::time::Span;

/// Who the vendor is to customers: `[vendor]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vendor {
    /// The name on mails and pages.
    pub name: Option<String>,
    /// Who answers customers.
    pub reply_to: Option<Mailbox>,
    /// A help page.
    pub support_url: Option<String>,
    /// A picture for the head of each page.
    pub logo: Option<PathBuf>,
    /// The colour of buttons.
    pub color: Option<Color>,
    /// The same on a dark screen.
    pub color_dark: Option<Color>,
    /// Where the software is downloaded.
    pub downloads: Vec<Link>,
    /// A folder whose files go before the built-in ones of the pages.
    pub templates: Option<PathBuf>,
    /// The language of visitors whose own is not known.
    pub language: Option<String>,
}

impl Mail {
    /// Takes from the vendor what this mail leaves open.
    pub(in crate::config) fn signed_by(&mut self, vendor: &Vendor) {
        if self.reply_to.is_none() {
            self.reply_to.clone_from(&vendor.reply_to);
        }
        // The address's own name is the sender's; what the texts say is the vendor's.
        if self.from.name.is_none() {
            self.from.name.clone_from(&vendor.name);
        }
    }
}

/// What customers see of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanDisplay {
    /// What they call it; `None`: by its name.
    pub title: Option<String>,
    /// Where its software is downloaded; empty: as `[vendor]` says.
    pub downloads: Vec<Link>,
}

/// An address on the web, and what is written on it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Link {
    /// What is written on it.
    pub label: String,
    /// The address.
    pub url: String,
}

/// The page after the purchase: `[success]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessPage {
    /// How long after the purchase keys are shown in full.
    pub show_for: Span,
}

/// A colour of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Red, green and blue.
    pub rgb: [u8; 3],
}

impl Color {
    /// Reads `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let mut rgb = [0; 3];
        hex::decode_to_slice(digits, &mut rgb).ok()?;
        Some(Self { rgb })
    }

    /// How well it is read on another, from 1 to 21 (WCAG 2).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// White or black, whichever is read better on it.
    #[must_use]
    pub fn ink(self) -> Self {
        let [white, black] = [[0xff; 3], [0; 3]].map(|rgb| Self { rgb });
        if self.contrast(white) >= self.contrast(black) {
            white
        } else {
            black
        }
    }

    fn luminance(self) -> f64 {
        let [r, g, b] = self.rgb.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", hex::encode(self.rgb))
    }
}

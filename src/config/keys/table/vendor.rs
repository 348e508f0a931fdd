//! Who the vendor is to customers, and the page after the purchase.

use crate::config::keys::Absent::{Is, Means};
use crate::config::keys::Section;
use crate::config::keys::ValueKind::{Color, Label, Language, Links, Mailbox, Path, Span, Url};
use crate::config::keys::spec::{CENTURY_S, key};

/// `[vendor]`.
pub(in crate::config) const VENDOR: Section = Section {
    heading: "[vendor]",
    doc: "Who you are to your customers, said once for all mails and pages ([pages.md](pages.md)). Read at the start.",
    keys: &[
        key(
            "name",
            Label,
            Means("the display name of `from` in `[mail]`"),
            "Your name, as mails and pages say it.",
        ),
        key(
            "reply_to",
            Mailbox,
            Means("that of `[mail]`, else its `from`"),
            "Who answers customers, where `[mail]` names nobody else.",
        ),
        key(
            "support_url",
            Url,
            Means("customers are asked to write"),
            "Your help page; mails and pages link to it.",
        ),
        key(
            "logo",
            Path,
            Means("your name in letters"),
            "A picture at the top of each page: `.svg`, `.png`, `.jpg`, `.webp` or `.gif`, 256 KiB at most.",
        ),
        key(
            "color",
            Color,
            Means("blue"),
            "The colour of buttons, as `#rrggbb`; links take it where they stay readable.",
        ),
        key(
            "color_dark",
            Color,
            Means("`color`"),
            "The same for those whose screen is dark.",
        ),
        key(
            "downloads",
            Links,
            Means("no links"),
            "Where your software is downloaded: shown beside a key that works, where its plan names no others.",
        ),
        key(
            "templates",
            Path,
            Means("the built-in pages"),
            "A folder whose files go before the built-in templates, stylesheet and words of the pages.",
        ),
        key(
            "language",
            Language,
            Means("`default_language` of `[mail]`"),
            "The language of pages for visitors whose own is unknown or not written.",
        ),
    ],
};

/// `[success]`.
pub(in crate::config) const SUCCESS: Section = Section {
    heading: "[success]",
    doc: "The page after the purchase, and `GET /success.json` for a page of your own.",
    keys: &[key(
        "show_for",
        Span(0, CENTURY_S),
        Is("\"7d\""),
        "How long after the purchase the page shows keys in full, where they are mailed too; later only their ends. Whoever has the page's address has what it shows. Read at the start.",
    )],
};

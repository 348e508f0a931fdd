//! How plans are sold: `buy` in a plan, and `[checkout]`.

use super::super::Absent::{Is, Means};
use super::super::ValueKind::{Count, Flag, Span, Texts, Url};
use crate::config::keys::Section;
use crate::config::keys::spec::{DAY_S, key};

/// `buy` in a plan.
pub(in crate::config) const BUY: Section = Section {
    heading: "buy = { … } in a plan",
    doc: "How the plan is sold at `/buy/NAME` and `POST /checkout`, at the prices that it names.",
    keys: &[
        key(
            "quantity_max",
            Count(1, 999_999),
            Means("one at a time"),
            "Up to how many one purchase may hold; the buyer chooses on Stripe's page.",
        ),
        key(
            "trial",
            Span(DAY_S, 730 * DAY_S),
            Means("none"),
            "A trial before the first payment, in whole days; for subscriptions.",
        ),
    ],
};

/// `[checkout]`.
pub(in crate::config) const CHECKOUT: Section = Section {
    heading: "[checkout]",
    doc: "How plans are sold at `/buy/NAME` and `POST /checkout`. The source's `api_key` must be allowed to write Checkout sessions and to read prices.",
    keys: &[
        key(
            "cancel_url",
            Url,
            Means("Stripe's page has no link back"),
            "Where the link back of Stripe's page leads.",
        ),
        key(
            "origins",
            Texts,
            Is("[]"),
            "Web pages of yours that may call `POST /checkout` from a browser, like `https://example.com`.",
        ),
        key(
            "promotion_codes",
            Flag,
            Is("false"),
            "Whether Stripe's page takes promotion codes.",
        ),
        key(
            "automatic_tax",
            Flag,
            Is("false"),
            "Whether Stripe works out the taxes.",
        ),
        key(
            "guide_metadata",
            Flag,
            Is("true"),
            "Whether a session and what it makes also carry the metadata of AuthForge's guide, for a handler that is in charge of a plan before `go-live` or after a way back; for Keyward the plan decides. `false` where such a handler runs and must not take these sales.",
        ),
    ],
};

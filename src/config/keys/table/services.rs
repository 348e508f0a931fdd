//! The tables of sources, license services and mail.

use crate::config::keys::Absent::{Is, Means, Required};
use crate::config::keys::ValueKind::{
    Choice, Count, Flag, Mailbox, Path, Secret, Secrets, SmtpUrl, Socket, Span, Table, Text, Url,
    Wait, Waits,
};

use crate::config::keys::Section;
use crate::config::keys::spec::{DAY_S, key};

/// `[[source]]`.
pub(in crate::config) const SOURCE: Section = Section {
    heading: "[[source]]",
    doc: "A Stripe account or endpoint. `licenses` and `mail` inside it are whole tables that stand in for those below, \
          so that a test source cannot hand out live keys.",
    keys: &[
        key(
            "name",
            Text,
            Required,
            "Its name, of letters, digits, `-` and `_`; Stripe posts to `/webhooks/NAME`. Machines are called by it: never rename a source that has sold something.",
        ),
        key(
            "kind",
            Choice(&["stripe"]),
            Is("\"stripe\""),
            "The kind of provider.",
        ),
        key(
            "signing_secrets",
            Secrets,
            Required,
            "The endpoint's signing secrets (`whsec_…`); several while one is being rolled.",
        ),
        key(
            "livemode",
            Choice(&["live", "test", "any"]),
            Is("\"live\""),
            "Which mode's events count; the other mode's are kept apart and change nothing.",
        ),
        key(
            "api_key",
            Secret,
            Means("nothing is looked up at Stripe"),
            "A restricted key (`rk_…`) for look-ups at Stripe.",
        ),
        key(
            "api_base",
            Url,
            Is("\"https://api.stripe.com\""),
            "Where Stripe's API is.",
        ),
        key(
            "tolerance",
            Span(1, DAY_S),
            Means("that of `[http]`"),
            "How old a signature may be.",
        ),
        key(
            "connect",
            Choice(&["ignore", "accept"]),
            Is("\"ignore\""),
            "What to do with the events of connected accounts.",
        ),
        key(
            "invoices",
            Flag,
            Is("true"),
            "Whether its endpoint hears of invoices; `false`: a new subscription's status speaks at once for its payment.",
        ),
        key(
            "licenses",
            Table("[licenses]"),
            Means("the table `[licenses]`"),
            "The license service for this source's purchases.",
        ),
        key(
            "mail",
            Table("[mail]"),
            Means("the table `[mail]`"),
            "The mail for this source's customers.",
        ),
    ],
};

/// `[licenses]`.
pub(in crate::config) const LICENSES: Section = Section {
    heading: "[licenses]",
    doc: "The license service: AuthForge's Developer API, or the one embedded in Keyward.",
    keys: &[
        key(
            "service",
            Choice(&["embedded", "authforge"]),
            Is("\"embedded\""),
            "Which service.",
        ),
        key(
            "api_base",
            Url,
            Is("\"https://api.authforge.cc\""),
            "authforge: where its Developer API is.",
        ),
        key(
            "api_key",
            Secret,
            Means("embedded: none is needed; authforge: required"),
            "authforge: the Developer API's key (`af_live_…`).",
        ),
        key(
            "app_id",
            Text,
            Means("embedded: `keyward`; authforge: required"),
            "The application whose licenses are made where neither plan nor purchase names one.",
        ),
        key(
            "requests_per_s",
            Count(0, 100_000),
            Means("authforge: 40; embedded: 0"),
            "Requests a second at most; 0 is no limit. AuthForge allows 50 sustained.",
        ),
        key(
            "in_flight",
            Count(1, 1_000),
            Is("8"),
            "Requests under way at one time at most.",
        ),
        key(
            "request_timeout",
            Wait(1, 3600),
            Is("\"35s\""),
            "How long a request may take before its outcome counts as unknown.",
        ),
        key(
            "lookup_after",
            Waits(0, DAY_S),
            Is("[\"2s\", \"15s\"]"),
            "After an unknown outcome: how long to wait before each look-up that tells whether it happened.",
        ),
        key(
            "suspend",
            Choice(&["shorten", "revoke", "wait"]),
            Is("\"shorten\""),
            "authforge, which knows no suspension: how a license is stopped early. `wait` tells the operator instead.",
        ),
        key(
            "listen",
            Socket,
            Is("\"127.0.0.1:0\""),
            "embedded: the loopback address on which Keyward itself asks it; port 0 takes a free one.",
        ),
        key(
            "key_prefix",
            Text,
            Means("keys have no prefix"),
            "embedded: what new keys begin with, 2 to 8 capital letters and digits. Keys made before stay as they are.",
        ),
        key(
            "session",
            Span(60, 30 * DAY_S),
            Is("\"24h\""),
            "embedded: how long a program may rely on an answer without asking again. A license that is stopped works until then at most.",
        ),
        key(
            "signing_key",
            Count(1, 1000),
            Is("1"),
            "embedded: the number of the key pair that signs answers. It is made when it is first named.",
        ),
        key(
            "second_signing_key",
            Count(1, 1000),
            Means("none"),
            "embedded: a second pair whose public half is listed too: the next one before a change, the last one after it.",
        ),
    ],
};

/// `[mail]`.
pub(in crate::config) const MAIL: Section = Section {
    heading: "[mail]",
    doc: "How customers are written to.",
    keys: &[
        key(
            "transport",
            Choice(&["none", "smtp", "folder"]),
            Is("\"none\""),
            "To a server, into a folder of `.eml` files, or not at all: then keys are shown on the success page only.",
        ),
        key(
            "from",
            Mailbox,
            Means("smtp: required; else `Keyward <keyward@localhost>`"),
            "Who writes.",
        ),
        key(
            "reply_to",
            Mailbox,
            Means("answers go to `from`"),
            "Who gets the answers.",
        ),
        key(
            "url",
            SmtpUrl,
            Means("smtp: required"),
            "smtp: the server, as `smtps://user:pass@host:465` (TLS), `smtp://user:pass@host:587?tls=required` (STARTTLS) or `smtp://host:25` (plain). Percent-encode what is special in a URL.",
        ),
        key(
            "path",
            Path,
            Means("folder: required"),
            "folder: where the mails go.",
        ),
        key(
            "ca_file",
            Path,
            Means("the usual authorities"),
            "smtp: a PEM file with certificate authorities to trust besides the usual ones.",
        ),
        key(
            "templates",
            Path,
            Means("the built-in templates"),
            "A folder whose files go before the built-in templates of the same name.",
        ),
        key(
            "default_language",
            Text,
            Is("\"en\""),
            "The language of those who have not said theirs.",
        ),
        key(
            "timeout",
            Wait(1, 3600),
            Is("\"60s\""),
            "How long handing over a mail may take.",
        ),
    ],
};

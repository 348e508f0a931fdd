//! Every key of the config, once. Not a place for logic: it is read like the page that is printed from it.

mod buying;
mod portal;
mod running;
mod services;
mod vendor;
mod watch;

use super::Absent::{Is, Means, Required};
use super::ValueKind::{
    Choice, Count, Devices, Label, Links, Path, Percent, Socket, Span, Table, Tables, Templates,
    Text, Texts, Url, Variables,
};
use crate::config::keys::spec::{CENTURY_S, DAY_S, key};

use super::Section;
use super::policy::POLICY;
pub(in crate::config) use buying::{BUY, CHECKOUT};
pub(in crate::config) use portal::{PORTAL, SELF_SERVICE};
pub(in crate::config) use running::{BACKUP, HTTP, SCHEDULER, STORE, TIME};
pub(in crate::config) use services::{LICENSES, MAIL, SOURCE};
pub(in crate::config) use vendor::{SUCCESS, VENDOR};
pub(in crate::config) use watch::{ALERT, BACKFILL};

/// The file's top.
pub(in crate::config) const ROOT: Section = Section {
    heading: "",
    doc: "The file's top, above the first table.",
    keys: &[
        key(
            "listen",
            Socket,
            Is("\"127.0.0.1:8080\""),
            "Where the server listens; put Caddy or nginx with TLS in front.",
        ),
        key(
            "data_dir",
            Path,
            Is("\"./keyward-data\""),
            "The folder of the store, made by `keyward init` or `keyward serve --new`.",
        ),
        key(
            "public_url",
            Url,
            Means("`http://` and `listen`, which only this machine can open"),
            "The address that customers and Stripe see; links in mails begin with it.",
        ),
        key(
            "source",
            Table("[[source]]"),
            Required,
            "Who sends events; one table for each Stripe account or endpoint.",
        ),
        key(
            "licenses",
            Table("[licenses]"),
            Means("the embedded service"),
            "The license service.",
        ),
        key(
            "mail",
            Table("[mail]"),
            Means("no mail"),
            "How customers are written to.",
        ),
        key(
            "vendor",
            Table("[vendor]"),
            Means("the sender of `[mail]`, in plain looks"),
            "Who you are to your customers.",
        ),
        key(
            "success",
            Table("[success]"),
            Means("its defaults"),
            "The page after the purchase.",
        ),
        key(
            "store",
            Table("[store]"),
            Means("its defaults"),
            "The store's size and limits.",
        ),
        key(
            "backup",
            Table("[backup]"),
            Means("no backups by schedule"),
            "Backups by schedule.",
        ),
        key(
            "scheduler",
            Table("[scheduler]"),
            Means("its defaults"),
            "When the scheduler rings.",
        ),
        key(
            "http",
            Table("[http]"),
            Means("its defaults"),
            "The HTTP server's limits.",
        ),
        key(
            "time",
            Table("[time]"),
            Means("its defaults"),
            "Clocks and outages.",
        ),
        key(
            "backfill",
            Table("[backfill]"),
            Means("its defaults"),
            "Events that never arrived.",
        ),
        key(
            "mode",
            Choice(&["live", "observe"]),
            Is("\"live\""),
            "`observe`: deliveries are taken and everything is decided, but nothing is sent to the license service or to a customer, until `keyward go-live`. It counts when it is first read and when it is changed; the commands count from when they are given.",
        ),
        key(
            "checkout",
            Table("[checkout]"),
            Means("its defaults"),
            "How plans are sold.",
        ),
        key(
            "portal",
            Table("[portal]"),
            Means("its defaults"),
            "What customers can see and do by themselves.",
        ),
        key(
            "guard",
            Table("[guard]"),
            Means("its defaults"),
            "How many licenses may end in a while.",
        ),
        key(
            "alert",
            Table("[alert]"),
            Means("the log alone"),
            "How you are alerted.",
        ),
        key(
            "adopt",
            Table("[adopt]"),
            Means("the forms that AuthForge's guides teach"),
            "Licenses that another handler made before.",
        ),
        key(
            "plan",
            Table("[[plan]]"),
            Means("purchase metadata alone says what is bought"),
            "What a price stands for; one table for each plan.",
        ),
        key(
            "policy",
            Tables("[policy.NAME]"),
            Means("the defaults of each key"),
            "What happens after the purchase; `[policy.standard]` counts where a plan names none.",
        ),
    ],
};

/// `[guard]`.
pub(in crate::config) const GUARD: Section = Section {
    heading: "[guard]",
    doc: "How many licenses may be suspended, revoked or shortened in a while, whatever the cause but a person's own order. Beyond the larger of the two limits every further one is held, and `keyward held` lists it.",
    keys: &[
        key(
            "max_hurtful",
            Count(0, 1_000_000),
            Is("5"),
            "So many, however small the shop.",
        ),
        key(
            "max_share",
            Percent,
            Is("\"2%\""),
            "Such a share of the licenses that work, where that is more.",
        ),
        key(
            "window",
            Span(60, 30 * DAY_S),
            Is("\"1h\""),
            "In such a while.",
        ),
    ],
};

/// `[adopt]`.
pub(in crate::config) const ADOPT: Section = Section {
    heading: "[adopt]",
    doc: "Licenses that another handler made before Keyward: they are found by their labels, and go on. The forms of \
          AuthForge's guides (`Stripe session {session}`, `Stripe sub {sub}`, `Stripe invoice {invoice}`, `sub_{sub}`) and bare \
          ids always count. Read at the start.",
    keys: &[key(
        "labels",
        Templates,
        Is("[]"),
        "How your own handler labelled licenses, where it used another form: text with `{session}`, `{sub}`, `{invoice}` or `{payment}` for Stripe's ids; `keyward adopt` and `keyward audit` also fill `{metadata.KEY}` with the value of a metadata key. A label fits byte for byte or not at all.",
    )],
};

/// `[[plan]]`.
pub(in crate::config) const PLAN: Section = Section {
    heading: "[[plan]]",
    doc: "What a price stands for. A change counts for what is bought from its loading on.",
    keys: &[
        key(
            "name",
            Text,
            Required,
            "Its name; `metadata.plan` of a purchase can name it.",
        ),
        key(
            "title",
            Label,
            Means("its name"),
            "What customers call it, in mails and on pages: `Example Pro`. Read at the start.",
        ),
        key(
            "downloads",
            Links,
            Means("those of `[vendor]`"),
            "Where its software is downloaded: shown beside a key that works. Read at the start.",
        ),
        key(
            "prices",
            Texts,
            Is("[]"),
            "Stripe's price ids; `[\"*\"]` is every price that no other plan names.",
        ),
        key(
            "lookup_keys",
            Texts,
            Is("[]"),
            "Stripe's lookup keys of prices.",
        ),
        key("products", Texts, Is("[]"), "Stripe's product ids."),
        key("policy", Text, Means("`standard`"), "The policy's name."),
        key(
            "seats",
            Choice(&["devices", "keys"]),
            Is("\"devices\""),
            "What a quantity buys: more devices on one key (with `devices_per_unit`), or a key for each unit.",
        ),
        key(
            "extends",
            Texts,
            Is("[]"),
            "Plans that a purchase of this one prolongs: a customer of Stripe's who has exactly one license of them keeps its key, and no new one is made.",
        ),
        key(
            "buy",
            Table("buy = { … } in a plan"),
            Means("one at a time, no trial"),
            "How it is sold at `/buy/NAME`.",
        ),
        key(
            "self_service",
            Table("self_service = { … } in a plan"),
            Means("nothing"),
            "What customers may do to their licenses in the portal. Read at the start.",
        ),
        key(
            "offline",
            Span(3600, CENTURY_S),
            Means("no files for offline devices"),
            "embedded: how long a device may work by a signed file without asking. Nobody can take such a file back. Read at the start.",
        ),
        key(
            "variables",
            Variables,
            Means("none"),
            "embedded: texts that programs get with each answer, signed, like an edition or a limit; 4 KiB together at most. Read at the start.",
        ),
        key(
            "license",
            Table("license = { … } in a plan"),
            Means("its defaults"),
            "What a license looks like.",
        ),
    ],
};

/// `license` in a plan.
pub(in crate::config) const LICENSE: Section = Section {
    heading: "license = { … } in a plan",
    doc: "What a license of the plan looks like.",
    keys: &[
        key(
            "devices",
            Devices,
            Means("none beside `devices_per_unit`; without that, 1"),
            "How many devices a key allows, or `\"unlimited\"`.",
        ),
        key(
            "devices_per_unit",
            Count(1, 1_000_000),
            Means("the quantity does not count"),
            "Further devices for each unit bought, with `seats = \"devices\"`.",
        ),
        key(
            "duration",
            Span(1, CENTURY_S),
            Means("for life"),
            "One-time purchases: how long from the payment. Subscriptions live while they are paid.",
        ),
        key(
            "app_id",
            Text,
            Means("that of `[licenses]`"),
            "The application at the license service.",
        ),
        key(
            "at_device_limit",
            Choice(&["split", "unlimited"]),
            Is("\"split\""),
            "Above the devices that the service allows on one key (AuthForge: 16): several keys, or one without a limit.",
        ),
    ],
};

/// All tables, in the order of the documentation.
pub(in crate::config) const SECTIONS: &[&Section] = &[
    &ROOT,
    &SOURCE,
    &LICENSES,
    &MAIL,
    &VENDOR,
    &SUCCESS,
    &PORTAL,
    &STORE,
    &BACKUP,
    &SCHEDULER,
    &HTTP,
    &TIME,
    &BACKFILL,
    &ALERT,
    &GUARD,
    &ADOPT,
    &CHECKOUT,
    &PLAN,
    &LICENSE,
    &BUY,
    &SELF_SERVICE,
    &POLICY,
];

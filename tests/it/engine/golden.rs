//! Golden bytes of every stored record. They were written by a binary of their time and stay: what is stored must be read
//! for ever, and a form that changes unseen would be noticed by customers first.
//!
//! A line that does not come back as it was means that a stored form changed. If old bytes still mean what they meant, renew
//! the file with `KEYWARD_BLESS=1 cargo test --test it golden`: what is there stays, marked `old`, and has to be readable.
//! If they do not, the schema needs a new version and a step that brings old stores up (`src/store/sled/migrate.rs`).

mod dispositions;
mod holds;
mod probes;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use keyward::adopt::AdoptedLicense;
use keyward::domain::action::{GrantStatus, SeatId};
use keyward::domain::adoption::{Gap, NotedSeat};
use keyward::domain::customer::Customer;
use keyward::domain::decision::{Decision, Verb};
use keyward::domain::fact::Fact;
use keyward::domain::id::{AppId, LicenseKey, PlanName, Scope, SourceName};
use keyward::domain::machine::Machine;
use keyward::domain::parked_query::ParkedQuery;
use keyward::domain::plan::Devices;
use keyward::domain::policy::Policy;
use keyward::domain::policy_override::PolicyOverride;
use keyward::domain::revision::Revision;
use keyward::domain::standing::{Author, Standing, StandingOrder, StandingOrders};
use keyward::domain::time::Timestamp;
use keyward::engine::backup::Backups;
use keyward::engine::record::restored::Restored;
use keyward::engine::record::{self, EventRecord, RefusedRecord, key};
use keyward::engine::write::working::Committed;
use keyward::server;
use keyward::store::{Create, KeyRange};
use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode};

use crate::cli::support::{CONFIG, Place, refusing, willing};

/// Bytes of samples in one file, about.
const FILE_LEN: usize = 40_000;

fn file(kind: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/records")
        .join(format!("{kind}.hex"))
}

/// Whether bytes are read, and come back as they were.
fn comes_back<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<bool, String> {
    let value: T = minicbor::decode(bytes).map_err(|e| e.to_string())?;
    let again = minicbor::to_vec(&value).map_err(|e| e.to_string())?;
    Ok(again == bytes)
}

/// Holds a kind's file against what the program reads and writes.
fn golden<T: Encode<()> + for<'b> Decode<'b, ()>>(kind: &str, found: &dyn Fn() -> Vec<Vec<u8>>) {
    let blessing = std::env::var_os("KEYWARD_BLESS").is_some();
    let kept = std::fs::read_to_string(file(kind)).unwrap_or_default();
    let (mut renewed, mut known) = (String::new(), BTreeSet::new());
    for (at, line) in kept.lines().enumerate() {
        let (old, hex) = line
            .strip_prefix("old ")
            .map_or((false, line), |hex| (true, hex));
        let bytes = hex::decode(hex).unwrap();
        let same = comes_back::<T>(&bytes).unwrap_or_else(|why| {
            panic!(
                "{kind}.hex, line {}: stored bytes of a {kind} cannot be read any more: {why}",
                at + 1
            )
        });
        assert!(
            same || old || blessing,
            "{kind}.hex, line {}: the stored form of a {kind} changed; see tests/it/engine/golden.rs",
            at + 1
        );
        if same {
            known.extend(paths(&bytes));
        }
        let mark = if same { "" } else { "old " };
        let _ = writeln!(renewed, "{mark}{hex}");
    }
    if blessing {
        for bytes in covering(found(), &mut known, FILE_LEN.saturating_sub(kept.len() / 2)) {
            let _ = writeln!(renewed, "{}", hex::encode(bytes));
        }
        std::fs::create_dir_all(file(kind).parent().unwrap()).unwrap();
        std::fs::write(file(kind), &renewed).unwrap();
    }
    assert!(!renewed.is_empty(), "{kind}.hex has no bytes");
}

/// Samples that show every shape that any of them has, as long as there is room.
fn covering(found: Vec<Vec<u8>>, known: &mut BTreeSet<String>, room: usize) -> Vec<Vec<u8>> {
    let mut left: Vec<(Vec<u8>, BTreeSet<String>)> = found
        .into_iter()
        .map(|bytes| {
            let paths = paths(&bytes);
            (bytes, paths)
        })
        .collect();
    let (mut chosen, mut len) = (Vec::new(), 0);
    loop {
        let gain = |paths: &BTreeSet<String>, bytes: &[u8]| {
            paths.difference(known).count() * 10_000 / (200 + bytes.len())
        };
        let best = left
            .iter()
            .enumerate()
            .max_by_key(|(_, (bytes, paths))| gain(paths, bytes))
            .filter(|(_, (bytes, paths))| gain(paths, bytes) > 0)
            .map(|(at, _)| at);
        let Some(at) = best else { return chosen };
        let (bytes, paths) = left.swap_remove(at);
        len += bytes.len();
        if len > room && !chosen.is_empty() {
            return chosen;
        }
        known.extend(paths);
        chosen.push(bytes);
    }
}

/// The shapes in a record: where in it stands what, with small numbers, which tell variants apart.
fn paths(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(&mut Decoder::new(bytes), "", &mut found);
    found
}

fn walk(decoder: &mut Decoder<'_>, path: &str, found: &mut BTreeSet<String>) {
    let kind = decoder.datatype().unwrap();
    if kind == Type::Array {
        let len = decoder.array().unwrap().unwrap();
        found.insert(format!("{path}[]"));
        for n in 0..len {
            walk(decoder, &format!("{path}.{}", n.min(20)), found);
        }
    } else if kind == Type::U8 {
        let n = decoder.u8().unwrap();
        found.insert(format!("{path}={}", n.min(24)));
    } else {
        decoder.skip().unwrap();
        found.insert(format!("{path}:{kind}"));
    }
}

/// Some of each life cycle.
const HISTORIES: [&str; 7] = [
    "cancel-now",
    "refund-never-linked",
    "connect-ignored",
    "sub-checkout",
    "failing-stays-past-due",
    "onetime-lifetime",
    "onetime-card",
];
/// Machines that they make.
const MACHINES: u64 = 6;

/// Every record of a table in stores that were filled with some of each life cycle.
fn records<T: Encode<()> + for<'b> Decode<'b, ()>>(table: key::Table) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for service in [willing, refusing] {
        let place = Place::with(CONFIG);
        place.fill(&HISTORIES, service);
        let opened = server::open(&place.config(), Create::Never, None).unwrap();
        let (_writer, reader) = opened.store;
        let range = KeyRange::prefix(&[table as u8]);
        keyward::engine::read::view::walk(&reader, range, |key, first| {
            let value: T = record::whole(&Committed(&reader), key, first)?;
            found.push(minicbor::to_vec(&value).unwrap());
            Ok(true)
        })
        .unwrap();
    }
    found
}

fn bytes<T: Encode<()>>(value: &T) -> Vec<Vec<u8>> {
    vec![minicbor::to_vec(value).unwrap()]
}

#[test]
fn golden_machines() {
    golden::<Machine>("machine", &|| records::<Machine>(key::Table::Machine));
}

#[test]
fn golden_events() {
    golden::<EventRecord>("event", &|| records::<EventRecord>(key::Table::Event));
    golden::<Fact>("waiting", &|| records::<Fact>(key::Table::Waiting));
    golden::<RefusedRecord>("refused", &|| records::<RefusedRecord>(key::Table::Refused));
}

/// A whole store as the first schema had it, in a backup: it opens, fits together, and has lost nothing.
#[test]
fn a_store_of_an_older_binary_is_taken_up() {
    let fixture =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/records/schema-1.backup");
    if std::env::var_os("KEYWARD_BLESS").is_some() && !fixture.exists() {
        let place = Place::with(CONFIG);
        place.fill(&HISTORIES, willing);
        let opened = server::open(&place.config(), Create::Never, None).unwrap();
        let licenses = opened.licenses.map(|(_, reader)| reader);
        let (_writer, reader) = opened.store;
        let backups = Backups::new(&place.path("data"), reader, licenses);
        let at = Timestamp::from_s(1_767_607_200);
        backups.take(&fixture, at, &|_| true).unwrap();
    }
    let place = Place::with(CONFIG);
    let said = place.run(&["restore", fixture.to_str().unwrap(), "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(said.json()["machines"], MACHINES, "{said}");
    let said = place.run(&["verify", "--json"]);
    assert_eq!(said.code, Some(0), "{said}");
    let verified = said.json();
    assert_eq!(verified["wrong"].as_array().map(Vec::len), Some(0));
    assert_eq!(verified["seen"]["machines"], MACHINES);
    let shown = place.run(&["show", "sub_CancelNow01", "--json"]).json();
    assert_eq!(shown["licenses"][0]["key"], "KEY-sub_CancelNow01-1");
    assert_eq!(shown["state"], "ended");
}

#[test]
fn golden_rules_and_small_records() {
    golden::<Revision>("revision", &|| records::<Revision>(key::Table::Revision));
    let at = Timestamp::from_s;
    golden::<Vec<Gap>>("gaps", &|| {
        bytes(&vec![Gap::between(at(1_767_607_200), at(1_767_610_800))])
    });
    golden::<Vec<(u64, u64)>>("labels", &|| bytes(&vec![(1_u64, u64::MAX)]));
    golden::<ParkedQuery>("search", &|| bytes(&ParkedQuery::begun(at(1_767_607_200))));
    golden::<Customer>("customer", &|| {
        bytes(&Customer {
            id: "cus_1".into(),
            at: at(1_767_607_200),
            email: Some("ada@example.com".to_owned()),
            name: Some("Ada Example".to_owned()),
            locale: Some("en".to_owned()),
            deleted: false,
            livemode: Some(true),
        })
    });
    golden::<Restored>("restored", &|| {
        bytes(&Restored {
            at: at(1_767_607_200),
            from: "/backup/one".to_owned(),
            taken: at(1_767_600_000),
            seq: 7,
        })
    });
}

/// Every order that there is, each by another author where there are enough.
fn orders() -> StandingOrders {
    let source = || SourceName::from("stripe");
    let (plan, service) = (|| Some(PlanName::from("pro")), || "authforge".to_owned());
    let all = [
        Standing::Observe { plan: None },
        Standing::Observe { plan: plan() },
        Standing::Live { plan: None },
        Standing::Live { plan: plan() },
        Standing::Pause { service: service() },
        Standing::Resume { service: service() },
        Standing::OtherHandler { source: source() },
        Standing::Alone { source: source() },
        Standing::Adopted { source: source() },
        Standing::Override {
            scope: Scope::of("stripe/acct_1"),
            customer: "cus_1".into(),
            values: every_value(),
            until: Some(Timestamp::from_s(1_767_607_200)),
        },
        Standing::EndOverride {
            scope: Scope::of("stripe"),
            customer: "cus_1".into(),
        },
        Standing::Erased,
    ];
    let authors = [
        Author::Restore,
        Author::Person("ada".to_owned()),
        Author::Config,
        Author::Keyward,
    ];
    let mut orders = StandingOrders::default();
    for (what, by) in all.into_iter().zip(authors.into_iter().cycle()) {
        orders.add(StandingOrder {
            what,
            by,
            reason: "restored from /backup/one".to_owned(),
            at: Timestamp::from_s(1_767_607_200),
        });
    }
    orders
}

/// An override that sets everything that can be set.
fn every_value() -> PolicyOverride {
    let policy = serde_json::to_value(Policy::default()).unwrap();
    let mut values = PolicyOverride::default();
    for key in PolicyOverride::KEYS {
        values.set(key, policy[*key].as_str().unwrap()).unwrap();
    }
    values
}

/// Decisions as facts of a purchase keep them.
#[test]
fn golden_decisions() {
    let verbs = [
        Verb::Override {
            values: every_value(),
            until: Some(Timestamp::from_s(1_767_607_200)),
        },
        Verb::EndOverride,
        Verb::Note,
    ];
    golden::<Vec<Decision>>("decision", &|| {
        let decided = verbs.clone().map(|verb| Decision {
            verb,
            author: "ada".to_owned(),
            reason: "a large customer".to_owned(),
        });
        bytes(&decided.to_vec())
    });
}

#[test]
fn golden_orders() {
    golden::<StandingOrders>("standing", &|| bytes(&orders()));
    let kept = std::fs::read_to_string(file("standing")).unwrap();
    let kept = kept.lines().flat_map(|line| {
        let hex = line.strip_prefix("old ").unwrap_or(line);
        let orders: StandingOrders = minicbor::decode(&hex::decode(hex).unwrap()).unwrap();
        orders.all().to_vec()
    });
    let kept: Vec<StandingOrder> = kept.collect();
    for order in orders().all() {
        let is_kept = kept.iter().any(|k| k.what == order.what);
        assert!(is_kept, "standing.hex has no bytes of `{}`", order.what);
    }
}

/// The keys of purchases that an adoption leaves to the next run.
#[test]
fn golden_noted_keys() {
    let full = AdoptedLicense {
        key: LicenseKey::new("AAAA-BBBB-CCCC-DDDD"),
        app_id: Some(AppId::new("app_test")),
        status: Some(GrantStatus::Live),
        end_told: true,
        expires_at: Some(Timestamp::from_s(1_767_607_200)),
        devices: Some(Devices::Count(3)),
        label: Some("Stripe sub sub_1".to_owned()),
        seat: Some(NotedSeat {
            seat: SeatId {
                item: "si_1".into(),
                unit: 2,
            },
            aliases: vec!["price_1".into()],
        }),
    };
    let forms = [
        (Some(GrantStatus::Revoked), Some(Devices::Unlimited)),
        (Some(GrantStatus::Suspended), None),
        (None, None),
    ];
    let others = forms.map(|(status, devices)| AdoptedLicense {
        app_id: None,
        status,
        end_told: false,
        expires_at: None,
        devices,
        label: None,
        seat: None,
        ..full.clone()
    });
    golden::<Vec<AdoptedLicense>>("noted", &|| {
        let mut noted = vec![full.clone()];
        noted.extend(others.clone());
        bytes(&noted)
    });
}

//! A shop that was taken in lives on for a year, in virtual time and through the engine's own transactions: nobody gets a
//! second key, who pays keeps his, and who does not pay loses it when the rules say so.

pub(super) mod events;
mod fate;

use std::collections::BTreeMap;
use std::path::Path;

use keyward::adopt::table::{self, KeyTable};
use keyward::adopt::{
    ANSWER_BYTES_MAX, Found, KnownShop, LicenseList, Question, Share, StripeClient, delivered,
    examine, list_client_at,
};
use keyward::clock::Clock;
use keyward::domain::action::GrantStatus;
use keyward::domain::adoption::{Asking, Template};
use keyward::domain::id::{AppId, Label, LicenseKey, Scope, SourceName};
use keyward::domain::machine::Machine;
use keyward::domain::notice::{Notice, NoticeKind, NoticeStatus};
use keyward::domain::plan::Devices;
use keyward::domain::service::License;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Rules;
use keyward::secret::Secret;

use super::apply::size;
use super::shop::{Customer, DAY_S, Labelled, Life, PLANS, Shop};
use crate::laws::promise::service::Kept;
use crate::laws::promise::world::World;
use crate::support::fake_licenses::API_KEY;
use crate::support::fake_stripe::KEY;
use crate::support::replay;
use fate::{Fate, Year};

/// One buys anew so often in the year.
const BUYS_EVERY_S: i64 = 4 * DAY_S;

/// A config with what the shop sells.
fn rules(dir: &Path, since: Timestamp) -> Rules {
    let file = dir.join("keyward.toml");
    let text = format!(
        "data_dir = \"./data\"\n[[source]]\nname = \"stripe\"\nkind = \"stripe\"\nsigning_secrets = [\"whsec_test\"]\n\
         livemode = \"live\"\n[licenses]\nservice = \"embedded\"\n[mail]\ntransport = \"none\"\n{PLANS}"
    );
    std::fs::write(&file, text).unwrap();
    Rules {
        store_since: Some(since),
        ..replay::rules(&file)
    }
}

/// Looks at the shop over its stand-ins, as `keyward adopt --csv` does.
async fn found(shop: &Shop, rules: &Rules, templates: &[Template], now: Timestamp) -> Found {
    let stripe = StripeClient::new(
        &shop.base,
        &Secret::new(KEY),
        Span::from_s(20),
        ANSWER_BYTES_MAX,
    );
    let stripe = stripe.unwrap();
    let (client, throttle) = list_client_at(&shop.fake.base(), &Secret::new(API_KEY), 0).unwrap();
    let known = KnownShop::default();
    let question = Question {
        scope: Scope::of("stripe"),
        stripe: &stripe,
        reads_per_s: 0,
        licenses: Some(LicenseList {
            client,
            throttle,
            share: Share::Actions,
            app: AppId::new("app_test"),
        }),
        revisions: &rules.revisions,
        devices_max: 16,
        templates,
        known: &known,
        asking: Asking::Adoption,
        progress: None,
        account: 0,
        now,
    };
    let mut table: KeyTable = table::read(shop.table().as_bytes()).unwrap();
    let found = examine(&question, &mut table, &mut |_| {}).await.unwrap();
    table.close();
    assert_eq!(table.bad.len(), 4, "the table's bad lines are named");
    found
}

/// A world in which the shop's licenses are as its handler left them.
fn world_of(shop: &Shop, rules: Rules, templates: Vec<Template>, now: Timestamp) -> World {
    let mut world = World::new(rules, now);
    world.templates = templates;
    for kept in shop.fake.licenses() {
        let license = License {
            key: LicenseKey::new(kept.license_key),
            label: kept.label.as_deref().map(Label::from),
            status: GrantStatus::Live,
            expires_at: kept
                .expires_at
                .map(|at| Timestamp::from_ms(at.timestamp_millis())),
            devices: Devices::Count(kept.max_hwid_slots),
        };
        world.licenses.put_in(license, now);
    }
    world
}

/// When each event is received: at once, a little later, hours later; one in ten twice.
fn received(events: &[(i64, serde_json::Value)], n: usize) -> Vec<(i64, &serde_json::Value)> {
    let mut all = Vec::new();
    for (i, (at, event)) in events.iter().enumerate() {
        let dice = (n * 31 + i * 17) % 40;
        let delay = match dice {
            0 => 2 * 3_600,
            1..=4 => 600,
            5..=15 => 40,
            _ => 2,
        };
        all.push((at + delay, event));
        if dice % 10 == 3 {
            all.push((at + delay + DAY_S, event));
        }
    }
    all
}

/// Plays the years of all customers side by side.
fn play(world: &mut World, years: &[(Customer, Year)], until_s: i64) {
    let mut all: Vec<(i64, &serde_json::Value)> = years
        .iter()
        .flat_map(|(customer, year)| received(&year.told.events, customer.n))
        .filter(|(at, _)| *at < until_s)
        .collect();
    all.sort_by_key(|(at, event)| (*at, event["id"].as_str()));
    let source = SourceName::from("stripe");
    for (at, event) in all {
        world.run_to(Timestamp::from_s(at));
        let input = delivered(&event.to_string(), &source, world.now).unwrap();
        world.put_in(&input);
    }
    world.run_to(Timestamp::from_s(until_s));
}

/// The customer's keys at the service: the one that the handler made, those with its labels, those made since.
fn keys_of<'w>(world: &'w World, customer: &Customer) -> Vec<&'w Kept> {
    let label = customer.label();
    let made = format!("Stripe sub {}", customer.object());
    let is_his = |k: &&Kept| {
        let of = k.license.label.as_ref().map(|l| l.as_str());
        let own = customer.key.as_deref() == Some(k.license.key.reveal());
        own || of.is_some() && (of == label.as_deref() || of == Some(made.as_str()))
    };
    world.licenses.all.values().filter(is_his).collect()
}

/// What of a customer's year is not as it should be.
fn wrong(world: &World, customer: &Customer, year: &Year, until_s: i64) -> Option<String> {
    let keys = keys_of(world, customer);
    let instants = year.works.iter().filter(|(at, _)| *at < until_s);
    for (at, should) in instants {
        let works = keys.iter().any(|k| k.works(Timestamp::from_s(*at)));
        // The other one of two keys is left alone, whatever becomes of the purchase.
        let spare = customer.labelled == Labelled::Twice && !should;
        if works != *should && !spare {
            let steps: Vec<_> = keys.iter().map(|k| (&k.license.label, &k.steps)).collect();
            let at = Timestamp::from_s(*at);
            return Some(format!(
                "{customer:?} ({:?}): at {at} works: {works}\n{steps:#?}",
                Fate::of(customer.n)
            ));
        }
    }
    None
}

/// Labels of the licenses that were made in the year.
fn made(world: &World, before: &[LicenseKey]) -> BTreeMap<String, usize> {
    let mut made = BTreeMap::new();
    for kept in world.licenses.all.values() {
        if !before.contains(&kept.license.key) {
            let label = kept.license.label.as_ref().unwrap().to_string();
            *made.entry(label).or_default() += 1;
        }
    }
    made
}

/// Mails of some kinds that went out; of none named, all.
fn mails(world: &World, kinds: &[NoticeKind]) -> usize {
    let is_sent = |n: &Notice| {
        n.status == NoticeStatus::Sent && (kinds.is_empty() || kinds.contains(&n.kind))
    };
    let of = |m: Machine| m.notices.iter().filter(|n| is_sent(n)).count();
    world.machines().into_iter().map(of).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_goes_by_and_each_keeps_the_key_he_pays_for() {
    let shop = Shop::of(size()).await;
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::from_s(Clock::Wall.now().s());
    let templates = vec![Template::parse("order {metadata.order}").unwrap()];
    let rules = rules(dir.path(), now);
    let found = found(&shop, &rules, &templates, now).await;
    println!(
        "{} customers: {:?}, {} and {} calls",
        shop.customers.len(),
        found.judged.report.classes,
        found.calls.0,
        found.calls.1
    );
    let mut world = world_of(&shop, rules, templates, now);
    let before: Vec<LicenseKey> = world.licenses.all.keys().cloned().collect();
    for purchase in found.judged.waiting.into_iter().chain(found.judged.moves) {
        world.put_in(&purchase.input(now));
    }
    let untouched = |k: &Kept| k.steps.len() == 1;
    assert!(world.licenses.all.values().all(untouched));
    assert!(made(&world, &before).is_empty());
    assert_eq!(mails(&world, &[]), 0);

    let now_s = now.s();
    let until_s = now_s + 365 * DAY_S;
    let mut years: Vec<(Customer, Year)> = Vec::new();
    for customer in &shop.customers {
        years.push((customer.clone(), Year::of(customer, now_s)));
    }
    let first_new = shop.customers.len();
    let buys = (now_s + DAY_S..now_s + 300 * DAY_S).step_by(usize::try_from(BUYS_EVERY_S).unwrap());
    for (n, at_s) in buys.enumerate() {
        let customer = Customer::buys(first_new + n, at_s);
        let year = Year::begins(&customer, at_s);
        years.push((customer, year));
    }
    play(&mut world, &years, until_s);

    let made = made(&world, &before);
    let expected: BTreeMap<String, usize> = years[first_new..]
        .iter()
        .map(|(c, _)| (format!("Stripe sub {}", c.object()), 1))
        .collect();
    let all: std::collections::BTreeSet<&String> = made.keys().chain(expected.keys()).collect();
    let apart = all.into_iter().filter(|l| made.get(*l) != expected.get(*l));
    let apart: Vec<String> = apart.map(|l| format!("{l}: {:?}", made.get(l))).collect();
    let issued = mails(&world, &[NoticeKind::LicenseIssued]);
    let judged = |c: &Customer| c.labelled != Labelled::Never && c.life != Life::Foreign;
    let wrong: Vec<String> = years
        .iter()
        .filter(|(customer, _)| judged(customer))
        .filter_map(|(customer, year)| wrong(&world, customer, year, until_s))
        .collect();
    assert!(
        wrong.is_empty(),
        "keys made: {apart:?}, {issued} mails of {}; {} customers: {}",
        expected.len(),
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    assert_eq!(
        apart, [""; 0],
        "one key for each who bought anew, and no other"
    );
    assert_eq!(issued, expected.len(), "keys go to new customers alone");
}

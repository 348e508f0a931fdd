//! Who is asked: a shop as its config names it, with its store; or one without either.

use std::path::Path;

use super::trouble::{failure, is_sold_elsewhere, stands_still};
use super::{AuditArgs, ReadArgs};
use crate::admin::{AdoptionQuery, Failure, Request, Response, unpacked};
use crate::adopt::table::KeyTable;
use crate::adopt::{
    ANSWER_BYTES_MAX, Found, KnownShop, LicenseList, Question, ReadSoFar, examine, settle_strays,
};
use crate::cli::ask::{Conversation, load};
use crate::cli::history_pages::{converse, revisions};
use crate::cli::{page, report};
use crate::clock::Clock;
use crate::config::{Config, Connect, Env, Source};
use crate::domain::action::Abilities;
use crate::domain::adoption::Asking;
use crate::domain::id::{AppId, PlanName, PriceId, Scope};
use crate::domain::machine::Machine;
use crate::domain::plan::{Plan, Seats, Template};
use crate::domain::revision::Revisions;
use crate::domain::time::Span;
use crate::domain::words::counted;
use crate::effects::license::sweep::hash;
use crate::effects::services::{abilities, list_client, list_client_at};
use crate::effects::stripe::Client;
use crate::effects::throttle::Share;
use crate::engine::record;

/// How long one request to Stripe may take.
const TIMEOUT: Span = Span::from_s(60);
/// The source's name where there is no config.
const NO_SOURCE: &str = "stripe";
/// Digests of labels that travel at one time.
const LABELS_AT_ONCE: usize = 1_000;

/// Looks at the shops of a config.
///
/// # Errors
/// What went wrong.
pub(super) fn installed(
    path: &Path,
    only: Option<&str>,
    args: &ReadArgs,
    asking: Asking,
    table: &mut KeyTable,
) -> Result<Vec<Found>, Failure> {
    let (config, _) = load(path, &Env::process().lenient())?;
    let sources = sources(&config, only)?;
    let (known, revisions) = converse(path, |asked| Ok((known(asked)?, revisions_of(asked)?)))?;
    report::say(&format!(
        "{} known here",
        counted(known.len(), "purchase is", "purchases are")
    ));
    let mut all = Vec::new();
    for source in sources {
        let shop = (&known, &revisions);
        let mut found = of_source(&config, source, shop, args, asking, |q| run(q, table))?;
        if source.connect == Connect::Accept {
            let name = source.name.clone();
            report::warning(&format!(
                "the connected accounts of `{name}` were not read: their purchases become known by their events alone, and \
                 are missing here"
            ));
            found.judged.report.connected_not_read.push(name);
        }
        if known.is_empty() {
            is_sold_elsewhere(source, &found, asking)?;
        }
        remember(path, &found)?;
        all.push(found);
    }
    settle_strays(&mut all);
    Ok(all)
}

/// The sources that can be asked.
fn sources<'c>(config: &'c Config, only: Option<&str>) -> Result<Vec<&'c Source>, Failure> {
    let named = |s: &&Source| only.is_none_or(|name| s.name.as_str() == name);
    let (can, cannot): (Vec<&Source>, Vec<&Source>) = config
        .sources
        .iter()
        .filter(named)
        .partition(|s| s.api_key.as_ref().is_some_and(|k| !k.reveal().is_empty()));
    let hint = "give it a restricted key that may read Checkout Sessions, Subscriptions, Invoices, Charges and Disputes";
    match (can.is_empty(), cannot.first()) {
        (true, Some(source)) => {
            Err(Failure::input(format!("the source `{}` has no `api_key`", source.name)).hint(hint))
        }
        (true, None) => Err(Failure::input("there is no such source")),
        (false, _) => {
            for source in cannot {
                report::warning(&format!(
                    "the source `{}` has no `api_key`: left out",
                    source.name
                ));
            }
            Ok(can)
        }
    }
}

/// What the store knows.
///
/// # Errors
/// What went wrong.
pub(super) fn known(asked: &mut Conversation) -> Result<KnownShop, Failure> {
    let (mut known, mut after) = (KnownShop::default(), None);
    loop {
        let query = AdoptionQuery::Machines { after };
        let (rows, next): (Vec<String>, _) = part(asked, query)?;
        for row in rows {
            let machine: Machine = unpacked(&row).map_err(unreadable)?;
            known.add(record::encode(&machine));
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    (known.labels, _) = part(asked, AdoptionQuery::Labels)?;
    Ok(known)
}

fn unreadable(why: String) -> Failure {
    Failure::ours(format!("a purchase cannot be read: {why}"))
        .hint("is the server of the same version as this command?")
}

fn part<T: for<'d> serde::Deserialize<'d>>(
    asked: &mut Conversation,
    query: AdoptionQuery,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let Response::Page { rows, next, .. } = asked.ask(Request::Adoption(query))? else {
        return Err(Failure::ours("the server answered something else")
            .hint("is the server of the same version as this command?"));
    };
    Ok((page::read(&rows)?, next))
}

/// The plans and policies of the store; where none was ever loaded, those of the config.
fn revisions_of(asked: &mut Conversation) -> Result<Revisions, Failure> {
    let list = revisions(asked)?;
    let config = &asked.config;
    let known = if list.is_empty() {
        Revisions::always(config.plans.clone(), config.policies.clone())
    } else {
        Revisions::new(list)
    };
    Ok(known.deaf(config.deaf()))
}

/// Keeps the labels that were read: no later look reads them again.
fn remember(path: &Path, found: &Found) -> Result<(), Failure> {
    if found.labels.is_empty() {
        return Ok(());
    }
    converse(path, |asked| {
        for labels in found.labels.chunks(LABELS_AT_ONCE) {
            let labels = labels.to_vec();
            asked.ask(Request::Adoption(AdoptionQuery::Remember { labels }))?;
        }
        Ok(())
    })
}

/// Asks about the shop of one source of a config.
///
/// # Errors
/// What went wrong.
pub(super) fn of_source<T>(
    config: &Config,
    source: &Source,
    (known, revisions): (&KnownShop, &Revisions),
    args: &ReadArgs,
    asking: Asking,
    run: impl FnOnce(&Question<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let wrong = |e: String| Failure::input(e).hint("`api_base` and `api_key` in the config");
    let key = source.api_key.as_ref().map_or("", |k| k.reveal());
    let secret = crate::secret::Secret::new(key);
    let stripe = Client::new(&source.api_base, &secret, TIMEOUT, ANSWER_BYTES_MAX)
        .map_err(|e| wrong(e.to_string()))?;
    let services = config.licenses_of(&source.name);
    let licenses = list_client(services)
        .transpose()
        .map_err(|e| wrong(e.to_string()))?
        .map(|(client, throttle)| LicenseList {
            client,
            throttle,
            share: Share::Actions,
            app: services.app_id.clone(),
        });
    let name = match asking {
        Asking::Adoption => "adopt.progress",
        Asking::Audit => "audit.progress",
    };
    let progress = config.data_dir.join(name);
    let question = Question {
        scope: Scope::new(source.name.clone(), None),
        stripe: &stripe,
        reads_per_s: args.reads_per_s,
        licenses,
        revisions,
        devices_max: abilities(services, config.mail_of(&source.name)).devices_max,
        templates: &config.adopt.labels,
        known,
        asking,
        progress: config.data_dir.is_dir().then_some(progress.as_path()),
        account: hash(key),
        now: Clock::Wall.now(),
    };
    run(&question)
}

/// Looks at a shop without a config and without a store: every price counts as sold.
///
/// # Errors
/// What went wrong.
pub(super) fn alone(app: &str, args: &AuditArgs, table: &mut KeyTable) -> Result<Found, Failure> {
    let missing = |what: &str, env: &str| {
        Failure::input(format!("--app needs {what} too")).hint(format!("set {env}"))
    };
    let stripe_key = args.stripe_key.as_ref();
    let stripe_key = stripe_key.ok_or_else(|| missing("--stripe-key", "STRIPE_API_KEY"))?;
    let authforge_key = args.authforge_key.as_ref();
    let authforge_key =
        authforge_key.ok_or_else(|| missing("--authforge-key", "AUTHFORGE_API_KEY"))?;
    let wrong = |e: String| Failure::input(e).hint("were the keys copied whole?");
    let stripe = Client::new(&args.stripe_api, stripe_key, TIMEOUT, ANSWER_BYTES_MAX)
        .map_err(|e| wrong(e.to_string()))?;
    let rate = args.authforge_reads_per_s;
    let (client, throttle) = list_client_at(&args.authforge_api, authforge_key, rate)
        .map_err(|e| wrong(e.to_string()))?;
    let revisions = Revisions::always(vec![every_price()], Vec::new());
    let known = KnownShop::default();
    let question = Question {
        scope: Scope::of(NO_SOURCE),
        stripe: &stripe,
        reads_per_s: args.read.reads_per_s,
        licenses: Some(LicenseList {
            client,
            throttle,
            share: Share::Actions,
            app: AppId::new(app),
        }),
        revisions: &revisions,
        devices_max: Abilities::simulated().devices_max,
        templates: &[],
        known: &known,
        asking: Asking::Audit,
        progress: None,
        account: hash(stripe_key.reveal()),
        now: Clock::Wall.now(),
    };
    let mut found = run(&question, table)?;
    settle_strays(std::slice::from_mut(&mut found));
    Ok(found)
}

/// Without a config nobody says which price sells a license: each does.
fn every_price() -> Plan {
    Plan {
        name: PlanName::from("any"),
        prices: vec![PriceId::from("*")],
        lookup_keys: Vec::new(),
        products: Vec::new(),
        policy: None,
        seats: Seats::Devices,
        license: Template::default(),
        extends: Vec::new(),
    }
}

fn run(question: &Question<'_>, table: &mut KeyTable) -> Result<Found, Failure> {
    let runtime = runtime()?;
    let bar = indicatif::ProgressBar::new_spinner();
    let mut watch = |so_far: ReadSoFar<'_>| {
        if let Some(trouble) = so_far.trouble {
            // Where no terminal shows the bar, nothing else says that it goes on.
            bar.suspend(|| report::say(&stands_still(trouble)));
            return;
        }
        bar.set_message(format!(
            "{} {} read, {} calls",
            so_far.read, so_far.what, so_far.calls
        ));
        bar.tick();
    };
    let found = runtime.block_on(examine(question, table, &mut watch));
    bar.finish_and_clear();
    let found = found.map_err(|error| failure(error, question.progress.is_some()))?;
    let (stripe, licenses) = found.calls;
    report::say(&format!(
        "{}: {} to Stripe, {licenses} to the license service",
        question.scope.source(),
        counted(stripe, "call", "calls")
    ));
    Ok(found)
}

/// # Errors
/// That there is none.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::ours(format!("no runtime: {e}")))
}

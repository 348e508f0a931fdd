//! Watches the services: one line in the log when one goes and one when it comes back, each with how much waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::domain::id::SourceName;
use crate::domain::time::{Span, Timestamp};
use crate::effects::health::ServiceHealth;
use crate::effects::services::Services;
use crate::effects::throttle::Condition;
use crate::engine::Handle;
use crate::engine::input::Input;
use crate::engine::read::counts::Counts;
use crate::engine::read::counts::backlog::{Backlog, Waits, Work};
use crate::engine::record::server::{GoneService, ServerRecord, gone_services};
use crate::http::health::ServiceReport;

/// Stretches of a count for one line; more than these hold is told as "more than".
const STRETCHES_MAX: usize = 20;

/// All words for how a service fares.
const STATES: [&str; Condition::ALL.len()] = {
    let mut words = [""; Condition::ALL.len()];
    let mut n = 0;
    while n < words.len() {
        words[n] = Condition::ALL[n].as_str();
        n += 1;
    }
    words
};

/// A service by what it is called and who uses it: as long as the config stays, the same one.
type Name = (&'static str, Vec<SourceName>);

/// Watches until the stop token.
pub(super) async fn run(
    handle: Handle,
    services: Arc<Services>,
    counts: Arc<Counts>,
    stop: CancellationToken,
) {
    let start = handle.clock().now();
    // What was gone before the restart is no news.
    let before = services.health().into_iter().filter(ServiceHealth::is_gone);
    let known = |service: ServiceHealth| {
        let since = service.health.since.unwrap_or(start);
        let name = (service.service, service.sources);
        (name, (service.health.condition, since))
    };
    let mut gone: BTreeMap<Name, (Condition, Timestamp)> = before.map(known).collect();
    let mut kept = gone_services(handle.reader()).unwrap_or_default();
    loop {
        let is_over = tokio::select! {
            biased;
            () = services.changed.notified() => false,
            () = stop.cancelled() => true,
        };
        let now = handle.clock().now();
        keep(&handle, services.gone(now), &mut kept).await;
        if is_over {
            return;
        }
        for service in services.health() {
            let name = (service.service, service.sources.clone());
            let before = gone.get(&name).copied();
            let condition = service.health.condition;
            if service.is_gone() && before.is_none_or(|(known, _)| known != condition) {
                let since = service.health.since.unwrap_or(now);
                gone.insert(name, (condition, before.map_or(since, |(_, first)| first)));
                tell_gone(
                    &service,
                    waiting(&handle, &counts, &service).await.as_deref(),
                );
            } else if let Some((_, since)) = before.filter(|_| !service.is_gone()) {
                gone.remove(&name);
                tell_back(
                    &service,
                    now - since,
                    waiting(&handle, &counts, &service).await.as_deref(),
                );
            }
        }
    }
}

/// Keeps which services are gone, where that is news: a restart must not be taken for their recovery.
async fn keep(handle: &Handle, gone: Vec<GoneService>, kept: &mut Vec<GoneService>) {
    if gone == *kept {
        return;
    }
    let record = ServerRecord::GoneServices(gone.clone());
    // What is not taken now is kept with the next change.
    if handle.submit_waiting(Input::Keep(record)).await.is_ok() {
        *kept = gone;
    }
}

/// How much waits for a service now, counted anew, as far as that is soon done; `None`: nothing that was counted.
async fn waiting(handle: &Handle, counts: &Counts, service: &ServiceHealth) -> Option<String> {
    counts.restart_backlog();
    for _ in 0..STRETCHES_MAX {
        match counts.count_backlog(handle.reader(), handle.clock().now()) {
            Ok(true) => {
                let backlog = counts.backlog();
                return words(
                    service.work,
                    of(backlog.as_deref(), service).into_values().flatten(),
                );
            }
            Ok(false) => tokio::task::yield_now().await,
            // The store tells its own story.
            Err(_) => break,
        }
    }
    Some("more waits than is counted at once".to_owned())
}

fn words(work: Work, waits: impl Iterator<Item = Waits>) -> Option<String> {
    let waits = waits.fold(Waits::default(), Waits::and);
    let (one, many) = match work {
        Work::Licenses => ("action", "actions"),
        Work::Mail => ("mail", "mails"),
        Work::Queries => ("look-up", "look-ups"),
    };
    let since = waits
        .oldest
        .map(|at| format!(", the oldest since {}", at.whole_s()))
        .unwrap_or_default();
    match waits.count {
        0 => None,
        1 => Some(format!("1 {one} waits{since}")),
        n => Some(format!("{n} {many} wait{since}")),
    }
}

/// What the operator calls it, and the way out.
const fn called(service: &ServiceHealth) -> &'static str {
    match service.work {
        Work::Licenses => "the license service",
        Work::Mail => "the mail server",
        Work::Queries => "Stripe's API",
    }
}

fn tell_gone(service: &ServiceHealth, waiting: Option<&str>) {
    let (name, why) = (called(service), &service.health.why);
    let sources = sources(service);
    let service_name = service.service;
    let what = match service.health.condition {
        Condition::Up | Condition::Slowed | Condition::Down => "does not answer",
        Condition::Refusing => "refuses us",
        Condition::NoCredits => "has no credits left for new licenses",
    };
    let way_out = match service.health.condition {
        Condition::Up | Condition::Slowed | Condition::Down => "it is tried again by itself",
        Condition::Refusing => "mend it; it is tried again every ten minutes",
        Condition::NoCredits => "top up; it is tried again every hour",
    };
    // What met the trouble is not written down yet, and may be all there is.
    let waiting = waiting.unwrap_or("what needs it waits");
    tracing::error!(
        service = service_name,
        sources,
        "{name} {what}: {why}. Deliveries are taken, nothing is lost; {waiting}; {way_out}"
    );
}

fn tell_back(service: &ServiceHealth, after: Span, waiting: Option<&str>) {
    let (name, sources, after) = (
        called(service),
        sources(service),
        Span::from_s(after.ms() / 1000),
    );
    tracing::info!(
        service = service.service,
        sources,
        "{name} is back after {after}: {}",
        waiting.map_or_else(
            || "nothing waits for it".to_owned(),
            |waiting| format!("what waits goes out now; {waiting}")
        )
    );
}

fn sources(service: &ServiceHealth) -> String {
    service
        .sources
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// What waits for a service, for each source that uses it; `None`: it was not counted yet.
fn of(backlog: Option<&Backlog>, service: &ServiceHealth) -> BTreeMap<SourceName, Option<Waits>> {
    let waits = |source: &SourceName| {
        let waits = backlog?.get(&(source.clone(), service.work));
        Some(waits.copied().unwrap_or_default())
    };
    service
        .sources
        .iter()
        .map(|source| (source.clone(), waits(source)))
        .collect()
}

/// The services as `/readyz` and `/metrics` show them.
pub(super) fn reports(services: &Services, counts: &Counts) -> Vec<ServiceReport> {
    let backlog = counts.backlog();
    let report = |service: ServiceHealth| ServiceReport {
        service: service.service,
        by_source: of(backlog.as_deref(), &service),
        state: service.health.condition.as_str(),
        states: &STATES,
        since: service.health.since,
        why: service.health.why,
    };
    services.health().into_iter().map(report).collect()
}

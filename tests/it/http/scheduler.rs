//! The scheduler: its jobs called by hand, and rung by the real cron bell.

use std::sync::Arc;

use keyward::domain::id::MachineId;
use keyward::domain::id::SourceName;
use keyward::domain::machine::LicenseStatus;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::read::counts::Counts;
use keyward::engine::read::counts::backlog::{Waits, Work};
use keyward::engine::read::view;
use keyward::engine::record::key;
use keyward::scheduler::jobs::{self, Cursor, Ran, Sweeps};
use keyward::scheduler::{self, Job, Notifiers};
use keyward::store::{Direction, KeyRange};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::support::{Server, config, in_time};

#[tokio::test]
async fn what_is_due_is_woken_and_rung_for() {
    let server = Server::start().await;
    server.play("failing-stays-past-due").await;
    let id = "stripe/sub_FailingStaysPastDue01"
        .parse::<MachineId>()
        .unwrap();
    let state = || view::machine(server.handle.reader(), &id).unwrap().unwrap();
    let wake = state().wake_at.unwrap();
    let bell = Notify::new();
    let due = |cursor: Cursor| {
        let (server, bell) = (&server, &bell);
        async move {
            let mut cursor = cursor;
            jobs::due(&server.handle, bell, &mut cursor).await.unwrap()
        }
    };
    assert_eq!(due(Cursor::default()).await.woken, 0);
    server.clock.advance_to(wake);
    assert_eq!(due(Cursor::default()).await.woken, 1);
    assert_ne!(state().wake_at, Some(wake));
    // The mails of this history were never sent: they are due, so the dispatcher is rung.
    assert_eq!(
        due(Cursor::default()).await,
        Ran {
            woken: 0,
            rang: true
        }
    );
    in_time(bell.notified()).await;
    server.end().await;
}

#[tokio::test]
async fn the_sweep_changes_nothing_where_all_is_well() {
    let server = Server::start().await;
    server.play("onetime-card").await;
    server.play("sub-checkout").await;
    let (before, bell, mut sweeps) = (
        server.handle.reader().seq().unwrap(),
        Notify::new(),
        Sweeps::default(),
    );
    assert_eq!(
        jobs::repair(&server.handle, &bell, &mut sweeps)
            .await
            .unwrap()
            .woken,
        2
    );
    assert_eq!(
        server.handle.reader().seq().unwrap(),
        before,
        "what did not change is not written"
    );
    assert_eq!(sweeps, Sweeps::default());
    jobs::heartbeat(&server.handle).await.unwrap();
    assert!(
        server
            .handle
            .reader()
            .get(&key::general("heartbeat"))
            .unwrap()
            .is_some()
    );
    server.end().await;
}

/// Rule 7: what no purchase ever claims is ignored after 400 days, and not a day sooner.
#[tokio::test]
async fn what_is_never_linked_is_given_up_by_the_sweep() {
    let server = Server::start().await;
    server.play("refund-never-linked").await;
    let parked = || {
        let waiting = KeyRange::prefix(&[key::Table::Waiting as u8]);
        let reader = server.handle.reader();
        let found = reader.range(&waiting, Direction::Forward, 9).unwrap();
        found.len()
    };
    let sweep = async || {
        let (bell, mut sweeps) = (Notify::new(), Sweeps::default());
        let swept = jobs::repair(&server.handle, &bell, &mut sweeps).await;
        swept.unwrap();
    };
    assert_eq!(parked(), 2);
    let played = server.clock.now();
    server.clock.advance_to(played + Span::from_days(390));
    sweep().await;
    assert_eq!(parked(), 2);
    server.clock.advance_to(played + Span::from_days(400));
    sweep().await;
    assert_eq!(parked(), 0);
    let mut reasons = Vec::new();
    view::events(server.handle.reader(), |event| {
        reasons.extend(event.reason);
        true
    })
    .unwrap();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    server.end().await;
}

#[tokio::test]
async fn what_waits_and_what_is_held_by_customers_is_counted() {
    let server = Server::start().await;
    let counts = Counts::default();
    let count = async || jobs::count(&server.handle, &counts).await.unwrap();
    count().await;
    assert!(counts.backlog().unwrap().is_empty() && counts.census().unwrap().licenses.is_empty());
    server.play("onetime-card").await;
    server
        .play_until(
            "failing-stays-past-due",
            Timestamp::parse("2026-02-10T00:00:00Z").unwrap(),
        )
        .await;
    let source = SourceName::from("stripe");
    count().await;
    let waits = |work| {
        counts
            .backlog()
            .unwrap()
            .get(&(source.clone(), work))
            .copied()
            .unwrap_or_default()
    };
    // Its licenses were made, its mails were not sent.
    let mails = waits(Work::Mail);
    assert!(
        mails.count >= 2
            && mails
                .oldest
                .is_some_and(|at| at.to_string().starts_with("2026-01-05T10:")),
        "{mails:?}"
    );
    assert_eq!(
        (waits(Work::Licenses), waits(Work::Queries)),
        (Waits::default(), Waits::default())
    );
    let session = serde_json::json!({
        "id": "evt_1", "object": "event", "type": "checkout.session.completed", "created": server.clock.now().s(),
        "livemode": true, "data": { "object": {
            "id": "cs_1", "object": "checkout.session", "mode": "payment", "payment_status": "paid",
            "payment_intent": "pi_1", "metadata": { "authforge_app_id": "app" },
        } },
    });
    assert_eq!(server.post(&session.to_string()).await.status, 200);
    count().await;
    assert_eq!(
        waits(Work::Licenses),
        Waits {
            count: 1,
            oldest: Some(server.clock.now())
        }
    );
    server.carry_out().await;
    count().await;
    assert_eq!(waits(Work::Licenses), Waits::default());
    // The licenses are counted again a minute later.
    server
        .clock
        .advance_to(server.clock.now() + Span::from_minutes(1));
    count().await;
    let census = counts.census().unwrap();
    assert_eq!(
        census.licenses,
        [((source.clone(), LicenseStatus::Live), 3)].into()
    );
    assert_eq!(census.in_grace, [(source, 1)].into());
    server.end().await;
}

#[tokio::test]
async fn the_bells_ring_and_everything_ends() {
    let server = Server::start().await;
    let (upkeep, heard) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let rings = Arc::clone(&heard);
    let notifiers = Notifiers {
        due: upkeep,
        upkeep: Arc::new(move || rings.notify_one()),
        ..Notifiers::default()
    };
    let stop = CancellationToken::new();
    let scheduler = scheduler::start(server.handle.clone(), &config(), &stop, notifiers)
        .await
        .unwrap();
    in_time(heard.notified()).await;
    let runs = scheduler.runs();
    in_time(async {
        while runs.all()[Job::Metrics as usize].last.is_none()
            || runs.all()[Job::Due as usize].last.is_none()
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(runs.all().iter().all(|r| !r.silent && r.error.is_none()));
    in_time(scheduler.shutdown()).await;
    // The scheduler's handles are gone, else the committer would not end.
    server.end().await;
}

#[tokio::test]
async fn a_job_that_panics_rings_on() {
    let server = Server::start().await;
    let (again, tries) = (
        Arc::new(Notify::new()),
        Arc::new(std::sync::atomic::AtomicU32::new(0)),
    );
    let (rings, count) = (Arc::clone(&again), Arc::clone(&tries));
    let upkeep = move || {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if n == 1 {
            rings.notify_one();
        }
        assert!(n > 0, "the first run panics on purpose");
    };
    let notifiers = Notifiers {
        upkeep: Arc::new(upkeep),
        ..Notifiers::default()
    };
    let stop = CancellationToken::new();
    let mut config = config();
    config.scheduler.metrics = config.scheduler.due.clone();
    let scheduler = scheduler::start(server.handle.clone(), &config, &stop, notifiers)
        .await
        .unwrap();
    in_time(again.notified()).await;
    stop.cancel();
    in_time(scheduler.shutdown()).await;
    server.end().await;
}

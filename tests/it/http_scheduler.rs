//! The scheduler: its jobs called by hand, and rung by the real cron bell.

use std::sync::Arc;

use keyward::domain::id::MachineId;
use keyward::engine::key;
use keyward::engine::view;
use keyward::scheduler::jobs::{self, Cursor, Ran};
use keyward::scheduler::{self, Bells, Job};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::http_support::{Server, config, in_time};

#[tokio::test]
async fn what_is_due_is_woken_and_rung_for() {
    let server = Server::start().await;
    server.play("failing-stays-past-due").await;
    let id = "stripe/sub_FailingStaysPastDue01".parse::<MachineId>().unwrap();
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
    assert_eq!(due(Cursor::default()).await, Ran { woken: 0, rang: true });
    in_time(bell.notified()).await;
    server.end().await;
}

#[tokio::test]
async fn the_sweep_changes_nothing_where_all_is_well() {
    let server = Server::start().await;
    server.play("onetime-card").await;
    server.play("sub-checkout").await;
    let (before, bell, mut cursor) = (server.handle.reader().seq().unwrap(), Notify::new(), Cursor::default());
    assert_eq!(jobs::repair(&server.handle, &bell, &mut cursor).await.unwrap().woken, 2);
    assert_eq!(server.handle.reader().seq().unwrap(), before, "what did not change is not written");
    assert_eq!(cursor, Cursor::default());
    jobs::heartbeat(&server.handle).await.unwrap();
    assert!(server.handle.reader().get(&key::general("heartbeat")).unwrap().is_some());
    server.end().await;
}

#[tokio::test]
async fn the_bells_ring_and_everything_ends() {
    let server = Server::start().await;
    let (upkeep, heard) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let rings = Arc::clone(&heard);
    let bells = Bells { due: upkeep, upkeep: Arc::new(move || rings.notify_one()), ..Bells::default() };
    let stop = CancellationToken::new();
    let scheduler = scheduler::start(server.handle.clone(), &config(), &stop, bells).await.unwrap();
    in_time(heard.notified()).await;
    let runs = scheduler.runs();
    in_time(async {
        while runs.all()[Job::Metrics as usize].last.is_none() || runs.all()[Job::Due as usize].last.is_none() {
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
    let (again, tries) = (Arc::new(Notify::new()), Arc::new(std::sync::atomic::AtomicU32::new(0)));
    let (rings, count) = (Arc::clone(&again), Arc::clone(&tries));
    let upkeep = move || {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if n == 1 {
            rings.notify_one();
        }
        assert!(n > 0, "the first run panics on purpose");
    };
    let bells = Bells { upkeep: Arc::new(upkeep), ..Bells::default() };
    let stop = CancellationToken::new();
    let mut config = config();
    config.scheduler.metrics = config.scheduler.due.clone();
    let scheduler = scheduler::start(server.handle.clone(), &config, &stop, bells).await.unwrap();
    in_time(again.notified()).await;
    stop.cancel();
    in_time(scheduler.shutdown()).await;
    server.end().await;
}

//! A wall clock that jumps is noticed before anything is decided by it (rule 54).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyward::clock::Clock;
use keyward::domain::hold::{Distrust, DistrustCause};
use keyward::domain::revision::Revisions;
use keyward::domain::time::Span;
use keyward::engine::input::{Input, Rules};
use keyward::engine::write::committer;
use keyward::store::memory::Memory;

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn the_first_input_after_a_jump_is_decided_with_stops_held() {
    let set = Arc::<AtomicI64>::default();
    let clock = Clock::Skewed(Arc::clone(&set));
    let rules = Rules {
        revisions: Revisions::default(),
        sources: Default::default(),
        store_since: None,
        guard: None,
    };
    let store = Memory::new();
    let (handle, committer) =
        committer::start(Box::new(store.clone()), Arc::new(store), rules, clock, 16).unwrap();
    let held = || {
        let days = |why: Distrust| match why.cause {
            DistrustCause::Jumped(by) => (by.ms() + DAY_MS / 2).div_euclid(DAY_MS),
            DistrustCause::Away(_) => panic!("{why:?}"),
        };
        handle.stops_held().map(days)
    };
    handle.submit(Input::Heartbeat).await.unwrap();
    assert_eq!(held(), None);
    let agree = || {
        let now = handle.clock().now();
        handle.note_clock(now, now);
    };
    agree();
    // Nobody has looked but the one writer.
    set.store(17 * DAY_MS, Ordering::SeqCst);
    handle.submit(Input::Heartbeat).await.unwrap();
    assert_eq!(held(), Some(17));
    assert!(!handle.clock_agrees(), "what confirmed it was before");
    agree();
    assert!(!handle.release_stops(), "nobody has heard of the jump yet");
    let jumps = handle.take_jumps();
    assert!(matches!(jumps[..], [(by, true)] if by > Span::from_days(16)));
    // It is set back while the first hold stands.
    set.store(0, Ordering::SeqCst);
    assert!(!handle.release_stops());
    assert_eq!(held(), Some(-17));
    assert_eq!(handle.take_jumps().len(), 1);
    agree();
    assert!(handle.release_stops());
    assert_eq!(held(), None);
    // A minute is a jump, and no reason to doubt.
    set.store(60_000, Ordering::SeqCst);
    assert!(handle.holds_back() == held().is_some() && held().is_none());
    assert!(matches!(handle.take_jumps()[..], [(_, false)]));
    drop(handle);
    assert!(committer.join().is_ok());
}

//! The server's clock is set: nobody's license ends by it, and none comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyward::clock::Clock;
use keyward::domain::plan::Devices;
use keyward::embedded::MemoryLedger;

use super::harness::{Service, payload};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn a_clock_that_is_set_ends_nobody() {
    let set = Arc::<AtomicI64>::default();
    let clock = Clock::Skewed(Arc::clone(&set));
    let service = Service::start_by(MemoryLedger::default(), clock).await;
    let key = service.license(Devices::Count(2)).await;
    assert_eq!(service.word("activate", &key, "a").await, "live");
    for days in [60, -60, 0] {
        set.store(days * DAY_MS, Ordering::SeqCst);
        for (call, device) in [("validate", "a"), ("heartbeat", "a"), ("activate", "b")] {
            let word = service.word(call, &key, device).await;
            assert_eq!(word, "live", "{call}, {days} days off");
        }
        let answer = service.ask("validate", key.reveal(), "a").await;
        let said = payload(&answer.json());
        let of = |field: &str| said[field].as_i64().unwrap();
        assert!(of("at") < of("rely_until") && of("rely_until") <= of("expires_at"));
        let off = of("at") - (service.clock.now().s() - days * 86_400);
        assert!(off.abs() < 60, "{off}");
    }
}

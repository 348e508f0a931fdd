//! A look that is just over tells those who asked before it began what was absent; nobody else.

use keyward::clock::Clock;
use keyward::domain::time::{Span, Timestamp};

use super::{asked_since, new, setup};
use crate::support::fake_licenses::Faults;

#[tokio::test]
async fn one_look_answers_for_all_that_came_before_it_however_many_they_are() {
    let (fake, client, recoverer) = setup(Faults::default()).await;
    let clock = Clock::virtual_at(Timestamp::from_s(1_000_000));
    let before = clock.now();
    for n in 0..3 {
        client.create(&new(&n.to_string())).await.done().unwrap();
    }
    clock.advance_to(before + Span::from_s(5));
    assert!(
        asked_since(&recoverer, "none", &clock, before)
            .await
            .licenses
            .is_empty()
    );
    let lists = fake.counter("GET list");
    clock.advance_to(before + Span::from_s(60));
    for n in 10..2_000 {
        let looked = asked_since(&recoverer, &n.to_string(), &clock, before).await;
        assert_eq!(
            (looked.licenses.len(), looked.began),
            (0, before + Span::from_s(5))
        );
    }
    assert_eq!(fake.counter("GET list"), lists, "one list for all of them");
    // What the list showed is read anew, what came up after the look began is looked for anew.
    let there = asked_since(&recoverer, "2", &clock, before).await;
    assert_eq!((there.licenses.len(), there.began), (1, clock.now()));
    client.create(&new("later")).await.done().unwrap();
    let later = asked_since(&recoverer, "later", &clock, clock.now() + Span::from_ms(1)).await;
    assert_eq!(later.licenses.len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_old_look_a_new_one() {
    let (_fake, client, recoverer) = setup(Faults::default()).await;
    let late = Clock::virtual_at(Timestamp::from_s(2_000_000));
    assert!(
        asked_since(&recoverer, "one", &late, late.now())
            .await
            .licenses
            .is_empty()
    );
    // Made after that look; by the clock that was set back it seems to have been sent long before.
    client.create(&new("one")).await.done().unwrap();
    let early = Clock::virtual_at(Timestamp::from_s(1_000_000));
    let found = asked_since(&recoverer, "one", &early, early.now()).await;
    assert_eq!(found.licenses.len(), 1);
}

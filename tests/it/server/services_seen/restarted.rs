//! A service that was gone before a restart is gone until it is asked: nobody knows better.

use super::{buy, failing, line, names, said, until_licenses, until_said, until_state};
use crate::support::fake_licenses::Faults;
use crate::support::wait::{PATIENCE, until};

async fn gone(status: u16, state: &str) {
    let faults = Faults {
        refuse: Some(status),
        ..Faults::default()
    };
    let (fake, mut app) = failing(faults).await;
    let names = names("Restart", 3);
    buy(&app, &names).await;
    let before = until_state(&app, "authforge", state, 3).await;
    until("it is reported", PATIENCE, async || {
        let told = said(&app, "waits for you") + said(&app, "the license service");
        (told > 0).then_some(())
    })
    .await;
    let lines = said(&app, "the license service");
    for kills in [false, true] {
        if kills {
            app.kill9();
        } else {
            app.terminate();
            app.ended(PATIENCE).await;
        }
        app.restart().await;
        let after = line(&app, "authforge").await;
        for field in ["state", "since", "why"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        let waits = app.ask(&["attention"]);
        let waits = waits.as_array().unwrap().iter();
        assert_eq!(
            waits.filter(|w| w["cause"] == "service").count(),
            1,
            "{}",
            app.tail()
        );
    }
    assert_eq!(
        said(&app, "the license service"),
        lines,
        "told once: {}",
        app.tail()
    );
    fake.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--service", "authforge"]);
    until_licenses(&fake, &names).await;
    until_state(&app, "authforge", "up", 0).await;
    until_said(&app, "the license service is back").await;
    app.terminate();
    app.ended(PATIENCE).await;
    app.restart().await;
    assert_eq!(line(&app, "authforge").await["state"], "up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_refused_refuses_still() {
    gone(401, "refusing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_without_credits_has_none_still() {
    gone(402, "no_credits").await;
}

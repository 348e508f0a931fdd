//! What is alerted to at once, though a digest comes once an hour: it does not pass by itself.

use std::sync::Arc;

use keyward::clock::Clock;
use keyward::secret::Secret;
use keyward::sources::stripe::signature::sign;

use super::alerts::Receiver;
use crate::support::app::{Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::mail_sink::MailSink;
use crate::support::purchase::{next_s, one_time, refund};
use crate::support::wait::{PATIENCE, until};

/// An hour lies between two digests.
fn hourly(fake: &Arc<Fake>, base: &str) -> Setup {
    let mut setup = Setup::with(fake);
    setup.more = format!("[alert]\nurl = \"{base}/alerts\"\nevery = \"1h\"\n");
    setup
}

fn refusing(status: u16) -> Faults {
    Faults {
        refuse: Some(status),
        ..Faults::default()
    }
}

/// A withdrawn API key, and credits that are used up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_license_service_that_refuses_us() {
    for status in [401, 402] {
        let fake = Arc::new(Fake::start(refusing(status)).await);
        let (receiver, base) = Receiver::start().await;
        let app = TestApp::start(hourly(&fake, &base)).await;
        app.door().event(&one_time("Refused", next_s())).await;
        receiver.until("service", &["waits authforge"]).await;
    }
}

/// Two accounts of one kind: the trouble of the second is no part of the first's, and neither is its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_account_is_reported_beside_the_first() {
    let (one, two) = (
        Arc::new(Fake::start(refusing(401)).await),
        Arc::new(Fake::start(refusing(401)).await),
    );
    let (receiver, base) = Receiver::start().await;
    let mut setup = hourly(&one, &base);
    setup.more = setup.more.replace("1h", "1s");
    setup.more.push_str(&format!(
        "[[source]]\nname = \"eu\"\nsigning_secrets = [\"whsec_eu\"]\nlivemode = \"live\"\n[source.licenses]\n{}",
        Setup::with(&two).licenses
    ));
    let app = TestApp::start(setup).await;
    app.door().event(&one_time("Here", next_s())).await;
    let first = "waits authforge of stripe";
    receiver.until("service", &[first]).await;
    let sold = one_time("There", next_s());
    let answered = app.door().deliver_to("eu", "whsec_eu", &sold).await;
    assert_eq!(answered.unwrap().status, 200);
    let second = "waits authforge of eu";
    receiver.until("service", &[first, second]).await;
    one.switch(|faults| faults.refuse = None);
    app.ask(&["retry", "--service", "authforge"]);
    let over = "recovered authforge of stripe";
    receiver.until("service", &[first, second, over]).await;
    two.switch(|faults| faults.refuse = None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_signature_that_does_not_fit() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (receiver, base) = Receiver::start().await;
    let app = TestApp::start(hourly(&fake, &base)).await;
    let body = one_time("Forged", next_s()).to_string().into_bytes();
    let forged = sign(&body, &Secret::new("whsec_other"), Clock::Wall.now());
    assert_eq!(app.door().post(body, &forged).await.unwrap().status, 400);
    receiver.until("signatures", &["waits stripe"]).await;
}

/// A key that cannot reach its customer, for the server says that there is no such address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_refused_for_good() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (receiver, base) = Receiver::start().await;
    let mail = MailSink::start().await;
    let refused = ("nobody@customer.example", "550 no such user\r\n");
    mail.refuses.lock().unwrap().push(refused);
    let mut setup = hourly(&fake, &base);
    setup.mail = format!(
        "transport = \"smtp\"\nfrom = \"Shop <keys@shop.example>\"\nurl = \"smtp://{}\"\n",
        mail.address
    );
    let app = TestApp::start(setup).await;
    app.door().event(&one_time("Nobody", next_s())).await;
    receiver.until("undeliverable", &["waits "]).await;
}

/// What the guard holds: one message, whatever else of the topic was reported before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_guard_holds() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (receiver, base) = Receiver::start().await;
    let mut setup = hourly(&fake, &base);
    setup
        .more
        .push_str("[guard]\nmax_hurtful = 1\nmax_share = \"0%\"\n");
    let app = TestApp::start(setup).await;
    let at = next_s();
    for name in ["One", "Two", "Three", "Four"] {
        app.door().event(&one_time(name, at)).await;
    }
    until("four licenses", PATIENCE, async || {
        (fake.licenses().len() == 4).then_some(())
    })
    .await;
    until("a quiet server", PATIENCE, async || {
        (app.ask(&["actions"]) == serde_json::json!([])).then_some(())
    })
    .await;
    for name in ["One", "Two", "Three", "Four"] {
        app.door().event(&refund(name, at + 1)).await;
    }
    receiver.until("held_action", &["waits "]).await;
    let held = async || {
        let waits = app.ask(&["attention"]).to_string();
        (waits.matches("\"held_action\"").count() == 3).then_some(())
    };
    until("three are held", PATIENCE, held).await;
    assert_eq!(receiver.of("held_action"), ["waits "], "one message");
    let revoked = fake
        .licenses()
        .iter()
        .filter(|l| l.status == "revoked")
        .count();
    assert_eq!(revoked, 1);
}

/// A service that is down may come back by itself; one that answers again and refuses us does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_was_down_and_then_refuses_us() {
    let fake = Arc::new(Fake::start(refusing(503)).await);
    let (receiver, base) = Receiver::start().await;
    let mut setup = hourly(&fake, &base);
    setup.more = setup.more.replace("1h", "1s");
    let app = TestApp::start(setup).await;
    for n in 0..12 {
        app.door()
            .event(&one_time(&format!("Down{n}"), next_s()))
            .await;
    }
    receiver.until("service", &["waits authforge"]).await;
    fake.switch(|faults| faults.refuse = Some(401));
    app.ask(&["retry", "--service", "authforge"]);
    let both = ["waits authforge", "more authforge"];
    receiver.until("service", &both).await;
}

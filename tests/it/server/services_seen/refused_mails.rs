//! A mail server that refuses some mails, or all of them.

use super::{buy, names, said, until_said, until_state};
use crate::support::app::{Setup, TestApp};
use crate::support::mail_sink::MailSink;
use crate::support::wait::{PATIENCE, until};

const RELAY: &str = "554 5.7.1 <relay00@customer.example>: Relay access denied\r\n";
const POLICY: &str = "550 5.7.1 <policy00@customer.example>: Message rejected due to policy\r\n";

async fn start(mail: &MailSink) -> TestApp {
    let mut setup = Setup::embedded();
    setup.mail = format!(
        "transport = \"smtp\"\nfrom = \"Example <keys@example.com>\"\nurl = \"smtp://{}\"\n",
        mail.address
    );
    TestApp::start(setup).await
}

/// The reasons of the lines in `keyward attention` of one cause.
fn waits(app: &TestApp, cause: &str) -> Vec<String> {
    let all = app.ask(&["attention"]);
    let lines = all.as_array().unwrap().iter();
    let of_cause = lines.filter(|line| line["cause"] == cause);
    of_cause.map(|line| line["reason"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_recipients_that_are_refused_are_listed_and_are_no_trouble_of_the_server_s() {
    let mail = MailSink::start().await;
    *mail.refuses.lock().unwrap() = vec![("relay00@", RELAY), ("policy00@", POLICY)];
    let app = start(&mail).await;
    buy(&app, &names("Relay", 1)).await;
    buy(&app, &names("Policy", 1)).await;
    let listed = async || (waits(&app, "undeliverable").len() == 2).then_some(());
    until("both are listed", PATIENCE, listed).await;
    let lines = waits(&app, "undeliverable");
    assert!(
        lines.iter().all(|why| why.contains("tried again")),
        "{lines:?}"
    );
    assert_eq!(waits(&app, "service"), [""; 0]);
    buy(&app, &names("Fine", 10)).await;
    let taken = async || (mail.taken().len() == 10).then_some(());
    until("the others' mails", PATIENCE, taken).await;
    until_state(&app, "mail", "up", 2).await;
    mail.refuses.lock().unwrap().clear();
    app.ask(&["retry", "--service", "mail"]);
    let settled = async || waits(&app, "undeliverable").is_empty().then_some(());
    until("no line is left", PATIENCE, settled).await;
    assert_eq!(said(&app, "the mail server does not answer"), 0);
    assert_eq!(said(&app, "@customer.example"), 0, "{}", app.tail());
    assert_eq!(
        said(&app, "does not take this mail"),
        2,
        "each is told once: {}",
        app.tail()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_every_recipient_is_in_trouble_itself() {
    let mail = MailSink::start().await;
    *mail.refuses.lock().unwrap() = vec![("@", RELAY)];
    let app = start(&mail).await;
    let names = names("Any", 10);
    buy(&app, &names).await;
    let line = until_state(&app, "mail", "down", 10).await;
    assert!(
        line["why"].as_str().unwrap().contains("<address>: Relay"),
        "{line}"
    );
    until_said(&app, "the mail server does not answer").await;
    mail.refuses.lock().unwrap().clear();
    app.ask(&["retry", "--service", "mail"]);
    let taken = async || (mail.taken().len() == names.len()).then_some(());
    until("every mail", PATIENCE, taken).await;
    until_state(&app, "mail", "up", 0).await;
}

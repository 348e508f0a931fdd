//! A mail server that is gone.

use std::sync::Arc;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncWriteExt;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};

use super::{buy, names, said, sample, samples, until_said, until_state};
use crate::support::app::{Setup, TestApp};
use crate::support::wait::{PATIENCE, until};

/// A mail server that takes everything, one mail a connection.
async fn take_mail(listener: TcpListener, taken: Arc<std::sync::atomic::AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let taken = Arc::clone(&taken);
        tokio::spawn(async move {
            if talk(stream).await.unwrap_or(false) {
                taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
    }
}

/// One conversation; whether a mail was taken in it.
async fn talk(stream: TcpStream) -> std::io::Result<bool> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await?;
    let (mut line, mut in_data, mut took) = (String::new(), false, false);
    while stream.read_line(&mut line).await? > 0 {
        let word = line.trim_end().to_ascii_uppercase();
        let reply = match word.split(' ').next().unwrap_or_default() {
            "." if in_data => {
                (in_data, took) = (false, true);
                "250 taken\r\n"
            }
            _ if in_data => "",
            "DATA" => {
                in_data = true;
                "354 go on\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                break;
            }
            _ => "250 ok\r\n",
        };
        stream.write_all(reply.as_bytes()).await?;
        line.clear();
    }
    Ok(took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_is_gone_is_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut setup = Setup::embedded();
    setup.mail = format!(
        "transport = \"smtp\"\nfrom = \"Example <keys@example.com>\"\nurl = \"smtp://{address}\"\n"
    );
    let app = TestApp::start(setup).await;
    let names = names("Mail", 10);
    buy(&app, &names).await;
    let line = until_state(&app, "mail", "down", 10).await;
    assert!(line["why"].as_str().unwrap().contains("connect"), "{line}");
    let seen = samples(&app).await;
    assert_eq!(
        sample(
            &seen,
            "keyward_service_state",
            &["service=\"mail\"", "state=\"down\""]
        ),
        1.0
    );
    assert_eq!(
        sample(&seen, "keyward_waiting", &["service=\"mail\""]),
        10.0
    );
    assert!(
        sample(
            &seen,
            "keyward_mails_total",
            &["kind=\"license_issued\"", "outcome=\"retry\""]
        ) >= 1.0
    );
    until_said(&app, "the mail server does not answer").await;
    let due = app.ask(&["retry", "--service", "mail"]);
    assert_eq!(due["mails"], 10, "{due}");
    assert_eq!(due["actions"], 0, "{due}");
    let taken = Arc::default();
    let server = tokio::spawn(take_mail(
        TcpListener::bind(address).await.unwrap(),
        Arc::clone(&taken),
    ));
    let all =
        async || (taken.load(std::sync::atomic::Ordering::SeqCst) == names.len()).then_some(());
    until("every mail", PATIENCE, all).await;
    until_state(&app, "mail", "up", 0).await;
    until_said(&app, "the mail server is back").await;
    assert_eq!(
        said(&app, "the mail server does not answer"),
        1,
        "{}",
        app.tail()
    );
    server.abort();
}

//! A mail server that repeats what it was told, in its refusals.

use base64::Engine as _;
use keyward::effects::mail::MailAnswer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{PATIENCE, mailer_with, outgoing};

/// Refuses each login and each recipient with the line that asked for it.
async fn talk(stream: TcpStream, offers: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.example\r\n").await?;
    let mut line = String::new();
    let mut coded = false;
    while stream.read_line(&mut line).await? > 0 {
        let said = line.trim_end().to_owned();
        let reply = match said.split(' ').next().unwrap_or_default() {
            "EHLO" => format!("250-mail.example\r\n250-8BITMIME\r\n250 {offers}\r\n"),
            "AUTH" if said == "AUTH LOGIN" => {
                coded = true;
                "334 VXNlcm5hbWU6\r\n".to_owned()
            }
            "AUTH" => format!("535 5.7.8 bad credentials in {said}\r\n"),
            "RCPT" => format!("550 5.7.1 no {said}\r\n"),
            _ if coded => format!("535 5.7.8 bad credentials: {said}\r\n"),
            _ => "250 ok\r\n".to_owned(),
        };
        stream.write_all(reply.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

async fn refusal(offers: &'static str, login: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{login}{}?tls=none", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = talk(stream, offers).await;
        }
    });
    match mailer_with(&url, None, PATIENCE).send(outgoing()).await {
        MailAnswer::Refused { why } | MailAnswer::Rejected { why } => why,
        other @ (MailAnswer::Sent { .. }
        | MailAnswer::Again { .. }
        | MailAnswer::Undeliverable { .. }
        | MailAnswer::Unknown { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_login_is_repeated_in_no_form() {
    let coded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let secrets = [
        "bob".to_owned(),
        "hunter2".to_owned(),
        coded("bob"),
        coded("hunter2"),
        coded("\0bob\0hunter2"),
    ];
    for offers in ["AUTH PLAIN", "AUTH LOGIN"] {
        let why = refusal(offers, "bob:hunter2@").await;
        assert!(why.contains("bad credentials"), "{why}");
        for secret in &secrets {
            let bare = secret.trim_end_matches('=');
            assert!(!why.contains(bare), "{offers}: {why}");
        }
    }
}

#[tokio::test]
async fn no_address_is_repeated() {
    let why = refusal("AUTH PLAIN", "").await;
    assert_eq!(
        why,
        "550 for the recipient's address: 5.7.1 no RCPT TO:<address>"
    );
}

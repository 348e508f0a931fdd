//! Mail against a real SMTP server (`tests/smtp/server.mjs`): what arrives, and what each refusal becomes.

mod refusals;
mod repeats;

use std::io::BufRead;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use keyward::domain::time::Timestamp;
use keyward::effects::mail::{
    CannotMail, Letter, MailAnswer, MailConfig, Mailer, Outgoing, Parts, Templates, Transport,
    message_id,
};
use keyward::secret::Secret;
use serde_json::{Value, json};

/// Long enough for a loaded machine; only the tests of silence wait for their own, short time limit.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail server that ends with the test.
pub(crate) struct Server {
    pub(crate) port: u16,
    lines: Receiver<Value>,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Server {
    pub(crate) fn start(options: &Value) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smtp");
        assert!(
            folder.join("node_modules/smtp-server").exists(),
            "the test mail server is not installed: run tests/smtp/install"
        );
        let mut child = Command::new("node")
            .arg(folder.join("server.mjs"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node must be there: install Node.js 20 or later, then run tests/smtp/install");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let stdin = child.stdin.take();
        let first: Value = lines
            .recv_timeout(PATIENCE)
            .expect("the mail server did not start");
        Self {
            port: first["port"].as_u64().unwrap().try_into().unwrap(),
            lines,
            child,
            stdin,
        }
    }

    /// The next mail that the server took.
    pub(crate) fn mail(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("no mail arrived")["mail"].clone()
    }

    pub(crate) fn took_nothing(&self) -> bool {
        self.lines.try_recv().is_err()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/smtp/tls")
        .join(name)
}

fn mailer_with(url: &str, ca: Option<PathBuf>, timeout: Duration) -> Mailer {
    Mailer::new(MailConfig {
        transport: Transport::Smtp {
            url: Secret::new(url),
            ca,
        },
        from: "Pixel Förge <licenses@shop.example>".to_owned(),
        reply_to: Some("help@shop.example".to_owned()),
        timeout,
    })
    .unwrap()
}

/// A mailer to the server; `{port}` in the URL is its port.
fn mailer(server: &Server, url: &str) -> Mailer {
    mailer_with(
        &url.replace("{port}", &server.port.to_string()),
        Some(file("ca.pem")),
        PATIENCE,
    )
}

fn letter() -> Letter {
    Letter {
        vendor: "Pixel Förge".to_owned(),
        ..Letter::sample()
    }
}

fn outgoing() -> Outgoing {
    Outgoing {
        to: "ada@customer.example".to_owned(),
        message_id: message_id("stripe/cs_1/license_issued", "shop.example"),
        parts: Templates::load(None, "en")
            .render("license_issued", "de-AT", &letter())
            .unwrap(),
        lang: "de".to_owned(),
        date: Timestamp::from_s(1_772_323_200),
    }
}

async fn answer(options: Value, url: &str) -> (MailAnswer, Server) {
    let server = Server::start(&options);
    let answer = mailer(&server, url).send(outgoing()).await;
    (answer, server)
}

#[tokio::test]
async fn a_key_arrives_by_starttls_in_both_parts() {
    let (answer, server) = answer(
        json!({ "tls": "starttls" }),
        "smtp://127.0.0.1:{port}?tls=required",
    )
    .await;
    assert_eq!(
        answer,
        MailAnswer::Sent {
            response: "2.0.0 queued as T1".to_owned()
        }
    );
    let mail = server.mail();
    assert_eq!(mail["secure"], true);
    assert_eq!(mail["recipients"], json!(["ada@customer.example"]));
    assert_eq!(
        mail["from"],
        json!([{ "address": "licenses@shop.example", "name": "Pixel Förge" }])
    );
    assert_eq!(mail["reply_to"][0]["address"], "help@shop.example");
    assert_eq!(mail["subject"], "Ihre Lizenzschlüssel für Pixel Forge Pro");
    assert_eq!(mail["message_id"], outgoing().message_id.as_str());
    assert_eq!(mail["date"], "2026-03-01T00:00:00.000Z");
    assert_eq!(
        mail["headers"]["auto-submitted"],
        "Auto-Submitted: auto-generated"
    );
    for part in ["text", "html"] {
        let text = mail[part].as_str().unwrap();
        for said in [
            "KEYW-7Q2M-XD4F-9TRA",
            "KEYW-B6HN-P0ZC-4WLE",
            "gültig bis 14. März 2027",
            "für 3 Geräte",
        ] {
            assert!(text.contains(said), "the {part} part lacks {said}:\n{text}");
        }
    }
    assert_eq!(
        mail["text"].as_str().unwrap(),
        outgoing().parts.text,
        "nothing is lost on the way"
    );
    assert_eq!(mail["html"].as_str().unwrap(), outgoing().parts.html);
}

#[tokio::test]
async fn starttls_is_what_a_plain_url_means() {
    let (answer, server) = answer(json!({ "tls": "starttls" }), "smtp://localhost:{port}").await;
    assert!(matches!(answer, MailAnswer::Sent { .. }), "{answer:?}");
    assert_eq!(server.mail()["secure"], true);
}

#[tokio::test]
async fn nothing_goes_out_where_starttls_is_not_offered() {
    let (answer, server) = answer(json!({ "tls": "none" }), "smtp://127.0.0.1:{port}").await;
    let MailAnswer::Refused { why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("STARTTLS"), "{why}");
    assert!(server.took_nothing());
}

#[tokio::test]
async fn plain_only_when_it_is_asked_for() {
    let (answer, server) =
        answer(json!({ "tls": "none" }), "smtp://127.0.0.1:{port}?tls=none").await;
    assert!(matches!(answer, MailAnswer::Sent { .. }), "{answer:?}");
    assert_eq!(server.mail()["secure"], false);
}

#[tokio::test]
async fn tls_from_the_first_byte_with_a_login() {
    let options = json!({ "tls": "implicit", "user": "shop@example.com", "password": "pä/ss" });
    let server = Server::start(&options);
    let mailer = mailer(
        &server,
        "smtps://shop%40example.com:p%C3%A4%2Fss@localhost:{port}",
    );
    let checked = mailer.check().await.unwrap();
    assert!(checked.contains("TLS, logged in"), "{checked}");
    assert!(server.took_nothing(), "a check sends nothing");
    let answer = mailer.send(outgoing()).await;
    assert!(matches!(answer, MailAnswer::Sent { .. }), "{answer:?}");
    let mail = server.mail();
    assert_eq!(
        (&mail["secure"], &mail["user"]),
        (&json!(true), &json!("shop@example.com"))
    );
}

#[tokio::test]
async fn silence_after_the_message_is_unknown_and_before_it_means_again() {
    for (option, unknown) in [
        (json!({ "after_data": "hang" }), true),
        (json!({ "on_connect": "hang" }), false),
    ] {
        let server = Server::start(&option);
        let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
        let answer = mailer_with(&url, None, Duration::from_millis(1500))
            .send(outgoing())
            .await;
        match answer {
            MailAnswer::Unknown { .. } => assert!(unknown, "{answer:?}"),
            MailAnswer::Again { .. } => assert!(!unknown, "{answer:?}"),
            MailAnswer::Sent { .. }
            | MailAnswer::Undeliverable { .. }
            | MailAnswer::Refused { .. }
            | MailAnswer::Rejected { .. } => {
                panic!("{answer:?}")
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_means_again() {
    let server = Server::start(&json!({}));
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    drop(server);
    let answer = mailer_with(&url, None, PATIENCE).send(outgoing()).await;
    assert!(
        matches!(answer, MailAnswer::Again { after: None, .. }),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_refused() {
    for (tls, scheme) in [("implicit", "smtps"), ("starttls", "smtp")] {
        let server = Server::start(&json!({ "tls": tls }));
        let url = format!("{scheme}://localhost:{}", server.port);
        for ca in [None, Some(file("other-ca.pem"))] {
            let answer = mailer_with(&url, ca, PATIENCE).send(outgoing()).await;
            let MailAnswer::Refused { why } = answer else {
                panic!("{answer:?}")
            };
            assert!(
                why.starts_with("TLS failed: invalid peer certificate"),
                "{why}"
            );
        }
        assert!(server.took_nothing());
    }
}

#[tokio::test]
async fn tls_at_a_plain_port_is_the_operator_s() {
    let (answer, _server) = answer(json!({ "tls": "none" }), "smtps://localhost:{port}").await;
    let MailAnswer::Refused { why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.starts_with("TLS failed"), "{why}");
}

#[tokio::test]
async fn hostile_parts_and_addresses_add_no_header_and_no_recipient() {
    let server = Server::start(&json!({ "tls": "none" }));
    let mailer = mailer(&server, "smtp://127.0.0.1:{port}?tls=none");
    let evil = "x\r\nBcc: victim@example.com\r\n.\r\nMAIL FROM:<a@b>";
    let parts = Parts {
        subject: evil.to_owned(),
        text: format!("{evil}\r\n.\r\n"),
        html: evil.to_owned(),
    };
    let answer = mailer
        .send(Outgoing {
            parts,
            lang: evil.to_owned(),
            ..outgoing()
        })
        .await;
    assert!(matches!(answer, MailAnswer::Sent { .. }), "{answer:?}");
    let mail = server.mail();
    assert_eq!(mail["recipients"], json!(["ada@customer.example"]));
    assert!(mail["headers"].get("bcc").is_none(), "{mail}");
    for to in [
        evil,
        "ada@customer.example>\r\nRCPT TO:<victim@example.com",
        "no address",
        "",
    ] {
        let answer = mailer
            .send(Outgoing {
                to: to.to_owned(),
                ..outgoing()
            })
            .await;
        assert!(
            matches!(answer, MailAnswer::Undeliverable { .. }),
            "{to}: {answer:?}"
        );
    }
    assert!(server.took_nothing());
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_told_at_once() {
    let transport = Transport::Smtp {
        url: Secret::new("smtps://localhost"),
        ca: Some(file("localhost.key")),
    };
    let config = MailConfig {
        transport,
        from: "a@b.example".to_owned(),
        reply_to: None,
        timeout: PATIENCE,
    };
    let why = Mailer::new(config).err().unwrap();
    assert!(matches!(why, CannotMail::Tls(_)), "{why}");
    assert!(why.to_string().contains("localhost.key"), "{why}");
}

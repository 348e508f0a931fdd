//! One conversation with a mail server, step by step, so that we always know how far it came.
//!
//! lettre's own transports only say that *something* failed; whether silence came before or after the message decides
//! between "again" and "unknown", and whether the sender or the recipient was refused decides who has to act.

use base64::Engine as _;
use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use lettre::{Address, Message};

use super::answer::{MailAnswer, SmtpFailure, SmtpPhase, excerpt, meaning};
use super::url::{Protection, SmtpUrl};
use crate::effects::far_words::Hidden;

/// How long we wait for the server's goodbye, which no longer matters.
const QUIT: Duration = Duration::from_secs(2);

/// A mail server and how to talk to it.
pub(super) struct Smtp {
    url: SmtpUrl,
    tls: Option<TlsParameters>,
    hello: ClientId,
    timeout: Duration,
    /// What it is told at the login.
    hidden: Hidden,
}

impl Smtp {
    /// Prepares everything that does not need the network.
    ///
    /// Trusted are the certificates of `ca`, if given, and nobody else; otherwise the system's store, with the built-in
    /// roots as the floor for a container that has none.
    pub(super) fn new(url: SmtpUrl, ca: Option<&Path>, timeout: Duration) -> Result<Self, String> {
        crate::effects::tls::install();
        let tls = match url.protection {
            Protection::Plain => None,
            Protection::Implicit | Protection::StartTls => Some(parameters(&url.host, ca)?),
        };
        let hello = url
            .hello
            .clone()
            .map_or_else(ClientId::default, ClientId::Domain);
        let login = url.login.as_ref();
        let hidden = login.map(|(user, password)| login_forms(user, password));
        Ok(Self {
            url,
            tls,
            hello,
            timeout,
            hidden: hidden.unwrap_or_default(),
        })
    }

    /// Sends one message, in a connection of its own.
    pub(super) async fn deliver(&self, message: &Message) -> MailAnswer {
        let mut phase = SmtpPhase::Connecting;
        let mut connection = None;
        let talk = self.talk(message, &mut phase, &mut connection);
        // lettre's own time limit covers connecting only (lettre/lettre#1027): this one covers the whole conversation.
        let said = tokio::time::timeout(self.timeout, talk)
            .await
            .unwrap_or(Err(SmtpFailure::Silence));
        goodbye(connection, said.as_ref().err()).await;
        match said {
            Ok(response) => MailAnswer::Sent {
                response: excerpt(&self.hidden.hide(&words(&response))),
            },
            Err(failure) => meaning(phase, &failure.without(&self.hidden)),
        }
    }

    /// Connects and logs in, for the operator's check. Sends nothing.
    pub(super) async fn check(&self) -> Result<String, MailAnswer> {
        let (mut phase, mut connection) = (SmtpPhase::Connecting, None);
        let opening = self.open(&mut phase, &mut connection);
        let opened = tokio::time::timeout(self.timeout, opening)
            .await
            .unwrap_or(Err(SmtpFailure::Silence));
        goodbye(connection, opened.as_ref().err()).await;
        opened.map_err(|failure| meaning(phase, &failure.without(&self.hidden)))?;
        let login = if self.url.login.is_some() {
            "logged in"
        } else {
            "no login"
        };
        let protection = match self.url.protection {
            Protection::Implicit => "TLS",
            Protection::StartTls => "STARTTLS",
            Protection::Plain => "no encryption",
        };
        Ok(format!(
            "{}:{} answers ({protection}, {login})",
            self.url.host, self.url.port
        ))
    }

    /// Connection, encryption, login. The connection is handed out as soon as a goodbye can be said over it, so that it is
    /// closed properly whatever follows.
    async fn open(
        &self,
        phase: &mut SmtpPhase,
        slot: &mut Option<AsyncSmtpConnection>,
    ) -> Result<(), SmtpFailure> {
        let server = (self.url.host.as_str(), self.url.port);
        let implicit = self
            .tls
            .clone()
            .filter(|_| self.url.protection == Protection::Implicit);
        let connecting = Box::pin(AsyncSmtpConnection::connect_tokio1(
            server,
            Some(self.timeout),
            &self.hello,
            implicit,
            None,
        ));
        let mut connection = connecting.await.map_err(failure_of)?;
        if let Some(tls) = self
            .tls
            .clone()
            .filter(|_| self.url.protection == Protection::StartTls)
        {
            if !connection.can_starttls() {
                *slot = Some(connection);
                return Err(SmtpFailure::Lacking(
                    "the server offers no STARTTLS, and nothing goes out without it".to_owned(),
                ));
            }
            // Not in the slot: after a failed handshake lettre's connection has no stream left, and a goodbye would panic.
            Box::pin(connection.starttls(tls, &self.hello))
                .await
                .map_err(failure_of)?;
        }
        let connection = slot.insert(connection);
        if let Some((user, password)) = self.url.login.clone() {
            *phase = SmtpPhase::Login;
            connection
                .auth(DEFAULT_MECHANISMS, &Credentials::new(user, password))
                .await
                .map_err(failure_of)?;
        }
        Ok(())
    }

    async fn talk(
        &self,
        message: &Message,
        phase: &mut SmtpPhase,
        slot: &mut Option<AsyncSmtpConnection>,
    ) -> Result<Response, SmtpFailure> {
        self.open(phase, slot).await?;
        let Some(connection) = slot else {
            return Err(SmtpFailure::Gone("no connection".to_owned()));
        };
        let bytes = message.formatted();
        *phase = SmtpPhase::Sender;
        let sender = message.envelope().from().cloned();
        let options = options(connection, message, &bytes)?;
        connection
            .command(Mail::new(sender, options))
            .await
            .map_err(failure_of)?;
        *phase = SmtpPhase::Recipient;
        for recipient in message.envelope().to() {
            connection
                .command(Rcpt::new(recipient.clone(), Vec::new()))
                .await
                .map_err(failure_of)?;
        }
        *phase = SmtpPhase::Data;
        connection.command(Data).await.map_err(failure_of)?;
        *phase = SmtpPhase::Message;
        match in_one_piece(&bytes) {
            Some(piece) => connection.command(piece).await.map_err(failure_of),
            None => connection.message(&bytes).await.map_err(failure_of),
        }
    }
}

/// What the login says, plainly and in the forms of AUTH PLAIN and AUTH LOGIN. Some servers repeat what was said to them:
/// whatever they repeat, it does not leave this module.
fn login_forms(user: &str, password: &str) -> Hidden {
    let coded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    Hidden::new([
        user.to_owned(),
        password.to_owned(),
        coded(user),
        coded(password),
        coded(&format!("\0{user}\0{password}")),
    ])
}

/// A message as it goes over the line, its end with it; `None`: it is no text. lettre sends the end by itself, which then waits
/// for the server's system to say that the rest has come (40 ms and more: Nagle's algorithm and a delayed acknowledgement).
fn in_one_piece(message: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(message).ok()?;
    // A line that begins with a dot gets a second one (RFC 5321, 4.5.2).
    let first = if text.starts_with('.') { "." } else { "" };
    let rest = text.replace("\r\n.", "\r\n..");
    Some(format!("{first}{rest}\r\n.\r\n"))
}

/// What the message asks of the server beyond plain ASCII.
fn options(
    connection: &AsyncSmtpConnection,
    message: &Message,
    bytes: &[u8],
) -> Result<Vec<MailParameter>, SmtpFailure> {
    let mut options = Vec::new();
    let server = connection.server_info();
    let international = |address: &Address| !address.to_string().is_ascii();
    let (from, to) = (message.envelope().from(), message.envelope().to());
    if from.into_iter().chain(to).any(international) {
        let able = server.supports_feature(Extension::SmtpUtfEight);
        let why = || "the server does not take addresses with letters beyond ASCII".to_owned();
        match (able, from.is_some_and(international)) {
            (true, _) => options.push(MailParameter::SmtpUtfEight),
            (false, true) => return Err(SmtpFailure::Lacking(why())),
            (false, false) => return Err(SmtpFailure::BadAddress(why())),
        }
    }
    if !bytes.is_ascii() {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(options)
}

/// Ends the conversation properly where the server still listens; else the connection is just dropped. After a silence
/// the goodbye could even end up inside a half-sent message.
async fn goodbye(connection: Option<AsyncSmtpConnection>, last: Option<&SmtpFailure>) {
    let listening = match last {
        None
        | Some(SmtpFailure::Code { .. } | SmtpFailure::Lacking(_) | SmtpFailure::BadAddress(_)) => {
            true
        }
        Some(SmtpFailure::Tls(_) | SmtpFailure::Gone(_) | SmtpFailure::Silence) => false,
    };
    if let Some(mut connection) = connection.filter(|_| listening) {
        // The mail's fate is known; a server that does not say goodbye changes nothing.
        let _ = tokio::time::timeout(QUIT, connection.quit()).await;
    }
}

fn parameters(host: &str, ca: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let pem = std::fs::read(path)
            .map_err(|why| format!("cannot read the CA file {}: {why}", path.display()))?;
        if !pem
            .windows(27)
            .any(|part| part == b"-----BEGIN CERTIFICATE-----")
        {
            return Err(format!(
                "the CA file {} has no PEM certificate in it",
                path.display()
            ));
        }
        let own = Certificate::from_pem(&pem)
            .map_err(|why| format!("the CA file {}: {why}", path.display()))?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(own);
    } else {
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            builder = builder.add_root_certificate(
                Certificate::from_der(root.to_vec()).map_err(|why| why.to_string())?,
            );
        }
    }
    builder
        .build()
        .map_err(|why| format!("TLS cannot be set up: {why}"))
}

fn words(response: &Response) -> String {
    response.message().collect::<Vec<_>>().join(" ")
}

/// Sorts lettre's error by what was heard.
fn failure_of(error: Error) -> SmtpFailure {
    let source = || {
        error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string)
    };
    if let Some(code) = error.status() {
        return SmtpFailure::Code {
            code: code.into(),
            text: source(),
        };
    }
    if let Some(tls) = tls_error(&error) {
        return SmtpFailure::Tls(tls.to_string());
    }
    if error.is_tls() {
        return SmtpFailure::Tls(source());
    }
    if error.is_client() {
        return SmtpFailure::Lacking(source());
    }
    SmtpFailure::Gone(source())
}

/// The TLS library's own error, which comes wrapped in an I/O error.
fn tls_error(error: &Error) -> Option<rustls::Error> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            let inner = io
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if inner.is_some() {
                return inner.cloned();
            }
        }
        next = source.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::in_one_piece;

    #[test]
    fn a_message_goes_out_with_its_end_and_its_dots() {
        for (message, piece) in [
            ("a", "a\r\n.\r\n"),
            (".a\r\n.\r\n..b", "..a\r\n..\r\n...b\r\n.\r\n"),
            ("a.b\n.c", "a.b\n.c\r\n.\r\n"),
        ] {
            assert_eq!(in_one_piece(message.as_bytes()).as_deref(), Some(piece));
        }
        assert_eq!(in_one_piece(b"\xff"), None);
    }
}

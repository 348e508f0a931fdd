//! Three parts become one message, ready for a server or a file.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::MultiPart;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::{Address, Message};

use super::address::Sender;
use super::letter::one_line;
use super::outgoing::Outgoing;

/// Builds the message: both parts as alternatives, every header from a fixed list.
pub(super) fn build(
    from: &Sender,
    reply_to: Option<&Sender>,
    to: Address,
    mail: &Outgoing,
) -> Result<Message, String> {
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(mail.date.s()).unwrap_or(0));
    let mut builder = Message::builder()
        .from(from.mailbox())
        .to(lettre::message::Mailbox::new(None, to))
        .subject(one_line(&mail.parts.subject))
        .date(at)
        .message_id(Some(checked_id(&mail.message_id)?))
        .raw_header(header(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated",
        ))
        // Exchange heeds this one instead: no out-of-office replies to a shop's address.
        .raw_header(header(
            HeaderName::new_from_ascii_str("X-Auto-Response-Suppress"),
            "All",
        ));
    if let Some(lang) = super::kind::language_tag(&mail.lang) {
        builder = builder.raw_header(header(
            HeaderName::new_from_ascii_str("Content-Language"),
            &lang,
        ));
    }
    if let Some(reply_to) = reply_to {
        builder = builder.reply_to(reply_to.mailbox());
    }
    let body = MultiPart::alternative_plain_html(mail.parts.text.clone(), mail.parts.html.clone());
    builder.multipart(body).map_err(|why| why.to_string())
}

fn header(name: HeaderName, value: &str) -> HeaderValue {
    HeaderValue::new(name, value.to_owned())
}

/// A Message-ID of the form `<left@right>` and nothing that could end its header.
fn checked_id(id: &str) -> Result<String, String> {
    let inner = id
        .strip_prefix('<')
        .and_then(|id| id.strip_suffix('>'))
        .unwrap_or_default();
    let plain = inner
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>');
    if plain && inner.split('@').filter(|side| !side.is_empty()).count() == 2 {
        Ok(id.to_owned())
    } else {
        Err("the Message-ID is not of the form <id@domain>".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::effects::mail::parts::Parts;

    fn mail(subject: &str) -> Outgoing {
        Outgoing {
            to: "ada@example.com".to_owned(),
            message_id: "<abc@example.com>".to_owned(),
            parts: Parts {
                subject: subject.to_owned(),
                text: "Hello\n".to_owned(),
                html: "<p>Hello</p>\n".to_owned(),
            },
            lang: "de".to_owned(),
            date: Timestamp::from_s(1_772_323_200),
        }
    }

    fn formatted(mail: &Outgoing) -> String {
        let from =
            Sender::parse("Pixel \"P\"\r\nBcc: x@example.com, Forge <shop@example.com>").unwrap();
        let reply_to = Sender::parse("help@example.com").unwrap();
        let message = build(
            &from,
            Some(&reply_to),
            "ada@example.com".parse().unwrap(),
            mail,
        )
        .unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn a_message_has_its_headers_and_both_parts() {
        let text = formatted(&mail("Your key"));
        for line in [
            "To: ada@example.com\r\n",
            "Reply-To: help@example.com\r\n",
            "Subject: Your key\r\n",
            "Date: Sun, 01 Mar 2026 00:00:00 +0000\r\n",
            "Message-ID: <abc@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Language: de\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(text.contains(line), "{line:?} is missing in\n{text}");
        }
    }

    #[test]
    fn nobody_can_add_a_header() {
        let text = formatted(&mail("Your key\r\nBcc: victim@example.com\r\n\r\nbody"));
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        for id in [
            "abc@example.com",
            "<abc>",
            "<a@b>\r\nBcc: x@example.com",
            "<a@b@c>",
            "<@b>",
            "<a b@c>",
        ] {
            let outgoing = Outgoing {
                message_id: id.to_owned(),
                ..mail("x")
            };
            let from = Sender::parse("a@example.com").unwrap();
            assert!(
                build(&from, None, "ada@example.com".parse().unwrap(), &outgoing).is_err(),
                "{id}"
            );
        }
    }
}

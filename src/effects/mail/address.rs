//! Addresses, and the name that a message keeps for ever.

use lettre::Address;
use lettre::message::Mailbox;
use sha2::{Digest, Sha256};

use super::letter::one_line;

/// Who sends: a display name, which the mails call the vendor, and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    name: Option<String>,
    address: Address,
}

impl Sender {
    /// Reads `Pixel Forge <licenses@example.com>` or a bare address.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, address) = match text
            .strip_suffix('>')
            .and_then(|text| text.rsplit_once('<'))
        {
            Some((name, address)) => (one_line(name.trim().trim_matches('"')), address.trim()),
            None => (String::new(), text),
        };
        let address = parse(address)
            .map_err(|why| format!("`{}` is not an address: {why}", one_line(text)))?;
        Ok(Self {
            name: (!name.is_empty()).then_some(name),
            address,
        })
    }

    /// The vendor as the mails call it: the display name, else the address's domain.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.domain())
    }

    /// The address's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.address.domain()
    }

    pub(super) fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.name.clone(), self.address.clone())
    }
}

/// The Message-ID of a notice: always the same one, so that a mail which goes out twice is one mail to the recipient's
/// server. The name is hashed, because it may hold a customer's ids.
#[must_use]
pub fn message_id(notice: &str, from_domain: &str) -> String {
    let hash = hex::encode(Sha256::digest(notice.as_bytes()));
    format!("<{}@{from_domain}>", &hash[..32])
}

/// Reads an address as people type them. An international domain is written the way every server understands.
pub(super) fn parse(text: &str) -> Result<Address, String> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it has a space or a control character in it".to_owned());
    }
    let address: Address = text
        .parse()
        .map_err(|why: lettre::address::AddressError| why.to_string().to_lowercase())?;
    if address.domain().is_ascii() {
        return Ok(address);
    }
    let url = reqwest::Url::parse(&format!("http://{}/", address.domain()))
        .map_err(|_| "invalid domain".to_owned())?;
    let domain = url.host_str().ok_or_else(|| "invalid domain".to_owned())?;
    Address::new(address.user(), domain).map_err(|why| why.to_string().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_read_as_people_write_them() {
        for (text, vendor, domain) in [
            (
                "Pixel Forge <licenses@example.com>",
                "Pixel Forge",
                "example.com",
            ),
            (
                "\"Forge, Pixel\" <a@example.com>",
                "Forge, Pixel",
                "example.com",
            ),
            (
                "Müller & Söhne <a@müller.example>",
                "Müller & Söhne",
                "xn--mller-kva.example",
            ),
            ("a@example.com", "example.com", "example.com"),
            ("<a@example.com>", "example.com", "example.com"),
        ] {
            let sender = Sender::parse(text).unwrap();
            assert_eq!(
                (sender.vendor(), sender.domain()),
                (vendor, domain),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a",
            "a@",
            "@example.com",
            "a@b@",
            "a b@example.com",
            "a@example.com, b@example.com",
            "\"a\r\nBcc: b\"@example.com",
            "a@exa mple.com",
            "Name <a@example.com",
        ] {
            assert!(Sender::parse(text).is_err(), "{text}");
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_notice_has_one_message_id() {
        let id = message_id("stripe/sub_1/license_issued/1", "example.com");
        assert_eq!(
            id,
            message_id("stripe/sub_1/license_issued/1", "example.com")
        );
        assert_ne!(
            id,
            message_id("stripe/sub_1/license_issued/2", "example.com")
        );
        assert!(id.starts_with('<') && id.ends_with("@example.com>"), "{id}");
    }
}

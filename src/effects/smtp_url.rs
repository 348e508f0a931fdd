//! The config's mail server URL in the mail module's form.

use crate::secret::Secret;

/// The config's plain `smtp://host` in the mail module's form, which wants plainness said: `tls=none`. A password is not
/// sent in the clear to another machine, and what is only tried for can be talked away: both become STARTTLS.
pub(super) fn with_plainness(url: &Secret) -> Secret {
    let Ok(mut parsed) = reqwest::Url::parse(url.reveal().trim()) else {
        return url.clone();
    };
    let tls = parsed
        .query_pairs()
        .find(|(name, _)| name == "tls")
        .map(|(_, value)| value.into_owned());
    let host = parsed
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let is_here = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    let tls = match (parsed.scheme(), tls.as_deref()) {
        ("smtp", None) if parsed.password().is_none() || is_here => "none",
        ("smtp", None | Some("opportunistic")) => "required",
        _ => return url.clone(),
    };
    parsed.set_query(Some(&format!("tls={tls}")));
    Secret::new(parsed.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_said_and_passwords_are_protected() {
        for (config, mail) in [
            (
                "smtp://mx.example.com:25",
                "smtp://mx.example.com:25?tls=none",
            ),
            ("smtp://localhost:2525", "smtp://localhost:2525?tls=none"),
            ("smtp://u:p@[::1]:2525", "smtp://u:p@[::1]:2525?tls=none"),
            (
                "smtp://u:p%40@mx.example.com",
                "smtp://u:p%40@mx.example.com?tls=required",
            ),
            (
                "smtp://mx.example.com?tls=opportunistic",
                "smtp://mx.example.com?tls=required",
            ),
            (
                "smtp://mx.example.com?tls=required",
                "smtp://mx.example.com?tls=required",
            ),
            ("smtps://u:p@mx.example.com", "smtps://u:p@mx.example.com"),
        ] {
            assert_eq!(with_plainness(&Secret::new(config)).reveal(), mail);
        }
    }
}

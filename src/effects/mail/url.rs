//! The mail server's URL: `smtps://user:password@host`, `smtp://host?tls=required`, `smtp://localhost:25?tls=none`.

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// TLS from the first byte (`smtps`, port 465).
    Implicit,
    /// STARTTLS, and no mail without it (`smtp`, port 587).
    StartTls,
    /// None, on explicit wish only (port 25).
    Plain,
}

/// A server, as its URL names it. It holds the password, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SmtpUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    pub(super) login: Option<(String, String)>,
    /// The name by which we introduce ourselves, from the URL's path; absent: this machine's.
    pub(super) hello: Option<String>,
}

impl SmtpUrl {
    /// Reads the URL. The error never shows it, because there is a password in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text.trim()).map_err(|why| {
            format!("{why}; write % codes for special characters in the password, like %40 for @")
        })?;
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or("it names no server")?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let protection = protection(&url)?;
        let default_port = match protection {
            Protection::Implicit => 465,
            Protection::StartTls => 587,
            Protection::Plain => 25,
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decode(user)?, decode(password)?)),
            _ => return Err("a login needs both user and password".to_owned()),
        };
        if login.is_some() && protection == Protection::Plain && !is_this_machine(&host) {
            return Err("with tls=none the password would travel in the clear; use smtps:// or tls=required".to_owned());
        }
        let hello = Some(url.path().trim_matches('/').to_owned()).filter(|name| !name.is_empty());
        Ok(Self {
            port: url.port().unwrap_or(default_port),
            host,
            protection,
            login,
            hello,
        })
    }
}

fn protection(url: &reqwest::Url) -> Result<Protection, String> {
    let mut tls = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" {
            return Err("the only option it takes is tls".to_owned());
        }
        tls = Some(value.into_owned());
    }
    match (url.scheme(), tls.as_deref()) {
        ("smtps", None | Some("required")) => Ok(Protection::Implicit),
        ("smtp", None | Some("required")) => Ok(Protection::StartTls),
        ("smtp", Some("none")) => Ok(Protection::Plain),
        ("smtps" | "smtp", Some("opportunistic")) => {
            Err("tls=opportunistic can be talked out of TLS by anybody on the way; write tls=required or tls=none"
                .to_owned())
        }
        ("smtps", Some("none")) => {
            Err("smtps:// is TLS; for an unprotected connection write smtp://…?tls=none".to_owned())
        }
        ("smtps" | "smtp", Some(_)) => Err("tls is `required` or `none`".to_owned()),
        (_, _) => Err("it begins with smtps:// or smtp://".to_owned()),
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Turns `%40` into `@`, as everywhere in URLs.
fn decode(text: &str) -> Result<String, String> {
    let (mut out, mut bytes) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|d| char::from(d).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("a % in user or password is written %25".to_owned());
        };
        out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
    }
    String::from_utf8(out).map_err(|_| "user or password is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_mean_what_they_say() {
        for (text, host, port, protection) in [
            (
                "smtps://mail.example.com",
                "mail.example.com",
                465,
                Protection::Implicit,
            ),
            (
                "smtps://mail.example.com:4650/",
                "mail.example.com",
                4650,
                Protection::Implicit,
            ),
            (
                "smtp://mail.example.com",
                "mail.example.com",
                587,
                Protection::StartTls,
            ),
            (
                "smtp://mail.example.com:25?tls=required",
                "mail.example.com",
                25,
                Protection::StartTls,
            ),
            ("smtp://[::1]?tls=none", "::1", 25, Protection::Plain),
        ] {
            let url = SmtpUrl::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(
                (url.host.as_str(), url.port, url.protection),
                (host, port, protection),
                "{text}"
            );
        }
    }

    #[test]
    fn logins_are_decoded() {
        let url =
            SmtpUrl::parse("smtps://apikey%40x:p%C3%A4ss+%2F%25@mail.example.com/shop.example.com")
                .ok()
                .unwrap();
        assert_eq!(
            url.login,
            Some(("apikey@x".to_owned(), "päss+/%".to_owned()))
        );
        assert_eq!(url.hello.as_deref(), Some("shop.example.com"));
    }

    #[test]
    fn mistakes_are_told_without_the_password() {
        for text in [
            "mail.example.com:587",
            "http://user:hunter2@mail.example.com",
            "smtp://user:hunter2@mail.example.com?tls=opportunistic",
            "smtp://user:hunter2@mail.example.com?tls=none",
            "smtps://user:hunter2@mail.example.com?tls=none",
            "smtp://user:hunter2@mail.example.com?tls=maybe",
            "smtp://user:hunter2@mail.example.com?pool=1",
            "smtp://user:hunter2%zz@mail.example.com",
            "smtp://user@mail.example.com",
            "smtp://user:hunter2@mail.example.com:99999",
            "smtp://",
        ] {
            let why = SmtpUrl::parse(text)
                .err()
                .unwrap_or_else(|| panic!("{text} was taken"));
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert!(
            SmtpUrl::parse("smtp://user:hunter2@127.0.0.1:1025?tls=none").is_ok(),
            "on this machine it goes nowhere"
        );
    }
}

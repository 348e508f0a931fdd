//! Alerts on their way to the operator: by mail, and as a small JSON to an address. What is in them names purchases by their
//! ids; to an address goes nothing else of a customer.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::mail::{CannotMail, MailAnswer, Mailer, Outgoing, Parts, message_id};
use super::services::alert_mailer;
use super::tls;
use crate::config::Config;
use crate::domain::alert::{Digest, News};
use crate::domain::attention::{Attention, Concern};
use crate::domain::hold::HeldBy;
use crate::domain::time::{Span, Timestamp};
use crate::secret::Secret;

/// How long an address may take to answer.
const TIMEOUT: Span = Span::from_s(20);
/// Lines in one message; the rest is counted.
const LINES_MAX: usize = 10;

/// The ways to the operator.
pub struct Channels {
    mail: Option<(Mailer, Vec<String>)>,
    url: Option<Secret>,
    heartbeat: Option<Secret>,
    http: reqwest::Client,
}

impl Channels {
    /// Those of a config.
    ///
    /// # Errors
    /// When mail cannot be sent as it is configured.
    pub fn new(config: &Config) -> Result<Self, CannotMail> {
        tls::install();
        let alert = &config.alert;
        let mail = match alert.email.as_slice() {
            [] => None,
            to => Some((alert_mailer(&config.mail)?, to.to_vec())),
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")))
            .tls_certs_merge(tls::mozilla_roots())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT.to_std())
            .build()
            .map_err(|e| CannotMail::Tls(e.without_url().to_string()))?;
        Ok(Self {
            mail,
            url: alert.url.clone(),
            heartbeat: alert.heartbeat_url.clone(),
            http,
        })
    }

    #[must_use]
    pub const fn has_mail(&self) -> bool {
        self.mail.is_some()
    }

    #[must_use]
    pub const fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// Mails a message to everybody who is named.
    ///
    /// # Errors
    /// When nobody got it: why the last one did not.
    pub async fn mail(&self, digest: &Digest<'_>, now: Timestamp) -> Result<(), String> {
        let Some((mailer, to)) = &self.mail else {
            return Ok(());
        };
        let (text, mut result) = (text(digest), Err("no address".to_owned()));
        for to in to {
            let name = format!(
                "alert/{}/{}/{}/{to}",
                digest.topic.cause.as_str(),
                digest.topic.about,
                now.ms()
            );
            let outgoing = Outgoing {
                to: to.clone(),
                message_id: message_id(&name, mailer.sender().domain()),
                parts: Parts {
                    subject: subject(digest),
                    html: html(&text),
                    text: text.clone(),
                },
                lang: "en".to_owned(),
                date: now,
            };
            let answer = mailer.send(outgoing).await;
            if let MailAnswer::Sent { .. } = answer {
                result = Ok(());
            } else {
                let why = answer.why();
                tracing::warn!(to, "an alert could not be mailed: {why}");
                result = result.or(Err(why));
            }
        }
        result
    }

    /// Posts a message to the address.
    ///
    /// # Errors
    /// Why it did not take it.
    pub async fn post(&self, digest: &Digest<'_>) -> Result<(), String> {
        let Some(url) = &self.url else {
            return Ok(());
        };
        let body = body(digest).to_string();
        let request = self.http.post(url.reveal()).body(body);
        answered(request.header("Content-Type", "application/json")).await
    }

    /// Asks the heartbeat's address.
    pub async fn heartbeat(&self) {
        if let Some(url) = &self.heartbeat
            && let Err(why) = answered(self.http.get(url.reveal())).await
        {
            tracing::warn!("the heartbeat's address does not answer: {why}");
        }
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Result<(), String> {
    match request.send().await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(format!("it answers {}", response.status().as_u16())),
        // The address may hold a secret.
        Err(error) => Err(error.without_url().to_string()),
    }
}

/// What it is about in one line.
#[must_use]
pub fn subject(digest: &Digest<'_>) -> String {
    let title = digest.topic.cause.title();
    let about = match digest.topic.about.as_str() {
        "" => String::new(),
        about => format!(" ({about})"),
    };
    match &digest.news {
        News::Waits { all, .. } if digest.topic.about.is_empty() => {
            format!("Keyward: {title}{}", counted_by(all))
        }
        News::Waits { .. } => format!("Keyward: {title}{about}"),
        News::Recovered { .. } => {
            let over = digest.topic.cause.title_when_over();
            format!("Keyward: recovered: {over}{about}")
        }
    }
}

/// How many wait, and what holds them: ` by the guard: 4`, or `: 7 (3 by adoption, 4 by the guard)` where several things do.
fn counted_by(all: &[&Attention]) -> String {
    let total = all.len();
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    for by in all.iter().filter_map(|a| held_by(&a.concern)) {
        *held.entry(by).or_default() += 1;
    }
    let named: usize = held.values().sum();
    let mut parts: Vec<String> = held.iter().map(|(by, n)| format!("{n} by {by}")).collect();
    if named < total {
        parts.push(format!("{} otherwise", total - named));
    }
    match held.first_key_value() {
        None => format!(": {total}"),
        Some((by, n)) if *n == total => format!(" by {by}: {total}"),
        Some(_) => format!(": {total} ({})", parts.join(", ")),
    }
}

/// What holds the work that something is about.
const fn held_by(concern: &Concern) -> Option<&'static str> {
    let Concern::HeldAction { hold, .. } = concern else {
        return None;
    };
    match hold.by() {
        HeldBy::Guard => Some("the guard"),
        HeldBy::Adoption => Some("adoption"),
        HeldBy::Person => Some("a person"),
        HeldBy::Beginning
        | HeldBy::Observe
        | HeldBy::Pause
        | HeldBy::OtherHandler
        | HeldBy::OtherService
        | HeldBy::Time => None,
    }
}

fn text(digest: &Digest<'_>) -> String {
    let mut out = subject(digest);
    let since = digest.since.whole_s();
    out.push_str(&match &digest.news {
        News::Waits { .. } => format!("\nSince {since}.\n\n"),
        News::Recovered { at } => {
            let at = at.whole_s();
            format!("\nFrom {since} to {at}: {}.\n\n", at - since)
        }
    });
    if let News::Waits { new, all, begins } = &digest.news {
        for Attention { since, concern } in new.iter().take(LINES_MAX) {
            let (about, settled_by) = (concern.about(), concern.settled_by());
            let since = since.whole_s();
            out.push_str(&format!("{about}, since {since}: {concern}\n"));
            for line in concern.details() {
                out.push_str(&format!("    {line}\n"));
            }
            out.push_str(&format!("    {settled_by}\n\n"));
        }
        let more = new.len().saturating_sub(LINES_MAX);
        if more > 0 {
            out.push_str(&format!("and {more} more\n\n"));
        }
        if !begins {
            out.push_str(&format!("{} wait in all.\n", all.len()));
        }
    }
    out.push_str("`keyward attention` lists everything that waits.\n");
    out
}

fn html(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<!doctype html><html><body><pre>{escaped}</pre></body></html>\n")
}

/// What is posted. Its form is relied on from outside: docs/operating.md has it.
fn body(digest: &Digest<'_>) -> Value {
    let (mut new, mut lines) = (Vec::new(), Vec::new());
    let (state, count) = match &digest.news {
        News::Waits {
            new: waiting,
            all,
            begins,
        } => {
            for Attention { concern, .. } in waiting.iter().take(LINES_MAX) {
                new.push(concern.about());
                lines.extend(concern.details());
            }
            (if *begins { "waits" } else { "more" }, all.len())
        }
        News::Recovered { .. } => ("recovered", 0),
    };
    let until = match &digest.news {
        News::Waits { .. } => None,
        News::Recovered { at } => Some(at.whole_s().to_string()),
    };
    json!({
        "text": subject(digest),
        "cause": digest.topic.cause.as_str(),
        "about": digest.topic.about,
        "state": state,
        "since": digest.since.whole_s().to_string(),
        "until": until,
        "count": count,
        "new": new,
        "lines": lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Topic;
    use crate::domain::attention::{ActionAttention, AttentionCause};
    use crate::domain::hold::Hold;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn held(number: u32, hold: Hold) -> Attention {
        let action = ActionAttention {
            machine: "stripe/cs_1".parse().unwrap(),
            number,
            act: "revoke_license",
            creates: false,
            lacks_access: false,
            why: None,
            meant: None,
            lost: None,
        };
        Attention {
            since: NOW,
            concern: Concern::HeldAction {
                action,
                hold,
                awaiting: None,
            },
        }
    }

    fn digest<'a>(cause: AttentionCause, about: &str, news: News<'a>) -> Digest<'a> {
        Digest {
            topic: Topic {
                cause,
                about: about.to_owned(),
            },
            since: NOW,
            news,
        }
    }

    #[test]
    fn what_is_over_says_how_it_is_now_and_how_long_it_was() {
        let at = NOW + crate::domain::time::Span::from_s(5_405);
        let over = |cause, about| digest(cause, about, News::Recovered { at });
        let mail = over(AttentionCause::Service, "mail");
        assert_eq!(
            subject(&mail),
            "Keyward: recovered: a service works again (mail)"
        );
        assert_eq!(
            subject(&over(AttentionCause::Silent, "stripe")),
            "Keyward: recovered: events arrive from Stripe again (stripe)"
        );
        let (since, until) = (NOW.to_string(), at.to_string());
        let text = text(&mail);
        assert!(
            text.contains(&format!("From {since} to {until}: 1h30m5s.")),
            "{text}"
        );
        assert_eq!(body(&mail)["until"], until);
    }

    #[test]
    fn what_is_held_names_what_holds_it() {
        let (one, two) = (held(1, Hold::Guard), held(2, Hold::Guard));
        let other = held(3, Hold::Adoption);
        let beginning = held(4, Hold::BeginningUnknown);
        let of = |new: &[&Attention], all: &[&Attention]| {
            let news = News::Waits {
                new: new.to_vec(),
                all: all.to_vec(),
                begins: true,
            };
            subject(&digest(AttentionCause::HeldAction, "", news))
        };
        assert_eq!(
            of(&[&one, &two], &[&one, &two]),
            "Keyward: work is held by the guard: 2"
        );
        // What waits beside what is new may be held by something else.
        let mixed = "Keyward: work is held: 3 (1 by adoption, 2 by the guard)";
        assert_eq!(of(&[&one, &two], &[&one, &two, &other]), mixed);
        assert_eq!(of(&[&one, &two, &other], &[&one, &two, &other]), mixed);
        assert_eq!(
            of(&[&one], &[&one, &beginning]),
            "Keyward: work is held: 2 (1 by the guard, 1 otherwise)"
        );
        assert_eq!(of(&[&beginning], &[&beginning]), "Keyward: work is held: 1");
    }
}

//! Tests of `answer.rs`.

use super::*;

/// The answer's name, and the wait if there is one.
fn name(answer: &MailAnswer) -> &'static str {
    match answer {
        MailAnswer::Sent { .. } => "sent",
        MailAnswer::Again { after: Some(_), .. } => "again, later",
        MailAnswer::Again { after: None, .. } => "again",
        MailAnswer::Undeliverable { .. } => "undeliverable",
        MailAnswer::Refused { .. } => "refused",
        MailAnswer::Rejected { .. } => "rejected",
        MailAnswer::Unknown { .. } => "unknown",
    }
}

/// Where it was said, the code and the text, and what they come to.
const REPLIES: &[(SmtpPhase, u16, &str, &str)] = &[
    (SmtpPhase::Connecting, 421, "4.3.2 try later", "again"),
    (
        SmtpPhase::Connecting,
        554,
        "No SMTP service here",
        "refused",
    ),
    (
        SmtpPhase::Login,
        535,
        "5.7.8 Authentication failed",
        "refused",
    ),
    (
        SmtpPhase::Login,
        454,
        "4.7.0 Temporary authentication failure",
        "again",
    ),
    (SmtpPhase::Sender, 550, "5.1.0 sender rejected", "refused"),
    (SmtpPhase::Recipient, 550, "no such user", "undeliverable"),
    (
        SmtpPhase::Recipient,
        550,
        "5.1.1 <x@example.com>: user unknown",
        "undeliverable",
    ),
    (
        SmtpPhase::Recipient,
        552,
        "5.2.2 mailbox full",
        "undeliverable",
    ),
    (
        SmtpPhase::Recipient,
        554,
        "5.7.1 Relay access denied",
        "rejected",
    ),
    (
        SmtpPhase::Recipient,
        550,
        "5.7.1-blocked, see the list\n5.7.1 again",
        "rejected",
    ),
    (
        SmtpPhase::Recipient,
        530,
        "Authentication required",
        "refused",
    ),
    (SmtpPhase::Recipient, 503, "bad sequence", "rejected"),
    (
        SmtpPhase::Recipient,
        451,
        "4.7.1 Greylisted",
        "again, later",
    ),
    (
        SmtpPhase::Recipient,
        452,
        "too many recipients",
        "again, later",
    ),
    (SmtpPhase::Data, 554, "no", "rejected"),
    (SmtpPhase::Message, 451, "try later", "again, later"),
    (
        SmtpPhase::Message,
        550,
        "5.1.1 unknown after all",
        "undeliverable",
    ),
    (SmtpPhase::Message, 554, "5.6.0 looks like spam", "rejected"),
    (SmtpPhase::Message, 552, "message too large", "rejected"),
];

#[test]
fn every_reply_has_one_meaning() {
    for &(phase, code, text, means) in REPLIES {
        let answer = meaning(
            phase,
            &SmtpFailure::Code {
                code,
                text: text.to_owned(),
            },
        );
        assert_eq!(name(&answer), means, "{phase:?} {code} {text}");
    }
}

#[test]
fn one_customer_s_address_is_no_fault_of_the_server_s() {
    let heard = |phase, code, text: &str| {
        meaning(
            phase,
            &SmtpFailure::Code {
                code,
                text: text.to_owned(),
            },
        )
        .call_result()
    };
    assert_eq!(
        heard(SmtpPhase::Recipient, 550, "5.1.1 user unknown"),
        throttle::CallResult::Unsent
    );
    assert_eq!(
        heard(SmtpPhase::Recipient, 451, "4.7.1 Greylisted"),
        throttle::CallResult::Good
    );
    assert_eq!(
        heard(SmtpPhase::Message, 554, "5.6.0 looks like spam"),
        throttle::CallResult::Broken
    );
    assert_eq!(
        heard(SmtpPhase::Connecting, 421, "4.3.2 try later"),
        throttle::CallResult::Broken
    );
    assert_eq!(
        heard(SmtpPhase::Login, 535, "5.7.8 Authentication failed"),
        throttle::CallResult::Locked
    );
}

#[test]
fn an_answer_names_nobody() {
    let text = "5.7.1 <jane@example.com>: Relay access denied".to_owned();
    let refused = meaning(SmtpPhase::Recipient, &SmtpFailure::Code { code: 554, text });
    assert_eq!(
        refused.why(),
        "554 for the recipient's address: 5.7.1 <address>: Relay access denied"
    );
}

#[test]
fn silence_matters_only_after_the_message() {
    for phase in [
        SmtpPhase::Connecting,
        SmtpPhase::Login,
        SmtpPhase::Sender,
        SmtpPhase::Recipient,
        SmtpPhase::Data,
    ] {
        assert_eq!(name(&meaning(phase, &SmtpFailure::Silence)), "again");
        assert_eq!(
            name(&meaning(phase, &SmtpFailure::Gone("reset".to_owned()))),
            "again"
        );
    }
    assert_eq!(
        name(&meaning(SmtpPhase::Message, &SmtpFailure::Silence)),
        "unknown"
    );
    assert_eq!(
        name(&meaning(
            SmtpPhase::Message,
            &SmtpFailure::Gone("reset".to_owned())
        )),
        "unknown"
    );
}

#[test]
fn what_the_server_says_is_kept_short_and_on_one_line() {
    let answer = meaning(
        SmtpPhase::Login,
        &SmtpFailure::Tls(format!("bad\r\n{}", "x".repeat(5000))),
    );
    let MailAnswer::Refused { why } = answer else {
        panic!("{answer:?}")
    };
    assert!(
        why.starts_with("TLS failed: bad xxx") && why.len() < 400,
        "{why}"
    );
}

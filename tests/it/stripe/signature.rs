//! Signatures. The vectors were made with Python's `hmac`, not with the code under test.

use keyward::domain::time::{Span, Timestamp};
use keyward::secret::Secret;
use keyward::sources::stripe::signature::{SignatureError, sign, verify};

const BODY: &[u8] = br#"{"id":"evt_1","type":"invoice.paid"}"#;
const T: i64 = 1_700_000_000;
const FIRST: &str = "8ce968e9c062f1c487be86c310e0a1f980ee83a1a198d0577565095f3114569e";
const SECOND: &str = "8a19fd4afc263b7c6be1a4ecd2b2236730c9d67bc895708009c0f75366e83bba";
/// Of a secret that would be other bytes if it were base64-decoded.
const BASE64_LIKE: &str = "f8afd73667f8686b0ea4270d413c2e7e88c0daa6f8384d98811a484a3f52b8ea";
/// Of `0001700000000.` and the body.
const ZEROS_BEFORE_T: &str = "e42044df2c774aff9ccabbcf53c68eea791220e46901a327d8a8a2114321e35f";
/// Of an empty body.
const EMPTY_BODY: &str = "0b4c80875992f1709a9e722e711020262fcb76808e21a0840ab15511384fc5a8";
/// Of `{"n":"Zoë\n"}` and a line's end.
const RAW_BODY: &str = "1ed190b3953fded107cb662632f004cfc4a2a12ca3aaec771ba4cef2a0196d0e";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().map(|t| Secret::new(*t)).collect()
}

fn check(
    header: &str,
    secret_texts: &[&str],
    received_ms: i64,
) -> Result<Timestamp, SignatureError> {
    let received = Timestamp::from_ms(received_ms);
    verify(
        BODY,
        Some(header),
        &secrets(secret_texts),
        Span::from_s(300),
        received,
    )
    .map(|v| v.signed_at())
}

#[test]
fn what_stripe_signed_is_accepted() {
    for (header, secret_texts) in [
        (format!("t={T},v1={FIRST}"), vec!["whsec_first"]),
        (format!("t={T},v1={BASE64_LIKE}"), vec!["whsec_Zm9v+bar/=="]),
        (
            format!("t={T},v1={},v0={ZEROS}", FIRST.to_uppercase()),
            vec!["whsec_first"],
        ),
        (
            format!("v9=x=y,v1={FIRST},nonsense,t={T}"),
            vec!["whsec_first"],
        ),
        (format!("t={T}, v1={FIRST}"), vec!["whsec_first"]),
        // A secret is being rolled: two signatures, and either or both of the secrets are known here.
        (format!("t={T},v1={SECOND},v1={FIRST}"), vec!["whsec_first"]),
        (
            format!("t={T},v1={SECOND},v1={FIRST}"),
            vec!["whsec_second"],
        ),
        (
            format!("t={T},v1={FIRST}"),
            vec!["whsec_second", "whsec_first"],
        ),
        (
            format!("t={T},v1=short,v1={ZEROS},v1={FIRST}"),
            vec!["", "whsec_other", "whsec_first"],
        ),
    ] {
        assert_eq!(
            check(&header, &secret_texts, T * 1000),
            Ok(Timestamp::from_s(T)),
            "{header}"
        );
    }
}

#[test]
fn the_raw_bytes_count_and_t_as_it_is_written() {
    let key = secrets(&["whsec_first"]);
    let at = Timestamp::from_s(T);
    for (body, header) in [
        (BODY, format!("t=000{T},v1={ZEROS_BEFORE_T}")),
        (b"", format!("t={T},v1={EMPTY_BODY}")),
        (
            "{\"n\":\"Zoë\\n\"}\r\n".as_bytes(),
            format!("t={T},v1={RAW_BODY}"),
        ),
    ] {
        let verified = verify(body, Some(&header), &key, Span::from_s(300), at).unwrap();
        assert_eq!((verified.body(), verified.signed_at()), (body, at));
    }
    assert_eq!(
        check(&format!("t=000{T},v1={FIRST}"), &["whsec_first"], T * 1000),
        Err(SignatureError::NoMatch)
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn what_nobody_signed_is_refused() {
    for (header, secret_texts, code) in [
        (format!("t={T},v1={ZEROS}"), vec!["whsec_first"], "no_match"),
        (
            format!("t={T},v1={FIRST}"),
            vec!["whsec_second"],
            "no_match",
        ),
        (
            format!("t={T},v1={FIRST}"),
            vec!["whsec_first\n"],
            "no_match",
        ),
        (
            format!("t={},v1={FIRST}", T + 1),
            vec!["whsec_first"],
            "no_match",
        ),
        (format!("t={T},v0={FIRST}"), vec!["whsec_first"], "no_v1"),
        (format!("t={T}"), vec!["whsec_first"], "no_v1"),
        (
            format!("t={T},v1="),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t={T},v1={}", &FIRST[..62]),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t={T},v1={FIRST}00"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t={T},t={T},v1={FIRST}"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("v1={FIRST}"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t=,v1={FIRST}"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t=-5,v1={FIRST}"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t=99999999999999999999,v1={FIRST}"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (
            format!("t=soon,v1={FIRST}"),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (String::new(), vec!["whsec_first"], "malformed_header"),
        (
            "ü=,=,,=é".to_owned(),
            vec!["whsec_first"],
            "malformed_header",
        ),
        (format!("t={T},v1={FIRST}"), vec![], "no_secret"),
        (format!("t={T},v1={FIRST}"), vec![""], "no_secret"),
    ] {
        let refusal = check(&header, &secret_texts, T * 1000).unwrap_err();
        assert_eq!(refusal.code(), code, "{header}: {refusal}");
    }
    let none = verify(
        BODY,
        None,
        &secrets(&["whsec_first"]),
        Span::ZERO,
        Timestamp::from_s(T),
    );
    assert_eq!(none.unwrap_err(), SignatureError::NoHeader);
}

#[test]
fn a_changed_body_is_refused() {
    let header = format!("t={T},v1={FIRST}");
    for at in 0..BODY.len() {
        let mut body = BODY.to_vec();
        body[at] ^= 1;
        let key = secrets(&["whsec_first"]);
        let answer =
            verify(&body, Some(&header), &key, Span::ZERO, Timestamp::from_s(T)).map(|_| ());
        assert_eq!(answer, Err(SignatureError::NoMatch));
    }
}

#[test]
fn age_is_judged_in_whole_seconds_and_only_backwards() {
    let header = format!("t={T},v1={FIRST}");
    let at = |offset_ms: i64| check(&header, &["whsec_first"], T * 1000 + offset_ms);
    for fine in [0, 300_000, 300_999, -1, -86_400_000] {
        assert!(at(fine).is_ok(), "{fine}");
    }
    assert_eq!(
        at(301_000),
        Err(SignatureError::TooOld {
            age: Span::from_s(301)
        })
    );
    // Whoever does not know the secret does not learn that it is the age.
    assert_eq!(
        check(&header, &["whsec_second"], i64::MAX),
        Err(SignatureError::NoMatch)
    );
    // A tolerance of zero switches the check off.
    let key = secrets(&["whsec_first"]);
    assert!(
        verify(
            BODY,
            Some(&header),
            &key,
            Span::ZERO,
            Timestamp::from_ms(i64::MAX)
        )
        .is_ok()
    );
}

#[test]
fn what_we_sign_is_what_stripe_would_send() {
    let header = sign(
        BODY,
        &Secret::new("whsec_first"),
        Timestamp::from_ms(T * 1000 + 999),
    );
    assert_eq!(header, format!("t={T},v1={FIRST}"));
}

#[test]
fn every_refusal_says_what_to_check() {
    let refusals = [
        SignatureError::NoSecret,
        SignatureError::NoHeader,
        SignatureError::Malformed {
            why: "it has no `t`",
        },
        SignatureError::NoV1,
        SignatureError::TooOld {
            age: Span::from_s(3725),
        },
        SignatureError::NoMatch,
    ];
    let told: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    this source has no usable signing secret: set the endpoint's `whsec_…` (Stripe Dashboard, Webhooks, the endpoint, Signing secret)
    the request has no Stripe-Signature header: either it is not from Stripe, or a proxy in front of Keyward drops the header
    the Stripe-Signature header cannot be read: it has no `t`; check whether a proxy rewrites headers
    the Stripe-Signature header has no v1 signature (v0 is a fake one and proves nothing): check that the sender is Stripe
    the request was signed 1h2m5s before it was received: check that this machine's clock is synchronized (NTP); otherwise somebody replays an old delivery
    no signature matches: check that the secret is this endpoint's own (test and live mode, and `stripe listen`, each have another), is complete and without blanks, and that no proxy changes the body
    ");
}

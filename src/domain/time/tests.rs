//! Tests of `time.rs`.

use super::*;

#[test]
fn spans_read_and_print() {
    for (text, s, printed) in [
        ("14d", 1_209_600, "14d"),
        ("1h30m", 5400, "1h30m"),
        ("2w", 1_209_600, "14d"),
        ("0d", 0, "0s"),
    ] {
        let span: Span = text.parse().unwrap();
        assert_eq!(span, Span::from_s(s), "{text}");
        assert_eq!(span.to_string(), printed);
    }
    for (text, ms, printed) in [
        ("500ms", 500, "500ms"),
        ("1s500ms", 1500, "1500ms"),
        ("2000ms", 2000, "2s"),
    ] {
        let span: Span = text.parse().unwrap();
        assert_eq!(
            (span.ms(), span.to_string().as_str()),
            (ms, printed),
            "{text}"
        );
        assert_eq!(
            printed.parse::<Span>().unwrap(),
            span,
            "what is printed is read"
        );
    }
    for bad in [
        "",
        "14",
        "d",
        "1M",
        "1y",
        "-3d",
        "99999999999999999d",
        "1.5h",
        "5 m",
        "ms",
        "1h30",
    ] {
        assert!(bad.parse::<Span>().is_err(), "{bad}");
    }
}

#[test]
fn an_unknown_unit_is_refused_with_what_was_probably_meant() {
    for (text, meant) in [
        ("10min", Some("10m")),
        ("10 minutes", Some("10m")),
        ("5 m", Some("5m")),
        ("30", Some("30s")),
        ("2weeks", Some("2w")),
        ("1y", Some("365d")),
        ("3months", Some("90d")),
        ("5fortnights", None),
        ("1h30", None),
        ("x", None),
    ] {
        let error = text.parse::<Span>().unwrap_err();
        assert_eq!(error.suggestion(), meant, "{text}");
    }
}

#[test]
fn instants_read_and_print() {
    let t = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
    assert_eq!(t.to_string(), "2026-03-01T00:00:00Z");
    assert_eq!(Timestamp::parse(&t.s().to_string()).unwrap(), t);
    assert_eq!(
        Timestamp::from_s(i64::MAX).to_string(),
        "9999-12-31T23:59:59Z"
    );
    assert!(Timestamp::parse("yesterday").is_err());
}

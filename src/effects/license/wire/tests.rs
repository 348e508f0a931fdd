use super::*;

#[test]
fn a_license_is_read_as_far_as_it_tells() {
    let read = |body: &str| license(body.as_bytes());
    let bare = read(r#"{"licenseKey":"K"}"#).unwrap();
    assert_eq!(
        (&bare.status, bare.expires_at),
        (&Status::Other(String::new()), Expiry::Untold)
    );
    let full = r#"{"licenseKey":"K","appId":"a","status":"revoked","expiresAt":null,"maxHwidSlots":2,
        "unlimitedHwidSlots":false,"hwidList":["x",{"y":1}],"label":"Stripe sub sub_1","new":[],
        "createdAt":"2026-03-01T00:00:00.123Z"}"#;
    let full = read(&format!(r#"{{"license":{full}}}"#)).unwrap();
    assert_eq!(
        (full.devices, full.bound, full.expires_at),
        (Some(Devices::Count(2)), Some(2), Expiry::Never)
    );
    assert_eq!(
        (full.status, full.label.as_deref()),
        (Status::Revoked, Some("Stripe sub sub_1"))
    );
    assert_eq!(
        full.created_at,
        Some(Timestamp::parse("2026-03-01T00:00:00.123Z").unwrap())
    );
    let odd = read(
        r#"{"licenseKey":"K","status":7,"expiresAt":"soon","maxHwidSlots":"two","hwidList":{},"label":[]}"#,
    );
    let odd = odd.unwrap();
    assert_eq!(
        (odd.expires_at, odd.devices, odd.bound, odd.label),
        (Expiry::Untold, None, None, None)
    );
    let moved = read(r#"{"licenseKey":"K","expiresAt":"2026-03-01T02:00:00+02:00"}"#).unwrap();
    assert!(
        moved
            .expires_at
            .shows(Some(Timestamp::parse("2026-03-01T00:00:00.9Z").unwrap()))
    );
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"licenseKey":""}"#,
        r#"{"licenseKey":5}"#,
        r#"{"license":{}}"#,
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

#[test]
fn a_create_counts_only_with_exactly_one_key() {
    assert!(created(br#"{"licenses":[{"licenseKey":"K"}]}"#).is_some());
    for bad in [
        r#"{"licenses":[]}"#,
        r#"{"licenses":[{"licenseKey":"K"},{"licenseKey":"L"}]}"#,
        r#"{"licenseKey":"K"}"#,
    ] {
        assert_eq!(created(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn a_page_says_whether_it_is_the_last() {
    let cursor = |body: &str| page(body.as_bytes(), 2).map(|p| p.cursor);
    let full = r#"{"licenseKey":"K"},{"licenseKey":"L"}"#;
    assert_eq!(
        cursor(&format!(r#"{{"licenses":[{full}],"cursor":"c"}}"#)),
        Some(Some("c".into()))
    );
    assert_eq!(
        cursor(r#"{"licenses":[],"cursor":17}"#),
        Some(Some("17".into()))
    );
    assert_eq!(
        cursor(&format!(r#"{{"licenses":[{full}],"cursor":null}}"#)),
        Some(None)
    );
    assert_eq!(cursor(r#"{"licenses":[{"licenseKey":"K"}]}"#), Some(None));
    assert_eq!(
        cursor(&format!(r#"{{"licenses":[{full}]}}"#)),
        None,
        "full, and silent about the next"
    );
    assert_eq!(
        cursor(r#"{"licenses":[{"label":"x"}],"cursor":null}"#),
        None,
        "an entry without a key"
    );
}

#[test]
fn requests_are_written_as_documented() {
    let text = |bytes: serde_json::Result<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
    let mut new = NewLicense {
        app_id: AppId::new("a"),
        label: "Stripe sub sub_1".into(),
        expires_at: None,
        devices: Devices::Count(3),
    };
    let expected = r#"{"appId":"a","quantity":1,"expiresAt":null,"maxHwidSlots":3,"label":"Stripe sub sub_1"}"#;
    assert_eq!(text(create(&new, None)), expected);
    (new.expires_at, new.devices) = (Some(Timestamp::from_s(0)), Devices::Unlimited);
    let expected = r#"{"appId":"a","quantity":1,"expiresAt":"1970-01-01T00:00:00Z","unlimitedHwidSlots":true,"label":"Stripe sub sub_1"}"#;
    assert_eq!(text(create(&new, None)), expected);
    let key = LicenseKey::new("ABCD-EFGH-JKLM-NPQR");
    let with_key = text(create(&new, Some(&key)));
    assert!(
        with_key.ends_with(r#","licenseKey":"ABCD-EFGH-JKLM-NPQR"}"#),
        "{with_key}"
    );
    for (act, expected) in [
        (LicenseUpdate::Revoke, r#"{"action":"revoke"}"#),
        (LicenseUpdate::ResetDevices, r#"{"action":"reset-hwid"}"#),
        (
            LicenseUpdate::ForgetDevice("d"),
            r#"{"action":"reset-hwid","hwid":"d"}"#,
        ),
        (
            LicenseUpdate::Extend(None),
            r#"{"action":"extend","expiresAt":null}"#,
        ),
        (
            LicenseUpdate::Extend(Some(Timestamp::from_s(0))),
            r#"{"action":"extend","expiresAt":"1970-01-01T00:00:00Z"}"#,
        ),
        (
            LicenseUpdate::Devices(Devices::Count(2), DeviceForm::Update),
            r#"{"action":"update","maxHwidSlots":2,"unlimitedHwidSlots":false}"#,
        ),
        (
            LicenseUpdate::Devices(Devices::Count(2), DeviceForm::Plain),
            r#"{"maxHwidSlots":2,"unlimitedHwidSlots":false}"#,
        ),
        (
            LicenseUpdate::Devices(Devices::Unlimited, DeviceForm::Plain),
            r#"{"unlimitedHwidSlots":true}"#,
        ),
    ] {
        assert_eq!(text(update(act)), expected);
    }
}

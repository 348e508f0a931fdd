//! Refusals, and what they ask for.

use keyward::domain::id::LicenseKey;
use keyward::domain::time::Span;
use keyward::effects::license::{Answer, Client, ClientConfig, RefusalKind};
use keyward::secret::Secret;

use super::{app, config, fake_and_client, made, new, refusal, sort};
use crate::support::fake_licenses::Faults;

#[tokio::test]
async fn refusals_name_what_must_be_mended() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    let key = made(&client, "Stripe sub sub_1").await.key;
    for (status, kind) in [
        (401, RefusalKind::BadKey),
        (403, RefusalKind::Forbidden),
        (418, RefusalKind::Other),
    ] {
        fake.switch(|f| f.refuse = Some(status));
        assert_eq!(
            refusal(client.create(&new("Stripe sub sub_2")).await).kind,
            kind
        );
        assert_eq!(refusal(client.get(&key).await).kind, kind);
        assert_eq!(refusal(client.revoke(&key).await).kind, kind);
        assert_eq!(refusal(client.list(&app(), None).await).kind, kind);
    }
    fake.switch(|f| f.refuse = Some(402));
    let refused = refusal(client.create(&new("Stripe sub sub_2")).await);
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (RefusalKind::NoCredits, "no_credits")
    );
    client.set_expiry(&key, None).await.done().unwrap();
    fake.switch(|f| f.refuse = None);
    let wrong = ClientConfig {
        api_key: Secret::new("af_live_wrong"),
        ..config(&fake)
    };
    assert_eq!(
        refusal(Client::new(wrong).unwrap().get(&key).await).kind,
        RefusalKind::BadKey
    );
    assert_eq!(
        refusal(client.list(&app(), Some("nonsense")).await).kind,
        RefusalKind::BadRequest
    );
    assert_eq!(fake.licenses().len(), 1);
}

#[tokio::test]
async fn a_missing_license_is_told_from_a_wrong_address() {
    let (fake, client) = fake_and_client(Faults::default()).await;
    assert_eq!(
        refusal(client.get(&LicenseKey::new("gone")).await).kind,
        RefusalKind::NotFound
    );
    assert_eq!(client.reachable(&app()).await, Answer::Done(()));
    let elsewhere = ClientConfig {
        api_base: fake.base().replace("/v1/", "/v9"),
        ..config(&fake)
    };
    let elsewhere = Client::new(elsewhere).unwrap();
    assert_eq!(
        refusal(elsewhere.reachable(&app()).await).kind,
        RefusalKind::NotFound
    );
}

#[tokio::test]
async fn a_request_too_many_asks_for_patience() {
    for html in [false, true] {
        for (header, expected) in [
            (None, None),
            (Some("3"), Some(Span::from_s(3))),
            (Some("soon"), None),
        ] {
            let retry_after = header.map(str::to_owned);
            let faults = Faults {
                limited_pct: 100,
                html,
                retry_after,
                ..Faults::default()
            };
            let (fake, client) = fake_and_client(faults).await;
            let (sorted, after, _) = sort(client.create(&new("Stripe sub sub_1")).await);
            assert_eq!((sorted, after), ("again", expected));
            assert_eq!(sort(client.revoke(&LicenseKey::new("K")).await).0, "again");
            assert_eq!(fake.licenses().len(), 0);
        }
    }
}

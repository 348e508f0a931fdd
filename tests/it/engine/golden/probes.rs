//! What probes learned, those of a version that learned less too, in every form; what an audit found, and what is known of endpoints.

use keyward::domain::adoption::{
    AuditNote, Class, DifferingPurchase, Judged, KeyEnd, Remark, Repair, Unrepaired, Waits,
};
use keyward::domain::id::{AppId, LicenseKey, PlanName, Scope, SourceName};
use keyward::domain::missed::{Arrival, Deliveries, Way};
use keyward::domain::money::Money;
use keyward::domain::no_use::Dismissal;
use keyward::domain::probe::{DeviceForm, ServiceProbe};
use keyward::domain::time::Timestamp;
use keyward::engine::record::audits::AuditRecord;
use keyward::engine::record::endpoints::{DeliveriesRecord, SeenEndpoint};

use super::{bytes, golden};

/// What a probe learned of a license service.
#[test]
fn golden_probes() {
    let least = ServiceProbe {
        service: "authforge".to_owned(),
        app: AppId::new("app_probe"),
        at: Timestamp::from_s(1_767_607_200),
        can_shorten: true,
        can_be_for_life: true,
        revoke_reversible: false,
        set_devices: true,
        list_shows_label: false,
        listed_after_s: Some(2),
        device_form: None,
        fewer_devices: None,
        unlimited_devices: None,
        extends_expired: None,
        unknown_action: None,
        far_end: None,
        revokes_again: None,
        extends_revoked: None,
        activates_again: None,
        finds_by_label: None,
        list_fields: None,
        read_fields: None,
    };
    golden::<ServiceProbe>("probe", &|| {
        let forms = DeviceForm::ALL.map(|form| ServiceProbe {
            device_form: Some(form),
            fewer_devices: Some(true),
            unlimited_devices: Some(false),
            extends_expired: Some(true),
            unknown_action: Some("400 bad_request: no such action".to_owned()),
            ..least.clone()
        });
        let most = ServiceProbe {
            can_be_for_life: false,
            far_end: Some(true),
            revokes_again: Some(false),
            extends_revoked: Some(true),
            activates_again: Some(false),
            finds_by_label: Some(true),
            list_fields: Some(vec!["licenseKey".to_owned()]),
            read_fields: Some(vec!["label".to_owned(), "licenseKey".to_owned()]),
            ..forms[0].clone()
        };
        let mut probes = bytes(&least);
        probes.extend(forms.iter().flat_map(bytes));
        probes.extend(bytes(&most));
        probes
    });
}

/// Every class that an audit can find.
#[test]
fn golden_audits() {
    golden::<Vec<AuditRecord>>("audits", &|| {
        let at = Timestamp::from_s(1_767_607_200);
        let repairs = [Repair::Read, Repair::Retry, Repair::Hear, Repair::Rekey].map(Ok);
        let persons = [
            Unrepaired::Nothing,
            Unrepaired::Adopt,
            Unrepaired::Newer,
            Unrepaired::Person,
        ];
        let repairs = repairs.into_iter().chain(persons.map(Err));
        let remarks = [
            Remark::TakenIn,
            Remark::Unpaid,
            Remark::NoCheckout,
            Remark::Suspended,
            Remark::OfAccount,
            Remark::EndGivenUp,
            Remark::InGrace,
        ];
        let waits = [Waits::Renewal(at), Waits::Retry(at)];
        let usd = Money {
            minor: 2_900,
            currency: "usd".to_owned(),
        };
        let row = |(n, repair)| DifferingPurchase {
            judged: Judged {
                class: Class::TwoKeys,
                waits: waits.get(n).copied(),
                unread: n == 0,
                keys: (2, 1),
                remark: remarks.get(n).copied(),
                repair: Some(repair),
                meant: (n > 0)
                    .then(|| KeyEnd::of(&LicenseKey::new("AF-1234")))
                    .flatten(),
            },
            machine: (n > 0).then(|| "stripe/sub_1".to_owned()),
            plan: (n > 0).then(|| PlanName::from("pro")),
            paid: (n > 0).then(|| usd.clone()),
            key: (n > 0).then(|| "…1234".to_owned()),
        };
        bytes(&vec![AuditRecord {
            source: SourceName::from("stripe"),
            since: at,
            differs: Class::ALL.map(|class| (class, 3)).to_vec(),
            money: Class::ALL.map(|class| (class, usd.clone())).to_vec(),
            first: repairs.enumerate().map(row).collect(),
            code: u64::MAX,
            noted: Some(AuditNote {
                by: Dismissal {
                    author: "ada".to_owned(),
                    reason: "a friend's".to_owned(),
                },
                at,
                code: u64::MAX,
            }),
        }])
    });
}

/// What is known of the endpoints at Stripe and of what arrives through them.
#[test]
fn golden_endpoints() {
    golden::<Vec<SeenEndpoint>>("endpoints", &|| {
        bytes(&vec![SeenEndpoint {
            source: SourceName::from("stripe"),
            url: "https://buy.example.com/webhooks/stripe".to_owned(),
        }])
    });
    golden::<DeliveriesRecord>("deliveries", &|| {
        let created = Timestamp::from_s(1_767_607_200);
        let arrival = |way| Arrival {
            created,
            kind: "invoice.paid".to_owned(),
            way,
        };
        let mut deliveries = Deliveries::default();
        let arrivals = vec![arrival(Way::Prompt), arrival(Way::Fetched)];
        deliveries.add(arrivals, &[], created);
        let scope = Scope::of("stripe/acct_1");
        bytes(&DeliveriesRecord { scope, deliveries })
    });
}

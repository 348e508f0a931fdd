use super::*;

#[test]
fn a_purchase_that_only_added_time_is_not_called_a_license_that_ended() {
    let said = |adds, want, why| {
        let said = ForCustomer {
            key: None,
            adds,
            is_paid: true,
            want,
            why,
            holds: Holds::Unknown,
            rest: None,
            pay_at: None,
            now: Timestamp::from_s(0),
        };
        said.to_string()
    };
    assert_eq!(
        said(true, Want::Revoked, Why::Refunded),
        "The time that this purchase added to your license no longer counts. The payment was refunded."
    );
    assert_eq!(
        said(false, Want::Revoked, Why::Refunded),
        "Your license has ended. The payment was refunded."
    );
    assert_eq!(
        said(true, Want::Live { until: None }, Why::Due),
        "This purchase added time to a license that you had."
    );
}

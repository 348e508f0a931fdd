//! The words of the success page.

use crate::domain::status::PurchaseStatus;

/// A status's word for the metric, whether it waits, its tone, its title and its text.
pub(super) type Words = (
    &'static str,
    bool,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// The words for a session that nobody has heard of.
pub(super) const UNKNOWN: Words = (
    "unknown",
    true,
    "bad",
    "We can't find this purchase",
    &[
        "This link may be wrong. Please use the link that you were sent to after paying.",
        "If you have just paid and the payment takes longer than usual, your license key appears here as soon as it is confirmed.",
    ],
);

#[expect(
    clippy::too_many_lines,
    reason = "a flat table: every text of the page in one place"
)]
pub(super) const fn table(status: PurchaseStatus) -> Words {
    match status {
        PurchaseStatus::OnItsWay => (
            "on_its_way",
            true,
            "wait",
            "Your payment is on its way",
            &["Thank you! As soon as the payment is confirmed, your license key appears here."],
        ),
        PurchaseStatus::AwaitingPayment => (
            "awaiting_payment",
            true,
            "wait",
            "Waiting for your payment",
            &[
                "Your order is complete, but the money has not arrived yet. With bank transfers and vouchers that can take a few days.",
                "We'll create your license key as soon as the payment arrives.",
            ],
        ),
        PurchaseStatus::Preparing => (
            "preparing",
            true,
            "good",
            "Your payment has arrived",
            &["Thank you! We're creating your license key; it appears here in a moment."],
        ),
        PurchaseStatus::Delayed => (
            "delayed",
            true,
            "wait",
            "Your payment has arrived",
            &[
                "Thank you! Creating your license key takes longer than usual.",
                "You don't need to do anything, and you won't be charged again.",
            ],
        ),
        PurchaseStatus::Live | PurchaseStatus::Ending => (
            "keys",
            false,
            "good",
            "Thank you! Here is your license",
            &["Keep the key in a safe place."],
        ),
        PurchaseStatus::Partial => (
            "more_keys",
            true,
            "good",
            "Thank you! Here are your licenses",
            &["We're still creating some of them; they appear here in a moment."],
        ),
        PurchaseStatus::Grace => (
            "grace",
            false,
            "wait",
            "Your last payment failed",
            &["Your license still works. Please update your payment details to keep it active."],
        ),
        PurchaseStatus::Trial => (
            "trial",
            false,
            "good",
            "Your trial has begun",
            &["We'll create your license key when the first payment arrives."],
        ),
        PurchaseStatus::Lapsed => (
            "lapsed",
            false,
            "bad",
            "Your license is paused",
            &[
                "The last payment failed and the grace period is over. Your license works again once you pay the open invoice.",
            ],
        ),
        PurchaseStatus::Paused => (
            "paused",
            false,
            "wait",
            "Your subscription is paused",
            &["Your license works again when the subscription goes on."],
        ),
        PurchaseStatus::Disputed => (
            "disputed",
            false,
            "bad",
            "Your license is suspended",
            &[
                "The payment is disputed at the bank. Until that is settled the license does not work.",
            ],
        ),
        PurchaseStatus::Refunded => (
            "refunded",
            false,
            "bad",
            "Your payment was refunded",
            &[
                "The license of this purchase no longer works. If that is a surprise, please write to the seller.",
            ],
        ),
        PurchaseStatus::Revoked | PurchaseStatus::DisputeLost => (
            "revoked",
            false,
            "bad",
            "Your license was withdrawn",
            &[
                "The license of this purchase no longer works. Please write to the seller if you think that is a mistake.",
            ],
        ),
        PurchaseStatus::Ended => (
            "ended",
            false,
            "wait",
            "Your license has ended",
            &["The time that was paid for is over. Thank you for having been a customer!"],
        ),
        PurchaseStatus::Failed => (
            "failed",
            false,
            "bad",
            "Your payment failed",
            &[
                "No money arrived, so no license was made. Please place the order again, perhaps with another means of payment.",
            ],
        ),
        PurchaseStatus::Expired => (
            "expired",
            false,
            "bad",
            "This order has expired",
            &["It was not paid in time and you were not charged. You can place it again."],
        ),
        PurchaseStatus::Nothing => (
            "nothing",
            false,
            "good",
            "Your payment has arrived",
            &[
                "Thank you! This purchase doesn't include a license key. If you expected one, please write to the seller.",
            ],
        ),
    }
}

/// What is added where somebody has to look first, and was alerted.
pub(super) const TOLD: &str = "The seller has been told.";

/// What is added where a key is still to come.
pub(super) const fn to_come(status: PurchaseStatus, mails: bool) -> Option<&'static str> {
    match status {
        PurchaseStatus::OnItsWay
        | PurchaseStatus::AwaitingPayment
        | PurchaseStatus::Preparing
        | PurchaseStatus::Delayed
        | PurchaseStatus::Trial => Some(if mails {
            "The key also comes by e-mail: you need not keep this page open."
        } else {
            "The key is shown here only: please keep the address of this page."
        }),
        PurchaseStatus::Live | PurchaseStatus::Ending | PurchaseStatus::Partial if !mails => {
            Some("The key is shown here only: please keep it, or the address of this page.")
        }
        PurchaseStatus::Live
        | PurchaseStatus::Ending
        | PurchaseStatus::Partial
        | PurchaseStatus::Grace
        | PurchaseStatus::Lapsed
        | PurchaseStatus::Paused
        | PurchaseStatus::Disputed
        | PurchaseStatus::DisputeLost
        | PurchaseStatus::Refunded
        | PurchaseStatus::Revoked
        | PurchaseStatus::Ended
        | PurchaseStatus::Failed
        | PurchaseStatus::Expired
        | PurchaseStatus::Nothing => None,
    }
}

//! Charges, payments, refunds, disputes and fraud warnings. Before basil (2025-03-31) a charge and a payment intent name
//! their invoice; since then only an `invoice_payment` does.

use crate::domain::fact::{Charge, Dispute, DisputeStatus, FraudWarning, Payment, Refund};
use crate::domain::id::{ChargeId, PaymentIntentId};
use crate::domain::no_use::NoUse;

use super::super::json::Json;
use super::super::reason::Reason;
use super::given::Given;
use super::{currency, first_reference, own_id, owned, payer, reference};

pub(in super::super) fn invoice_payment(object: &Json<'_>) -> Result<Payment, Reason> {
    let paid_by = object.get("payment");
    let payment = Payment {
        invoice: reference(object.get("invoice")),
        payment_intent: reference(paid_by.get("payment_intent")),
        charge: reference(paid_by.get("charge")),
        id: reference(object.get("id")),
    };
    match payment {
        Payment { invoice: None, .. } => Err(Reason::unreadable(
            "data.object.invoice",
            object.get("invoice"),
        )),
        Payment {
            payment_intent: None,
            charge: None,
            ..
        } => Err(NoUse::PaidElsewhere.into()),
        _ => Ok(payment),
    }
}

/// `latest_charge` since 2022-11-15; before, `charges`, of which the one that succeeded counts.
pub(in super::super) fn payment_intent(object: &Json<'_>) -> Result<Payment, Reason> {
    let charges = object.get("charges").data();
    let succeeded = charges
        .iter()
        .find(|c| c.get("status").text() == Some("succeeded"))
        .unwrap_or(&Json::Null);
    let payment = Payment {
        invoice: reference(object.get("invoice")),
        payment_intent: Some(own_id(object)?),
        charge: reference(object.get("latest_charge")).or_else(|| reference(succeeded)),
        id: None,
    };
    if payment.invoice.is_none() && payment.charge.is_none() {
        return Err(NoUse::LinksNothing.into());
    }
    Ok(payment)
}

/// A charge that failed or is pending is only an attempt.
///
/// `amount` is the whole charge, also where less was captured: Stripe counts what it did not capture among
/// `amount_refunded`, and `refunded` compares with the whole.
pub(in super::super) fn charge(object: &Json<'_>) -> Result<Charge, Reason> {
    let id: ChargeId = own_id(object)?;
    let given = Given::of(object);
    if matches!(given.text("status")?, Some("failed" | "pending")) {
        return Err(NoUse::Charge.into());
    }
    let amount = object.get("amount");
    let amount = amount
        .int()
        .ok_or_else(|| Reason::unreadable("data.object.amount", amount))?;
    let refunded = given.bool("refunded")?;
    let amount_refunded = given
        .int("amount_refunded")?
        .unwrap_or(if refunded == Some(true) { amount } else { 0 });
    // What was only authorized is no capture of a part.
    let captured = object.get("amount_captured").int();
    let captured = captured.filter(|_| object.get("captured").bool() == Some(true));
    // The list may be there and hold something else; only whole refunds of it count.
    let refunds = object
        .get("refunds")
        .data()
        .iter()
        .filter_map(|r| listed_refund(r, &id).ok())
        .collect();
    Ok(Charge {
        payment_intent: reference(object.get("payment_intent")),
        invoice: reference(object.get("invoice")),
        customer: payer(object),
        amount,
        amount_refunded,
        refunded: refunded.unwrap_or(amount > 0 && amount_refunded >= amount),
        refunds,
        released: captured
            .map(|captured| amount - captured)
            .filter(|n| *n > 0),
        email: [
            object.get("billing_details").get("email"),
            object.get("receipt_email"),
        ]
        .into_iter()
        .find_map(owned),
        id,
    })
}

fn listed_refund(refund: &Json<'_>, charge: &ChargeId) -> Result<Refund, Reason> {
    let refund = refund_of(refund)?;
    Ok(Refund {
        charge: refund.charge.or_else(|| Some(charge.clone())),
        ..refund
    })
}

/// A refund's own event. `refund.failed` means that it failed, whatever the object still says.
pub(in super::super) fn refund(object: &Json<'_>, kind: &str) -> Result<Refund, Reason> {
    let refund = refund_of(object)?;
    names_a_payment(
        object,
        refund.charge.as_ref(),
        refund.payment_intent.as_ref(),
    )?;
    Ok(Refund {
        stands: refund.stands && kind != "refund.failed",
        ..refund
    })
}

fn refund_of(object: &Json<'_>) -> Result<Refund, Reason> {
    let amount = object.get("amount");
    Ok(Refund {
        id: own_id(object)?,
        charge: reference(object.get("charge")),
        payment_intent: reference(object.get("payment_intent")),
        amount: amount
            .int()
            .ok_or_else(|| Reason::unreadable("data.object.amount", amount))?,
        // Pending ones stand too. Before 2014 there was no status, and a refund was simply made.
        stands: !matches!(
            Given::of(object).text("status")?,
            Some("failed" | "canceled")
        ),
        created: object.get("created").time(),
    })
}

pub(in super::super) fn dispute(object: &Json<'_>) -> Result<Dispute, Reason> {
    let dispute = Dispute {
        // Until 2014 a dispute had no id, and a charge had at most one.
        id: first_reference(&[object.get("id"), object.get("charge")])
            .ok_or_else(|| Reason::unreadable("data.object.id", object.get("id")))?,
        charge: reference(object.get("charge")),
        payment_intent: reference(object.get("payment_intent")),
        status: match object.get("status").text() {
            Some(status) => dispute_status(status),
            None => {
                return Err(Reason::unreadable(
                    "data.object.status",
                    object.get("status"),
                ));
            }
        },
        amount: object.get("amount").int().unwrap_or(0),
        currency: currency(object).unwrap_or_default(),
    };
    names_a_payment(
        object,
        dispute.charge.as_ref(),
        dispute.payment_intent.as_ref(),
    )?;
    Ok(dispute)
}

fn dispute_status(text: &str) -> DisputeStatus {
    match text {
        "warning_needs_response" | "warning_under_review" => DisputeStatus::Inquiry,
        "warning_closed" => DisputeStatus::InquiryClosed,
        "needs_response" | "under_review" => DisputeStatus::Open,
        "won" => DisputeStatus::Won,
        "lost" => DisputeStatus::Lost,
        "prevented" => DisputeStatus::Prevented,
        _ => DisputeStatus::Unknown,
    }
}

pub(in super::super) fn fraud_warning(object: &Json<'_>) -> Result<FraudWarning, Reason> {
    let warning = FraudWarning {
        charge: reference(object.get("charge")),
        payment_intent: reference(object.get("payment_intent")),
    };
    names_a_payment(
        object,
        warning.charge.as_ref(),
        warning.payment_intent.as_ref(),
    )?;
    Ok(warning)
}

/// Money that goes back means nothing where it cannot be found out whose.
fn names_a_payment(
    object: &Json<'_>,
    charge: Option<&ChargeId>,
    payment: Option<&PaymentIntentId>,
) -> Result<(), Reason> {
    match (charge, payment) {
        (None, None) => Err(Reason::unreadable(
            "data.object.charge",
            object.get("charge"),
        )),
        _ => Ok(()),
    }
}

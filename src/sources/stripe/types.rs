//! The event types to enable at Stripe, and what each is for: what `keyward stripe-events` prints.

/// Type and reason, in the order of a purchase's life.
///
/// Left off on purpose: `invoice.created`, for Stripe holds back the finalizing of all invoices for up to 72 hours while
/// an endpoint that asked for it does not answer (<https://docs.stripe.com/billing/subscriptions/webhooks>), and `*`.
pub const EVENT_TYPES: &[(&str, &str)] = &[
    (
        "checkout.session.completed",
        "a purchase: who bought, what it asks for, whether it is paid",
    ),
    (
        "checkout.session.async_payment_succeeded",
        "a delayed payment (bank debit, voucher) arrived",
    ),
    (
        "checkout.session.async_payment_failed",
        "a delayed payment failed",
    ),
    (
        "checkout.session.expired",
        "a checkout that nobody finished",
    ),
    ("customer.subscription.created", "a subscription began"),
    (
        "customer.subscription.updated",
        "plan, quantity, status or a planned end changed",
    ),
    ("customer.subscription.deleted", "a subscription ended"),
    ("customer.subscription.paused", "a subscription was paused"),
    (
        "customer.subscription.resumed",
        "a paused subscription goes on",
    ),
    ("customer.subscription.trial_will_end", "a trial ends soon"),
    (
        "customer.subscription.pending_update_applied",
        "a change that waited for its payment came into force",
    ),
    (
        "customer.subscription.pending_update_expired",
        "a change that waited for its payment was dropped",
    ),
    (
        "invoice.paid",
        "a period is paid; the event that extends a license",
    ),
    (
        "invoice.payment_succeeded",
        "the same, for old integrations and as a second chance",
    ),
    ("invoice.payment_failed", "a payment failed; grace begins"),
    (
        "invoice.payment_action_required",
        "the customer must confirm a payment (3-D Secure)",
    ),
    ("invoice.finalized", "a renewal's payment is on its way"),
    (
        "invoice.finalization_failed",
        "a renewal could not be billed; only you can mend it",
    ),
    ("invoice.voided", "an invoice will never be collected"),
    ("invoice.marked_uncollectible", "an invoice was written off"),
    ("invoice.overdue", "a sent invoice is late"),
    (
        "invoice_payment.paid",
        "which payment paid which invoice; links refunds and disputes",
    ),
    ("charge.refunded", "money went back, in whole or in part"),
    (
        "charge.refund.updated",
        "a refund changed, or failed (old integrations)",
    ),
    ("refund.created", "a refund began"),
    ("refund.updated", "a refund changed"),
    ("refund.failed", "a refund failed: the customer still paid"),
    ("charge.dispute.created", "a payment is disputed"),
    ("charge.dispute.updated", "a dispute moved on"),
    (
        "charge.dispute.closed",
        "a dispute was won, lost or dropped",
    ),
    ("charge.dispute.funds_withdrawn", "a dispute took the money"),
    (
        "charge.dispute.funds_reinstated",
        "a dispute gave the money back",
    ),
    (
        "radar.early_fraud_warning.created",
        "a bank suspects fraud; reported to you, changes nothing",
    ),
    (
        "customer.updated",
        "the customer's address or language changed",
    ),
    ("customer.deleted", "the customer was deleted at Stripe"),
];

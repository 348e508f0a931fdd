//! Step one: the facts become the things that Stripe keeps, each folded from its own facts alone in canonical order, each
//! with its small table. Nothing here knows a policy, a license or the present instant.

pub(crate) mod dispute;
pub(crate) mod invoice;
mod item_then;
mod items;
mod listed;
mod payment;
mod refund;
pub(crate) mod session;
mod subscription;

use std::collections::{BTreeMap, BTreeSet};

pub use dispute::{Dispute, Disputes};
pub use invoice::Invoice;
pub use item_then::ItemThen;
pub use items::{ItemHistory, PriceSince};
pub use payment::{Payments, Returned, ReturnedByInvoice};
pub use session::Session;
pub use subscription::{Subscription, Version};

use super::fact::{BillingReason, Bought, Fact, FactBody};
use super::id::{InvoiceId, ItemKey, SessionId};
use super::money::Money;
use super::terms::Terms;
use super::time::{Span, Timestamp};

/// Everything that Stripe keeps of one purchase, as far as its facts tell.
#[derive(Clone, Debug, Default)]
pub struct Objects<'f> {
    /// Its Checkout sessions.
    pub sessions: BTreeMap<SessionId, Session<'f>>,
    /// Its subscription; without versions where no snapshot was heard of.
    pub subscription: Subscription<'f>,
    pub invoices: BTreeMap<InvoiceId, Invoice<'f>>,
    /// Its payments, with what went back.
    pub payments: Payments,
    pub disputes: Disputes,
    /// When an early fraud warning came.
    pub fraud_warnings: Vec<Timestamp>,
    /// What a query said that its session sold.
    pub queried_lines: Option<&'f [Bought]>,
}

/// A subscription whose first event is no later than this after its creation has nothing before it.
const HEARD_WITHIN: Span = Span::from_minutes(10);

impl<'f> Objects<'f> {
    /// Folds facts, given in canonical order. `terms` say which prices are licensed, and so which item took whose place.
    #[must_use]
    pub fn of(facts: &[&'f Fact], terms: &Terms<'_>) -> Self {
        let mut objects = Self::default();
        for fact in facts {
            objects.payments.link(fact);
        }
        for fact in facts {
            objects.add(fact);
        }
        for fact in facts {
            objects.date_dispute(fact);
        }
        objects.subscription = Subscription::of(facts, &objects.invoices, terms);
        objects
    }

    /// Notes when the invoice of a dispute was paid.
    fn date_dispute(&mut self, fact: &Fact) {
        let FactBody::Dispute(shown) = &fact.body else {
            return;
        };
        let invoice = self
            .payments
            .invoice_paid_by(shown.payment_intent.as_ref(), shown.charge.as_ref());
        let paid = invoice.and_then(|id| self.invoices.get(id)?.paid.as_ref());
        if let (Some(paid), Some(dispute)) = (paid, self.disputes.get_mut(&shown.id)) {
            dispute.paid_at = Some(paid.at);
        }
    }

    fn add(&mut self, fact: &'f Fact) {
        self.payments.add(fact);
        match &fact.body {
            FactBody::Session(s) => self
                .sessions
                .entry(s.id.clone())
                .or_insert_with(|| Session::new(s))
                .add(s),
            FactBody::Invoice(i) => {
                self.invoices
                    .entry(i.id.clone())
                    .or_insert_with(|| Invoice::new(fact, i))
                    .add(fact, i);
            }
            FactBody::Dispute(d) => {
                if let Some(shown) = dispute::DisputeState::of(d.status) {
                    let new = Dispute::new(shown, fact.at);
                    self.disputes
                        .entry(d.id.clone())
                        .or_insert(new)
                        .add(shown, fact.at);
                }
            }
            FactBody::FraudWarning(_) => self.fraud_warnings.push(fact.at),
            FactBody::LineItems(items) => self.queried_lines = Some(&items.lines),
            FactBody::Subscription(_)
            | FactBody::Items(_)
            | FactBody::Payment(_)
            | FactBody::Charge(_)
            | FactBody::Refund(_)
            | FactBody::Decision(_) => {}
        }
    }

    /// Whether any paid invoice was ever heard of, whatever it was for: then no snapshot speaks for a payment
    /// (rule 18). One that only a query told of is none: nobody would tell of the next.
    #[must_use]
    pub fn paid_invoice_heard(&self) -> bool {
        self.invoices.values().any(|i| i.paid_heard)
    }

    /// Whether a subscription was heard of from its beginning: by its own creation, its checkout, its first invoice, or within
    /// its first minutes. Of another one what happened before is not known.
    #[must_use]
    pub fn heard_from_its_beginning(&self) -> bool {
        let subscription = &self.subscription;
        let soon = || {
            let first = subscription.versions.first().map(|v| v.at);
            let created = subscription.created();
            created
                .zip(first)
                .is_none_or(|(c, first)| first <= c + HEARD_WITHIN)
        };
        let mut invoices = self.invoices.values();
        subscription.heard_from_its_beginning()
            || !self.sessions.is_empty()
            || invoices.any(|i| i.shown.reason == BillingReason::Create)
            || soon()
    }

    /// The items that a paid invoice billed.
    #[must_use]
    pub fn billed_by_paid(&self) -> BTreeSet<ItemKey> {
        let paid = self.invoices.values().filter(|i| i.paid_heard);
        let lines = paid.flat_map(|i| self.subscription.items.lines_of(i.lines));
        lines.map(|(key, _)| key).collect()
    }

    /// What went back of each invoice against what was paid on it (rule 36).
    #[must_use]
    pub fn returned_by_invoice(&self) -> ReturnedByInvoice {
        let mut by_invoice = BTreeMap::new();
        for invoice in self.payments.invoices() {
            let paid = self
                .invoices
                .get(invoice)
                .map(|i| i.shown.amount_paid.unwrap_or(i.shown.total));
            let steps = self.payments.returned(invoice, paid);
            if steps
                .last()
                .is_some_and(|(returned, _)| *returned != Returned::Nothing)
            {
                by_invoice.insert(invoice.clone(), steps);
            }
        }
        by_invoice
    }

    /// The money that went back of each invoice, for people: the whole price where all of it did (rule 36).
    #[must_use]
    pub fn money_back_by_invoice(
        &self,
        returned: &ReturnedByInvoice,
    ) -> BTreeMap<InvoiceId, Money> {
        let of_invoice = |(id, steps): (&InvoiceId, &Vec<(Returned, _)>)| {
            let shown = self.invoices.get(id)?.shown;
            let price = shown.amount_paid.unwrap_or(shown.total);
            let part = self.payments.minor_returned(Some(id));
            let money = money_back(steps.last()?.0, part, (price, shown.currency.clone()))?;
            Some((id.clone(), money))
        };
        returned.iter().filter_map(of_invoice).collect()
    }

    /// Whether there is anything besides sessions.
    #[must_use]
    pub fn has_subscription_facts(&self) -> bool {
        !self.subscription.versions.is_empty() || !self.invoices.is_empty()
    }
}

/// What went back of a price: all of it, or a part whose minor units are known.
#[must_use]
pub fn money_back(
    returned: Returned,
    part: i64,
    (price, currency): (i64, String),
) -> Option<Money> {
    let minor = match returned {
        Returned::Nothing => 0,
        Returned::Part(_) => part,
        Returned::All => price,
    };
    (minor > 0).then_some(Money { minor, currency })
}

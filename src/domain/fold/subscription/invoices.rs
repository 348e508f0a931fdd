//! What a subscription's invoices say: these alone prove a payment, and a renewal's failure starts the grace.

use super::{InvoiceSeen, SideFailure, Walk};
use crate::domain::fact::{BillingReason, Fact, Invoice, InvoiceEvent, Line};
use crate::domain::fold::cover::Span;
use crate::domain::fold::known::ItemKey;
use crate::domain::subscription::{State as S, Trigger};

impl InvoiceSeen {
    pub(super) const fn failed_or_renews(&self) -> bool {
        self.failed.is_some() || self.renews
    }
}

impl Walk<'_> {
    pub(super) fn invoice(&mut self, fact: &Fact, invoice: &Invoice) {
        self.note(fact, invoice);
        match invoice.event {
            InvoiceEvent::Paid if invoice.paid => self.paid(fact, invoice),
            InvoiceEvent::Paid => self.report(
                fact.at,
                &format!("{} was told as paid while the invoice {} itself says that it is not", fact.kind, invoice.id),
            ),
            InvoiceEvent::PaymentFailed | InvoiceEvent::ActionRequired => self.failed(fact, invoice),
            InvoiceEvent::Overdue => self.overdue(fact, invoice),
            InvoiceEvent::Finalized => self.seen(invoice).finalized = Some(fact.at),
            InvoiceEvent::FinalizationFailed => {
                self.seen(invoice).finalization_failed = Some(fact.at);
                self.report(
                    fact.at,
                    &format!(
                        "the invoice {} could not be finalized: nothing is collected until that is mended at Stripe",
                        invoice.id
                    ),
                );
            }
            InvoiceEvent::Voided | InvoiceEvent::Uncollectible => {
                self.seen(invoice).closed_unpaid = true;
                self.settle_side(fact, invoice);
            }
            InvoiceEvent::Updated => {}
        }
        self.keep_attempt(invoice);
    }

    fn seen(&mut self, invoice: &Invoice) -> &mut InvoiceSeen {
        self.invoices.entry(invoice.id.clone()).or_default()
    }

    /// Notes what every event of an invoice tells: its lines for licensed items, and whether it renews them.
    fn note(&mut self, fact: &Fact, invoice: &Invoice) {
        let mut lines = self.fold.known.lines_of(invoice);
        lines.retain(|(_, l)| self.fold.known.licenses_line(l, fact.at, self.revisions, &self.decided));
        let base: Vec<_> = lines
            .iter()
            .filter(|(_, l)| !l.proration && l.amount >= 0)
            .map(|(key, l)| (key.clone(), l.start, l.end))
            .collect();
        for (key, line) in lines.iter().filter(|(_, l)| l.amount >= 0) {
            let quantity = line.quantity.unwrap_or(1);
            self.fold.line_quantities.insert(key.clone(), (line.price.clone(), quantity));
        }
        let first = self.is_first(invoice);
        let seen = self.seen(invoice);
        seen.total = Some(invoice.total).filter(|t| *t > 0);
        if !base.is_empty() {
            seen.base_lines = base;
        }
        seen.renews = !first && !seen.base_lines.is_empty();
        if invoice.send_invoice {
            seen.due = invoice.due.or(seen.due);
        }
    }

    /// Whether this is the subscription's first invoice that asks for money: its failure starts no grace.
    fn is_first(&self, invoice: &Invoice) -> bool {
        let paid_before = self.fold.covers.values().any(|c| c.end.is_some()) || !self.fold.granted.is_empty();
        match invoice.reason {
            BillingReason::Create => true,
            // After a trial that handed out nothing, the first charge is a first payment though Stripe calls it a renewal.
            BillingReason::Cycle => !paid_before && self.trial_seen && self.fold.trial_until.is_none(),
            BillingReason::Update | BillingReason::Manual | BillingReason::Other => {
                !paid_before && self.fold.trial_until.is_none()
            }
        }
    }

    fn paid(&mut self, fact: &Fact, invoice: &Invoice) {
        let again = self.seen(invoice).paid.is_some();
        self.settle_side(fact, invoice);
        if again {
            return; // invoice.paid and invoice.payment_succeeded tell of one payment
        }
        self.seen(invoice).paid = Some(fact.at);
        if self.fold.ended.as_ref().is_some_and(|e| !e.never_began) {
            self.report(fact.at, &format!("the invoice {} was paid after the subscription had ended", invoice.id));
        }
        let mut touched = false;
        let mut on_trial = false;
        let mut lines = self.fold.known.lines_of(invoice);
        lines.retain(|(_, l)| l.amount < 0 || self.fold.known.licenses_line(l, fact.at, self.revisions, &self.decided));
        for (key, line) in lines.iter().filter(|(_, l)| l.amount < 0) {
            self.cover_mut(key).credit(line.start);
        }
        for (key, line) in lines.iter().filter(|(_, l)| l.amount >= 0) {
            if self.fold.known.is_trial_line(invoice, line) {
                on_trial = true;
                continue;
            }
            touched = true;
            let span = Span { invoice: invoice.id.clone(), start: line.start, end: line.end, paid_at: fact.at };
            self.cover_mut(key).pay(span);
        }
        if touched {
            self.fold.began = self.fold.began.or(Some(fact.at));
        }
        let items = self.licensed_items(fact.at);
        let now_paid = touched && !items.is_empty() && self.covered_any(fact, &lines);
        let late = matches!(self.state, Some(S::Grace | S::Lapsed)) && !self.covered(fact.at, &items);
        match (now_paid && !late, on_trial) {
            (true, _) if self.gave_up_in_grace() => self.step(fact, Trigger::PaidAfterEnd),
            (true, _) => self.step(fact, Trigger::Paid),
            (false, true) if self.state.is_none() => self.step(fact, Trigger::TrialRuns),
            // Nothing of it is licensed: what was paid is all that tells that it runs.
            (false, _) if items.is_empty() && invoice.lines.iter().any(|l| l.of_subscription && l.end > fact.at) => {
                self.step(fact, Trigger::CalledActive);
            }
            (false, _) => self.step(fact, Trigger::PaidOther),
        }
    }

    /// Whether what was just paid reaches beyond the present.
    fn covered_any(&self, fact: &Fact, lines: &[(ItemKey, &Line)]) -> bool {
        lines.iter().any(|(key, _)| self.fold.covers.get(key).is_some_and(|c| c.covers(fact.at)))
    }

    fn gave_up_in_grace(&self) -> bool {
        self.fold.ended.is_some() && self.fold.open_episode().is_some()
    }

    fn failed(&mut self, fact: &Fact, invoice: &Invoice) {
        let action_required = invoice.event == InvoiceEvent::ActionRequired;
        let first = self.is_first(invoice);
        let seen = self.seen(invoice);
        if seen.paid.is_some() || seen.closed_unpaid {
            return;
        }
        seen.failed = Some(fact.at);
        let base = seen.base_lines.clone();
        if !self.fold.known.paid_invoice_heard {
            for (key, start, _) in &base {
                if invoice.reason == BillingReason::Cycle
                    && !self.fold.covers.contains_key(key)
                    && self.fold.trial_until.is_none()
                    && !first
                {
                    // A renewal failed, so the time before it was paid, though nobody told us.
                    self.cover_mut(key).end = Some(*start);
                }
                self.cover_mut(key).credit(*start);
            }
        }
        if first && !matches!(self.state, Some(S::Grace | S::Lapsed)) {
            self.step(fact, Trigger::FirstPaymentFailed);
            return;
        }
        let about: Vec<ItemKey> = base.into_iter().map(|(key, _, _)| key).collect();
        let licensed = self.licensed_items(fact.at);
        let base_unpaid =
            if about.is_empty() { !self.covered(fact.at, &licensed) } else { !self.covered(fact.at, &about) };
        if !base_unpaid || licensed.is_empty() {
            self.side_failure(fact, invoice, action_required);
            return;
        }
        if self.grace_may_start() {
            self.start_episode(fact, invoice.id.as_str().to_owned());
            if let Some(episode) = self.fold.episodes.last_mut() {
                episode.action_required = action_required;
            }
        } else {
            self.same_failure(fact, invoice, action_required);
            self.step(fact, Trigger::RenewalFailed);
        }
    }

    /// A further event of a running episode: it may have been learned earlier, or need the customer.
    fn same_failure(&mut self, fact: &Fact, invoice: &Invoice, action_required: bool) {
        if let Some(episode) = self.fold.episodes.last_mut().filter(|e| e.id == invoice.id.as_str()) {
            episode.learned = episode.learned.min(fact.received);
            if fact.at == episode.started {
                episode.action_required |= action_required;
            }
        }
    }

    fn side_failure(&mut self, fact: &Fact, invoice: &Invoice, action_required: bool) {
        if !self.excused()
            && self.fold.ended.is_none()
            && !self.fold.side_failures.iter().any(|s| s.invoice == invoice.id)
        {
            self.fold.side_failures.push(SideFailure {
                invoice: invoice.id.clone(),
                at: fact.at,
                learned: fact.received,
                settled: None,
                action_required,
                hosted_url: invoice.hosted_url.clone(),
                next_attempt: invoice.next_attempt,
                owed: Some((invoice.amount_due, invoice.currency.clone())),
            });
        }
        self.step(fact, Trigger::SideInvoiceFailed);
    }

    fn settle_side(&mut self, fact: &Fact, invoice: &Invoice) {
        for side in self.fold.side_failures.iter_mut().filter(|s| s.invoice == invoice.id && s.settled.is_none()) {
            side.settled = Some(fact.at);
        }
    }

    /// A sent invoice is late: for a renewal that is a failure.
    fn overdue(&mut self, fact: &Fact, invoice: &Invoice) {
        let seen = self.seen(invoice);
        if seen.paid.is_some() || seen.closed_unpaid || !seen.renews {
            return;
        }
        let items = self.licensed_items(fact.at);
        if !self.covered(fact.at, &items) && self.grace_may_start() {
            self.start_episode(fact, invoice.id.as_str().to_owned());
        }
    }

    /// The running episode keeps Stripe's newest word on when it tries again and where the customer can pay.
    fn keep_attempt(&mut self, invoice: &Invoice) {
        let Some(episode) = self.fold.episodes.last_mut().filter(|e| e.id == invoice.id.as_str()) else { return };
        episode.next_attempt = invoice.next_attempt;
        if invoice.hosted_url.is_some() {
            episode.hosted_url.clone_from(&invoice.hosted_url);
        }
        episode.owed = Some((invoice.amount_due, invoice.currency.clone()));
    }

    /// Open renewal invoices at the end of the walk: they keep a license alive for a while.
    pub(super) fn open_invoices(&mut self) {
        let invoices = std::mem::take(&mut self.invoices);
        for seen in invoices.values() {
            let open = seen.paid.is_none() && !seen.closed_unpaid && seen.failed.is_none() && seen.renews;
            if !open {
                continue;
            }
            if seen.due.is_some() {
                self.fold.sent_until = self.fold.sent_until.max(seen.due);
                continue;
            }
            for at in seen.finalized.into_iter().chain(seen.finalization_failed) {
                let margin = self.policy_at(at).processing_margin;
                self.fold.processing.push(at + margin);
            }
        }
        self.fold.processing.sort_unstable();
    }
}

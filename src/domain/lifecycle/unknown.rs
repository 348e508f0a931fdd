//! What Stripe could tell of a subscription that no event told: the rest of a cut list, and whether a first invoice is paid.

use super::course::Course;
use super::course::SPEAKS_AFTER;
use crate::domain::action::Question;
use crate::domain::fact::{InvoiceEvent, SubscriptionStatus};
use crate::domain::id::{InvoiceId, ItemKey};
use crate::domain::object::Invoice;
use crate::domain::object::invoice::InvoiceState;
use crate::domain::time::Timestamp;

impl Course<'_, '_> {
    /// Notes what is to be asked, and what it is about.
    pub(super) fn ask(&mut self) {
        let mut unknown = Vec::new();
        if let Some(version) = self
            .objects
            .subscription
            .newest()
            .filter(|v| !v.whole && self.life.ended.is_none())
        {
            let subscription = version.shown.id.clone();
            unknown.push(Question::SubscriptionItems {
                subscription,
                shown_at: version.at,
            });
            self.life.newcomers = self.newcomers();
        }
        unknown.extend(
            self.objects
                .invoices
                .values()
                .filter(|i| lines_are_cut(i))
                .map(question_for_lines),
        );
        unknown.extend(self.first_invoice().map(Question::FirstInvoice));
        self.life.unknown = unknown;
    }

    /// Items that the newest, cut version shows and the one before it did not have, where that had some which are not shown
    /// now.
    fn newcomers(&self) -> Option<(Timestamp, Vec<ItemKey>)> {
        let [.., before, newest] = self.objects.subscription.versions.as_slice() else {
            return None;
        };
        let had = |key: &ItemKey| before.items.iter().any(|i| i.key == *key);
        let shown = newest
            .shown
            .items
            .iter()
            .filter_map(|i| self.objects.subscription.items.key_of_item(i));
        let new: Vec<ItemKey> = shown.clone().filter(|key| !had(key)).cloned().collect();
        let hides = before
            .items
            .iter()
            .any(|i| !shown.clone().any(|key| *key == i.key));
        (hides && !new.is_empty()).then_some((newest.learned, new))
    }

    /// The first invoice of a subscription that is active while nobody told of its payment: the status alone proves none,
    /// and who waits for the event may wait for ever (rule 18). One that was not paid when Stripe was asked is asked
    /// for until it is.
    fn first_invoice(&self) -> Option<InvoiceId> {
        let subscription = &self.objects.subscription;
        let version = subscription
            .newest()
            .filter(|v| v.shown.status == SubscriptionStatus::Active)?;
        let id = version.shown.latest_invoice.clone()?;
        let known = self.objects.invoices.get(&id);
        let young = subscription
            .created()
            .is_some_and(|created| self.now < created + SPEAKS_AFTER);
        let unpaid = known.is_some_and(|i| i.shown.event == InvoiceEvent::Queried && i.is_first());
        let paid = known.is_some_and(|i| i.paid.is_some())
            || self.objects.sessions.values().any(|s| s.money);
        let asks = self.silent && !paid && (young || unpaid) && !version.shown.send_invoice;
        (asks && self.life.ended.is_none() && self.sells_at(version.at)).then_some(id)
    }
}

/// Whether an invoice has more lines than are shown, and what they are matters. A draft's may still change.
fn lines_are_cut(invoice: &Invoice<'_>) -> bool {
    !invoice.lines.lines_whole && !matches!(invoice.state, InvoiceState::Draft | InvoiceState::Void)
}

fn question_for_lines(invoice: &Invoice<'_>) -> Question {
    Question::InvoiceLines(invoice.shown.id.clone())
}

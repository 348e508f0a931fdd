//! Whom a machine belongs to and how to reach them, as its own facts tell.

use std::collections::BTreeSet;

use crate::domain::decision::Verb;
use crate::domain::fact::{Fact, FactBody, Wants};
use crate::domain::id::CustomerId;

/// Whom a machine belongs to. The customer's own record (`customer.updated`) goes before these when a mail is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The customer at Stripe; `None` for guests.
    pub customer: Option<CustomerId>,
    /// What the buyer typed in the checkout.
    pub session_email: Option<String>,
    /// The address on the newest invoice.
    pub invoice_email: Option<String>,
    /// The address that was typed beside the card, or that Stripe sends its receipt to: the last resort.
    pub charge_email: Option<String>,
    /// An address that a person set.
    pub decided_email: Option<String>,
    /// Where keys go instead (gifts, teams).
    pub deliver_to: Option<String>,
    /// The buyer's name.
    pub name: Option<String>,
    /// The checkout's language.
    pub locale: Option<String>,
}

impl Contact {
    pub(super) fn of(facts: &[&Fact]) -> Self {
        let mut contact = Self::default();
        for fact in facts {
            match &fact.body {
                FactBody::Session(s) => {
                    set(&mut contact.customer, s.customer.as_ref());
                    set(&mut contact.session_email, s.email.as_ref());
                    set(&mut contact.name, s.name.as_ref());
                    set(&mut contact.locale, s.locale.as_ref());
                    contact.wants(&s.wants);
                }
                FactBody::Subscription(s) => {
                    set(&mut contact.customer, s.customer.as_ref());
                    contact.wants(&s.wants);
                }
                FactBody::Invoice(i) => {
                    set(&mut contact.customer, i.customer.as_ref());
                    set(&mut contact.invoice_email, i.email.as_ref());
                    set(&mut contact.name, i.name.as_ref());
                    contact.wants(&i.wants);
                }
                FactBody::Decision(d) => {
                    // One that was erased is none.
                    if let Verb::Address { email } | Verb::Issue { email, .. } = &d.verb {
                        contact.decided_email = Some(email.clone()).filter(|e| !e.is_empty());
                    }
                }
                FactBody::Charge(c) => {
                    set(&mut contact.customer, c.customer.as_ref());
                    set(&mut contact.charge_email, c.email.as_ref());
                }
                FactBody::Payment(_)
                | FactBody::Refund(_)
                | FactBody::Dispute(_)
                | FactBody::FraudWarning(_)
                | FactBody::LineItems(_)
                | FactBody::Items(_) => {}
            }
        }
        contact
    }

    fn wants(&mut self, wants: &Wants) {
        set(&mut self.deliver_to, wants.deliver_to.as_ref());
    }

    /// The address for everything about payment, the customer's own record first.
    #[must_use]
    pub fn payer(&self, on_record: Option<&str>) -> Option<String> {
        let own = self.decided_email.clone();
        own.or_else(|| on_record.map(str::to_owned))
            .or_else(|| self.session_email.clone())
            .or_else(|| self.invoice_email.clone())
            .or_else(|| self.charge_email.clone())
    }

    /// The address for keys. What a person said goes before what the purchase's metadata says.
    #[must_use]
    pub fn key_holder(&self, on_record: Option<&str>) -> Option<String> {
        let own = self.decided_email.clone();
        own.or_else(|| self.deliver_to.clone())
            .or_else(|| self.payer(on_record))
    }
}

impl Contact {
    /// The addresses that the purchase has to do with at present: the payer's, and where keys go.
    #[must_use]
    pub fn addresses(&self, on_record: Option<&str>) -> BTreeSet<String> {
        let both = [self.payer(on_record), self.key_holder(on_record)];
        both.into_iter()
            .flatten()
            .map(|a| normal_address(&a))
            .collect()
    }

    /// What an address has to do with the purchase at present.
    #[must_use]
    pub fn holder(&self, address: &str, on_record: Option<&str>) -> Holder {
        let address = normal_address(address);
        let is = |other: Option<String>| other.is_some_and(|o| normal_address(&o) == address);
        Holder {
            holds_keys: is(self.key_holder(on_record)),
            pays: is(self.payer(on_record)),
        }
    }
}

/// An address as two spellings of it are compared: without blanks around it, in lower case.
#[must_use]
pub fn normal_address(address: &str) -> String {
    address.trim().to_lowercase()
}

/// What an address has to do with a purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Keys go there.
    pub holds_keys: bool,
    /// Whoever pays is written to there.
    pub pays: bool,
}

impl Holder {
    /// Whether it has anything to do with it.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.holds_keys || self.pays
    }
}

/// What is told later goes before what was told earlier; silence changes nothing.
fn set<T: Clone + PartialEq>(known: &mut Option<T>, told: Option<&T>) {
    if told.is_some() && known.as_ref() != told {
        *known = told.cloned();
    }
}

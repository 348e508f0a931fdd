//! Orders about a customer, as decisions about each of their purchases, also one to come: so they are kept, exported and
//! replayed like any other decision, and a purchase is judged by its own facts alone.

use super::decide::add_fact;
use super::decision::{Decision, Verb};
use super::fact::Fact;
use super::id::EventId;
use super::machine::Machine;
use super::standing::{Standing, StandingOrders};
use super::time::Timestamp;

/// Tells a purchase what was ordered for its customer and it does not know yet.
pub fn hear(machine: &mut Machine, orders: &StandingOrders, now: Timestamp) {
    if !orders.have_overrides() {
        return;
    }
    let Some(customer) = machine.customer().cloned() else {
        return;
    };
    let scope = machine.id.scope().clone();
    for (n, order) in orders.all().iter().enumerate() {
        let verb = match &order.what {
            Standing::Override {
                scope: of,
                customer: whom,
                values,
                until,
            } if *of == scope && *whom == customer => Verb::Override {
                values: values.clone(),
                until: *until,
            },
            Standing::EndOverride {
                scope: of,
                customer: whom,
            } if *of == scope && *whom == customer => Verb::EndOverride,
            Standing::Override { .. }
            | Standing::EndOverride { .. }
            | Standing::Observe { .. }
            | Standing::Live { .. }
            | Standing::Pause { .. }
            | Standing::Resume { .. }
            | Standing::OtherHandler { .. }
            | Standing::Alone { .. }
            | Standing::Adopted { .. }
            | Standing::Erased => continue,
        };
        let decision = Decision {
            verb,
            author: order.by.to_string(),
            reason: order.reason.clone(),
        };
        // Orders only ever join, so the number tells one from another of the same instant.
        let id = format!("ord_{}_{n}_{}", order.at.ms(), machine.id.object());
        let fact = Fact::decided(EventId::new(id), &decision, order.at, now);
        add_fact(machine, &fact);
    }
}

impl Machine {
    /// When the first thing was so that is told of it. What its customer has of their own may be older.
    #[must_use]
    pub fn first_told(&self) -> Option<Timestamp> {
        let of_its_own = self.facts.iter().filter(|f| !f.is_override());
        of_its_own.map(|f| f.at).min()
    }
}

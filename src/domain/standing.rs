//! Orders that hold for the whole shop until another one: observe mode, going live, a license service that is paused.
//!
//! They are decisions of people (or of the config, or of a restore) and are kept like all others: with author, reason and
//! instant, the newest on each matter counting.

mod forgettable;
mod live;
mod makers;

use std::fmt;

pub use live::WentLive;
use minicbor::{Decode, Encode};

use super::id::{CustomerId, PlanName, Scope, SourceName};
use super::policy_override::PolicyOverride;
use super::time::Timestamp;
use crate::domain::words::{Sentence, sentences};

sentences!(Standing, Author);

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Standing {
    /// Everything is decided and nothing is sent: for one plan, or for all.
    #[n(0)]
    Observe {
        /// The plan; `None`: the whole shop.
        #[n(0)]
        plan: Option<PlanName>,
    },
    /// What is decided is carried out: for one plan, or for all.
    #[n(1)]
    Live {
        /// The plan; `None`: the whole shop.
        #[n(0)]
        plan: Option<PlanName>,
    },
    /// Nothing is sent to a license service.
    #[n(2)]
    Pause {
        /// Its name, as in `authforge`.
        #[n(0)]
        service: String,
    },
    /// A paused service is asked again.
    #[n(3)]
    Resume {
        /// Its name.
        #[n(0)]
        service: String,
    },
    /// Another program makes licenses for a source's purchases: no key is made for them.
    #[n(4)]
    OtherHandler {
        /// The source.
        #[n(0)]
        source: SourceName,
    },
    /// No other program makes licenses for a source's purchases any more.
    #[n(5)]
    Alone {
        /// The source.
        #[n(0)]
        source: SourceName,
    },
    /// Purchases of a source that others had served were taken in.
    #[n(6)]
    Adopted {
        /// The source.
        #[n(0)]
        source: SourceName,
    },
    /// A customer has values of the policy of their own, for what happens from then on.
    #[n(7)]
    Override {
        /// Where the customer's id is known.
        #[n(0)]
        scope: Scope,
        /// The customer.
        #[n(1)]
        customer: CustomerId,
        /// The values.
        #[n(2)]
        values: PolicyOverride,
        /// Until when; `None`: until it is ended.
        #[n(3)]
        until: Option<Timestamp>,
    },
    /// A customer's overrides end.
    #[n(8)]
    EndOverride {
        /// Where the customer's id is known.
        #[n(0)]
        scope: Scope,
        /// The customer.
        #[n(1)]
        customer: CustomerId,
    },
    /// An order about a customer who was erased since. It holds for nobody, and keeps its place: purchases know each order
    /// about their customer by its number.
    #[n(9)]
    Erased,
}

/// What an order is about. On each matter the newest one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matter<'a> {
    /// Whether anything is sent, for a plan or for all.
    Mode(Option<&'a PlanName>),
    /// Whether a license service is asked.
    Service(&'a str),
    /// Who makes licenses for a source's purchases.
    Makers(&'a SourceName),
    /// When a source's purchases were taken in.
    Adoption(&'a SourceName),
    /// What a customer has of their own. Each of them counts, not the newest alone.
    Policy(&'a Scope, &'a CustomerId),
    /// Nothing any more.
    Nothing,
}

impl Standing {
    /// What it is about.
    fn matter(&self) -> Matter<'_> {
        match self {
            Self::Observe { plan } | Self::Live { plan } => Matter::Mode(plan.as_ref()),
            Self::Pause { service } | Self::Resume { service } => Matter::Service(service),
            Self::OtherHandler { source } | Self::Alone { source } => Matter::Makers(source),
            Self::Adopted { source } => Matter::Adoption(source),
            Self::Override {
                scope, customer, ..
            }
            | Self::EndOverride { scope, customer } => Matter::Policy(scope, customer),
            Self::Erased => Matter::Nothing,
        }
    }

    /// Whether it holds something back, as long as it is the newest on its matter.
    const fn holds_back(&self) -> bool {
        match self {
            Self::Observe { .. } | Self::Pause { .. } | Self::OtherHandler { .. } => true,
            Self::Live { .. }
            | Self::Resume { .. }
            | Self::Alone { .. }
            | Self::Adopted { .. }
            | Self::Override { .. }
            | Self::EndOverride { .. }
            | Self::Erased => false,
        }
    }
}

/// An order with whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
pub struct StandingOrder {
    /// The order.
    #[n(0)]
    #[serde(flatten)]
    pub what: Standing,
    /// The person or program that ordered it.
    #[n(1)]
    pub by: Author,
    /// The reason that was given.
    #[n(2)]
    pub reason: String,
    /// The instant.
    #[n(3)]
    pub at: Timestamp,
}

/// Who gives an order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// A person, by name.
    #[n(0)]
    Person(#[n(0)] String),
    /// The config's `mode`, when it was first loaded or has changed.
    #[n(1)]
    Config,
    /// A store that was restored from a backup.
    #[n(2)]
    Restore,
    /// What was seen at the license service, or done by a command.
    #[n(3)]
    Keyward,
}

/// All orders, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StandingOrders(#[n(0)] Vec<StandingOrder>);

impl StandingOrders {
    /// Every one.
    #[must_use]
    pub fn all(&self) -> &[StandingOrder] {
        &self.0
    }

    /// Adds the newest.
    pub fn add(&mut self, order: StandingOrder) {
        self.0.push(order);
    }

    /// Takes a customer out who is erased: of orders about them only when and by whom they were given stays.
    pub fn forget_customer(&mut self, of: &Scope, whom: &CustomerId) {
        for order in &mut self.0 {
            if order.what.matter() == Matter::Policy(of, whom) {
                (order.what, order.reason) = (Standing::Erased, String::new());
            }
        }
    }

    /// The newest order on a matter, where it holds something back.
    fn holding(&self, is_meant: impl Fn(&Matter<'_>) -> bool) -> Option<&StandingOrder> {
        let newest = self.0.iter().rev().find(|o| is_meant(&o.what.matter()));
        newest.filter(|o| o.what.holds_back())
    }

    /// The order by which a plan is only observed; `None`: it is live. A license without a plan follows the whole shop.
    #[must_use]
    pub fn observes(&self, plan: Option<&PlanName>) -> Option<&StandingOrder> {
        let concerns = |of: &Option<&PlanName>| of.is_none() || *of == plan;
        self.holding(|matter| matches!(matter, Matter::Mode(of) if concerns(of)))
    }

    /// Whether anything at all is only observed.
    #[must_use]
    pub fn observes_anything(&self) -> bool {
        let of_plan = |o: &StandingOrder| matches!(&o.what, Standing::Observe { plan: Some(plan) } if self.observes(Some(plan)).is_some());
        self.observes(None).is_some() || self.0.iter().any(of_plan)
    }

    /// Whether anything at all is held: observed, or of a paused service.
    #[must_use]
    pub fn hold_anything(&self) -> bool {
        let paused = |o: &StandingOrder| matches!(&o.what, Standing::Pause { service } if self.paused(service).is_some());
        self.observes_anything() || self.0.iter().any(paused) || self.is_any_shared()
    }

    /// The order by which a license service is paused.
    #[must_use]
    pub fn paused(&self, name: &str) -> Option<&StandingOrder> {
        self.holding(|matter| *matter == Matter::Service(name))
    }

    /// The order by which no key is made for a source's purchases, because another program makes them.
    #[must_use]
    pub fn other_handler(&self, of: &SourceName) -> Option<&StandingOrder> {
        self.holding(|matter| *matter == Matter::Makers(of))
    }

    /// Sources for whose purchases another program makes licenses, each with when that was seen.
    pub fn shared(&self) -> impl Iterator<Item = (&SourceName, &StandingOrder)> {
        let counts = |source: &SourceName, order| self.other_handler(source) == Some(order);
        self.0
            .iter()
            .filter_map(move |order| match order.what.matter() {
                Matter::Makers(source) => counts(source, order).then_some((source, order)),
                Matter::Mode(_)
                | Matter::Service(_)
                | Matter::Adoption(_)
                | Matter::Policy(..)
                | Matter::Nothing => None,
            })
    }

    fn is_any_shared(&self) -> bool {
        self.shared().next().is_some()
    }

    /// Whether any customer ever had values of the policy of their own.
    #[must_use]
    pub fn have_overrides(&self) -> bool {
        let is = |o: &StandingOrder| matches!(o.what, Standing::Override { .. });
        self.0.iter().any(is)
    }

    /// Whether an adoption of a source that began at an instant is on record.
    #[must_use]
    pub fn has_adopted(&self, of: &SourceName, since: Timestamp) -> bool {
        let is = |o: &StandingOrder| {
            o.at >= since && matches!(&o.what, Standing::Adopted { source } if source == of)
        };
        self.0.iter().any(is)
    }

    /// What the config's `mode` last ordered: it counts again only when it is changed.
    #[must_use]
    pub fn by_config(&self) -> Option<&Standing> {
        let newest = self.0.iter().rev().find(|o| o.by == Author::Config);
        newest.map(|o| &o.what)
    }
}

impl Sentence for Standing {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe { plan: None } => f.write_str("observe: nothing is sent"),
            Self::Observe { plan: Some(plan) } => {
                write!(f, "observe plan {plan}: nothing is sent for it")
            }
            Self::Live { plan: None } => f.write_str("live: what is decided is carried out"),
            Self::Live { plan: Some(plan) } => {
                write!(f, "plan {plan} live: what is decided for it is carried out")
            }
            Self::Pause { service } => write!(f, "{service} paused: nothing is sent to it"),
            Self::Resume { service } => write!(f, "{service} resumed"),
            Self::OtherHandler { source } => write!(
                f,
                "{source}: another program makes licenses; no key is made for its purchases"
            ),
            Self::Alone { source } => {
                write!(
                    f,
                    "{source}: no other program makes licenses; keys are made again"
                )
            }
            Self::Adopted { source } => write!(f, "{source}: purchases of others were taken in"),
            Self::Override {
                scope,
                customer,
                values,
                until,
            } => {
                write!(f, "{scope}/{customer} has of their own: {values}")?;
                until.map_or(Ok(()), |until| write!(f, ", until {until}"))
            }
            Self::EndOverride { scope, customer } => {
                write!(f, "{scope}/{customer} has nothing of their own any more")
            }
            Self::Erased => f.write_str("an order about a customer who was erased"),
        }
    }
}

impl Sentence for Author {
    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person(name) if name.is_empty() => "somebody",
            Self::Person(name) => name,
            Self::Config => "the config",
            Self::Restore => "a restore",
            Self::Keyward => "Keyward",
        })
    }
}

#[cfg(test)]
mod tests;

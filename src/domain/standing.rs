//! Orders that hold for the whole shop until another one: observe mode, going live, a license service that is paused.
//!
//! They are decisions of people (or of the config, or of a restore) and are kept like all others: with author, reason and
//! instant, the newest on each matter counting.

use std::fmt;

use minicbor::{Decode, Encode};

use super::id::PlanName;
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
}

/// An order with whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, serde::Serialize, serde::Deserialize)]
pub struct StandingOrder {
    /// What.
    #[n(0)]
    #[serde(flatten)]
    pub what: Standing,
    /// Who.
    #[n(1)]
    pub by: Author,
    /// Why.
    #[n(2)]
    pub reason: String,
    /// When.
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

    /// The order by which a plan is only observed; `None`: it is live. A license without a plan follows the whole shop.
    #[must_use]
    pub fn observes(&self, plan: Option<&PlanName>) -> Option<&StandingOrder> {
        let concerns = |of: &Option<PlanName>| of.as_ref().is_none_or(|of| Some(of) == plan);
        let newest = self.0.iter().rev().find(|o| match &o.what {
            Standing::Observe { plan } | Standing::Live { plan } => concerns(plan),
            Standing::Pause { .. } | Standing::Resume { .. } => false,
        });
        newest.filter(|o| matches!(o.what, Standing::Observe { .. }))
    }

    /// Whether anything at all is only observed.
    #[must_use]
    pub fn observes_anything(&self) -> bool {
        self.observes(None).is_some()
            || self.0.iter().any(|o| match &o.what {
                Standing::Observe { plan: Some(plan) } => self.observes(Some(plan)).is_some(),
                Standing::Observe { plan: None }
                | Standing::Live { .. }
                | Standing::Pause { .. }
                | Standing::Resume { .. } => false,
            })
    }

    /// Whether anything at all is held: observed, or of a paused service.
    #[must_use]
    pub fn hold_anything(&self) -> bool {
        let paused = |o: &StandingOrder| matches!(&o.what, Standing::Pause { service } if self.paused(service).is_some());
        self.observes_anything() || self.0.iter().any(paused)
    }

    /// When a plan, or the whole shop, last went live: what was sold before may have got its license from somebody else.
    #[must_use]
    pub fn live_since(&self) -> Option<Timestamp> {
        let live = |o: &&StandingOrder| matches!(o.what, Standing::Live { .. });
        self.0.iter().filter(live).map(|o| o.at).max()
    }

    /// The order by which a license service is paused.
    #[must_use]
    pub fn paused(&self, name: &str) -> Option<&StandingOrder> {
        let newest = self.0.iter().rev().find(|o| match &o.what {
            Standing::Pause { service } | Standing::Resume { service } => service == name,
            Standing::Observe { .. } | Standing::Live { .. } => false,
        });
        newest.filter(|o| matches!(o.what, Standing::Pause { .. }))
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
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(given: &[Standing]) -> StandingOrders {
        let mut orders = StandingOrders::default();
        for (at, what) in (1..).zip(given) {
            orders.add(StandingOrder {
                what: what.clone(),
                by: Author::Person("ada".to_owned()),
                reason: String::new(),
                at: Timestamp::from_s(at),
            });
        }
        orders
    }

    fn observe(plan: Option<&str>) -> Standing {
        let plan = plan.map(PlanName::from);
        Standing::Observe { plan }
    }

    fn live(plan: Option<&str>) -> Standing {
        let plan = plan.map(PlanName::from);
        Standing::Live { plan }
    }

    #[test]
    fn the_newest_order_about_a_plan_counts() {
        for (given, pro, other) in [
            (vec![], false, false),
            (vec![observe(None)], true, true),
            (vec![observe(None), live(Some("pro"))], false, true),
            (
                vec![observe(None), live(Some("pro")), observe(None)],
                true,
                true,
            ),
            (
                vec![observe(None), live(None), observe(Some("pro"))],
                true,
                false,
            ),
        ] {
            let orders = orders(&given);
            assert_eq!(
                orders.observes(Some(&PlanName::from("pro"))).is_some(),
                pro,
                "{given:?}"
            );
            assert_eq!(orders.observes(None).is_some(), other, "{given:?}");
            assert_eq!(orders.observes_anything(), pro || other, "{given:?}");
        }
    }

    #[test]
    fn a_service_is_paused_until_it_is_resumed() {
        let pause = |service: &str| Standing::Pause {
            service: service.to_owned(),
        };
        let resume = Standing::Resume {
            service: "authforge".to_owned(),
        };
        let orders = orders(&[pause("authforge"), pause("embedded"), resume]);
        assert!(orders.paused("authforge").is_none());
        assert_eq!(orders.paused("embedded").map(|o| o.at.s()), Some(2));
    }

    #[test]
    fn it_went_live_when_its_last_plan_did() {
        let orders = orders(&[
            observe(None),
            live(Some("pro")),
            live(None),
            observe(Some("pro")),
        ]);
        assert_eq!(orders.live_since(), Some(Timestamp::from_s(3)));
    }
}

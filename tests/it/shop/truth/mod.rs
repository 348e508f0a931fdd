//! What each customer may use until when, read from Stripe's own truth and the policy; written from the rules alone.
//!
//! Where the rules leave several answers open, the oracle says so, and the campaign counts how often.

mod chain;
mod cover;
mod decided;
mod ending;
mod episode;
mod lived;
mod mails;
mod money;
mod once;
mod restored;
mod subscription;
mod undecided;

use super::calendar::Time;
use super::script::{Delivery, Shop};
use super::stripe::{Bought, Stripe};

/// What one machine should show.
#[derive(Debug)]
pub(crate) struct Expect {
    pub(crate) machine: String,
    pub(crate) seats: Vec<Seat>,
    /// Events come late: what no longer works may never have been made.
    pub(crate) late: bool,
    /// How many licenses were ever made, at least and at most.
    pub(crate) created: Option<(u64, u64)>,
    /// Mails by kind, at least and at most.
    pub(crate) mails: Vec<Mail>,
}

/// So many mails of some kinds together.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) kinds: &'static [&'static str],
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) rule: &'static str,
}

/// One license.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// The plan; none: not judged.
    pub(crate) plan: Option<&'static str>,
    /// Its devices; none: not judged.
    pub(crate) devices: Option<u64>,
    pub(crate) want: Want,
    /// The rule that decided.
    pub(crate) rule: &'static str,
    /// It may never have been made (rule 5).
    pub(crate) unmade: bool,
}

/// What a license should be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Want {
    /// Live, until one of these (none: for life).
    Live(Vec<Option<Time>>),
    /// Live, and at least until then.
    LiveFrom(Time),
    /// It exists, with one of these words.
    Stopped(&'static [&'static str]),
    /// It was never made.
    Nothing,
    /// The rules leave it open, because.
    Open(&'static str),
}

impl Want {
    pub(crate) fn until(at: Time) -> Self {
        Self::Live(vec![Some(at)])
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_) | Self::LiveFrom(_))
    }
}

/// A moment of a shop.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) stripe: &'a Stripe,
    pub(crate) policy: &'a super::policy::Policy,
    pub(crate) delivery: &'a Delivery,
    pub(crate) at: Time,
}

/// What every machine of a shop should show at an instant at which everything that happened is known.
pub(crate) fn expect(shop: &Shop, stripe: &Stripe, at: Time) -> Vec<Expect> {
    let moment = Moment {
        stripe,
        policy: &shop.policy,
        delivery: &shop.delivery,
        at,
    };
    let of = |bought: &Bought| match bought {
        Bought::Sub(s) => (stripe.subs[*s].created <= at).then(|| subscription::expect(moment, *s)),
        Bought::Session(x) => (stripe.sessions[*x].created <= at).then(|| once::expect(moment, *x)),
    };
    let former = stripe.former.iter().map(|s| Bought::Sub(*s));
    stripe
        .bought
        .values()
        .copied()
        .chain(former)
        .filter_map(|bought| of(&bought))
        .collect()
}

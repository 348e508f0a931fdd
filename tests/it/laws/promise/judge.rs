//! Compares what the customers of two runs of one shop could use, at every instant at which anything changed.
//!
//! Counted per customer: how many of their licenses work at the license service. One is *taken early* when the troubled run
//! has fewer of them than the calm one, though it has made as many, for ten minutes or longer, and
//!
//! * while the trouble lasts (and three hours after it, in which what was missed is made up for): one was stopped, revoked or
//!   shortened since it began. What ran out by its own end, because nobody could extend it, is counted apart;
//! * afterwards: whatever the reason. Only what a person was shown (an action refused or held, a report) is counted apart.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;

use keyward::domain::action::{Act, Action, ActionOutcome};
use keyward::domain::fact::{Fact, Invoice};
use keyward::domain::hold::Cleared;
use keyward::domain::lifecycle::Kind;
use keyward::domain::machine::Machine;
use keyward::domain::time::{Span, Timestamp};

use super::service::{Kept, Licenses};

/// Two runs may be so far apart in a single act: a look before a create takes a while.
const APART: Span = Span::from_minutes(10);

/// How often each thing was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) BTreeMap<String, u64>);

impl Seen {
    pub(crate) fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, n) in &other.0 {
            *self.0.entry(what.clone()).or_default() += n;
        }
    }

    pub(crate) fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

/// The time that is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// When the trouble began.
    pub(crate) began: Timestamp,
    /// Until when it is being made up for.
    pub(crate) over: Timestamp,
    /// When the comparison ends.
    pub(crate) end: Timestamp,
    /// Whether what happened before is not known: then nothing is given that no payment was told of since.
    pub(crate) untold: bool,
    /// Whether it is known as Stripe lists it: of the time that is paid for everything, of trials that are over, or of when
    /// a pause began, not.
    pub(crate) listed: bool,
    /// Whether the store begins beside licenses of others that it does not take in: of several of one customer, of which one
    /// was given up, which is whose is a guess (docs/operating.md, *Where it ends*).
    pub(crate) guesses: bool,
    /// Whether a person said yes to whatever was held: what that stopped is the person's.
    pub(crate) agreed: bool,
}

/// The customer of each license, by the object that its label names.
struct Owners(BTreeMap<String, String>);

impl Owners {
    fn of(machines: &[&[Machine]]) -> Self {
        let all = machines.iter().flat_map(|m| m.iter());
        let pair = |m: &Machine| Some((m.object().to_string(), m.customer()?.to_string()));
        Self(all.filter_map(pair).collect())
    }

    fn owner(&self, kept: &Kept) -> String {
        let label = kept.license.label.as_ref().map_or("", |l| l.as_str());
        let object = label.split(' ').nth(2).unwrap_or(label).to_owned();
        self.0.get(&object).cloned().unwrap_or(object)
    }

    fn machines<'m>(&self, owner: &str, machines: &'m [Machine]) -> Vec<&'m Machine> {
        let is = |m: &&Machine| {
            let object = m.object().to_string();
            self.0.get(&object).map_or(object.as_str(), String::as_str) == owner
        };
        machines.iter().filter(is).collect()
    }
}

/// Whether something about a purchase waits for a person at an instant.
fn is_listed(machine: &Machine, at: Timestamp) -> bool {
    let waits = |a: &Action| match a.outcome {
        ActionOutcome::Refused | ActionOutcome::Held | ActionOutcome::Abandoned => true,
        // What is held no more, because something else was told meanwhile, was listed until then.
        ActionOutcome::Superseded => a.held.is_some() && a.at >= at,
        ActionOutcome::Pending | ActionOutcome::Done => false,
    };
    let mut asked = machine.actions.iter();
    asked.any(|a| !matches!(a.act, Act::Query(_)) && waits(a))
        || machine.held.is_some()
        || !machine.told.is_empty()
}

/// Whether anything of a purchase was known at an instant. One that renews within a day is taken in by a later run, and its
/// license has its own end until then.
fn is_here(machine: &Machine, at: Timestamp) -> bool {
    machine.facts.iter().any(|f| f.received <= at)
}

/// Whether a person said yes to something that stops a license of a purchase, or takes time of it.
fn was_agreed(machine: &Machine) -> bool {
    let stops = |act: &Act| {
        matches!(
            act,
            Act::Suspend { .. } | Act::Revoke { .. } | Act::SetExpiry { .. }
        )
    };
    let agreed = |a: &Action| matches!(a.cleared, Some(Cleared::Person { .. }));
    machine.actions.iter().any(|a| stops(&a.act) && agreed(a))
}

/// Compares. What was seen, or the first license that was taken early.
pub(crate) fn compare(
    calm: (&Licenses, &[Machine]),
    troubled: (&Licenses, &[Machine]),
    time: Judged,
) -> Result<Seen, String> {
    let owners = Owners::of(&[calm.1, troubled.1]);
    let mut of: BTreeMap<String, [Vec<&Kept>; 2]> = BTreeMap::new();
    for (n, licenses) in [calm.0, troubled.0].into_iter().enumerate() {
        for kept in licenses.all.values() {
            of.entry(owners.owner(kept)).or_default()[n].push(kept);
        }
    }
    let (mut seen, calm_machines) = (Seen::default(), calm.1);
    for (owner, [calm, troubled_ones]) in &of {
        let machines = [
            owners.machines(owner, calm_machines),
            owners.machines(owner, troubled.1),
        ];
        one_owner((calm, troubled_ones), &machines, time, &mut seen)
            .map_err(|why| format!("{owner}: {why}"))?;
    }
    Ok(seen)
}

fn one_owner(
    (calm, troubled): (&[&Kept], &[&Kept]),
    [in_calm, machines]: &[Vec<&Machine>; 2],
    time: Judged,
    seen: &mut Seen,
) -> Result<(), String> {
    let agreed = time.agreed && machines.iter().any(|m| was_agreed(m));
    let given_up = |k: &&Kept| k.at(time.began).is_some() && !k.works(time.began);
    let works = |of: &[&Kept], at| of.iter().filter(|k| k.works(at)).count();
    let made = |of: &[&Kept], at| of.iter().filter(|k| k.at(at).is_some()).count();
    let missing = |at| {
        let unmade = made(calm, at).saturating_sub(made(troubled, at));
        works(calm, at).saturating_sub(works(troubled, at) + unmade)
    };
    if works(calm, time.began) > 0 && time.end > time.over && works(calm, time.over) > 0 {
        seen.count("a customer who pays before and after");
    }
    for at in instants(calm, troubled, time) {
        if missing(at) == 0 || (at + APART <= time.end && missing(at + APART) == 0) {
            continue;
        }
        let since = |k: &Kept| k.taken(at).is_some_and(|t| t >= time.began);
        // What was stopped in the calm run too is not what is missing.
        let same = |k: &Kept, of: &Kept| k.license.label == of.license.label;
        let stopped = |of: &Kept| calm.iter().any(|k| same(k, of) && !k.works(at));
        let mut gone = troubled.iter().filter(|k| !k.works(at));
        let taken = gone.any(|k| since(k) && !stopped(k));
        let listed = machines.iter().any(|m| is_listed(m, at));
        if time.guesses && calm.len() > 1 && calm.iter().any(given_up) {
            seen.count("one of several was given up before");
        } else if taken && agreed {
            seen.count("stopped by a person's yes");
        } else if (time.listed || time.untold) && !is_paid(in_calm, at, ..) {
            seen.count("stopped or ran out, and nothing was paid for that time");
        } else if time.listed && !taken && machines.iter().all(|m| !is_here(m, at)) {
            seen.count("ran out before it was taken in, near its renewal");
        } else if at < time.over && !taken {
            seen.count("ran out, or was not brought back, while the trouble lasted");
        } else if !taken && time.untold && !is_paid(machines, at, time.began..=at) {
            seen.count("ran out, and no payment for it was told");
        } else if at >= time.over && listed && !taken {
            seen.count("ran out later, and a person was shown why");
        } else {
            let how = if taken { "taken" } else { "ran out" };
            return Err(format!(
                "at {at} {} of {} licenses are missing ({how}, listed: {listed})\n  calm: {}\n  troubled: {}",
                missing(at),
                works(calm, at),
                told(calm),
                told(troubled)
            ));
        }
    }
    Ok(())
}

/// Whether a payment for an instant was told in a time: of money, for who has all of it for nothing pays nothing.
fn is_paid(machines: &[&Machine], at: Timestamp, told: impl RangeBounds<Timestamp>) -> bool {
    let bills = |i: &Invoice| {
        i.lines
            .iter()
            .any(|l| l.start <= at && at < l.end && l.amount >= 0 && l.quantity != Some(0))
    };
    // What is bought once has no period.
    let once = |m: &Machine| m.kind == Kind::Payment;
    let pays = |m: &Machine, f: &Fact| {
        let for_then = f
            .invoice()
            .is_some_and(|i| i.paid && i.total > 0 && bills(i));
        told.contains(&f.received) && (once(m) || for_then)
    };
    machines.iter().any(|m| m.facts.iter().any(|f| pays(m, f)))
}

fn instants(calm: &[&Kept], troubled: &[&Kept], time: Judged) -> BTreeSet<Timestamp> {
    let steps = calm.iter().chain(troubled).flat_map(|k| &k.steps);
    let each = steps.flat_map(|s| [Some(s.at), s.expires_at].into_iter().flatten());
    each.chain([time.over])
        .filter(|at| (time.began..time.end).contains(at))
        .collect()
}

fn told(of: &[&Kept]) -> String {
    let step = |s: &super::service::Step| {
        let end = s
            .expires_at
            .map_or("for life".to_owned(), |t| t.to_string());
        format!("\n    {} {:?} until {end}", s.at, s.status)
    };
    let one = |k: &&Kept| {
        let label = k.license.label.as_ref().map_or("", |l| l.as_str());
        let steps: String = k.steps.iter().map(step).collect();
        format!("\n  {label}{steps}")
    };
    of.iter().map(one).collect()
}

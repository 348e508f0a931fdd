//! What must hold at every instant, and how often each part of it was judged.

use keyward::domain::action::{Action, ActionOutcome};
use keyward::domain::entitlement::{SeatDue, Want, Why};
use keyward::domain::extension;
use keyward::domain::lifecycle::payment::PaymentState as P;
use keyward::domain::lifecycle::{Kind, Life, State, fold};
use keyward::domain::machine::Machine;
use keyward::engine::read::view;
use keyward::sim::{ReplayReport, Simulation};

/// How often each law was judged that holds only under a condition: one that never is proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judged {
    /// Live licenses against seats: while nothing is under way.
    pub(super) seats: u64,
    /// The same where a license had moved to another machine, which excuses it.
    pub(super) moved: u64,
    /// A refunded purchase has no license that works.
    pub(super) refunded: u64,
    /// A running grace is as long as promised.
    pub(super) grace: u64,
}

impl Judged {
    pub(super) fn add(&mut self, other: Self) {
        self.seats += other.seats;
        self.moved += other.moved;
        self.refunded += other.refunded;
        self.grace += other.grace;
    }
}

/// What must hold at every instant, whatever was heard in whatever order.
pub(super) fn lawful(world: &Simulation, name: &str) -> Judged {
    let mut judged = Judged::default();
    view::machines(&world.store, |m| {
        assert_eq!(m.check(), Ok(()), "{name}: {}", m.id);
        assert_eq!(m.held, None, "{name}: {}", m.id);
        judged.add(lawful_machine(world, name, &m));
        true
    })
    .unwrap();
    judged
}

fn lawful_machine(world: &Simulation, name: &str, m: &Machine) -> Judged {
    let (now, id) = (world.now, &m.id);
    let mut judged = Judged::default();
    let folded = fold(m.kind, &m.facts, &world.rules.revisions, now);
    let due = view::seats(m, &world.rules, now);
    let live = m.grants.iter().filter(|g| g.live_at(now)).count();
    let pending = |a: &Action| a.outcome == ActionOutcome::Pending;
    let busy = m.actions.iter().any(pending);
    if !busy && !m.moved_out.is_empty() {
        judged.moved += 1;
    }
    if !busy && m.moved_out.is_empty() {
        judged.seats += 1;
        // rule 55: a seat that extends another purchase's license has none of its own.
        let elsewhere = |s: &SeatDue| m.extends().any(|e| e.is_of(s));
        let asks = extension::asks(m, &folded, &due, &world.rules.revisions, &[], now);
        let seats = due.seats.iter().filter(|s| s.want.live_at(now));
        let seats = seats.filter(|s| !elsewhere(s) && asks.is_empty()).count();
        let told = || keyward::sim::timeline::text(&ReplayReport::of(world).unwrap());
        // While not all of the purchase is known, a license may stand for what is not known any better.
        let right = if due.complete {
            live == seats
        } else {
            live >= seats
        };
        assert!(
            right,
            "{name}: {id} at {now}: {live} live licenses for {seats} seats\n{}",
            told()
        );
    }
    let refunded = matches!(folded.state, Some(State::Payment(P::Refunded)));
    if refunded
        && !busy
        && m.kind == Kind::Payment
        && !name.starts_with("refund-kept")
        && m.extensions.is_empty()
    {
        judged.refunded += 1;
        assert_eq!(live, 0, "{name}: {id} is refunded and works");
    }
    let made = |a: &&Action| a.attempts > 0 && a.act.key().is_none();
    let mut numbers: Vec<u32> = m.actions.iter().filter(made).map(|a| a.license).collect();
    numbers.sort_unstable();
    let once = numbers.windows(2).all(|w| w[0] != w[1]);
    assert!(once, "{name}: {id}: one number for two licenses");
    if let Life::Subscription(sub) = &folded.life
        && let Some(episode) = sub.open_episode().filter(|e| e.lapsed.is_none())
    {
        judged.grace += 1;
        let promised =
            |w: Want| matches!(w, Want::Live { until } if until.is_none_or(|u| u >= episode.ends));
        let unpaid = |s: &&SeatDue| matches!(s.why, Why::Due | Why::Grace) && !promised(s.want);
        let short = due.seats.iter().find(unpaid);
        assert!(
            short.is_none(),
            "{name}: {id}: less grace than promised, {} for {short:?}",
            episode.ends
        );
    }
    judged
}

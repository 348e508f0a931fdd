//! What of one purchase waits for a person.

use super::sold::prices;
use super::{ActionAttention, Attention, Concern};
use crate::domain::action::{Act, Action, ActionOutcome, Question, RefusalScope};
use crate::domain::adoption::may_have_key;
use crate::domain::fact::{Fact, FactBody, SubscriptionStatus};
use crate::domain::finding::{Finding, Report};
use crate::domain::guard::name_of;
use crate::domain::hold::Hold;
use crate::domain::lifecycle::{State, subscription};
use crate::domain::machine::{Grant, Machine};
use crate::domain::notice::Notice;
use crate::domain::time::Timestamp;

/// What of a purchase waits for a person at an instant, the oldest first. Nothing is folded: it is read off the record.
#[must_use]
pub fn of_machine(machine: &Machine, now: Timestamp) -> Vec<Attention> {
    let settled = settled_at(machine);
    let since_settled = |at: Timestamp| settled.is_none_or(|settled| settled < at);
    let mut out: Vec<Attention> = Vec::new();
    if let Some(flaw) = machine.held {
        let report = machine
            .told
            .iter()
            .find(|r| r.finding == Finding::Held(flaw));
        let since = report.or(machine.told.last()).map_or(now, |r| r.at);
        let machine = machine.id.clone();
        out.push(Attention {
            since,
            concern: Concern::MachineHeld { machine, flaw },
        });
    }
    out.extend(
        machine
            .actions
            .iter()
            .filter_map(|a| action(machine, a, now)),
    );
    let notices = machine.notices.iter().filter(|n| since_settled(n.at));
    out.extend(notices.filter_map(|n| notice(machine, n)));
    let told = machine.told.iter().filter(|r| since_settled(r.at));
    out.extend(told.filter_map(|r| found(machine, r)));
    out.sort_by_key(|attention| attention.since);
    out
}

/// When a person last decided something about the purchase: what was reported until then has been looked at.
fn settled_at(machine: &Machine) -> Option<Timestamp> {
    let decisions = machine.facts.iter().filter(|f| f.decision().is_some());
    decisions.map(|f| f.at).max()
}

fn action(machine: &Machine, action: &Action, now: Timestamp) -> Option<Attention> {
    let lacks_access = action.refused == Some(RefusalScope::Access);
    // A check waits for its instant by design.
    if matches!(action.act, Act::Read { .. }) && !lacks_access {
        return None;
    }
    let named = || ActionAttention {
        machine: machine.id.clone(),
        number: action.id,
        act: name_of(machine, action, now),
        creates: action.act.creates(),
        lacks_access,
        lost: Some(action.license).filter(|_| {
            let refused = action.outcome == ActionOutcome::Refused && !lacks_access;
            refused && matches!(action.act, Act::Reinstate { .. })
        }),
        why: action.why(),
        meant: may_have_key(machine, action),
    };
    let concern = match action.outcome {
        ActionOutcome::Refused => Concern::RefusedAction(named()),
        ActionOutcome::Held => match &action.held {
            // It ends by itself, or with what was ordered for the whole shop.
            Some(
                Hold::TimeNotTrusted(_) | Hold::Observed | Hold::Paused { .. } | Hold::OtherHandler,
            )
            | None => {
                return None;
            }
            Some(
                hold @ (Hold::Person { .. }
                | Hold::Guard
                | Hold::Adoption
                | Hold::BeginningUnknown
                | Hold::OtherService { .. }),
            ) => Concern::HeldAction {
                action: named(),
                hold: hold.clone(),
                awaiting: None,
            },
        },
        ActionOutcome::Pending if brings_key(machine, &action.act) => {
            let is_late = action.is_late(now) || lacks_access;
            if machine.held.is_some() || !is_late {
                return None;
            }
            Concern::PaidWithoutKey {
                machine: machine.id.clone(),
                action: action.id,
                why: action.why(),
                old_works: old_works(machine, &action.act, now),
            }
        }
        ActionOutcome::Pending if lacks_access => Concern::RefusedAction(named()),
        ActionOutcome::Pending
        | ActionOutcome::Done
        | ActionOutcome::Superseded
        | ActionOutcome::Abandoned => return None,
    };
    Some(Attention {
        since: action.at,
        concern,
    })
}

/// Whether a key waits for this: its own making, or a question without whose answer nothing is handed out.
fn brings_key(machine: &Machine, act: &Act) -> bool {
    act.creates()
        || machine.grants.is_empty()
            && matches!(
                act.question(),
                Some(Question::LineItems(_) | Question::FirstInvoice(_))
            )
}

/// Whether a license is to be made in the place of one that works until it is there.
fn old_works(machine: &Machine, act: &Act, now: Timestamp) -> bool {
    let of_seat = |g: &Grant| {
        let new = act.new_license();
        new.is_some_and(|new| new.seat == g.seat) && g.live_at(now) && !g.is_left()
    };
    machine.grants.iter().any(of_seat)
}

fn notice(machine: &Machine, notice: &Notice) -> Option<Attention> {
    // A person named another address, or the customer did.
    if !notice.reached_nobody(machine) {
        return None;
    }
    let (machine_id, kind) = (machine.id.clone(), notice.kind);
    let concern = match notice.undelivered() {
        Some(how) => Concern::Undeliverable {
            machine: machine_id,
            kind,
            how,
            why: notice.error.clone(),
        },
        None => Concern::NoAddress {
            machine: machine_id,
            kind,
        },
    };
    Some(Attention {
        since: notice.at,
        concern,
    })
}

fn found(machine: &Machine, report: &Report) -> Option<Attention> {
    report.finding.attention()?;
    if is_over(machine, &report.finding) {
        return None;
    }
    Some(Attention {
        since: report.at,
        concern: Concern::Found {
            machine: machine.id.clone(),
            finding: report.finding.clone(),
            prices: if report.finding == Finding::NothingToHandOut {
                prices(machine)
            } else {
                Vec::new()
            },
        },
    })
}

/// Whether what a license showed once is no longer so.
fn is_over(machine: &Machine, finding: &Finding) -> bool {
    let grant = |number: u32| machine.grants.iter().find(|g| g.number == number);
    match finding {
        Finding::GivenElsewhere { number, .. } => grant(*number).is_none_or(|g| g.given.is_none()),
        Finding::RevokedElsewhere(number) => {
            let settled = |g: &Grant| g.replaced || g.can_be_mailed() || g.revocation_due.is_some();
            grant(*number).is_none_or(settled)
        }
        Finding::NothingToHandOut => !machine.grants.is_empty(),
        Finding::LateForUnknown => !is_past_due(machine),
        Finding::UnitsUnknown => {
            let mut facts = machine.facts.iter();
            facts.any(|f| matches!(f.body, FactBody::LineItems(_)))
        }
        Finding::FraudWarning
        | Finding::UnreadableMetadata(_)
        | Finding::NotPaidAfterAll { .. }
        | Finding::FinalizationFailed(_)
        | Finding::PaidAfterEnd(_)
        | Finding::RefundUnlinked
        | Finding::UnknownPlan(_)
        | Finding::QuantityZero(_)
        | Finding::NoPriceNamed { .. }
        | Finding::ItemsCut
        | Finding::LinesCut(_)
        | Finding::OtherLicenses(_)
        | Finding::ServedTwice(_)
        | Finding::MovedTo { .. }
        | Finding::Held(_)
        | Finding::LineItemsCut
        | Finding::SoldBeside { .. }
        | Finding::GuardTripped
        | Finding::NoInvoiceHeard(_)
        | Finding::Extends(_)
        | Finding::ExtendedBy(_)
        | Finding::NotExtended(_) => false,
        Finding::StillBills(_) => {
            machine.state() == Some(State::Subscription(subscription::SubscriptionState::Ended))
        }
    }
}

/// Whether the newest snapshot of a subscription says that its payment is overdue.
fn is_past_due(machine: &Machine) -> bool {
    let shown = |f: &Fact| Some((f.at, f.subscription()?.status));
    let newest = machine
        .facts
        .iter()
        .filter_map(shown)
        .max_by_key(|(at, _)| *at);
    newest.is_some_and(|(_, is)| {
        matches!(is, SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::samples::create;
    use crate::domain::attention::AttentionCause;
    use crate::domain::decision::{Decision, Verb};
    use crate::domain::fact::{Bought, LineItems, Priced};
    use crate::domain::hold::{Distrust, DistrustCause};
    use crate::domain::id::{EventId, LicenseKey, SourceName};
    use crate::domain::lifecycle::Kind;
    use crate::domain::time::Span;

    const NOW: Timestamp = Timestamp::from_s(1_767_607_200);

    fn machine() -> Machine {
        let id = "stripe/cs_1".parse().unwrap();
        Machine::new(id, Kind::Payment, SourceName::from("stripe"), Some(true))
    }

    fn with_create(minutes_ago: i64, outcome: ActionOutcome, held: Option<Hold>) -> Machine {
        let mut machine = machine();
        let mut action = create("si_1", 1, NOW - Span::from_minutes(minutes_ago));
        (action.outcome, action.held) = (outcome, held);
        machine.actions.push(action);
        machine
    }

    fn causes(machine: &Machine) -> Vec<AttentionCause> {
        let all = of_machine(machine, NOW);
        all.iter().map(|a| a.concern.cause()).collect()
    }

    #[test]
    fn a_key_is_late_after_a_quarter_of_an_hour() {
        let late = |minutes| causes(&with_create(minutes, ActionOutcome::Pending, None));
        assert_eq!(late(14), []);
        assert_eq!(late(15), [AttentionCause::PaidWithoutKey]);
    }

    #[test]
    fn what_lacks_access_waits_for_nothing_else() {
        let refused = |scope| {
            let mut machine = with_create(0, ActionOutcome::Pending, None);
            machine.actions[0].refused = Some(scope);
            let key = LicenseKey::new("KEY-1");
            for outcome in [ActionOutcome::Pending, ActionOutcome::Refused] {
                let mut read = Action::new(2, Act::Read { key: key.clone() }, 2, NOW);
                (read.outcome, read.refused) = (outcome, Some(scope));
                machine.actions.push(read);
            }
            of_machine(&machine, NOW)
        };
        let all = refused(RefusalScope::Access);
        let is_urgent = |a: &Attention| a.concern.is_urgent();
        assert!(all.len() == 3 && all.iter().all(is_urgent), "{all:?}");
        assert_eq!(
            refused(RefusalScope::Service),
            [],
            "that is told of the service"
        );
        assert_eq!(refused(RefusalScope::Action), [], "a check waits by design");
    }

    #[test]
    fn what_ends_by_itself_waits_for_nobody() {
        let by_hand = Hold::Person {
            reason: "asked".to_owned(),
        };
        let by_time = Hold::TimeNotTrusted(Distrust {
            cause: DistrustCause::Away(Span::from_hours(5)),
            until: NOW,
        });
        let held = |hold| causes(&with_create(99, ActionOutcome::Held, Some(hold)));
        assert_eq!(held(by_hand), [AttentionCause::HeldAction]);
        assert_eq!(held(by_time), []);
        assert_eq!(held(Hold::Guard), [AttentionCause::HeldAction]);
        assert_eq!(held(Hold::Observed), [], "the whole shop is");
        let of = |outcome| causes(&with_create(99, outcome, None));
        assert_eq!(of(ActionOutcome::Refused), [AttentionCause::RefusedAction]);
        assert_eq!(of(ActionOutcome::Abandoned), []);
        assert_eq!(of(ActionOutcome::Superseded), []);
    }

    #[test]
    fn what_was_found_waits_until_a_person_has_decided_something() {
        let mut machine = machine();
        machine.told.push(Report::new(NOW, Finding::FraudWarning));
        machine
            .told
            .push(Report::new(NOW, Finding::NothingToHandOut));
        let decided = |at| {
            let decision = Decision {
                verb: Verb::Note,
                author: "ada".to_owned(),
                reason: "seen".to_owned(),
            };
            Fact::decided(EventId::from("dec_1"), &decision, at, at)
        };
        assert_eq!(
            causes(&machine),
            [AttentionCause::Finding, AttentionCause::UnknownPrice]
        );
        machine.facts.push(decided(NOW - Span::from_s(1)));
        assert_eq!(causes(&machine).len(), 2);
        machine.facts.push(decided(NOW + Span::from_s(1)));
        assert_eq!(causes(&machine), []);
    }

    /// What was sold is named with what would settle it, so that nobody has to look it up.
    #[test]
    fn what_no_plan_knows_is_named_with_the_config_s_lines() {
        let mut machine = machine();
        let price = |id: &str, key: Option<&str>| Bought {
            line: None,
            price: Priced {
                id: Some(id.into()),
                lookup_key: key.map(str::to_owned),
                product: Some("prod_1".into()),
            },
            quantity: 1,
        };
        let lines = vec![
            price("price_1", Some("monthly")),
            price("price_1", Some("monthly")),
        ];
        let items = LineItems {
            session: "cs_1".into(),
            lines,
        };
        machine.facts.push(Fact {
            id: EventId::from("q_1"),
            kind: "lookup.line_items".to_owned(),
            at: NOW,
            received: NOW,
            body: FactBody::LineItems(items),
            chain: None,
        });
        machine
            .told
            .push(Report::new(NOW, Finding::NothingToHandOut));
        let all = of_machine(&machine, NOW);
        let said = all[0].concern.to_string();
        assert!(
            said.contains("no plan names price_1 (lookup key monthly, prod_1), and"),
            "{said}"
        );
        assert_eq!(
            all[0].concern.details(),
            [
                "[[plan]] prices = [\"price_1\"] or lookup_keys = [\"monthly\"] or products = [\"prod_1\"]"
            ]
        );
    }
}

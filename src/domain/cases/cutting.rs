//! Lists that are cut: what they do not show is unknown, never given up (rules 14, 17 and 18).

mod first_invoice;
mod lines;
mod units;

use super::*;
use crate::domain::action::{Question, RefusalScope};
use first_invoice::with_cut;

/// What Stripe says when it is asked.
#[derive(Default)]
pub(super) struct Stripe {
    manner: Manner,
    /// The subscription's items.
    items: Vec<Item>,
    /// Its invoices, with when each was paid.
    invoices: Vec<(f64, FactBody)>,
    /// What the session sold.
    sold: Option<FactBody>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Manner {
    /// There is no API key.
    #[default]
    NoKey,
    Answers,
    /// It does not answer now.
    Busy,
    /// It refuses this question.
    Refuses,
    /// The key may not read this.
    Forbids,
}

impl Stripe {
    pub(super) fn has_key(&self) -> bool {
        self.manner != Manner::NoKey
    }
}

impl Case {
    pub(super) fn asked(&mut self, question: &Question) -> Outcome {
        let refused = |scope| Outcome::Refused {
            why: "no".to_owned(),
            scope,
        };
        match self.stripe.manner {
            Manner::NoKey => panic!("nobody can be asked"),
            Manner::Busy => {
                return Outcome::Again {
                    after: None,
                    why: "503".to_owned(),
                };
            }
            Manner::Refuses => return refused(RefusalScope::Action),
            Manner::Forbids => return refused(RefusalScope::Service),
            Manner::Answers => {}
        }
        let (at, body) = match question {
            Question::SubscriptionItems {
                subscription,
                shown_at,
            } => {
                let items = SubscriptionItems {
                    subscription: subscription.clone(),
                    items: self.stripe.items.clone(),
                };
                (self.now.max(*shown_at), FactBody::Items(Box::new(items)))
            }
            Question::InvoiceLines(id) | Question::FirstInvoice(id) => {
                let is = |body: &FactBody| matches!(body, FactBody::Invoice(i) if i.id == *id);
                let Some((at, body)) = self.stripe.invoices.iter().find(|(_, body)| is(body))
                else {
                    return refused(RefusalScope::Action);
                };
                (
                    day(*at),
                    with(body.clone(), |i| i.event = InvoiceEvent::Queried),
                )
            }
            Question::LineItems(_) | Question::Customer(_) => match &self.stripe.sold {
                Some(sold) => (self.now, sold.clone()),
                None => return refused(RefusalScope::Action),
            },
        };
        let unpaid = matches!(question, Question::FirstInvoice(_))
            && matches!(&body, FactBody::Invoice(i) if !i.paid);
        let id = format!("lookup_{}", self.machine.facts.len())
            .as_str()
            .into();
        let fact = Fact {
            id,
            kind: "lookup".to_owned(),
            at,
            received: self.now,
            body,
            chain: None,
        };
        add_fact(&mut self.machine, &fact);
        if unpaid {
            Outcome::Again {
                after: None,
                why: "not paid".to_owned(),
            }
        } else {
            Outcome::Answered
        }
    }

    fn answers(&mut self, items: Vec<Item>) -> &mut Self {
        (self.stripe.manner, self.stripe.items) = (Manner::Answers, items);
        self
    }

    /// A snapshot whose list shows only the first ten of these.
    fn cut(&mut self, at: f64, items: &[Item]) -> &mut Self {
        let items: Vec<Item> = items.iter().take(10).cloned().collect();
        self.shown(at, 0.0, 30.0, |s| (s.items, s.items_whole) = (items, false))
    }

    /// Its licenses, as in `14 live 33, 1 revoked`.
    #[track_caller]
    fn counts(&mut self, wanted: &str) -> &mut Self {
        let mut counts = std::collections::BTreeMap::new();
        for grant in &self.machine.grants {
            let until = grant
                .expires_at
                .map(days)
                .filter(|_| grant.status_at(self.now) == LicenseStatus::Live);
            let word = format!(
                "{} {}",
                grant.status_at(self.now),
                until.unwrap_or_default()
            )
            .trim()
            .to_owned();
            *counts.entry(word).or_insert(0) += 1;
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(word, n)| format!("{n} {word}"))
            .collect();
        assert_eq!(counts.join(", "), wanted, "on day {}", days(self.now));
        self
    }

    fn asks(&self) -> Vec<&'static str> {
        let asked = self
            .machine
            .actions
            .iter()
            .filter(|a| a.act.question().is_some());
        asked.map(|a| a.outcome.as_str()).collect()
    }
}

/// The n-th item of a subscription that has a plan for each.
fn nth(n: u32, from: f64, to: f64) -> Item {
    item(&format!("si_{n}"), &format!("price_{n}"), 1, from, to)
}

fn items(numbers: impl IntoIterator<Item = u32>, from: f64, to: f64) -> Vec<Item> {
    numbers.into_iter().map(|n| nth(n, from, to)).collect()
}

/// An invoice for items, of which its events show only the first ten lines.
fn bill_for(
    id: &str,
    event: InvoiceEvent,
    numbers: impl IntoIterator<Item = u32>,
    from: f64,
    to: f64,
) -> FactBody {
    let lines = numbers
        .into_iter()
        .map(|n| line(&format!("si_{n}"), &format!("price_{n}"), 29, from, to));
    with(invoice(id, event, lines.collect()), |i| {
        i.lines_whole = i.lines.len() <= 10
    })
}

fn cut_lines(body: FactBody) -> FactBody {
    with(body, |i| i.lines.truncate(10))
}

fn whole_lines(body: FactBody) -> FactBody {
    with(body, |i| i.lines_whole = true)
}

/// A subscription with fourteen items, each with a plan; of each list its events show ten.
fn fourteen(manner: Manner) -> Case {
    let mut case = Case::subscription(|_| {});
    let number = |n: u32| plan(&format!("plan_{n}"), &format!("price_{n}"));
    case.revisions[0].plans = (1..=16).map(number).collect();
    case.revisions[0].plans[12].seats = Seats::Keys;
    case.stripe.manner = manner;
    case.stripe.items = items(1..=14, 0.0, 30.0);
    case.stripe.invoices = vec![(
        0.0,
        whole_lines(bill_for("in_1", InvoiceEvent::Paid, 1..=14, 0.0, 30.0)),
    )];
    case.cut(0.0, &items(1..=14, 0.0, 30.0));
    case.told(
        0.0,
        "invoice.paid",
        cut_lines(bill_for("in_1", InvoiceEvent::Paid, 1..=14, 0.0, 30.0)),
    );
    case
}

/// With an API key each of fourteen items has its license, and a change beyond the list is seen.
#[test]
fn a_cut_list_is_looked_up_and_counts_as_whole() {
    let mut case = fourteen(Manner::Answers);
    case.counts("14 live 33").tells(0.0, "");
    // Taken out, beyond the list.
    case.answers(items((1..=11).chain(13..=14), 0.0, 30.0))
        .cut(5.0, &items(1..=14, 0.0, 30.0));
    case.counts("13 live 33, 1 revoked");
    // One more of a unit.
    let mut more = items((1..=11).chain(13..=14), 0.0, 30.0);
    more[11].quantity = Some(2);
    case.answers(more)
        .cut(6.0, &items(1..=14, 0.0, 30.0))
        .counts("14 live 33, 1 revoked");
    case.answers(items((1..=11).chain(13..=14), 0.0, 30.0))
        .cut(7.0, &items(1..=14, 0.0, 30.0));
    case.counts("13 live 33, 2 revoked");
    // Swapped: what comes takes the place of what went, though only one of them is shown.
    case.answers(items([15].into_iter().chain(1..=11).chain([13]), 0.0, 30.0));
    case.cut(8.0, &items([15].into_iter().chain(1..=11), 0.0, 30.0));
    case.counts("13 live 33, 2 revoked").tells(0.0, "");
    assert!(
        case.machine
            .grants
            .iter()
            .any(|g| g.plan.as_ref().is_some_and(|p| p.as_str() == "plan_15"))
    );
    assert_eq!(case.machine.open_actions().count(), 0);
}

/// The renewal's lines are looked up too: each item is paid to its own period.
#[test]
fn cut_lines_pay_each_item_to_its_own_period() {
    let mut case = fourteen(Manner::Answers);
    let mut renewed = items(1..=14, 30.0, 60.0);
    renewed[13] = nth(14, 30.0, 120.0);
    let mut bill = whole_lines(bill_for("in_2", InvoiceEvent::Paid, 1..=14, 30.0, 60.0));
    bill = with(bill, |i| i.lines[13].end = day(120.0));
    case.stripe.invoices.push((30.1, bill.clone()));
    case.answers(renewed.clone()).cut(30.0, &renewed);
    case.told(
        30.1,
        "invoice.paid",
        with(cut_lines(bill), |i| i.lines_whole = false),
    );
    case.counts("1 live 123, 13 live 63").tells(0.0, "");
    assert!(
        case.asks().iter().all(|outcome| *outcome == "done"),
        "{:?}",
        case.asks()
    );
}

/// Without a key, what is not shown stays as it was, and the operator is told once.
#[test]
fn without_a_key_what_is_not_shown_stays_as_it_was() {
    let mut case = fourteen(Manner::NoKey);
    case.counts("10 live 33")
        .tells(0.0, "more items than its events show");
    // Others come into sight: nobody else loses anything for it.
    case.cut(5.0, &items(5..=14, 0.0, 30.0))
        .counts("14 live 33");
    case.cut(6.0, &items(1..=10, 0.0, 30.0))
        .counts("14 live 33");
    // A renewal whose lines show ten pays for all, to the period that the shown ones have.
    case.cut(30.0, &items(1..=10, 30.0, 60.0));
    case.told(
        30.1,
        "invoice.paid",
        cut_lines(bill_for("in_2", InvoiceEvent::Paid, 1..=14, 30.0, 60.0)),
    );
    case.counts("14 live 63")
        .tells(30.1, "in_2 has more lines than its events show");
    // A whole list tells what is gone.
    case.shown(40.0, 30.0, 60.0, |s| s.items = items(1..=9, 30.0, 60.0))
        .counts("9 live 63, 5 revoked");
}

/// The fifteenth item is billed for the rest of the period.
fn upgrade(case: &mut Case) -> &mut Case {
    let bill = whole_lines(bill_for("in_15", InvoiceEvent::Paid, [15], 5.0, 30.0));
    case.told(
        5.0,
        "invoice.paid",
        with(bill, |i| {
            (i.reason, i.lines[0].proration) = (BillingReason::Update, true)
        }),
    )
}

/// While Stripe is asked nothing is given up, nobody is told, and the key of what came into a cut list waits: it may have
/// taken a hidden item's place.
#[test]
fn while_stripe_is_asked_nothing_is_given_up_or_told() {
    let mut case = fourteen(Manner::Answers);
    case.stripe.manner = Manner::Busy;
    case.cut(5.0, &items([15].into_iter().chain(1..=9), 0.0, 30.0));
    upgrade(&mut case).counts("14 live 33").tells(0.0, "");
    case.on(5.003).counts("14 live 33").tells(0.0, "");
    case.answers(items([15].into_iter().chain(1..=13), 0.0, 30.0))
        .on(5.006)
        .counts("14 live 33")
        .tells(0.0, "");
    assert_eq!(case.made, 14);
}

/// Not for ever: after ten minutes the key is made and the operator told.
#[test]
fn a_stripe_that_does_not_answer_is_not_waited_for_for_ever() {
    for manner in [Manner::Busy, Manner::Forbids] {
        let mut case = fourteen(Manner::Answers);
        case.stripe.manner = manner;
        upgrade(case.cut(5.0, &items([15].into_iter().chain(1..=9), 0.0, 30.0)))
            .on(5.006)
            .counts("14 live 33");
        case.on(5.1)
            .counts("15 live 33")
            .tells(5.0, "more items than its events show");
    }
    let mut refused = fourteen(Manner::Answers);
    refused.stripe.manner = Manner::Refuses;
    upgrade(refused.cut(5.0, &items([15].into_iter().chain(1..=9), 0.0, 30.0)))
        .counts("15 live 33");
    refused.tells(5.0, "more items than its events show");
    assert_eq!(refused.asks().last(), Some(&"refused"));
}

/// Law 1: in which order answers and snapshots are heard changes nothing; an answer is that of the newest snapshot that is
/// not later than it.
#[test]
fn an_answer_older_than_a_later_snapshot_changes_nothing() {
    let answer = |numbers: &[u32]| {
        let items = items(numbers.iter().copied(), 0.0, 30.0);
        FactBody::Items(Box::new(SubscriptionItems {
            subscription: "sub_1".into(),
            items,
        }))
    };
    let whole = |numbers: &[u32]| {
        let items = items(numbers.iter().copied(), 0.0, 30.0);
        snapshot(0.0, 30.0, |s| s.items = items)
    };
    let cut = |numbers: &[u32]| with_cut(whole(numbers));
    let facts = [
        (0.0, cut(&[1, 2])),
        (0.1, answer(&[1, 2, 3, 4])),
        (1.0, cut(&[1, 2])),
        (1.1, answer(&[1, 2, 4])),
        (2.0, whole(&[1, 2, 4, 5])),
        (2.1, answer(&[1, 2])),
    ];
    let paid = || whole_lines(bill_for("in_1", InvoiceEvent::Paid, 1..=5, 0.0, 30.0));
    for order in [
        [0, 1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1, 0],
        [1, 0, 3, 2, 5, 4],
        [4, 0, 2, 1, 3, 5],
    ] {
        let mut case = fourteen(Manner::NoKey);
        case.machine.facts.clear();
        case.machine.grants.clear();
        for n in order {
            let (at, body) = &facts[n];
            let id = format!("evt_{n}").as_str().into();
            let fact = Fact {
                id,
                kind: String::new(),
                at: day(*at),
                received: day(3.0),
                body: body.clone(),
                chain: None,
            };
            add_fact(&mut case.machine, &fact);
        }
        case.told_late(3.0, 0.0, "invoice.paid", paid());
        let mut plans: Vec<&str> = case
            .machine
            .grants
            .iter()
            .filter_map(|g| g.plan.as_ref())
            .map(|p| p.as_str())
            .collect();
        plans.sort_unstable();
        assert_eq!(plans, ["plan_1", "plan_2", "plan_4", "plan_5"], "{order:?}");
    }
}

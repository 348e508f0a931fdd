//! What a machine must ask Stripe: what a session sold, and where a customer can be reached. Each question is a durable
//! piece of work that is asked once; what the answer says comes in as a fact or a record like any other.

use super::action::{Act, Action, ActionOutcome, Question};
use super::context::DecisionContext;
use super::entitlement::Entitlement;
use super::fact::{Fact, FactBody, Invoice, InvoiceEvent, SessionMode};
use super::finding::{Finding, Report};
use super::id::InvoiceId;
use super::lifecycle::{CutLines, Folded, Life, PurchaseLife};
use super::machine::Machine;
use super::notice::NoticeStatus;
use super::time::{Span, Timestamp};

/// Whether what a question asks for has been said.
fn is_answered(question: &Question, machine: &Machine, context: &DecisionContext<'_>) -> bool {
    match question {
        Question::LineItems(_) => machine
            .facts
            .iter()
            .any(|f| matches!(f.body, FactBody::LineItems(_))),
        Question::Customer(customer) => context.customer.is_some_and(|c| c.id == *customer),
        Question::SubscriptionItems { shown_at, .. } => machine
            .facts
            .iter()
            .any(|f| matches!(f.body, FactBody::Items(_)) && f.at >= *shown_at),
        Question::InvoiceLines(id) => queried(machine, id).any(|i| i.lines_whole),
        Question::FirstInvoice(id) => queried(machine, id).any(|i| i.paid),
    }
}

/// What queries said of an invoice.
fn queried<'m>(machine: &'m Machine, id: &'m InvoiceId) -> impl Iterator<Item = &'m Invoice> {
    machine
        .facts
        .iter()
        .filter_map(Fact::invoice)
        .filter(move |i| i.id == *id && i.event == InvoiceEvent::Queried)
}

/// Asks what is to be asked, and closes what is answered or no longer of interest. What was refused or given up is not
/// asked again unless a person says so.
pub(super) fn plan_queries(
    machine: &mut Machine,
    folded: &Folded,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) {
    let wanted = if context.abilities.can_query {
        wanted(machine, folded, due, context)
    } else {
        Vec::new()
    };
    let open: Vec<(usize, Question)> = (0..)
        .zip(&machine.actions)
        .filter_map(|(n, a)| Some((n, open(a)?.clone())))
        .collect();
    for (index, question) in open {
        if wanted.contains(&question) {
            continue;
        }
        let answered = is_answered(&question, machine, context);
        let action = &mut machine.actions[index];
        action.at = context.now;
        if answered {
            (action.outcome, action.error) = (ActionOutcome::Done, None);
            action.attempts += 1;
        } else {
            action.outcome = ActionOutcome::Superseded;
        }
    }
    for question in wanted {
        let again = |a: &Action| a.outcome == ActionOutcome::Superseded;
        if !machine
            .actions
            .iter()
            .any(|a| a.act.question() == Some(&question) && !again(a))
        {
            machine.actions.push(Action::new(
                machine.next_action(),
                Act::Query(question),
                NO_LICENSE,
                context.now,
            ));
        }
    }
}

/// A question is about no license.
const NO_LICENSE: u32 = 0;

fn open(action: &Action) -> Option<&Question> {
    action.act.question().filter(|_| action.is_open())
}

fn wanted(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) -> Vec<Question> {
    let mut wanted = match &folded.life {
        Life::Payment(payment) => Vec::from_iter(what_was_bought(machine, payment, due)),
        Life::Subscription(subscription) => subscription.unknown.clone(),
    };
    let unreached = machine
        .notices
        .iter()
        .any(|n| n.status == NoticeStatus::NoAddress);
    if let Some(customer) = folded
        .contact
        .customer
        .as_ref()
        .filter(|_| unreached && context.customer.is_none())
    {
        wanted.push(Question::Customer(customer.clone()));
    }
    wanted
}

/// The lines of what was paid, where nobody told all of them and they say what is handed out.
fn what_was_bought(
    machine: &Machine,
    payment: &PurchaseLife,
    due: &Entitlement,
) -> Option<Question> {
    // rule 14: where the plan that the metadata names counts units, its lines say how many.
    let counts = due.units_unknown;
    let cut = payment.cut.as_ref();
    let cut = cut.filter(|_| counts || !payment.is_named());
    let known = !due.seats.is_empty() && cut.is_none() && !counts;
    if payment.paid_at.is_none() || payment.lines_told || known {
        return None;
    }
    let of_fact = |f: &Fact| {
        if let FactBody::Session(s) = &f.body {
            (s.mode == SessionMode::Payment).then(|| s.id.clone())
        } else {
            None
        }
    };
    let session = machine
        .facts
        .iter()
        .find_map(of_fact)
        .map(Question::LineItems);
    session.or_else(|| match cut? {
        CutLines::Invoice(invoice) => Some(Question::InvoiceLines(invoice.clone())),
        CutLines::Session => None,
    })
}

/// How long a report, or a key, waits for an answer that does not come.
const WAITS: Span = Span::from_minutes(10);

/// Whether a report is not to be told yet, for Stripe is being asked.
pub(super) fn waits(machine: &Machine, report: &Report, now: Timestamp) -> bool {
    let asks = |about: &dyn Fn(&Question) -> bool, waits: Option<Span>| {
        let in_time = |a: &Action| waits.is_none_or(|w| now < a.at + w);
        machine
            .actions
            .iter()
            .any(|a| open(a).is_some_and(about) && in_time(a))
    };
    let items = |q: &Question| matches!(q, Question::SubscriptionItems { .. });
    let sold = |q: &Question| matches!(q, Question::LineItems(_));
    let finding = &report.finding;
    if *finding == Finding::NothingToHandOut {
        let tells = |q: &Question| {
            sold(q) || matches!(q, Question::InvoiceLines(_) | Question::FirstInvoice(_))
        };
        return asks(&sold, None) || asks(&|q| tells(q) || items(q), Some(WAITS));
    }
    if let Finding::LinesCut(invoice) = finding {
        let lines = |q: &Question| matches!(q, Question::InvoiceLines(id) if id == invoice);
        return asks(&|q| lines(q) || sold(q), Some(WAITS));
    }
    (*finding == Finding::ItemsCut && asks(&items, Some(WAITS)))
        || (*finding == Finding::LineItemsCut && asks(&sold, Some(WAITS)))
}

/// Until when keys wait for Stripe's answer, and not for ever: that of an item that appeared in a cut list, which may have
/// taken the place of one that is not shown, whose license then goes on; and those of which nobody told how many were bought
/// (rule 14).
pub(super) fn keys_wait(
    machine: &Machine,
    folded: &Folded,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) -> Option<Timestamp> {
    let life = match &folded.life {
        Life::Subscription(life) => life,
        Life::Payment(payment) => return units_wait(machine, payment, due, context),
    };
    let (since, _) = life
        .newcomers
        .as_ref()
        .filter(|_| context.abilities.can_query)?;
    let asked = |a: &&Action| a.act.question().is_some_and(|q| life.unknown.contains(q));
    let given_up = machine.actions.iter().filter(asked).any(|a| {
        matches!(a.act.question(), Some(Question::SubscriptionItems { .. }))
            && a.outcome == ActionOutcome::Refused
    });
    Some(*since + WAITS).filter(|until| !given_up && *until > context.now)
}

fn units_wait(
    machine: &Machine,
    payment: &PurchaseLife,
    due: &Entitlement,
    context: &DecisionContext<'_>,
) -> Option<Timestamp> {
    let asks = due.units_unknown && context.abilities.can_query;
    let question = what_was_bought(machine, payment, due).filter(|_| asks)?;
    let refused = |a: &Action| {
        let over = [ActionOutcome::Refused, ActionOutcome::Abandoned];
        a.act.question() == Some(&question) && over.contains(&a.outcome)
    };
    let until = payment.paid_learned? + WAITS;
    (!machine.actions.iter().any(refused) && until > context.now).then_some(until)
}

/// Whether a license that is to be made is one that waits so.
pub(super) fn waits_for_answer(folded: &Folded, act: &Act) -> bool {
    let life = match &folded.life {
        Life::Subscription(life) => life,
        Life::Payment(_) => return act.creates(),
    };
    let new = act.new_license().filter(|_| act.creates());
    new.is_some_and(|new| {
        life.newcomers
            .as_ref()
            .is_some_and(|(_, items)| items.contains(&new.seat.item))
    })
}

#[cfg(test)]
mod tests;

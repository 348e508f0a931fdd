//! What a machine must ask Stripe: what a session sold, and where a customer can be reached. Each question is a durable
//! piece of work that is asked once; what the answer says comes in as a fact or a record like any other.

use super::action::{Act, Action, ActionOutcome, Question};
use super::decide::World;
use super::entitlement::Entitlement;
use super::fact::{Fact, Invoice, InvoiceEvent, Says, SessionMode};
use super::finding::{Finding, Report};
use super::id::InvoiceId;
use super::lifecycle::{CutLines, Folded, Life, PurchaseLife};
use super::machine::Machine;
use super::notice::NoticeStatus;
use super::time::{Span, Timestamp};

/// Whether what a question asks for has been said.
fn is_answered(question: &Question, machine: &Machine, world: &World<'_>) -> bool {
    match question {
        Question::LineItems(_) => machine
            .facts
            .iter()
            .any(|f| matches!(f.says, Says::LineItems(_))),
        Question::Customer(customer) => world.customer.is_some_and(|c| c.id == *customer),
        Question::SubscriptionItems { shown_at, .. } => machine
            .facts
            .iter()
            .any(|f| matches!(f.says, Says::Items(_)) && f.at >= *shown_at),
        Question::InvoiceLines(id) => looked_up(machine, id).any(|i| i.lines_whole),
        Question::FirstInvoice(id) => looked_up(machine, id).any(|i| i.paid),
    }
}

/// What look-ups said of an invoice.
fn looked_up<'m>(machine: &'m Machine, id: &'m InvoiceId) -> impl Iterator<Item = &'m Invoice> {
    machine
        .facts
        .iter()
        .filter_map(Fact::invoice)
        .filter(move |i| i.id == *id && i.event == InvoiceEvent::LookedUp)
}

/// Asks what is to be asked, and closes what is answered or no longer of interest. What was refused or given up is not
/// asked again unless a person says so.
pub(super) fn look_ups(
    machine: &mut Machine,
    folded: &Folded,
    due: &Entitlement,
    world: &World<'_>,
) {
    let wanted = if world.abilities.looks_up {
        wanted(machine, folded, due, world)
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
        let answered = is_answered(&question, machine, world);
        let action = &mut machine.actions[index];
        action.at = world.now;
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
                world.now,
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
    world: &World<'_>,
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
        .filter(|_| unreached && world.customer.is_none())
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
    let cut = payment.cut.as_ref().filter(|_| !payment.is_named());
    if payment.paid_at.is_none() || payment.lines_told || (!due.seats.is_empty() && cut.is_none()) {
        return None;
    }
    let of_fact = |f: &Fact| {
        if let Says::Session(s) = &f.says {
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

/// Until when the key of an item that appeared in a cut list waits: it may have taken the place of one that is not shown,
/// whose license then goes on (BEHAVIOUR 14). It waits for Stripe's answer, and not for ever.
pub(super) fn keys_wait(
    machine: &Machine,
    folded: &Folded,
    world: &World<'_>,
) -> Option<Timestamp> {
    let Life::Subscription(life) = &folded.life else {
        return None;
    };
    let (since, _) = life
        .newcomers
        .as_ref()
        .filter(|_| world.abilities.looks_up)?;
    let asked = |a: &&Action| a.act.question().is_some_and(|q| life.unknown.contains(q));
    let given_up = machine.actions.iter().filter(asked).any(|a| {
        matches!(a.act.question(), Some(Question::SubscriptionItems { .. }))
            && a.outcome == ActionOutcome::Refused
    });
    Some(*since + WAITS).filter(|until| !given_up && *until > world.now)
}

/// Whether a license that is to be made is the key of such an item.
pub(super) fn is_newcomer(folded: &Folded, act: &Act) -> bool {
    let Life::Subscription(life) = &folded.life else {
        return false;
    };
    let new = act.new_license().filter(|_| act.creates());
    new.is_some_and(|new| {
        life.newcomers
            .as_ref()
            .is_some_and(|(_, items)| items.contains(&new.seat.item))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::{Abilities, Confirmed, GrantStatus, Outcome};
    use crate::domain::customer::Customer;
    use crate::domain::decide::{outcome, settle};
    use crate::domain::fact::{
        Bought, LineItems, PaymentStatus, Priced, Session, SessionEvent, Wants,
    };
    use crate::domain::id::{
        CustomerId, LicenseKey, MachineId, PlanName, PriceId, SessionId, SourceName,
    };
    use crate::domain::lifecycle::Kind;
    use crate::domain::plan::{Plan, Seats, Template};
    use crate::domain::revision::Revisions;
    use crate::domain::time::{Span, Timestamp};

    const BOUGHT: Timestamp = Timestamp::from_s(1_000_000);

    /// A machine with what it depends on, and an instant that only moves when told.
    struct Case {
        machine: Machine,
        revisions: Revisions,
        abilities: Abilities,
        customer: Option<Customer>,
        now: Timestamp,
        reports: Vec<Finding>,
    }

    impl Case {
        /// A session that was paid for a price, by a customer without an address.
        fn new(wants: Wants) -> Self {
            let plan = Plan {
                name: PlanName::from("tool"),
                prices: vec![PriceId::from("price_tool")],
                lookup_keys: Vec::new(),
                products: Vec::new(),
                policy: None,
                seats: Seats::Devices,
                license: Template::default(),
            };
            let mut case = Self {
                machine: Machine::new(
                    "stripe/cs_1".parse::<MachineId>().unwrap(),
                    Kind::Payment,
                    SourceName::from("stripe"),
                    None,
                ),
                revisions: Revisions::always(vec![plan], Vec::new()),
                abilities: Abilities {
                    looks_up: true,
                    ..Abilities::simulated()
                },
                customer: None,
                now: BOUGHT,
                reports: Vec::new(),
            };
            let session = Session {
                id: SessionId::from("cs_1"),
                event: SessionEvent::Completed,
                mode: SessionMode::Payment,
                payment_status: PaymentStatus::Paid,
                customer: Some(CustomerId::from("cus_1")),
                email: None,
                name: None,
                payment_intent: None,
                subscription: None,
                invoice: None,
                wants,
                locale: None,
                amount: None,
                currency: None,
                line_items: Vec::new(),
                line_items_cut: false,
            };
            case.hear(Says::Session(Box::new(session)));
            case
        }

        fn with_world<T>(&mut self, with: impl FnOnce(&mut Machine, &World<'_>) -> T) -> T {
            let world = World {
                revisions: &self.revisions,
                now: self.now,
                abilities: &self.abilities,
                customer: self.customer.as_ref(),
                store_since: None,
                gaps: &[],
                dice: 500,
                under_way: &[],
                stops_held: None,
            };
            with(&mut self.machine, &world)
        }

        fn settle(&mut self) {
            let settled = self.with_world(settle);
            self.reports
                .extend(settled.reports.into_iter().map(|r| r.finding));
        }

        fn hear(&mut self, says: Says) {
            let id = format!("evt_{}", self.machine.facts.len()).as_str().into();
            self.machine.facts.push(Fact {
                id,
                kind: "test".to_owned(),
                at: self.now,
                received: self.now,
                says,
                chain: None,
            });
            self.settle();
        }

        fn sold(&mut self, prices: &[&str]) {
            let price = |p: &&str| Priced {
                id: Some(PriceId::from(*p)),
                ..Priced::default()
            };
            let line = |p| Bought {
                line: None,
                price: price(p),
                quantity: 1,
            };
            let lines = prices.iter().map(line).collect();
            self.hear(Says::LineItems(LineItems {
                session: SessionId::from("cs_1"),
                lines,
            }));
        }

        fn came(&mut self, act: &str, came: &Outcome) {
            let id = self
                .machine
                .actions
                .iter()
                .rfind(|a| a.act.as_str() == act)
                .unwrap()
                .id;
            let now = self.now;
            self.with_world(|m, world| outcome(m, id, came, now, world));
            self.settle();
        }

        fn later(&mut self, span: Span) {
            self.now = self.now + span;
            self.settle();
        }

        /// Its work in short: `look_up pending, create_license done`.
        fn work(&self) -> String {
            let word = |a: &Action| format!("{} {}", a.act.as_str(), a.outcome.as_str());
            self.machine
                .actions
                .iter()
                .map(word)
                .collect::<Vec<_>>()
                .join(", ")
        }
    }

    #[test]
    fn what_a_session_sold_is_asked_once_and_handed_out() {
        let mut case = Case::new(Wants::default());
        case.settle();
        assert_eq!(case.work(), "look_up pending");
        assert_eq!(
            case.machine.actions[0].act.question(),
            Some(&Question::LineItems(SessionId::from("cs_1")))
        );
        case.later(Span::from_hours(9));
        assert_eq!(
            case.reports,
            Vec::<Finding>::new(),
            "it waits for the answer"
        );
        case.sold(&["price_tool"]);
        assert_eq!(case.work(), "look_up done, create_license pending");
        assert_eq!(case.reports, Vec::<Finding>::new());
    }

    #[test]
    fn an_answer_that_names_no_plan_is_told() {
        let mut case = Case::new(Wants::default());
        case.sold(&["price_sticker"]);
        assert_eq!(case.work(), "look_up done");
        assert_eq!(case.reports, [Finding::NothingToHandOut]);
    }

    #[test]
    fn nothing_is_asked_that_is_known_or_cannot_be_asked() {
        let named = Case::new(Wants {
            app_id: Some("app".to_owned()),
            ..Wants::default()
        });
        assert_eq!(named.work(), "create_license pending");
        let mut deaf = Case::new(Wants::default());
        deaf.abilities.looks_up = false;
        deaf.settle();
        assert_eq!(deaf.work(), "look_up superseded", "the key was taken away");
        deaf.later(Span::from_minutes(11));
        assert_eq!(deaf.reports, [Finding::NothingToHandOut]);
        deaf.abilities.looks_up = true;
        deaf.settle();
        assert_eq!(
            deaf.work(),
            "look_up superseded, look_up pending",
            "and given back"
        );
    }

    #[test]
    fn a_refusal_is_told_and_not_asked_again_until_somebody_says_so() {
        let mut case = Case::new(Wants::default());
        let slow = Outcome::Refused {
            why: "403".to_owned(),
            service_wide: true,
        };
        case.came("look_up", &slow);
        assert_eq!(case.work(), "look_up pending");
        assert!(case.machine.actions[0].due > case.now + Span::from_minutes(2));
        case.came(
            "look_up",
            &Outcome::Again {
                after: Some(Span::from_s(9)),
                why: "429".to_owned(),
            },
        );
        assert!(case.machine.actions[0].due >= case.now + Span::from_s(9));
        case.came(
            "look_up",
            &Outcome::Refused {
                why: "404".to_owned(),
                service_wide: false,
            },
        );
        case.later(Span::from_hours(1));
        assert_eq!(case.work(), "look_up refused");
        assert_eq!(case.reports, [Finding::NothingToHandOut]);
        // What `keyward retry` does.
        case.machine.actions[0].outcome = ActionOutcome::Superseded;
        case.settle();
        assert_eq!(case.work(), "look_up superseded, look_up pending");
    }

    #[test]
    fn an_address_is_asked_for_when_a_mail_needs_it() {
        let mut case = Case::new(Wants {
            app_id: Some("app".to_owned()),
            ..Wants::default()
        });
        let made = Confirmed {
            key: LicenseKey::new("KEY-1"),
            status: GrantStatus::Live,
            expires_at: None,
            devices: None,
            adopted: false,
            others: Vec::new(),
        };
        case.came("create_license", &Outcome::Done(made));
        assert_eq!(case.machine.notices[0].status, NoticeStatus::NoAddress);
        assert_eq!(case.work(), "create_license done, look_up pending");
        let told = |email: Option<&str>, deleted| Customer {
            livemode: None,
            id: CustomerId::from("cus_1"),
            at: BOUGHT,
            email: email.map(str::to_owned),
            name: None,
            locale: None,
            deleted,
        };
        case.customer = Some(told(None, true));
        case.settle();
        assert_eq!(
            case.work(),
            "create_license done, look_up done",
            "deleted there: nobody is asked again"
        );
        assert_eq!(case.machine.notices[0].status, NoticeStatus::NoAddress);
        case.customer = Some(told(Some("a@example.com"), false));
        case.settle();
        assert_eq!(case.machine.notices[0].status, NoticeStatus::Pending);
    }

    #[test]
    fn an_answer_without_effect_is_not_asked_for_again() {
        let mut case = Case::new(Wants::default());
        case.came("look_up", &Outcome::Answered);
        assert_eq!(case.work(), "look_up done");
    }
}

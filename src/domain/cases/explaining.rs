//! What is said of a purchase, to its customer and to the operator: what is, not what should be.

use super::decisions::rekey;
use super::*;
use crate::domain::adoption::ADOPTED_PREFIX;
use crate::domain::context::Situation;
use crate::domain::explain::{At, Tense, explain, paragraph, present, unplanned};
use crate::domain::outlook::{outlook, outlook_after};
use crate::domain::standing::Standing;

const KNOWS: &str = "We have been told and are looking into it.";
const PAUSED: &str =
    "We have paused changes to licenses for the moment; this follows as soon as we go on.";

impl Case {
    /// What the customer is told now.
    pub(super) fn said(&self) -> String {
        let (now, rules) = (self.now, self.rules());
        let explained = explain(&self.machine, &rules, now, now, 16);
        let tense = Tense::Present;
        let present = present(&self.machine, &explained.due, now, tense);
        let asked = At {
            at: now,
            known_at: now,
            tense,
        };
        let said = paragraph(&self.machine, &explained, &present, asked).whole;
        let key = |g: &crate::domain::machine::Grant| format!("{:?}", g.key);
        let keys = self.machine.grants.iter().map(key);
        keys.fold(said, |said, key| said.replace(&key, "KEY"))
    }

    #[track_caller]
    fn says(&mut self, wanted: &str) -> &mut Self {
        assert_eq!(self.said(), wanted, "on day {}", days(self.now));
        self
    }

    /// What would change the first license.
    fn would_change(&self) -> String {
        let explained = explain(&self.machine, &self.rules(), self.now, self.now, 16);
        explained.reasons[0].remedy.to_string()
    }

    /// Nothing goes to the license service any more.
    pub(super) fn paused(&mut self, at: f64) -> &mut Self {
        let service = "simulated".to_owned();
        self.order(at, Standing::Pause { service })
    }

    /// The newest action waits as if nothing held it.
    fn waits(&mut self) -> &mut Self {
        let action = self.machine.actions.last_mut().unwrap();
        (action.outcome, action.held) = (ActionOutcome::Pending, None);
        self
    }

    pub(super) fn refused(&mut self) -> &mut Self {
        let action = self.machine.actions.last_mut().unwrap();
        (action.outcome, action.held) = (ActionOutcome::Refused, None);
        self
    }
}

pub(super) fn bought() -> Case {
    let mut case = Case::purchase(|_| {});
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    case
}

pub(super) fn subscribed() -> Case {
    let mut case = Case::subscription(|_| {});
    case.paid(0.0, "in_1", 0.0, 30.0);
    case
}

#[test]
fn a_license_that_is_not_made_yet_is_not_said_to_work() {
    let mut case = Case::purchase(|_| {});
    case.paused(-1.0);
    let paid = session(PaymentStatus::Paid);
    case.told(0.0, "checkout.session.completed", paid);
    let told = format!("Your license is paid, but the key is not there yet. {KNOWS}");
    // Nobody is told of what the seller holds back for all.
    case.says(&format!(
        "Your license is paid, but the key is not there yet. {PAUSED}"
    ));
    case.refused().says(&told);
    case.waits()
        .says("Your license is paid, but the key is not there yet: it is being made.");
    // It is late.
    case.now = day(0.02);
    case.says(&told);
    bought().says("Your license key ending in KEY works, without an end.");
}

#[test]
fn time_that_is_not_there_yet_is_not_said_to_be() {
    let mut case = subscribed();
    case.says("Your license key ending in KEY works until 2026-02-07.");
    case.paused(29.0).paid(30.0, "in_2", 30.0, 60.0);
    case.says(&format!(
        "Your license key ending in KEY works until 2026-02-07. It should work until 2026-03-09. {PAUSED}"
    ));
    case.on(34.0).says(&format!(
        "Your license key ending in KEY ended on 2026-02-07, and does not work at present. It should work until \
         2026-03-09. {PAUSED}"
    ));
    case.waits().says(
        "Your license key ending in KEY ended on 2026-02-07, and does not work at present. It should work until \
         2026-03-09: the longer time is on its way.",
    );
}

/// Of an adopted license the margin is asked for at the turn of its period; until then nothing is on its way.
#[test]
fn time_that_nothing_asks_for_yet_is_not_said_to_come() {
    let mut case = subscribed();
    for fact in &mut case.machine.facts {
        fact.id = format!("{ADOPTED_PREFIX}{}", fact.id).as_str().into();
    }
    let grant = &mut case.machine.grants[0];
    (grant.adopted, grant.expires_at) = (true, Some(day(30.0)));
    case.machine.adopted_at = Some(day(10.0));
    case.on(10.0).reconcile();
    case.says("Your license key ending in KEY works until 2026-02-04.");
}

#[test]
fn a_license_that_does_not_work_again_yet_is_not_said_to() {
    let mut case = subscribed();
    let dispute = |case: &mut Case, at, kind, status| {
        case.told(at, kind, dispute("dp_1", "in_1", status));
    };
    dispute(
        &mut case,
        5.0,
        "charge.dispute.created",
        DisputeStatus::Open,
    );
    case.says(
        "Your license key ending in KEY does not work at present. The payment is disputed at your bank. It works again \
         when the dispute is settled in our favour or withdrawn.",
    );
    case.paused(6.0);
    dispute(&mut case, 7.0, "charge.dispute.closed", DisputeStatus::Won);
    let stopped = "Your license key ending in KEY does not work at present, though it should.";
    case.says(&format!("{stopped} {PAUSED}"));
    case.refused().says(&format!("{stopped} {KNOWS}"));
    case.waits()
        .says(&format!("{stopped} It is being made to work again."));

    let mut kept = bought();
    kept.told(5.0, "charge.refunded", charge(100))
        .says("Your license key ending in KEY has ended. The payment was refunded.");
    kept.paused(6.0).decide(7.0, Verb::Keep);
    kept.says(&format!("{stopped} {PAUSED}"));
}

#[test]
fn a_license_that_still_works_is_not_said_to_have_ended() {
    let mut case = bought();
    case.paused(4.0)
        .told(5.0, "charge.refunded", charge(100))
        .says(
            "Your license key ending in KEY still works, without an end. We are reviewing whether it stays active. \
             The payment was refunded.",
        );
    case.waits().says(
        "Your license key ending in KEY still works, without an end. It is being ended. The payment was refunded.",
    );
    let mut longer = subscribed();
    longer.machine.grants[0].expires_at = None;
    longer.now = day(40.0);
    longer.says(
        "Your license key ending in KEY still works, without an end. Its time was over on 2026-02-07.",
    );
    let mut disputed = subscribed();
    let open = dispute("dp_1", "in_1", DisputeStatus::Open);
    disputed
        .paused(4.0)
        .told(5.0, "charge.dispute.created", open)
        .says(
            "Your license key ending in KEY still works until 2026-02-07. We are reviewing whether it stays active. \
             The payment is disputed at your bank.",
        );
}

#[test]
fn a_license_in_whose_place_another_is_made_is_spoken_of_while_it_works() {
    let mut case = bought();
    case.paused(4.0).decide(5.0, rekey());
    let said = case.said();
    let (new, old) = said.split_once('\n').unwrap();
    assert!(new.contains("not there yet"), "{said}");
    assert!(
        old.starts_with("Your license key ending in KEY still works, without an end"),
        "{said}"
    );
}

#[test]
fn a_purchase_without_a_license_is_a_sentence_and_names_its_prices() {
    let unplanned = |case: &Case| {
        let rules = case.rules();
        let folded = case.machine.folded(&rules, case.now);
        unplanned(&case.machine, &folded, &rules, case.now)
    };
    let includes_none = "This purchase doesn't include a license key.";
    let mut case = Case::subscription(|_| {});
    case.says("Your purchase is still being processed: we do not know yet what it includes.");
    let lines = vec![line("si_1", "price_other", 29, 0.0, 30.0)];
    let paid = invoice("in_1", InvoiceEvent::Paid, lines);
    case.told(0.0, "invoice.paid", paid);
    case.on(1.0).says(includes_none);
    assert_eq!(unplanned(&case), ["price_other"], "by its invoice");
    case.shown(1.0, 0.0, 30.0, |s| {
        s.items = vec![
            item("si_1", "price_other", 1, 0.0, 30.0),
            item("si_2", "price_more", 1, 0.0, 30.0),
        ];
    });
    assert_eq!(unplanned(&case), ["price_other", "price_more"]);
    let mut once = Case::purchase(|_| {});
    let plain = session_with(PaymentStatus::Paid, |s| s.wants = Wants::default());
    once.told(0.0, "checkout.session.completed", plain)
        .told(0.0, "line_items", sold(&[("li_1", "price_book", 1)]))
        .on(1.0)
        .says(includes_none);
    assert_eq!(unplanned(&once), ["price_book"]);
    let unpaid = session(PaymentStatus::Unpaid);
    Case::purchase(|_| {})
        .told(0.0, "checkout.session.completed", unpaid)
        .says("Your license has not been issued. No payment has arrived yet.");
}

#[test]
fn what_would_change_a_one_time_purchase_is_nothing_that_only_subscriptions_have() {
    let mut case = bought();
    assert_eq!(
        case.would_change(),
        "a refund, a dispute or a person's order, like `keyward revoke`, would change it"
    );
    case.told(5.0, "charge.refunded", charge(100));
    assert_eq!(
        case.would_change(),
        "only a person's order, `keyward keep` or `keyward grant`, gives a license again"
    );
    case.decide(6.0, Verb::Keep);
    assert_eq!(
        case.would_change(),
        "only a person's order, like `keyward revoke`, changes it"
    );
    assert!(subscribed().would_change().contains("a failed renewal"));
    let mut refunded = subscribed();
    refunded.told(5.0, "refund.created", refund("re_1", "in_1", 1));
    assert!(refunded.would_change().contains("a later payment"));
}

#[test]
fn what_comes_next_after_an_instant_is_not_what_came_before_it() {
    let case = subscribed();
    let ahead = |at: f64| {
        let (rules, at) = (case.rules(), day(at));
        let explained = explain(&case.machine, &rules, at, at, 16);
        let situation = Situation {
            machine: &case.machine,
            folded: &explained.folded,
            due: &explained.due,
            revisions: &rules,
            now: at,
        };
        let days = |all: Vec<crate::domain::outlook::Upcoming>| -> Vec<Timestamp> {
            all.into_iter().map(|n| n.at).collect()
        };
        (
            days(outlook(&situation)),
            days(outlook_after(&situation, at)),
        )
    };
    let (all, after) = ahead(10.0);
    assert!(all.contains(&day(33.0)) && after.contains(&day(33.0)));
    let (_, after) = ahead(100.0);
    assert!(after.iter().all(|at| *at > day(100.0)), "{after:?}");
}

#[test]
fn a_license_whose_end_was_given_up_is_not_said_to_end() {
    let mut case = bought();
    case.paused(4.0)
        .told(5.0, "charge.refunded", charge(100))
        .dropped(5.0)
        .says(
            "Your license key ending in KEY works, without an end, and stays as it is. The payment was refunded.",
        );
}

#[test]
fn a_key_that_reached_nobody_is_spoken_of() {
    let mut case = bought();
    let works = "Your license key ending in KEY works, without an end.";
    let mail = |case: &mut Case, status| case.machine.notices[0].status = status;
    mail(&mut case, NoticeStatus::Undeliverable);
    case.says(&format!(
        "{works}\nThe e-mail with the license key could not be delivered: please give us another address."
    ));
    mail(&mut case, NoticeStatus::NoAddress);
    case.says(&format!(
        "{works}\nWe have no e-mail address to send the license key to: please tell us one."
    ));
}

#[test]
fn what_is_overdue_is_not_said_to_come_in_the_past() {
    let mut case = Case::purchase(|_| {});
    case.paused(-1.0);
    case.told(
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    )
    .waits();
    let action = case.machine.actions.last_mut().unwrap();
    action.error = Some("402 no credits".to_owned());
    let (rules, now) = (case.rules(), day(0.5));
    let explained = explain(&case.machine, &rules, now, now, 16);
    let next = outlook(&Situation {
        machine: &case.machine,
        folded: &explained.folded,
        due: &explained.due,
        revisions: &rules,
        now,
    });
    let said: Vec<String> = next.iter().map(ToString::to_string).collect();
    assert!(next.iter().all(|n| n.at >= now), "{next:?}");
    assert!(
        said.iter().any(|s| s.ends_with(&format!(
            "(due since {}; last answer: 402 no credits)",
            day(0.0)
        ))),
        "{said:?}"
    );
}

#[test]
fn a_license_that_is_still_looked_for_has_not_ended() {
    let mut case = Case::purchase(|_| {});
    case.since = Some(day(10.0));
    case.told(11.0, "refund.created", refund("re_1", "cs_1", 100));
    case.told_late(
        11.5,
        0.0,
        "checkout.session.completed",
        session(PaymentStatus::Paid),
    );
    case.acts("find")
        .says("Your license has ended. The payment was refunded.");
    // The same before anybody has looked: one that works may be there.
    case.waits()
        .says("We are still looking up your license key. The payment was refunded.");
}

//! One notice to one mail: the letter's content from the machine, its language, and what came of sending it.

use super::mail::{Letter, LetterColors, LetterKey, MailAnswer, Outgoing, message_id};
use super::services::{MailService, Services};
use super::tally;
use super::throttle::{CallResult, Condition};
use crate::domain::customer::Customer;
use crate::domain::decide::{Mailed, recipient};
use crate::domain::fact::FactBody;
use crate::domain::id::{ItemKey, ObjectKind};
use crate::domain::lifecycle::grace::Owed;
use crate::domain::lifecycle::{Folded, Life, PurchaseLife, SubscriptionLife};
use crate::domain::machine::{Grant, Machine};
use crate::domain::money::Money;
use crate::domain::notice::{About, MailReason, Notice, NoticeKind, grace_keeps};
use crate::domain::plan::{Devices, Plan};
use crate::domain::policy::AtGraceEnd;
use crate::domain::time::Timestamp;
use crate::engine::Handle;
use crate::engine::input::Rules;
use crate::engine::read::view;
use crate::engine::record::RecordError;

/// Sends a notice that the mail server's breaker has let through, and tells the breaker what came of it.
pub(super) async fn send(
    handle: &Handle,
    services: &Services,
    mail: &MailService,
    machine: &Machine,
    notice: &Notice,
) -> Result<Mailed, RecordError> {
    let now = handle.clock().now();
    let rules = handle.rules();
    let folded = machine.folded(&rules.revisions, now);
    let customer = match &folded.contact.customer {
        Some(id) => view::customer(handle.reader(), machine.id.scope(), id)
            .inspect_err(|_| mail.breaker.record(CallResult::Unsent, now, String::new))?
            .filter(|c| !c.deleted),
        None => None,
    };
    let email = customer.as_ref().and_then(|c| c.email.as_deref());
    let Some(to) = recipient(notice, &folded, email) else {
        mail.breaker.record(CallResult::Unsent, now, String::new);
        return Ok(Mailed::Again {
            why: "nobody knows where to send it".to_owned(),
        });
    };
    let lang = customer
        .as_ref()
        .and_then(|c| c.locale.clone())
        .or_else(|| folded.contact.locale.clone())
        .unwrap_or_else(|| mail.default_language.clone());
    let kind = notice.kind.as_str();
    let templates = mail.templates.load_full();
    let lang = templates.language(kind, &lang);
    let occasion = Occasion {
        services,
        machine,
        folded: &folded,
        notice,
    };
    let mut letter = letter(&occasion, mail, customer.as_ref(), &to);
    of_notice(&mut letter, &occasion, &rules, now);
    let parts = match templates.render(kind, &lang, &letter) {
        Ok(parts) => parts,
        Err(error) => {
            mail.breaker.record(CallResult::Unsent, now, String::new);
            tracing::error!(machine.id = %machine.id, notice.kind = kind, %error, "a mail template cannot be used; mend it, the mail waits");
            return Ok(Mailed::Again {
                why: error.to_string(),
            });
        }
    };
    let name = format!("{}/{}/{}/{}", machine.id, kind, notice.about, notice.part);
    let outgoing = Outgoing {
        message_id: message_id(&name, mail.mailer.sender().domain()),
        to: to.clone(),
        parts,
        lang,
        date: now,
    };
    let answer = mail.mailer.send(outgoing).await;
    let told = told_of_server(&answer, notice);
    mail.breaker
        .record(told, handle.clock().now(), || answer.why());
    tally::mail(&machine.source, notice.kind, &answer);
    let alone = mail.breaker.health().condition == Condition::Up;
    if let MailAnswer::Rejected { why } = &answer
        && alone
        && notice.refusals == 0
    {
        tracing::error!(machine.id = %machine.id, notice.kind = kind, "the mail server does not take this mail: {why}; it waits and is tried again");
    }
    Ok(mailed(answer, to, alone))
}

/// What an answer tells the server's breaker. That one mail is refused may be about all of them: so it is until another one is
/// taken. But it tells so once; that it is refused again says nothing new of the server.
const fn told_of_server(answer: &MailAnswer, notice: &Notice) -> CallResult {
    match answer {
        MailAnswer::Rejected { .. } if notice.refusals > 0 => CallResult::Unsent,
        MailAnswer::Rejected { .. }
        | MailAnswer::Sent { .. }
        | MailAnswer::Undeliverable { .. }
        | MailAnswer::Again { .. }
        | MailAnswer::Unknown { .. }
        | MailAnswer::Refused { .. } => answer.call_result(),
    }
}

/// What it means for the notice; `alone`: the server works, so that a refusal is about this mail.
fn mailed(answer: MailAnswer, to: String, alone: bool) -> Mailed {
    match answer {
        MailAnswer::Sent { .. } => Mailed::Sent { to },
        MailAnswer::Undeliverable { why } => Mailed::Undeliverable { why },
        MailAnswer::Rejected { why } if alone => Mailed::Rejected { why },
        // That the server is down or refuses us is told once, for all mails, by whoever watches the services.
        MailAnswer::Again { why, .. }
        | MailAnswer::Unknown { why }
        | MailAnswer::Refused { why }
        | MailAnswer::Rejected { why } => Mailed::Again { why },
    }
}

/// What a letter is written about, and for whose shop.
#[derive(Clone, Copy)]
struct Occasion<'a> {
    services: &'a Services,
    machine: &'a Machine,
    /// What the machine's facts come to.
    folded: &'a Folded,
    notice: &'a Notice,
}

fn letter(
    occasion: &Occasion<'_>,
    mail: &MailService,
    customer: Option<&Customer>,
    to: &str,
) -> Letter {
    let Occasion {
        services,
        machine,
        folded,
        notice,
    } = *occasion;
    // A subscription's end moves with each payment; one that another purchase gives does not.
    let of_purchase = matches!(
        notice.kind,
        NoticeKind::Extended
            | NoticeKind::Expiring
            | NoticeKind::Shortened
            | NoticeKind::TimeRestored
    );
    let subscription = matches!(folded.life, Life::Subscription(_)) && !of_purchase;
    let keys = machine
        .grants
        .iter()
        .filter(|g| notice.seats.contains(&g.number))
        .map(|g| LetterKey {
            key: g.key.reveal().to_owned(),
            devices: match g.devices {
                Devices::Count(n) => Some(n),
                Devices::Unlimited => None,
            },
            expires_at: g
                .expires_at
                .filter(|_| !subscription)
                .map(|t| t.to_string()),
        });
    let sender = mail.mailer.sender().vendor();
    let vendor = services.vendor.name.as_deref().unwrap_or(sender).to_owned();
    let mut letter = Letter {
        product: product(machine, notice, services).unwrap_or_else(|| vendor.clone()),
        keys: keys.collect(),
        customer_name: customer
            .and_then(|c| c.name.clone())
            .or_else(|| folded.contact.name.clone()),
        customer_email: to.to_owned(),
        vendor,
        reply_to: mail.reply_to.clone(),
        support_url: services.vendor.support_url.clone(),
        colors: LetterColors::of(&services.vendor),
        reason: notice.reason().map(|r| r.as_str().to_owned()),
        portal_url: services.portal_url.clone(),
        ..Letter::default()
    };
    match &folded.life {
        Life::Payment(p) => of_payment(&mut letter, p, services, machine),
        Life::Subscription(s) => of_subscription(&mut letter, s, machine, notice),
    }
    letter
}

/// What only some kinds of notice say.
fn of_notice(letter: &mut Letter, occasion: &Occasion<'_>, rules: &Rules, now: Timestamp) {
    let Occasion {
        services,
        machine,
        folded,
        notice,
    } = *occasion;
    let due = view::seats(machine, rules, now);
    if !grace_keeps(&notice.about, (folded, &due), now) {
        letter.grace_end = None;
    }
    if notice.kind == NoticeKind::Refunded {
        letter.amount = notice.money_back(&folded.life).map(Money::to_string);
    }
    if notice.kind == NoticeKind::Expiring {
        letter.buy_url = buy_url(services, rules, machine, notice);
    }
    if let Some(stopped) = notice.stopped(machine, now) {
        letter.reason = Some(stopped.as_str().to_owned());
        // A date beside a key would say that it works until then.
        letter.keys.iter_mut().for_each(|k| k.expires_at = None);
    }
    if letter.reason.is_none() {
        let lost = notice.lost(&folded.life);
        letter.reason = lost.map(|lost| lost.as_str().to_owned());
    }
    if notice.is_partly(machine, now) {
        letter.reason = Some(MailReason::Partly.as_str().to_owned());
    }
}

/// Where the license of a notice is bought for longer: the plan that extends it, else its own if it is for a time. The link
/// names the session that bought it, never the key.
fn buy_url(
    services: &Services,
    rules: &Rules,
    machine: &Machine,
    notice: &Notice,
) -> Option<String> {
    if !rules.source(&machine.source).abilities.can_query {
        return None;
    }
    let meant = |g: &&Grant| notice.seats.contains(&g.number);
    let sold = machine
        .grants
        .iter()
        .filter(meant)
        .find_map(|g| g.plan.as_ref())?;
    let plans = &rules.revisions.newest()?.plans;
    let priced =
        |p: &&Plan| !p.lookup_keys.is_empty() || p.prices.iter().any(|p| p.as_str() != "*");
    let plan = plans
        .iter()
        .filter(priced)
        .find(|p| p.extends.contains(sold))
        .or_else(|| {
            let own = |p: &&Plan| p.name == *sold && p.license.duration.is_some();
            plans.iter().filter(priced).find(own)
        })?;
    let session = machine.facts.iter().find_map(|f| {
        if let FactBody::Session(session) = &f.body {
            Some(&session.id)
        } else {
            None
        }
    })?;
    let base = &services.public_url;
    Some(format!("{base}/buy/{}?extends={session}", plan.name))
}

/// What customers call the plans that a notice is about; those of the whole purchase, where it is about no license.
fn product(machine: &Machine, notice: &Notice, services: &Services) -> Option<String> {
    let named = |only_of_notice: bool| {
        let mut titles: Vec<&str> = Vec::new();
        for grant in &machine.grants {
            let is_meant = !only_of_notice || notice.seats.contains(&grant.number);
            let title = grant.plan.as_ref().map(|plan| services.title(plan));
            titles.extend(title.filter(|t| is_meant && !titles.contains(t)));
        }
        titles
    };
    let titles = Some(named(true)).filter(|t| !t.is_empty());
    let titles = titles.unwrap_or_else(|| named(false));
    (!titles.is_empty()).then(|| titles.join(", "))
}

fn of_payment(letter: &mut Letter, p: &PurchaseLife, services: &Services, machine: &Machine) {
    letter.amount = p
        .amount
        .clone()
        .map(|(minor, currency)| Money { minor, currency }.to_string());
    letter.success_url = Some(format!(
        "{}/success?session_id={}",
        services.public_url,
        machine.object()
    ))
    .filter(|_| machine.object().kind() == ObjectKind::Session);
}

fn of_subscription(letter: &mut Letter, s: &SubscriptionLife, machine: &Machine, notice: &Notice) {
    // Of what works again beside others that do not, the others' end says nothing.
    let is_meant = |key: &ItemKey| {
        let mut grants = machine.grants.iter();
        notice.kind != NoticeKind::Restored
            || notice.seats.is_empty()
            || grants.any(|g| g.seat.item == *key && notice.seats.contains(&g.number))
    };
    let paid = s.paid.iter().filter(|(key, _)| is_meant(key));
    let ends = paid
        .filter_map(|(_, paid)| paid.end())
        .chain(s.trial_until)
        .max();
    letter.paid_until = ends.map(|t| t.to_string());
    if let Some(episode) = s
        .episodes
        .iter()
        .rev()
        .find(|e| About::failure(&e.cause) == notice.about)
    {
        owed(letter, &episode.owed);
        letter.grace_end =
            (episode.policy.at_grace_end != AtGraceEnd::Keep).then(|| episode.ends.to_string());
    } else if let Some(side) = s
        .side_failures
        .iter()
        .find(|f| About::Invoice(f.invoice.clone()) == notice.about)
    {
        owed(letter, &side.owed);
    }
}

fn owed(letter: &mut Letter, owed: &Owed) {
    letter.pay_url.clone_from(&owed.hosted_url);
    letter.next_attempt = owed.next_attempt.map(|t| t.to_string());
    letter.amount = owed
        .amount
        .clone()
        .map(|(minor, currency)| Money { minor, currency }.to_string());
}

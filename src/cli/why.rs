//! `why`: the fact, the row, the policy's line and the action behind each license of a purchase.

use std::fmt::Write;
use std::path::Path;

use super::args::WhyArgs;
use super::ask::ask;
use super::page;
use super::report::{self, BOLD, styled};
use crate::admin::{Failure, Request, Response, WhyLicense, WhyPage, WhyPolicy};
use crate::clock::Clock;
use crate::domain::words::counted;

/// `why`.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: &WhyArgs) -> Result<(), Failure> {
    let now = Clock::Wall.now();
    let request = Request::Why {
        text: args.text.clone(),
        at: args.at.map(|when| when.past(now)),
        known_at: args.known_at.map(|when| when.past(now)),
    };
    let Response::List { rows, more } = ask(config, request)? else {
        return Err(Failure::ours("the server answered something else"));
    };
    if args.json {
        return report::json(&rows);
    }
    let mut pages = page::read::<WhyPage>(&rows)?;
    if args.for_customer && pages.iter().any(|page| page.begins.is_none()) {
        // The customer hears of what there was then.
        pages.retain(|page| page.begins.is_none());
    }
    for page in pages {
        let text = if args.for_customer {
            format!("{}\n", page.for_customer)
        } else {
            text(&page)
        };
        report::data(&text);
    }
    if more > 0 {
        report::say(&format!(
            "{more} further purchases are left out: give a more telling text"
        ));
    }
    Ok(())
}

// Writing to a String cannot fail.
fn text(page: &WhyPage) -> String {
    let state = page.state.as_deref().unwrap_or("nothing known yet");
    let mut out = format!("{}  {}\n", styled(BOLD, &page.machine), styled(BOLD, state));
    let _ = writeln!(
        out,
        "  as it was at {}, by what was known at {}",
        page.at, page.known_at
    );
    for license in &page.licenses {
        out.push('\n');
        of_license(&mut out, license);
    }
    if let Some(first) = &page.begins {
        let _ = writeln!(
            out,
            "\n  nothing was known of it then: its first event, {} {}, is of {} (heard {})",
            first.kind, first.event, first.at, first.received
        );
    } else if page.licenses.is_empty() {
        let prices = page.unplanned_prices.join(", ");
        out.push_str("\n  it sells no license");
        if !prices.is_empty() {
            let _ = write!(out, ": no plan names {prices}");
        } else if page.bought_unknown {
            out.push_str(
                ": its events do not say what was bought; with the source's `api_key` Stripe is asked",
            );
        }
        out.push('\n');
    }
    for mail in &page.unmailed {
        let answer = mail.answer.as_deref();
        let answer = answer.map_or(String::new(), |said| format!(": {said}"));
        let why = if mail.status == "no_address" {
            "reached nobody: there is no address"
        } else {
            "could not be delivered"
        };
        let _ = writeln!(
            out,
            "\n  mail          {} of {} {why}{answer}",
            mail.kind, mail.at
        );
    }
    if !page.next.is_empty() {
        let _ = writeln!(out, "\n{}", styled(BOLD, "What comes next"));
    }
    for next in &page.next {
        let _ = writeln!(out, "  {}  {}", next.at, next.what);
    }
    out
}

fn of_policy(out: &mut String, policy: &WhyPolicy) {
    let since = match (policy.overridden, policy.revision) {
        (Some(at), _) => format!(", the customer's own since {at}"),
        (None, Some(at)) => format!(", revision of {at}"),
        (None, None) => String::new(),
    };
    let _ = writeln!(
        out,
        "  policy        {}: {} = {:?}{since}",
        policy.name, policy.key, policy.value
    );
}

/// What it is, and where that is something else, what it should be.
fn head(l: &WhyLicense) -> String {
    let until = l.until.map_or(String::new(), |at| format!(" until {at}"));
    let plan = l
        .plan
        .as_deref()
        .map_or(String::new(), |plan| format!(", plan {plan}"));
    let should = format!("{}{until}", l.should_be);
    let state = match &l.is {
        None => should,
        Some(is) if l.given_up => format!("{is}; what its facts ask for, {should}, was given up"),
        Some(is) => format!("{is}; should be {should}"),
    };
    format!("{} unit {}{plan}: {state}", l.item, l.unit)
}

fn of_license(out: &mut String, l: &WhyLicense) {
    let _ = writeln!(out, "{}", styled(BOLD, head(l)));
    if let Some(other) = &l.extends {
        let _ = writeln!(
            out,
            "  extends       a license of {other}; what is said here is about the time that it adds"
        );
    }
    if let Some(fact) = &l.decided_by {
        let _ = writeln!(
            out,
            "  decided by    {} {} of {} (heard {})",
            fact.kind, fact.event, fact.at, fact.received
        );
    }
    if let Some(at) = l.by_time_at {
        let _ = writeln!(out, "  by time       at {at}, without a further word");
    }
    if let Some(row) = &l.row {
        let _ = writeln!(
            out,
            "  row           phase {}; refund {}; dispute {}; pause {}; ending {}",
            row.phase, row.refund, row.dispute, row.pause, row.ending
        );
    }
    if let Some(paid) = l.paid_until {
        let _ = writeln!(out, "  paid until    {paid}");
    }
    if let Some(policy) = &l.policy {
        of_policy(out, policy);
    }
    if let Some(is) = &l.license {
        let ends = is
            .expires_at
            .map_or("never".to_owned(), |at| at.to_string());
        let _ = writeln!(
            out,
            "  license       no {}, key {}: {}, expires {ends}",
            is.number, is.key, is.status
        );
    }
    for action in &l.actions {
        let answer = action
            .answer
            .as_deref()
            .map_or(String::new(), |said| format!(": {said}"));
        let word = action
            .word
            .as_ref()
            .map_or(String::new(), |word| format!("; {word}"));
        let _ = writeln!(
            out,
            "  action        {} {} {} at {}, {}{answer}{word}",
            action.id,
            action.kind,
            action.outcome,
            action.at,
            counted(action.attempts, "try", "tries")
        );
    }
    let _ = writeln!(out, "  would change  {}", l.would_change);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn license(more: &serde_json::Value) -> String {
        let mut license = serde_json::json!({
            "item": "purchase", "unit": 1, "plan": "once", "should_be": "revoked", "until": null, "row": null,
            "decided_by": null, "by_time_at": null, "policy": null, "license": null, "would_change": "nothing",
            "for_customer": "",
            "actions": [{"id": "stripe/cs_1#2", "kind": "revoke_license", "outcome": "abandoned",
                "at": "2026-03-01T00:00:00Z", "attempts": 0, "answer": null,
                "word": {"what": "dropped", "by": "ada", "reason": "our mistake"}}]
        });
        for (key, value) in more.as_object().unwrap() {
            license[key] = value.clone();
        }
        let mut out = String::new();
        of_license(&mut out, &serde_json::from_value(license).unwrap());
        out
    }

    #[test]
    fn the_head_of_a_license_is_what_it_is() {
        let head = |more: serde_json::Value| license(&more).lines().next().unwrap().to_owned();
        let is = |more, said: &str| {
            let head = head(more);
            assert!(head.contains(said), "{head}");
        };
        is(serde_json::json!({}), "plan once: revoked");
        is(
            serde_json::json!({"is": "live", "given_up": true}),
            "plan once: live; what its facts ask for, revoked, was given up",
        );
        is(
            serde_json::json!({"is": "no key", "should_be": "live"}),
            "plan once: no key; should be live",
        );
    }

    #[test]
    fn who_gave_an_action_up_and_why_stands_with_it() {
        let said = license(&serde_json::json!({}));
        assert!(
            said.contains("0 tries; dropped by ada: our mistake"),
            "{said}"
        );
    }

    #[test]
    fn a_mail_that_reached_nobody_is_told() {
        let page = serde_json::json!({
            "machine": "stripe/cs_1", "at": "2026-03-01T00:00:00Z", "known_at": "2026-03-01T00:00:00Z", "state": "paid",
            "licenses": [], "for_customer": "", "next": [],
            "unmailed": [{"kind": "license_issued", "status": "undeliverable", "at": "2026-03-01T00:00:00Z",
                "answer": "550 no such user"}]
        });
        let said = text(&serde_json::from_value(page).unwrap());
        assert!(
            said.contains("could not be delivered: 550 no such user"),
            "{said}"
        );
    }
}

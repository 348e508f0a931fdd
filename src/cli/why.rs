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
    for page in page::read::<WhyPage>(&rows)? {
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
    if page.licenses.is_empty() {
        let prices = page.unplanned_prices.join(", ");
        out.push_str("\n  it sells no license");
        if !prices.is_empty() {
            let _ = write!(out, ": no plan names {prices}");
        }
        out.push('\n');
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

fn of_license(out: &mut String, l: &WhyLicense) {
    let until = l.until.map_or(String::new(), |at| format!(" until {at}"));
    let plan = l
        .plan
        .as_deref()
        .map_or(String::new(), |plan| format!(", plan {plan}"));
    let title = format!("{} unit {}{plan}: {}{until}", l.item, l.unit, l.should_be);
    let _ = writeln!(out, "{}", styled(BOLD, title));
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
        let _ = writeln!(
            out,
            "  action        {} {} {} at {}, {}{answer}",
            action.id,
            action.kind,
            action.outcome,
            action.at,
            counted(action.attempts, "try", "tries")
        );
    }
    let _ = writeln!(out, "  would change  {}", l.would_change);
}

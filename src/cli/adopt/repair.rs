//! `audit --repair`: one class of differences is repaired, each row as it says.

use std::path::Path;

use super::{AuditArgs, joined, print, taking_in};
use crate::admin::{
    AdoptionQuery, Differing, Failure, HeldWork, Request, Response, joined as joined_work,
};
use crate::adopt::{AdoptionReport, Found, ReportRow};
use crate::cli::apply::ApplyOrder;
use crate::cli::ask::ask;
use crate::domain::adoption::{Class, Repair};
use crate::domain::words::counted;

/// Purchases that are ordered about at one time.
const AT_ONCE: usize = 200;

/// Repairs a class, or lists what that would do.
///
/// # Errors
/// What went wrong.
pub(super) fn repair(
    config: &Path,
    class: Class,
    args: &AuditArgs,
    mut found: Vec<Found>,
) -> Result<(), Failure> {
    let moves: Vec<_> = found
        .iter_mut()
        .flat_map(|f| std::mem::take(&mut f.judged.moves))
        .collect();
    let mut report = of_class(joined(found), class);
    let mut held = Vec::new();
    if let Some(given) = args.apply.order()? {
        if given.expect != report.to_do {
            return Err(Failure::input(format!(
                "{}, not {}: nothing was changed",
                counted(report.to_do, "purchase is to do", "purchases are to do"),
                given.expect
            ))
            .hint("look at `keyward audit --repair` again, and give its number"));
        }
        for way in [Repair::Read, Repair::Retry, Repair::Rekey] {
            let purchases = report.rows.iter().filter(|r| r.repair == Some(way));
            let purchases: Vec<Differing> = purchases.filter_map(differing).collect();
            for some in purchases.chunks(AT_ONCE) {
                held.extend(order(config, (class, way), some, &given)?);
            }
        }
        if report.rows.iter().any(|r| r.repair == Some(Repair::Hear)) {
            taking_in::taken_in(config, &moves)?;
        }
        report.applied = true;
    }
    let held = joined_work(held);
    print::repair(&report, &held, class, &args.read)
}

/// Orders a repair of some purchases. Returns what of it is held all the same.
fn order(
    config: &Path,
    (class, repair): (Class, Repair),
    purchases: &[Differing],
    given: &ApplyOrder,
) -> Result<Vec<HeldWork>, Failure> {
    let query = AdoptionQuery::Repair {
        repair,
        takes: class.takes(),
        purchases: purchases.to_vec(),
        author: given.author.clone(),
        reason: given.reason.clone(),
    };
    let response = ask(config, Request::Adoption(query))?;
    Ok(if let Response::Changed(changed) = response {
        changed.held
    } else {
        Vec::new()
    })
}

fn differing(row: &ReportRow) -> Option<Differing> {
    Some(Differing {
        machine: row.machine.as_ref()?.parse().ok()?,
        licenses: row.licenses.clone(),
    })
}

/// The rows of one class, and how many of them something is done about.
fn of_class(all: AdoptionReport, class: Class) -> AdoptionReport {
    let mut report = AdoptionReport {
        connected_not_read: all.connected_not_read,
        ..AdoptionReport::default()
    };
    let rows = all.rows.into_iter().filter(|r| r.class == class);
    rows.for_each(|row| report.add(row));
    report.to_do = report.rows.iter().filter(|r| r.repair.is_some()).count();
    report
}

//! What a look found, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ReadArgs;
use crate::admin::{Failure, HeldWork};
use crate::adopt::table::KeyTable;
use crate::adopt::{AdoptionReport, Found, ReportRow};
use crate::cli::orders::not_yet;
use crate::cli::report;
use crate::domain::adoption::{Asking, Class};
use crate::domain::money::Money;
use crate::domain::words::counted;

/// Rows of one class that people are shown; `--json` has all.
const ROWS_MAX: usize = 10;

/// The vendor's table in a command that goes on with what was found by it: without it other keys would be found.
fn with_table(read: &ReadArgs) -> String {
    let table = read.csv.as_ref();
    table.map_or_else(String::new, |path| format!(" --csv \"{}\"", path.display()))
}

/// Says which lines of the vendor's table cannot be used, once every source was asked.
pub(super) fn bad_lines(table: &mut KeyTable, read: &ReadArgs) {
    let Some(path) = &read.csv else {
        return;
    };
    table.close();
    let (lines, bad) = (table.lines, table.bad_lines());
    report::say(&format!(
        "{}: {}, {bad} of them cannot be used",
        path.display(),
        counted(lines, "line", "lines")
    ));
    let mut bad: Vec<_> = table.bad.iter().collect();
    bad.sort_by_key(|(line, _)| *line);
    for (line, why) in bad {
        report::say(&format!("line {line}: {why}"));
    }
    if table.more_bad > 0 {
        report::say(&format!(
            "… and {} that cannot be used; mend these, and the next run names them",
            counted(table.more_bad, "more line", "more lines")
        ));
    }
}

/// Says what is to be said of so many of something: ` taken in` of `2 purchases were`.
pub(super) fn say_of(count: usize, one: &str, many: &str, what: &str) {
    report::say(&format!("{}{what}", counted(count, one, many)));
}

/// Charges that are named in one line.
const CHARGES_MAX: usize = 5;

/// Says what belongs to no row.
pub(super) fn aside(found: &[Found]) {
    for found in found {
        charges(found);
        if !found.unshown.is_none() {
            report::warning(&found.unshown.to_string());
        }
        if found.unlabelled > 0 {
            let what = " no label of a purchase: left alone";
            say_of(
                found.unlabelled,
                "working key carries",
                "working keys carry",
                what,
            );
        }
        if found.loose > 0 {
            let (one, many) = ("refund or dispute belongs", "refunds and disputes belong");
            say_of(found.loose, one, many, " to no purchase that Stripe lists");
        }
    }
}

/// Says of which charges nobody knows what they sold, and which say more than the lists of refunds and disputes show.
fn charges(found: &Found) {
    if found.loose_charges > 0 {
        let what = " to no checkout session, subscription or invoice: nothing says what was sold, so nothing is taken in";
        say_of(
            found.loose_charges,
            "charge belongs",
            "charges belong",
            what,
        );
    }
    if found.unlisted.is_empty() {
        return;
    }
    let named = &found.unlisted[..found.unlisted.len().min(CHARGES_MAX)];
    let more = match found.unlisted.len() - named.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    report::warning(&format!(
        "{}{more}: money went back or is disputed, and Stripe lists no such refund or dispute; nothing ends by that. Look at \
         them at Stripe",
        named.join(", ")
    ));
}

/// Prints the report.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn report(
    found: &AdoptionReport,
    read: &ReadArgs,
    asking: Asking,
) -> Result<(), Failure> {
    if read.json {
        return report::json(found);
    }
    let classes = found.classes.iter().map(|(class, n)| {
        let rows = found.rows.iter().filter(|r| r.class == *class);
        vec![class.to_string(), n.to_string(), money(rows)]
    });
    report::data(&report::table(
        &["class", "purchases", "last paid"],
        classes.collect(),
    ));
    for (class, n) in found.classes.iter().filter(|(c, _)| c.is_difference()) {
        rows(found, *class, *n);
    }
    match asking {
        Asking::Adoption if found.applied => {
            say_of(found.to_do, "purchase was", "purchases were", " taken in");
        }
        Asking::Adoption if found.to_do == 0 => report::say("nothing is to be taken in"),
        Asking::Adoption => report::say(&format!(
            "nothing was changed; `keyward adopt{} --apply --expect {}` takes in what is to do",
            with_table(read),
            found.to_do
        )),
        Asking::Audit => report::say(&counted(found.differences(), "difference", "differences")),
    }
    Ok(())
}

fn rows(found: &AdoptionReport, class: Class, n: usize) {
    let some = found
        .rows
        .iter()
        .filter(|r| r.class == class)
        .take(ROWS_MAX);
    let rows = some.map(|r| {
        vec![
            r.machine.clone().unwrap_or_default(),
            r.customer.clone().unwrap_or_default(),
            r.key.clone().unwrap_or_default(),
            r.paid_until.map(|t| t.to_string()).unwrap_or_default(),
            money(std::iter::once(r)),
            r.would.clone(),
        ]
    });
    let header = [
        "purchase",
        "customer",
        "key",
        "paid until",
        "last paid",
        "would",
    ];
    report::data(&format!(
        "\n{class}\n{}",
        report::table(&header, rows.collect())
    ));
    if n > ROWS_MAX {
        report::data(&format!("… and {} more; --json lists all", n - ROWS_MAX));
    }
}

/// The sum of what was last paid, by currency.
fn money<'r>(rows: impl Iterator<Item = &'r ReportRow>) -> String {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for row in rows {
        if let (Some(amount), Some(currency)) = (row.amount, &row.currency) {
            *sums.entry(currency).or_default() += amount;
        }
    }
    let sums = sums.into_iter().map(|(currency, minor)| {
        let currency = currency.to_owned();
        Money { minor, currency }.to_string()
    });
    sums.collect::<Vec<_>>().join(", ")
}

/// What is repaired, in the form that programs read.
#[derive(Serialize)]
struct Repaired<'a> {
    #[serde(flatten)]
    found: &'a AdoptionReport,
    /// What of it is held all the same.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    held: &'a [HeldWork],
}

/// Prints what is repaired of one class.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn repair(
    found: &AdoptionReport,
    held: &[HeldWork],
    class: Class,
    read: &ReadArgs,
) -> Result<(), Failure> {
    if read.json {
        return report::json(&Repaired { found, held });
    }
    let all = found.rows.len();
    rows(found, class, all);
    let left = all - found.to_do;
    let aside = match left {
        0 => String::new(),
        n => format!(
            "; {} left to you, as the last column says",
            counted(n, "is", "are")
        ),
    };
    if found.applied {
        report::say(&format!(
            "{} being repaired{aside}{}",
            counted(found.to_do, "purchase is", "purchases are"),
            not_yet(held)
        ));
    } else if found.to_do == 0 {
        report::say(&format!("nothing is to be repaired{aside}"));
    } else {
        report::say(&format!(
            "nothing was changed; `keyward audit{} --repair {class} --apply --expect {} --reason …` repairs what is to do{aside}",
            with_table(read),
            found.to_do
        ));
    }
    Ok(())
}

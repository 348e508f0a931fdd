//! `move-licenses`: all licenses are made anew at the license service that the config now names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::apply::{ApplyArgs, ApplyOrder};
use super::ask::Conversation;
use super::history_pages::converse;
use super::{page, report};
use crate::admin::{Failure, MoveQuery, MoveRow, Request, Response};
use crate::domain::id::{MachineId, SourceName};
use crate::domain::service_move::{MoveClass, ServiceKind, TellOfKeys};
use crate::domain::words::counted;

/// Purchases that are ordered about at one time.
const AT_ONCE: usize = 200;
/// Rows of one class that people are shown; `--json` has all.
const ROWS_MAX: usize = 10;

/// `move-licenses`.
#[derive(Args, Clone, Debug)]
pub struct MoveArgs {
    /// The license service where the licenses are: `authforge` or `embedded`. Where they go is the config's `service`.
    #[arg(long, value_name = "SERVICE", value_parser = service)]
    pub from: ServiceKind,
    /// Only the licenses of this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Mail each customer whose key cannot be kept the new one.
    #[arg(long)]
    pub tell_customers: bool,
    /// Whether they move.
    #[command(flatten)]
    pub apply: ApplyArgs,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

fn service(text: &str) -> Result<ServiceKind, String> {
    ServiceKind::named(text).ok_or_else(|| "it is `authforge` or `embedded`".to_owned())
}

/// What a run found.
#[derive(Serialize)]
struct MoveReport {
    applied: bool,
    /// How many purchases are to move.
    to_do: usize,
    classes: BTreeMap<&'static str, usize>,
    rows: Vec<MoveRow>,
}

/// `move-licenses`.
///
/// # Errors
/// What went wrong.
pub(super) fn run(config: &Path, args: &MoveArgs) -> Result<(), Failure> {
    let order = args.apply.order()?;
    let mut report = converse(config, |asked| found(asked, args))?;
    if let Some(order) = order {
        if order.expect != report.to_do {
            return Err(Failure::input(format!(
                "{}, not {}: nothing was changed",
                counted(report.to_do, "purchase is to move", "purchases are to move"),
                order.expect
            ))
            .hint("look at `keyward move-licenses` again, and give its number"));
        }
        converse(config, |asked| apply(asked, args, &report, &order))?;
        report.applied = true;
    }
    if args.json {
        return report::json(&report);
    }
    print(&report, args);
    Ok(())
}

fn found(asked: &mut Conversation, args: &MoveArgs) -> Result<MoveReport, Failure> {
    let differs = asked.config.sources.iter().any(|s| {
        let service = asked.config.licenses_of(&s.name).service.as_str();
        service != args.from.as_str()
    });
    if !differs {
        return Err(Failure::input(format!(
            "the config's license service is `{}` itself: nothing moves",
            args.from.as_str()
        ))
        .hint("stop the server, name the new service under [licenses], then run this again"));
    }
    let source = args.source.as_deref().map(SourceName::from);
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let query = MoveQuery::List {
            from: args.from,
            source: source.clone(),
            after,
        };
        let Response::Page {
            rows: part, next, ..
        } = asked.ask(Request::Move(query))?
        else {
            return Err(odd());
        };
        rows.extend(page::read::<MoveRow>(&part)?);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let mut classes = BTreeMap::new();
    for row in &rows {
        *classes.entry(row.class.as_str()).or_default() += 1;
    }
    Ok(MoveReport {
        applied: false,
        to_do: machines(&rows).len(),
        classes,
        rows,
    })
}

fn odd() -> Failure {
    Failure::ours("the server answered something else")
        .hint("is the server of the same version as this command?")
}

/// The purchases of which something moves.
fn machines(rows: &[MoveRow]) -> BTreeSet<&MachineId> {
    let moves = rows.iter().filter(|r| r.class.moves());
    moves.map(|r| &r.machine).collect()
}

fn apply(
    asked: &mut Conversation,
    args: &MoveArgs,
    report: &MoveReport,
    order: &ApplyOrder,
) -> Result<(), Failure> {
    let all: Vec<&MachineId> = machines(&report.rows).into_iter().collect();
    let tell = if args.tell_customers {
        TellOfKeys::Customer
    } else {
        TellOfKeys::Nobody
    };
    for some in all.chunks(AT_ONCE) {
        let query = MoveQuery::Apply {
            from: args.from,
            machines: some.iter().map(|m| (*m).clone()).collect(),
            tell,
            author: order.author.clone(),
            reason: order.reason.clone(),
        };
        asked.ask(Request::Move(query))?;
    }
    Ok(())
}

const fn sentence(class: MoveClass) -> &'static str {
    match class {
        MoveClass::KeepsKey => "moves with its key",
        MoveClass::NewKey => "gets a new key: the service makes its own",
        MoveClass::Later => "does not work at present: it moves when it should work again",
        MoveClass::Ended => "is revoked: it stays as it is",
        MoveClass::Busy => {
            "waits: work on it is under way at the old service, or its key is still to be mailed"
        }
    }
}

fn print(found: &MoveReport, args: &MoveArgs) {
    let count = |class: &MoveClass| found.classes.get(class.as_str()).copied().unwrap_or(0);
    let classes = MoveClass::ALL.iter().filter(|class| count(class) > 0);
    let rows = classes.clone().map(|class| {
        let (n, says) = (count(class), sentence(*class));
        vec![class.as_str().to_owned(), n.to_string(), says.to_owned()]
    });
    report::data(&report::table(
        &["class", "licenses", "what happens"],
        rows.collect(),
    ));
    for class in classes {
        of_class(&found.rows, *class, count(class));
    }
    let new_keys = count(&MoveClass::NewKey);
    if new_keys > 0 {
        report::say(&match (args.tell_customers, found.applied) {
            (true, _) => format!(
                "{} mailed the new key",
                counted(new_keys, "customer is", "customers are")
            ),
            (false, true) => format!(
                "nobody is told of {}",
                counted(new_keys, "new key", "new keys")
            ),
            (false, false) => format!(
                "nobody is told of {}; with --tell-customers each is mailed",
                counted(new_keys, "new key", "new keys")
            ),
        });
    }
    let from = args.from.as_str();
    if found.to_do == 0 {
        report::say(&format!("nothing is to move from `{from}`"));
    } else if found.applied {
        report::say(&format!(
            "{}; the server makes their licenses, `keyward actions` lists what is left. \
             The licenses at `{from}` are left alone",
            counted(found.to_do, "purchase moves", "purchases move")
        ));
    } else {
        report::say(&format!(
            "nothing was changed; `keyward move-licenses --from {from} --apply --expect {} --reason …` moves them",
            found.to_do
        ));
    }
}

fn of_class(rows: &[MoveRow], class: MoveClass, n: usize) {
    let some = rows.iter().filter(|r| r.class == class).take(ROWS_MAX);
    let rows = some.map(|r| {
        vec![
            r.machine.to_string(),
            r.key.clone(),
            r.plan.as_ref().map(ToString::to_string).unwrap_or_default(),
            r.status.to_string(),
            r.expires_at.map_or("never".to_owned(), |t| t.to_string()),
            r.to.as_str().to_owned(),
        ]
    });
    let header = ["purchase", "key", "plan", "status", "expires", "to"];
    report::data(&format!(
        "\n{}\n{}",
        class.as_str(),
        report::table(&header, rows.collect())
    ));
    if n > ROWS_MAX {
        report::data(&format!("… and {} more; --json lists all", n - ROWS_MAX));
    }
}

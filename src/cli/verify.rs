//! `keyward verify`: whether everything that is stored fits together, and putting right what does not.

use std::path::Path;

use clap::Args;

use super::ask::{AskedOf, ask_checked, load, only_row};
use super::report;
use super::store::{CheckedLicenses, check_licenses};
use crate::admin::{Failure, Request, Verified, WrongEntry};
use crate::config::{Config, Env};
use crate::domain::words::counted;
use crate::server::uses_embedded;

/// What the store of licenses is called in sentences.
const SERVICE_STORE: &str = "the embedded license service's store";

/// `verify`.
#[derive(Args, Clone, Copy, Debug)]
pub struct VerifyArgs {
    /// Put right what can be: indexes are written anew, purchases looked at again.
    #[arg(long)]
    pub repair: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Looks at everything. With no server running the store's files are compared with the commit log, too.
///
/// # Errors
/// That something is wrong and was not put right.
pub(super) fn run(config_path: &Path, args: &VerifyArgs) -> Result<(), Failure> {
    let request = Request::Verify {
        repair: args.repair,
    };
    let (config, _) = load(config_path, &Env::process().lenient())?;
    let (response, asked) = ask_checked(&config, request)?;
    let mut verified: Verified = only_row(response)?;
    let way_out = match asked {
        AskedOf::Server => {
            let unchecked = uses_embedded(&config).then(|| {
                format!(
                    "{SERVICE_STORE} is in use by the server and was not looked at: stop it, then `keyward verify`"
                )
            });
            verified.unchecked.extend(unchecked);
            None
        }
        AskedOf::Store {
            repaired,
            missing_backup,
        } => {
            repaired.iter().for_each(|r| report::warning(r));
            let missing = missing_backup.map(|missing| missing.to_string());
            verified.wrong.extend(missing.map(backup_entry));
            look_at_licenses(&config, &mut verified)
        }
    };
    if args.json {
        report::json(&verified)?;
    } else {
        print(&verified);
    }
    let left = verified.wrong.iter().filter(|wrong| !wrong.repaired);
    let (left, mendable) = left.fold((0_u64, 0_u64), |(left, mendable), wrong| {
        (left + 1, mendable + u64::from(wrong.repairable))
    });
    match (left + verified.more, mendable) {
        (0, _) => Ok(()),
        (left, 0) if verified.more == 0 => {
            let hint = way_out.or_else(|| way_out_of(&verified));
            let failure = Failure::ours(format!("{left} findings"));
            Err(hint.map_or_else(|| failure.clone(), |hint| failure.clone().hint(hint)))
        }
        (left, _) => Err(Failure::ours(format!("{left} findings"))
            .hint("`keyward verify --repair` puts right what can be")),
    }
}

/// What helps against what `--repair` does not put right, each of it once.
fn way_out_of(verified: &Verified) -> Option<String> {
    let left = |code: &str| {
        let mut wrong = verified.wrong.iter();
        wrong.any(|w| w.code == code && !w.repaired && !w.repairable)
    };
    let hints = [
        (
            "unreadable",
            "records that cannot be read come back with a backup (`keyward restore`)",
        ),
        (
            "unknown",
            "what no table of this version has is kept and not used: was a newer version here? Go on with that one",
        ),
        (
            "lost",
            "events that a purchase lacks come back by sending them again from Stripe's dashboard",
        ),
        (
            "backup",
            "a backup that is missed belongs back where it was; where it is lost, the next one by schedule takes its place: \
             start the server, and make one by hand until then (`keyward backup`)",
        ),
    ];
    let hints: Vec<&str> = hints
        .into_iter()
        .filter_map(|(code, hint)| left(code).then_some(hint))
        .collect();
    (!hints.is_empty()).then(|| hints.join("; "))
}

/// Checks the embedded license service's store, and adds what is wrong with it. Returns what to do about that.
fn look_at_licenses(config: &Config, verified: &mut Verified) -> Option<String> {
    let failure = match check_licenses(config) {
        Ok(CheckedLicenses::NotUsed) => return None,
        Ok(CheckedLicenses::Missing { used: None }) => return None,
        Ok(CheckedLicenses::Missing { used: Some(used) }) => {
            verified.wrong.push(WrongEntry {
                code: "licenses".to_owned(),
                what: format!("{SERVICE_STORE} is not there, and {used}"),
                repaired: false,
                repairable: false,
            });
            return Some(
                "is its disk mounted? The server doesn't start before the folder `licenses` of the data directory is back. \
                 A backup has it (`keyward restore`)"
                    .to_owned(),
            );
        }
        Ok(CheckedLicenses::Checked {
            licenses,
            repaired,
            missing_backup,
        }) => {
            let warn = |r: &String| report::warning(&format!("{SERVICE_STORE}: {r}"));
            repaired.iter().for_each(warn);
            let missing = missing_backup.map(|missing| format!("{SERVICE_STORE}: {missing}"));
            verified.wrong.extend(missing.map(backup_entry));
            verified.licenses = Some(licenses);
            return None;
        }
        Err(failure) => failure.to_string(),
    };
    let (what, hint) = failure.split_once("\n  hint: ").unwrap_or((&failure, ""));
    verified.wrong.push(WrongEntry {
        code: "licenses".to_owned(),
        what: format!("{SERVICE_STORE}: {what}"),
        repaired: false,
        repairable: false,
    });
    Some(hint.to_owned()).filter(|hint| !hint.is_empty())
}

/// A store that fits together, and could not be rebuilt if it did not.
fn backup_entry(what: String) -> WrongEntry {
    WrongEntry {
        code: "backup".to_owned(),
        what,
        repaired: false,
        repairable: false,
    }
}

fn print(verified: &Verified) {
    for wrong in &verified.wrong {
        let end = if wrong.repaired { " (repaired)" } else { "" };
        report::data(&format!("{}: {}{end}", wrong.code, wrong.what));
    }
    if verified.more > 0 {
        report::data(&format!("and {} more", verified.more));
    }
    let (keys, machines) = (verified.seen.keys, verified.seen.machines);
    let fits = match (verified.wrong.is_empty(), verified.unchecked.is_empty()) {
        (true, true) => "; everything fits together",
        (true, false) => "; all that was looked at fits together",
        (false, _) => "",
    };
    let licenses = verified.licenses.map_or(String::new(), |n| {
        format!("; {SERVICE_STORE}: {}", counted(n, "license", "licenses"))
    });
    report::say(&format!(
        "{}, {}{licenses}{fits}",
        counted(keys, "key", "keys"),
        counted(machines, "purchase", "purchases")
    ));
    verified
        .unchecked
        .iter()
        .for_each(|what| report::warning(what));
}

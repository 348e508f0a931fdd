//! `keyward verify`: whether everything that is stored fits together, and putting right what does not.

use std::path::Path;

use clap::Args;

use super::ask::{ask_checked, only_row};
use super::report;
use crate::admin::{Failure, Request, Verified};

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
    let (response, repaired) = ask_checked(config_path, request)?;
    let verified: Verified = only_row(response)?;
    for repaired in &repaired {
        report::warning(repaired);
    }
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
        (left, 0) if verified.more == 0 => Err(Failure::ours(format!("{left} findings")).hint(
            "records that cannot be read come back with a backup (`keyward restore`); events that a purchase lacks, by \
             sending them again from Stripe's dashboard",
        )),
        (left, _) => Err(Failure::ours(format!("{left} findings"))
            .hint("`keyward verify --repair` puts right what can be")),
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
    let fits = if verified.wrong.is_empty() {
        "; everything fits together"
    } else {
        ""
    };
    report::say(&format!("{keys} keys, {machines} purchases{fits}"));
}

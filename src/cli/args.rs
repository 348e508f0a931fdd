//! Every command and flag on one page.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use super::backup::{BackupArgs, RestoreArgs};
use super::buy_link::BuyLinkArgs;
use super::demo::DemoArgs;
use super::docs::CompletionsArgs;
use super::erase::EraseArgs;
use super::export::ExportArgs;
use super::held::{HeldArgs, ModeArgs, PauseArgs, ResumeArgs};
use super::move_licenses::MoveArgs;
use super::orders::{GrantArgs, RekeyArgs};
use super::overrides::OverrideArgs;
use super::policy::PolicyArgs;
use super::preview::PreviewArgs;
use super::probe::ProbeArgs;
use super::rehearse::RehearseArgs;
use super::replay::ReplayArgs;
use super::reread::RereadArgs;
use super::show::ShowArgs;
use super::verify::VerifyArgs;
use super::whatif::WhatifArgs;
use super::when::When;
use crate::cli::adopt::{AdoptArgs, AuditArgs};

/// Durable license fulfillment for software sold through Stripe.
#[derive(Debug, Parser)]
#[command(
    name = "keyward",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_required = true
)]
pub struct Cli {
    /// The config file. Relative paths in it count from its folder.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "./keyward.toml",
        env = "KEYWARD_CONFIG"
    )]
    pub config: PathBuf,
    /// How log lines on stderr look; KEYWARD_LOG says which (info for a server, warn else).
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "KEYWARD_LOG_FORMAT"
    )]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line, fields flat.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented config file (never over an existing one) and create the store.
    Init,
    /// Report every config error with its line and a fix.
    Check(CheckArgs),
    /// Find out what the license service can do, on a throwaway license.
    Probe(ProbeArgs),
    /// Print the link to buy a plan, and a button.
    BuyLink(BuyLinkArgs),
    /// Show all mails and pages with made-up data, in all languages, on this machine.
    Preview(PreviewArgs),
    /// Run the server.
    Serve(ServeArgs),
    /// Reload the running server's config: plans and policies, from now on, and mail templates.
    Reload(JsonArgs),
    /// Play bundled purchases at a real server on this machine: no account, no network.
    Demo(DemoArgs),
    /// Run a recorded history through the same rules with a virtual clock, and print its timeline.
    Replay(ReplayArgs),
    /// Write the store's history as a file that `replay` reads, also while the server runs.
    Export(ExportArgs),
    /// Write everything that is stored into one file, also while the server runs, and prove that it is all there.
    Backup(BackupArgs),
    /// Fill an empty data directory from a backup.
    Restore(RestoreArgs),
    /// Check everything that is stored: each record, each index both ways, each purchase folded again.
    Verify(VerifyArgs),
    /// Play the store's own history under the config that `--config` names, and report what would have been different.
    Whatif(WhatifArgs),
    /// Play the store's own history in another binary or under another config, and list who would fare otherwise.
    ///
    /// Exit code: 0 where nobody would, 3 where somebody would; 1 and 2 are failures, as with every command.
    Rehearse(RehearseArgs),
    /// Find purchases by e-mail address, license key, or any id.
    Find(FindArgs),
    /// Show one purchase: state, licenses, timeline, what comes next.
    Show(ShowArgs),
    /// Say why the licenses of a purchase are what they are: the fact, the row, the policy's line, the action.
    Why(WhyArgs),
    /// List events and what became of them, oldest first.
    Events(EventsArgs),
    /// List signed deliveries that weren't events.
    Refused(ListArgs),
    /// Print the event types to enable at Stripe, and what each is for.
    StripeEvents(JsonArgs),
    /// List the work at the license service that waits, is held or was refused.
    Actions(ListArgs),
    /// List everything that waits for a person: what it is, since when, why, and the command that settles it.
    Attention(JsonArgs),
    /// Fetch events that never arrived from Stripe's list, and report how many there were, by type.
    Backfill(BackfillArgs),
    /// Read events again that were ignored or unreadable, and report what becomes of them now; --apply takes them in.
    Reread(RereadArgs),
    /// Retry actions and mails now, also refused actions, and try services that were shut out.
    Retry(RetryArgs),
    /// Give an action up.
    Abandon(AbandonArgs),
    /// Hold an action back until `retry`.
    Hold(HoldArgs),
    /// List what is held and by what, or settle it.
    Held(HeldArgs),
    /// From now on decide everything and send nothing, for a plan or for the whole shop.
    Observe(ModeArgs),
    /// From now on carry out what is decided, for a plan or for the whole shop.
    GoLive(ModeArgs),
    /// Send nothing to a license service until `resume`.
    Pause(PauseArgs),
    /// Send to a paused license service again, or make keys again once another program has stopped.
    Resume(ResumeArgs),
    /// Give a license until an instant, or for life, whatever was paid.
    Grant(GrantArgs),
    /// Issue a license to somebody who didn't buy one, and mail the key.
    Issue(IssueArgs),
    /// Extend paid time to at least this date.
    Extend(UntilArgs),
    /// Keep grace periods open until at least this date.
    Exempt(UntilArgs),
    /// Override policy values for one customer, for what happens from now on.
    Override(OverrideArgs),
    /// End the licenses of a purchase for good.
    Revoke(DecisionArgs),
    /// Let the customer keep the license despite a refund or dispute of what is paid by now.
    Keep(DecisionArgs),
    /// Keep a note with a purchase: what was reported about it until now counts as looked at. Also with an event: one that could not be
    /// read changes nothing then, one that waits for its purchase waits on. And with what the nightly audit found of a source, as
    /// audit/stripe: that waits for nobody then until an audit finds something else.
    Note(DecisionArgs),
    /// Give a purchase new keys; the old ones end when these are there.
    Rekey(RekeyArgs),
    /// Send mail of a purchase to this address from now on, also its keys.
    Address(AddressArgs),
    /// Forget the devices that are bound to the keys of a purchase.
    ResetDevices(DecisionArgs),
    /// Mail the keys of a purchase once more.
    Resend(ResendArgs),
    /// Preview a config change, or apply the newest policies to existing purchases.
    Policy(PolicyArgs),
    /// Compare what Stripe says was paid with the licenses there are, and take existing customers in.
    Adopt(AdoptArgs),
    /// Report where Stripe, the license service and this store differ; works before anything is installed, too.
    Audit(AuditArgs),
    /// Erase who a customer is from the store: addresses and names go, what was bought and paid stays.
    Erase(EraseArgs),
    /// Make all licenses anew at the license service that the config now names, with their keys where it accepts them.
    MoveLicenses(MoveArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page.
    Man,
    /// Print docs/cli.md.
    #[command(hide = true)]
    MarkdownHelp,
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Also try the license service, the mail server, and the account at Stripe.
    #[arg(long)]
    pub online: bool,
}

/// `serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Create the store if there is none. Without it a missing or empty data directory is an error.
    #[arg(long)]
    pub new: bool,
}

/// A list that can be JSON.
#[derive(Args, Clone, Copy, Debug)]
pub struct JsonArgs {
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A list that can be cut.
#[derive(Args, Clone, Copy, Debug)]
pub struct ListArgs {
    /// Show only the newest so many.
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `find`.
#[derive(Args, Debug)]
pub struct FindArgs {
    /// An e-mail address, a license key or its label, or any id.
    pub text: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `why`.
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// A license key or its label, an e-mail address, or any id.
    pub text: String,
    /// As it was then: `2026-03-01`, `2026-03-01T00:00:00Z`, or so long ago, like `30d`. Absent: now.
    #[arg(long, value_name = "WHEN")]
    pub at: Option<When>,
    /// By what was known then, in the same forms. Absent: by all that is known now.
    #[arg(long, value_name = "WHEN")]
    pub known_at: Option<When>,
    /// A paragraph for the customer, to paste into a reply.
    #[arg(long, conflicts_with = "json")]
    pub for_customer: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `events`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("which").multiple(false))]
pub struct EventsArgs {
    /// Only those that belong to a purchase or customer.
    #[arg(long, group = "which")]
    pub applied: bool,
    /// Only those that wait for something, with what they wait for.
    #[arg(long, group = "which")]
    pub parked: bool,
    /// Only those that change nothing, with the reason.
    #[arg(long, group = "which")]
    pub ignored: bool,
    /// How many, and in which form.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `backfill`.
#[derive(Args, Debug)]
pub struct BackfillArgs {
    /// From when on: `2026-03-01`, `2026-03-01T00:00:00Z`, or a span before now, like `7d`; Stripe keeps 30 days.
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    pub since: When,
    /// Only this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `retry`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).multiple(false))]
pub struct RetryArgs {
    /// An action, like `stripe/sub_123#4`, or all of one purchase, like `stripe/sub_123`.
    #[arg(group = "what", value_name = "ID")]
    pub id: Option<String>,
    /// All at one service: the license service `authforge` or `embedded`, `stripe` for look-ups, `mail` for mails.
    #[arg(long, group = "what", value_name = "SERVICE")]
    pub service: Option<String>,
    /// All actions and mails.
    #[arg(long, group = "what")]
    pub all: bool,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `abandon`.
#[derive(Args, Debug)]
pub struct AbandonArgs {
    /// The action, like `stripe/sub_123#4`.
    pub id: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `hold`.
#[derive(Args, Debug)]
pub struct HoldArgs {
    /// The action, like `stripe/sub_123#4`.
    pub id: String,
    /// Why: listed with the action.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A decision.
#[derive(Args, Clone, Debug)]
pub struct DecisionArgs {
    /// The purchase, like `stripe/sub_123`, or anything by which `find` finds it alone.
    pub machine: String,
    /// Why: kept with the decision, for whoever asks later.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `issue`.
#[derive(Args, Clone, Debug)]
pub struct IssueArgs {
    /// The plan, as the config names it.
    #[arg(long, value_name = "NAME")]
    pub plan: String,
    /// Whom the key is mailed to.
    #[arg(long = "to", value_name = "ADDRESS")]
    pub email: String,
    /// Until when: `2026-03-01`, `2026-03-01T00:00:00Z`, or from now, like `30d`. Absent: as the plan says.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,
    /// The source whose license service and mail serve it; needed where there are several.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Why: kept with the decision, for whoever asks later.
    #[arg(long)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `extend` and `exempt`.
#[derive(Args, Clone, Debug)]
pub struct UntilArgs {
    /// Until when: `2026-03-01`, `2026-03-01T00:00:00Z`, or from now, like `30d`.
    #[arg(long, value_name = "WHEN")]
    pub until: When,
    /// For which purchase, and why.
    #[command(flatten)]
    pub decision: DecisionArgs,
}

/// `address`.
#[derive(Args, Clone, Debug)]
pub struct AddressArgs {
    /// The address.
    #[arg(long = "to", value_name = "ADDRESS")]
    pub email: String,
    /// For which purchase, and why.
    #[command(flatten)]
    pub decision: DecisionArgs,
}

/// `resend`.
#[derive(Args, Clone, Debug)]
pub struct ResendArgs {
    /// The purchase, like `stripe/sub_123`, or anything by which `find` finds it alone.
    pub machine: String,
    /// To this address, instead of where its keys go anyway.
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Why: kept with the decision, for whoever asks later.
    #[arg(long, default_value = "asked for", hide_default_value = true)]
    pub reason: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

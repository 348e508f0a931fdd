//! Keyward beside the guide's own handler, on the same load in the same run: `benches/run` calls it, `benches/README.md`
//! says what is measured and how to read it. Ratios only: absolute figures are the machine's.
#![forbid(unsafe_code)]

mod api;
mod backlog;
mod cold;
mod disk;
mod growth;
mod history;
mod key;
mod load;
mod mails;
mod measure;
mod proc;
mod purchase;
mod replay;
mod report;
mod server;
mod service;
mod settings;
mod steps;
mod sustained;
mod template;
mod validate;
mod verify_only;
mod whatif_store;

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::measure::Figures;
use crate::report::{Limit, Report, line, median, table};
use crate::server::Kind;
use crate::settings::Settings;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, argument, port, delay_ms] = arguments.as_slice()
        && argument == service::ARGUMENT
    {
        return exit(service::run(port, delay_ms).map(|()| true), false);
    }
    if let [_, argument, port] = arguments.as_slice()
        && argument == verify_only::ARGUMENT
    {
        return exit(verify_only::run(port).map(|()| true), false);
    }
    match Settings::read() {
        Ok(settings) => exit(run(&settings), settings.no_fail),
        Err(error) => exit(Err(error), false),
    }
}

fn exit(outcome: Result<bool>, no_fail: bool) -> ExitCode {
    match outcome {
        Ok(met) if met || no_fail => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            line(&format!("\nerror: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(settings: &Settings) -> Result<bool> {
    let mut report = Report::default();
    let keyward = knows(settings, &["serve", "--help"], "--new");
    if !keyward {
        report.missing(
            "keyward serve: the program has no such command yet; only the guide and the ceiling were measured",
        );
    }
    if settings.wants("load", true) {
        side_by_side(settings, keyward, &mut report)?;
    }
    if keyward && settings.wants("memory", settings.full) {
        memory(settings, &mut report)?;
    }
    if keyward && settings.wants("growth", settings.full) {
        growth::run(settings, &mut report)?;
    }
    if keyward && settings.wants("sustained", settings.full) {
        sustained::run(settings, &mut report)?;
    }
    if keyward && settings.wants("mixed", settings.full) {
        sustained::mixed(settings, &mut report)?;
    }
    if keyward && settings.wants("backlog", settings.full) {
        backlog::run(settings, &mut report)?;
    }
    if keyward && settings.wants("mails", settings.full) {
        mails::run(settings, &mut report)?;
    }
    if keyward && settings.wants("cold", settings.full) {
        cold::run(settings, &mut report)?;
    }
    if keyward && settings.wants("disk", settings.full) {
        disk::run(settings, &mut report)?;
    }
    if keyward && settings.wants("validate", settings.full) {
        validate::run(settings, &mut report)?;
    }
    if settings.wants("replay", true) {
        if knows(settings, &["replay", "--help"], "--until") {
            replay::run(settings, &mut report)?;
        } else {
            line("\nReplay: skipped, the program has no such command yet");
        }
    }
    Ok(report.print())
}

/// Whether the program has a command: its help names one of the command's flags.
fn knows(settings: &Settings, arguments: &[&str], flag: &str) -> bool {
    let output = Command::new(&settings.keyward).args(arguments).output();
    output.is_ok_and(|output| {
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains(flag)
    })
}

/// The servers in turn, round after round, so that what else the machine does meets all of them.
fn side_by_side(settings: &Settings, keyward: bool, report: &mut Report) -> Result<()> {
    let purchases = settings.purchases;
    let (mut guide, mut ours, mut ceiling) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=settings.rounds {
        for kind in [Kind::Guide, Kind::Keyward, Kind::VerifyOnly] {
            if kind == Kind::Keyward && !keyward {
                continue;
            }
            let figures = measure::run(kind, settings, purchases)?;
            let (acks, cpu) = (
                report::figure(figures.acks_per_s),
                report::figure(figures.cpu_ms),
            );
            line(&format!(
                "round {round}: {:<12} {acks:>7} acks/s, {cpu} ms CPU a purchase",
                kind.name()
            ));
            match kind {
                Kind::Guide => guide.push(figures),
                Kind::Keyward => ours.push(figures),
                Kind::VerifyOnly => ceiling.push(figures),
            }
        }
    }
    let title = format!(
        "{purchases} purchases, {} connections, medians of {} rounds",
        load::CONNECTIONS,
        settings.rounds
    );
    if keyward {
        table(
            &title,
            &[
                ("guide", &guide),
                ("keyward", &ours),
                ("verify-only", &ceiling),
            ],
        );
        compare(&guide, &ours, purchases, report);
    } else {
        table(&title, &[("guide", &guide), ("verify-only", &ceiling)]);
    }
    Ok(())
}

fn compare(guide: &[Figures], ours: &[Figures], purchases: usize, report: &mut Report) {
    let ratio = |value: fn(&Figures) -> f64| {
        median(ours.iter().map(value).collect()) / median(guide.iter().map(value).collect())
    };
    report.check(
        "acknowledgements a second, keyward / guide",
        ratio(|f| f.acks_per_s),
        Limit::AtLeast(10.0),
    );
    report.check(
        "p99 latency, keyward / guide",
        ratio(|f| f.p99_ms),
        Limit::AtMost(0.25),
    );
    report.check(
        "CPU per fulfilled purchase, keyward / guide",
        ratio(|f| f.cpu_ms),
        Limit::AtMost(1.0 / 6.0),
    );
    compare_memory(guide, ours, purchases, report);
}

fn compare_memory(guide: &[Figures], ours: &[Figures], purchases: usize, report: &mut Report) {
    let mib = |of: &[Figures]| median(of.iter().map(|f| f.memory.now_mib).collect());
    let what = format!("memory at {purchases} stored purchases, keyward / guide");
    report.check(what, mib(ours) / mib(guide), Limit::AtMost(0.5));
}

/// Memory at many stored purchases.
fn memory(settings: &Settings, report: &mut Report) -> Result<()> {
    let guide = [measure::run(Kind::Guide, settings, settings.many)?];
    let ours = [measure::run(Kind::Keyward, settings, settings.many)?];
    table(
        &format!("{} purchases, one round", settings.many),
        &[("guide", &guide), ("keyward", &ours)],
    );
    compare_memory(&guide, &ours, settings.many, report);
    Ok(())
}

//! Tables, targets, and whether they were met.

use crate::measure::Figures;

/// A target of the issue and what was measured.
#[derive(Debug)]
pub(crate) struct Check {
    what: String,
    measured: f64,
    limit: Limit,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// All checks of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
    missing: Vec<String>,
}

impl Report {
    /// Notes what was measured beside its target.
    pub(crate) fn check(&mut self, what: impl Into<String>, measured: f64, limit: Limit) {
        self.checks.push(Check {
            what: what.into(),
            measured,
            limit,
        });
    }

    /// Notes that something could not be measured, which is a miss.
    pub(crate) fn missing(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// Prints the verdicts; true if all targets were met.
    #[must_use]
    pub(crate) fn print(&self) -> bool {
        line("");
        line("Targets");
        for check in &self.checks {
            let verdict = if check.met() { "pass" } else { "MISS" };
            let (sign, limit) = match check.limit {
                Limit::AtLeast(limit) => ("≥", limit),
                Limit::AtMost(limit) => ("≤", limit),
            };
            let (limit, measured) = (figure(limit), figure(check.measured));
            line(&format!(
                "  {verdict}  {:<58} target {sign} {limit:<6} measured {measured}",
                check.what
            ));
        }
        for what in &self.missing {
            line(&format!("  MISS  {what}"));
        }
        self.missing.is_empty() && self.checks.iter().all(Check::met)
    }
}

impl Check {
    fn met(&self) -> bool {
        match self.limit {
            Limit::AtLeast(limit) => self.measured >= limit,
            Limit::AtMost(limit) => self.measured <= limit,
        }
    }
}

/// The middle of the figures.
pub(crate) fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    let (low, high) = (of.len().saturating_sub(1) / 2, of.len() / 2);
    match (of.get(low), of.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}

/// One figure of a run, by name.
pub(crate) type Row = (&'static str, fn(&Figures) -> f64);

/// The rows of the side-by-side table.
pub(crate) const ROWS: &[Row] = &[
    ("acknowledgements a second", |f| f.acks_per_s),
    ("latency p50, ms", |f| f.p50_ms),
    ("latency p99, ms", |f| f.p99_ms),
    ("purchases fulfilled a second", |f| f.fulfilled_per_s),
    ("CPU per fulfilled purchase, ms", |f| f.cpu_ms),
    ("  and the 2 s after, ms", |f| f.cpu_settled_ms),
    ("generator and license service, ms", |f| f.harness_cpu_ms),
    ("memory at the end, MiB", |f| f.memory.now_mib),
    ("memory at its highest, MiB", |f| f.memory.peak_mib),
    ("store on disk, MiB", |f| f.disk_mib),
    ("deliveries told to come again", |f| f.refused as f64),
];

/// Medians side by side, and the second column as a multiple of the first.
pub(crate) fn table(title: &str, columns: &[(&str, &[Figures])]) {
    line("");
    line(title);
    let heads: String = columns
        .iter()
        .map(|(name, _)| format!("{name:>14}"))
        .collect();
    line(&format!(
        "  {:<34}{heads}{:>14}",
        "",
        if columns.len() > 1 { "2nd/1st" } else { "" }
    ));
    for (name, of) in ROWS {
        let medians: Vec<f64> = columns
            .iter()
            .map(|(_, runs)| median(runs.iter().map(of).collect()))
            .collect();
        let cells: String = medians
            .iter()
            .map(|value| format!("{:>14}", figure(*value)))
            .collect();
        let ratio = match medians.as_slice() {
            [first, second, ..] if *first > 0.0 => format!("{:>14}", figure(second / first)),
            _ => String::new(),
        };
        line(&format!("  {name:<34}{cells}{ratio}"));
    }
}

/// Three figures that count, whatever the size.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The only place that prints.
#[expect(clippy::print_stdout, reason = "a bench's answer is what it prints")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

//! Sources that a config names no more, or otherwise: what `check` and `rehearse` say of them, with the line.

use std::path::Path;

use super::online::{Tried, Verdict};
use super::report;
use crate::admin::Failure;
use crate::config::Config;
use crate::domain::id::SourceName;
use crate::engine::read::sources::{Renamed, SourceChange};

/// The names of a config's sources.
pub(super) fn named(config: &Config) -> Vec<SourceName> {
    config.sources.iter().map(|s| s.name.clone()).collect()
}

/// What `check` says.
pub(super) fn tried(path: &Path, change: &SourceChange) -> Vec<Tried> {
    if let Some(renamed) = &change.renamed {
        let subject = format!("source {}", renamed.is);
        let what = format!("{}: {renamed}", place(path, renamed));
        return vec![Tried::new(Verdict::Bad, &subject, what).hint(renamed.hint())];
    }
    let gone = change.gone.iter();
    gone.map(|gone| {
        let subject = format!("source {}", gone.source);
        Tried::new(Verdict::Unwise, &subject, gone.to_string())
    })
    .collect()
}

/// Refuses a config that renames a source.
///
/// # Errors
/// That it does.
pub(super) fn refuse(path: &Path, change: &SourceChange) -> Result<(), Failure> {
    match &change.renamed {
        Some(renamed) => {
            let what = format!("{}: {renamed}", place(path, renamed));
            Err(Failure::input(what).hint(renamed.hint()))
        }
        None => {
            for gone in &change.gone {
                report::warning(&gone.to_string());
            }
            Ok(())
        }
    }
}

/// The file, and the line in which the new name stands.
fn place(path: &Path, renamed: &Renamed) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    match line_of(&text, renamed.is.as_str()) {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    }
}

/// The line in which a source gets its name.
fn line_of(text: &str, name: &str) -> Option<usize> {
    let mut in_source = false;
    let mut lines = (1..).zip(text.lines().map(str::trim));
    let found = lines.find(|(_, line)| {
        if line.starts_with('[') {
            in_source = line.starts_with("[[source]]");
        }
        let value = line.strip_prefix("name").map(str::trim_start);
        let value = value.and_then(|rest| rest.strip_prefix('='));
        let value = value.map(|v| v.trim_start().trim_start_matches(['"', '\'']));
        in_source && value.is_some_and(|v| v.starts_with(name))
    });
    found.map(|(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::line_of;

    #[test]
    fn a_source_is_found_by_its_line() {
        let text = "[[plan]]\nname = \"shop\"\n[[source]]\n kind = \"stripe\"\n name=\"shop\" # ours\n[licenses]\nname = \"eu\"\n";
        assert_eq!(line_of(text, "shop"), Some(5));
        assert_eq!(line_of(text, "eu"), None);
    }
}

//! What is said about a config file: mistakes and warnings, with their place, printed in rustc's manner.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// How much is printed of what was found: more than this nobody reads at once.
const FINDINGS_SHOWN_MAX: usize = 40;

/// Whether a finding stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It does: the file cannot be meant like that.
    Mistake,
    /// It does not: it can be meant like that, and is unwise.
    Warning,
}

/// Something found in a config file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Whether it stops the start.
    pub severity: Severity,
    /// The file as it was named.
    pub file: String,
    /// Where in the file, unless it is about the file as a whole.
    pub place: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The file's text with its secrets blanked, for printing the line.
    #[serde(skip)]
    pub(super) text: Arc<str>,
}

/// A judgement that stops nothing.
pub type Warning = Finding;

/// A place in a file; lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
    /// The bytes that are meant.
    #[serde(skip)]
    pub span: Range<usize>,
}

impl Position {
    /// The place of a span of bytes; what lies beyond the text or inside a character moves to where it can be shown.
    pub(super) fn of(text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..end,
        }
    }
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderStyle {
    /// For files and pipes.
    Plain,
    /// For a terminal.
    Colour,
}

/// Prints findings one below the other.
#[must_use]
pub fn render(findings: &[Finding], style: RenderStyle) -> String {
    let renderer = match style {
        RenderStyle::Plain => Renderer::plain(),
        RenderStyle::Colour => Renderer::styled(),
    };
    let mut shown: Vec<String> = findings
        .iter()
        .take(FINDINGS_SHOWN_MAX)
        .map(|f| renderer.render(&[group(f)]))
        .collect();
    if let Some(more) = findings
        .len()
        .checked_sub(FINDINGS_SHOWN_MAX)
        .filter(|n| *n > 0)
    {
        shown.push(format!("and {more} more"));
    }
    shown.join("\n\n")
}

fn group(finding: &Finding) -> annotate_snippets::Group<'_> {
    let level = match finding.severity {
        Severity::Mistake => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(finding.message.as_str());
    let group = match &finding.place {
        Some(place) => title.element(
            Snippet::source(&*finding.text)
                .path(finding.file.as_str())
                .annotation(AnnotationKind::Primary.span(place.span.clone())),
        ),
        None => title.element(annotate_snippets::Origin::path(finding.file.as_str())),
    };
    match &finding.hint {
        Some(hint) => group.element(Level::HELP.with_name("hint").message(hint.as_str())),
        None => group,
    }
}

/// A file that is no valid config: all its mistakes, and what was only unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    /// What must be mended, in the file's order; never empty.
    pub mistakes: Vec<Finding>,
    /// What stops nothing.
    pub warnings: Vec<Warning>,
}

impl Mistakes {
    /// Prints the mistakes, then the warnings.
    #[must_use]
    pub fn render(&self, style: RenderStyle) -> String {
        let mut parts = vec![render(&self.mistakes, style)];
        if !self.warnings.is_empty() {
            parts.push(render(&self.warnings, style));
        }
        parts.join("\n\n")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(RenderStyle::Plain))
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_survive_odd_spans() {
        let text = "a = 1\nbü = \"ß\"\n";
        assert_eq!(
            Position::of(text, 6..7),
            Position {
                line: 2,
                column: 1,
                span: 6..7
            }
        );
        assert_eq!(
            Position::of(text, 12..16),
            Position {
                line: 2,
                column: 6,
                span: 12..16
            }
        );
        assert_eq!(
            Position::of(text, 8..8),
            Position {
                line: 2,
                column: 2,
                span: 7..9
            }
        );
        assert_eq!(Position::of(text, 90..99).line, 3);
    }
}

//! `keyward stripe-events`: what to enable at Stripe.

use super::args::JsonArgs;
use super::report;
use crate::admin::Failure;
use crate::sources::stripe::event::EVENT_TYPES;

/// Prints the event types. Text is one a line, type first, so that `cut` and `awk` can take it.
///
/// # Errors
/// None in practice.
pub(super) fn run(args: JsonArgs) -> Result<(), Failure> {
    if args.json {
        return report::json(&EVENT_TYPES.iter().map(|(kind, _)| kind).collect::<Vec<_>>());
    }
    let width = EVENT_TYPES
        .iter()
        .map(|(kind, _)| kind.len())
        .max()
        .unwrap_or_default();
    let lines = EVENT_TYPES
        .iter()
        .map(|(kind, why)| format!("{kind:width$}  {why}\n"));
    report::data(&lines.collect::<String>());
    Ok(())
}

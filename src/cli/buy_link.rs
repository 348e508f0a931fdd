//! `buy-link`: what a vendor puts on a page.

use std::path::Path;

use clap::Args;

use super::ask::load;
use super::report;
use crate::admin::Failure;
use crate::config::Env;

/// `buy-link`.
#[derive(Args, Debug)]
pub struct BuyLinkArgs {
    /// The plan, as the config names it.
    pub plan: String,
    /// JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Prints the link and a button.
///
/// # Errors
/// That there is no such plan, or that nothing can be sold.
pub(super) fn run(config: &Path, args: &BuyLinkArgs) -> Result<(), Failure> {
    let (config, _) = load(config, &Env::process().lenient())?;
    let Some(plan) = config.plans.iter().find(|p| *p.name.as_str() == *args.plan) else {
        let all: Vec<String> = config
            .plans
            .iter()
            .map(|p| format!("`{}`", p.name))
            .collect();
        return Err(Failure::input(format!("there is no plan `{}`", args.plan))
            .hint(format!("the config has {}", all.join(", "))));
    };
    let named = plan.prices.iter().any(|p| p.as_str() != "*") || !plan.lookup_keys.is_empty();
    if !named {
        return Err(Failure::input(format!(
            "the plan `{}` names no price that could be bought",
            plan.name
        ))
        .hint("`prices` or `lookup_keys` of the plan name one"));
    }
    if config.sources.iter().all(|s| s.api_key.is_none()) {
        report::warning(
            "no source has an `api_key`: the link works as soon as one may write Checkout sessions",
        );
    }
    let link = format!("{}/buy/{}", config.public_url, plan.name);
    let title = escaped(config.title(&plan.name));
    let button = format!("<a href=\"{link}\">Buy {title}</a>");
    if args.json {
        return report::json(&serde_json::json!({ "link": link, "button": button }));
    }
    report::data(&format!("{link}\n{button}"));
    Ok(())
}

/// A text as it stands in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

//! Whether plans can be bought: `/buy/{plan}` and `POST /checkout` make a Checkout session for one of their prices. In test mode
//! one is made, and expired at once; in live mode only the prices are read.

use super::{Tried, Verdict, of};
use crate::config::Config;
use crate::domain::id::SourceName;
use crate::domain::plan::Plan;
use crate::effects::stripe::checkout::{CheckoutOrder, Price, success_url};
use crate::effects::stripe::{Account, Answer, StripeRefusal, WRONG_KEY};

/// Plans that are tried at most: each costs up to four requests.
const PLANS_MAX: usize = 20;
const SUBJECT: &str = "buy links";
const PERMISSIONS: &str = "buy links need an `api_key` that may read prices and write Checkout sessions; nothing else does";

/// Tries each plan that names a price by id or lookup key.
pub(super) async fn plans(config: &Config, source: &SourceName, account: &Account) -> Vec<Tried> {
    let named = |p: &&Plan| p.prices.iter().any(|p| p.as_str() != "*") || !p.lookup_keys.is_empty();
    let subject = of(SUBJECT, source);
    let mut out = Vec::new();
    for plan in config.plans.iter().filter(named).take(PLANS_MAX) {
        match one(config, account, plan).await {
            Ok(what) => out.push(Tried::new(Verdict::Good, &subject, what)),
            Err(No::Key(why, hint)) => {
                // It is the same for every plan.
                out.push(Tried::new(Verdict::Unwise, &subject, why).hint(hint));
                break;
            }
            Err(No::Plan(why, hint)) => {
                let what = format!("plan `{}` cannot be bought by a link: {why}", plan.name);
                out.push(Tried::new(Verdict::Unwise, &subject, what).hint(hint));
            }
        }
    }
    let more = config
        .plans
        .iter()
        .filter(named)
        .count()
        .saturating_sub(PLANS_MAX);
    if more > 0 {
        let what = format!("{more} more plans were not tried");
        out.push(Tried::new(Verdict::Good, &subject, what));
    }
    out
}

/// Why a plan cannot be bought.
enum No {
    /// The key may not, and the way out.
    Key(String, &'static str),
    /// What is wrong with the plan, and the way out.
    Plan(String, &'static str),
}

async fn one(config: &Config, account: &Account, plan: &Plan) -> Result<String, No> {
    let price = price(account, plan).await?;
    if account.livemode() != Some(false) {
        return Ok(format!(
            "plan `{}` is sold at {}; a Checkout session is tried in test mode only",
            plan.name, price.id
        ));
    }
    let success_url = success_url(&config.public_url);
    let order = CheckoutOrder::of(plan, &price, config, &success_url);
    let attempt = |what: &str| format!("keyward-check-{what}-{:032x}", rand::random::<u128>());
    let (session, _) = done(account.create_session(&order, &attempt("create")).await)?;
    done(account.expire_session(&session, &attempt("expire")).await)?;
    Ok(format!(
        "plan `{}` is sold at {}: a Checkout session was made and expired",
        plan.name, price.id
    ))
}

/// The price at which a plan is bought.
async fn price(account: &Account, plan: &Plan) -> Result<Price, No> {
    let mut no = None;
    for answer in account.prices_of(plan).await {
        match done(answer) {
            Ok(price) if price.active => return Ok(price),
            Ok(price) => {
                let why = format!("the price {} is archived", price.id);
                no = Some(No::Plan(
                    why,
                    "name an active price first in `prices` or `lookup_keys`",
                ));
            }
            Err(why) => no = Some(why),
        }
    }
    let none = || No::Plan("it names no price".to_owned(), "`prices` or `lookup_keys`");
    Err(no.unwrap_or_else(none))
}

fn done<T>(answer: Answer<T>) -> Result<T, No> {
    match answer {
        Answer::Done(done) => Ok(done),
        Answer::Again { why, .. } => Err(No::Plan(why, "try again in a while")),
        Answer::Refused { refusal, why } => Err(match refusal {
            StripeRefusal::Key => No::Key(why, WRONG_KEY),
            StripeRefusal::Permission => No::Key(why, PERMISSIONS),
            StripeRefusal::Missing => No::Plan(
                why,
                "`prices` of the plan must be of the account and mode of `api_key`",
            ),
            StripeRefusal::Question => No::Plan(why, "`[checkout]`, or `buy` of the plan"),
        }),
    }
}

//! Which plan a license is of, as its purchase says: read from the engine, and remembered for a while.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::StatusCode;

use crate::config::{Config, Service};
use crate::domain::id::{LicenseKey, PlanName, Scope};
use crate::domain::time::{Span, Timestamp};
use crate::embedded::{KnownLicense, PlanTerms};
use crate::engine::Handle;
use crate::engine::read::view;
use crate::engine::record::RecordError;
use crate::http::problem::Problem;

/// How long a plan that was read counts: a changed plan reaches programs within this.
const FRESH: Span = Span::from_minutes(5);
/// The same where there is none: a new purchase names its license only in a moment.
const FRESH_NONE: Span = Span::from_s(10);
/// Plans remembered: about 100 bytes each. Beyond it all are forgotten, and read again as they are asked for.
const REMEMBERED_MAX: usize = 200_000;

/// The plans of licenses.
pub(super) struct Plans {
    handle: Handle,
    config: Arc<Config>,
    remembered: RwLock<HashMap<u64, Remembered>>,
}

#[derive(Clone)]
struct Remembered {
    plan: Option<PlanName>,
    read_at: Timestamp,
}

impl Plans {
    pub(super) fn new(handle: Handle, config: Arc<Config>) -> Self {
        Self {
            handle,
            config,
            remembered: RwLock::default(),
        }
    }

    /// What a license's plan adds. A license without a purchase of ours has no plan.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn of(&self, license: &KnownLicense) -> Result<PlanTerms, Problem> {
        let now = self.handle.clock().now();
        if let Some(known) = self.remembered(license.number(), now) {
            return Ok(self.terms(known.plan.as_ref()));
        }
        let plan = self.read(license).await.map_err(|error| {
            tracing::error!(%error, "the plan of a license could not be read");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the license service cannot read at present; please try again",
            )
        })?;
        self.remember(license.number(), plan.clone(), now);
        Ok(self.terms(plan.as_ref()))
    }

    fn remembered(&self, number: u64, now: Timestamp) -> Option<Remembered> {
        let plans = self
            .remembered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let known = plans.get(&number).cloned();
        known.filter(|known| {
            let fresh = known.plan.as_ref().map_or(FRESH_NONE, |_| FRESH);
            now - known.read_at < fresh
        })
    }

    fn remember(&self, number: u64, plan: Option<PlanName>, read_at: Timestamp) {
        let mut plans = self
            .remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= REMEMBERED_MAX {
            plans.clear();
        }
        plans.insert(number, Remembered { plan, read_at });
    }

    async fn read(&self, license: &KnownLicense) -> Result<Option<PlanName>, String> {
        let Some(object) = license.label().and_then(object) else {
            return Ok(None);
        };
        let (handle, config) = (self.handle.clone(), Arc::clone(&self.config));
        let (object, key) = (object.to_owned(), license.key().clone());
        let read =
            tokio::task::spawn_blocking(move || plan_of(&handle, &config, &object, &key)).await;
        match read {
            Ok(read) => read.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        }
    }

    fn terms(&self, plan: Option<&PlanName>) -> PlanTerms {
        let of_plan = plan.and_then(|plan| self.config.program_terms.get(plan));
        PlanTerms {
            plan: plan.map(ToString::to_string),
            variables: of_plan
                .map(|t| Arc::clone(&t.variables))
                .unwrap_or_default(),
            offline: of_plan.and_then(|t| t.offline),
        }
    }
}

/// The purchase's object in a label of ours: `Stripe sub sub_1 #2`.
fn object(label: &str) -> Option<&str> {
    label.split(' ').find(|word| word.contains('_'))
}

fn plan_of(
    handle: &Handle,
    config: &Config,
    object: &str,
    key: &LicenseKey,
) -> Result<Option<PlanName>, RecordError> {
    let embedded = config.sources.iter().filter(|s| {
        let service = &config.licenses_of(&s.name).service;
        matches!(service, Service::Embedded { .. })
    });
    for source in embedded {
        let scope = Scope::new(source.name.clone(), None);
        let machine = view::by_name(handle.reader(), &scope, object)?;
        let grants = machine.iter().flat_map(|m| &m.grants);
        if let Some(grant) = grants.into_iter().find(|g| g.key == *key) {
            return Ok(grant.plan.clone());
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn a_label_names_its_purchase() {
        assert_eq!(object("Stripe sub sub_1 #2"), Some("sub_1"));
        assert_eq!(object("Keyward issued_a"), Some("issued_a"));
        assert_eq!((object(""), object("by hand")), (None, None));
    }
}

//! How the services fare, as their breakers have it: one line for each service that is used.

use std::sync::Arc;

use super::services::{LicenseService, MailService, Services};
use super::stripe::Account;
use super::throttle::{Condition, Guard, Health};
use crate::domain::attention::{Attention, Concern, ServiceTrouble};
use crate::domain::id::SourceName;
use crate::domain::time::Timestamp;
use crate::engine::read::counts::backlog::Work;
use crate::engine::record::server::GoneService;

/// What the operator calls a mail server.
const MAIL: &str = "mail";
/// What the operator calls Stripe's API.
const STRIPE: &str = "stripe";

/// Asks a running server what waits for a person apart from purchases. It reads what is in memory.
pub(crate) type ServerAttention = Arc<dyn Fn() -> Vec<Attention> + Send + Sync>;

/// A service with how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHealth {
    /// What the operator calls it: `authforge`, `embedded`, `mail` or `stripe`.
    pub service: &'static str,
    /// What waits for it.
    pub work: Work,
    /// The sources that use it.
    pub sources: Vec<SourceName>,
    /// How it fares.
    pub health: Health,
}

impl ServiceHealth {
    /// Whether the service is gone: what is due waits until it is back, or until a person has mended something.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        match self.health.condition {
            Condition::Up | Condition::Slowed => false,
            Condition::Down | Condition::Refusing | Condition::NoCredits => true,
        }
    }
}

impl LicenseService {
    /// How it fares; while it answers, whether it has credits.
    #[must_use]
    pub fn health(&self) -> Health {
        let service = self.breaker.health();
        if service.condition == Condition::Up {
            self.credits.health()
        } else {
            service
        }
    }
}

impl Services {
    /// Every service that is used, each once.
    #[must_use]
    pub fn health(&self) -> Vec<ServiceHealth> {
        let licenses = self
            .license_services()
            .into_iter()
            .map(|(_, service)| ServiceHealth {
                service: service.name,
                work: Work::Licenses,
                sources: self.sources_of(service),
                health: service.health(),
            });
        let mail = self
            .mail_services()
            .into_iter()
            .filter(|(_, m)| m.mailer.is_on());
        let mail = mail.map(|(_, service)| ServiceHealth {
            service: MAIL,
            work: Work::Mail,
            sources: self.sources_of_mail(service),
            health: service.breaker.health(),
        });
        let stripe =
            self.stripe_by_source()
                .map(
                    |(source, account): (&SourceName, &Arc<Account>)| ServiceHealth {
                        service: STRIPE,
                        work: Work::Queries,
                        sources: vec![source.clone()],
                        health: account.breaker.health(),
                    },
                );
        licenses.chain(mail).chain(stripe).collect()
    }

    fn sources_of_mail(&self, service: &Arc<MailService>) -> Vec<SourceName> {
        let same = self
            .mail_by_source()
            .filter(|(_, other)| Arc::ptr_eq(other, service));
        same.map(|(source, _)| source.clone()).collect()
    }

    fn sources_of(&self, service: &Arc<LicenseService>) -> Vec<SourceName> {
        let same = self
            .licenses_by_source()
            .filter(|(_, other)| Arc::ptr_eq(other, service));
        same.map(|(source, _)| source.clone()).collect()
    }
}

impl Condition {
    /// How a service fails in it; `None`: it does its work.
    const fn trouble(self) -> Option<ServiceTrouble> {
        match self {
            Self::Up | Self::Slowed => None,
            Self::Down => Some(ServiceTrouble::Down),
            Self::Refusing => Some(ServiceTrouble::Refusing),
            Self::NoCredits => Some(ServiceTrouble::NoCredits),
        }
    }

    const fn of(trouble: ServiceTrouble) -> Self {
        match trouble {
            ServiceTrouble::Down => Self::Down,
            ServiceTrouble::Refusing => Self::Refusing,
            ServiceTrouble::NoCredits => Self::NoCredits,
        }
    }
}

impl Services {
    /// The services that do not do their work, as what waits for a person.
    #[must_use]
    pub(crate) fn attention(&self, now: Timestamp) -> Vec<Attention> {
        let all = self.health();
        // Each account is a trouble of its own: the end of one must not end the other's.
        let namesakes = |name| all.iter().filter(|s| s.service == name).count() > 1;
        let gone = |service: &ServiceHealth| {
            Some(Attention {
                since: service.health.since.unwrap_or(now),
                concern: Concern::ServiceGone {
                    service: service.service,
                    of: if namesakes(service.service) {
                        service.sources.clone()
                    } else {
                        Vec::new()
                    },
                    trouble: service.health.condition.trouble()?,
                    why: service.health.why.clone(),
                },
            })
        };
        all.iter().filter_map(gone).collect()
    }

    /// Each breaker with what the operator calls its service, and one of the sources that use it.
    fn breakers(&self) -> Vec<(&'static str, &SourceName, &Guard)> {
        let mut all = Vec::new();
        for (source, service) in self.license_services() {
            all.push((service.name, source, &service.breaker));
            all.push((service.name, source, &service.credits));
        }
        let mail = self.mail_services().into_iter();
        all.extend(mail.map(|(source, service)| (MAIL, source, &service.breaker)));
        let stripe = self.stripe_by_source();
        all.extend(stripe.map(|(source, account)| (STRIPE, source, &account.breaker)));
        all
    }

    /// The services that do not do their work, for the next start.
    #[must_use]
    pub(crate) fn gone(&self, now: Timestamp) -> Vec<GoneService> {
        let gone = |(service, source, breaker): (&str, &SourceName, &Guard)| {
            let health = breaker.health();
            Some(GoneService {
                service: service.to_owned(),
                source: source.clone(),
                trouble: health.condition.trouble()?,
                since: health.since.unwrap_or(now),
                why: health.why,
            })
        };
        self.breakers().into_iter().filter_map(gone).collect()
    }

    /// Takes up how the services fared when the last process ended: nobody knows better until they are asked. A service that
    /// the config names no more is not asked.
    pub(crate) fn take_up(&self, gone: Vec<GoneService>, now: Timestamp) {
        for known in gone {
            let health = Health {
                condition: Condition::of(known.trouble),
                since: Some(known.since),
                why: known.why,
            };
            let licenses = || {
                self.license(&known.source)
                    .filter(|s| s.name == known.service)
            };
            let breaker = match (known.service.as_str(), known.trouble) {
                (MAIL, _) => self.mail(&known.source).map(|m| &m.breaker),
                (STRIPE, _) => self.stripe(&known.source).map(|account| &account.breaker),
                (_, ServiceTrouble::NoCredits) => licenses().map(|s| &s.credits),
                (_, ServiceTrouble::Down | ServiceTrouble::Refusing) => {
                    licenses().map(|s| &s.breaker)
                }
            };
            if let Some(breaker) = breaker {
                breaker.take_up(health, now);
            }
        }
    }
}

//! How the services fare, as their breakers have it: one line for each service that is used.

use std::sync::Arc;

use super::services::{LicenseService, MailService, Services};
use super::stripe::Account;
use super::throttle::{Condition, Health};
use crate::domain::id::SourceName;
use crate::engine::read::counts::backlog::Work;

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
            service: "mail",
            work: Work::Mail,
            sources: self.sources_of_mail(service),
            health: service.breaker.health(),
        });
        let stripe =
            self.stripe_by_source()
                .map(
                    |(source, account): (&SourceName, &Arc<Account>)| ServiceHealth {
                        service: "stripe",
                        work: Work::LookUps,
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

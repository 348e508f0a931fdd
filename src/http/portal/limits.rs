//! How often a visitor may ask for mails and try codes, and how often an address is mailed.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::domain::contact::normal_address;
use crate::http::limit::Limiter;

/// Mails that one visitor may ask for at once: an office shares an address.
const ASKS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// One more after so long.
const ASK_EACH: Duration = Duration::from_secs(60);
/// Mails to one address at once.
const MAILS: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// One more after so long.
const MAIL_EACH: Duration = Duration::from_secs(600);
/// Codes and links that one visitor may try at once.
const TRIES: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// One more after so long.
const TRY_EACH: Duration = Duration::from_secs(10);

/// The limits.
pub(super) struct PortalLimits {
    asks: Limiter,
    mails: Limiter,
    tries: Limiter,
}

impl PortalLimits {
    pub(super) fn new() -> Self {
        Self {
            asks: Limiter::slow(ASKS, ASK_EACH),
            mails: Limiter::slow(MAILS, MAIL_EACH),
            tries: Limiter::slow(TRIES, TRY_EACH),
        }
    }

    /// Lets a visitor ask for a mail, or says how long to wait, in seconds.
    pub(super) fn ask(&self, visitor: IpAddr) -> Result<(), u64> {
        self.asks.check(visitor)
    }

    /// Whether an address may be mailed once more. Nobody but its owner hears of it.
    pub(super) fn mail(&self, address: &str) -> bool {
        self.mails
            .check_number(number(&normal_address(address)))
            .is_ok()
    }

    /// Lets a visitor try a code or a link.
    pub(super) fn attempt(&self, visitor: IpAddr) -> Result<(), u64> {
        self.tries.check(visitor)
    }
}

/// Two addresses that share one share a limit, which does no harm.
fn number(address: &str) -> u64 {
    use std::hash::BuildHasher as _;
    foldhash::fast::FixedState::default().hash_one(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_mailed_so_often_whoever_asks() {
        let limits = PortalLimits::new();
        let mailed = (0..100).filter(|_| limits.mail("A@x.example")).count();
        assert_eq!(mailed, 5);
        assert!(!limits.mail(" a@X.example"), "it is the same");
        assert!(limits.mail("b@x.example"));
    }

    #[test]
    fn a_visitor_tries_so_many_codes() {
        let limits = PortalLimits::new();
        let visitor = IpAddr::from([192, 0, 2, 1]);
        let tried = (0..1000).filter(|_| limits.attempt(visitor).is_ok());
        assert!((20..=22).contains(&tried.count()));
        let wait = limits.attempt(visitor).unwrap_err();
        assert!((1..=11).contains(&wait), "{wait}");
        assert!(limits.ask(visitor).is_ok(), "asking is counted apart");
    }
}

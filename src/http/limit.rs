//! How often one client may ask, and who a client is.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use governor::clock::Clock as _;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::clock::Stopwatch;
use crate::config::Network;

/// Pages one after the other before the limit bites: a household or an office shares an address.
const BURST: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Pages a second on average; a waiting page looks again every 5 s at most.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(1).unwrap();
/// Clients remembered at most: about 100 bytes each.
const CLIENTS_MAX: usize = 20_000;
/// Above that many clients they share this many buckets.
const SHARED: u32 = 1024;
/// How often clients that have been quiet are forgotten.
const SWEEP_AFTER: Duration = Duration::from_secs(60);
/// Hops that are looked at in `X-Forwarded-For`.
const HOPS_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ClientKey {
    Own(IpAddr),
    /// Something of ours that is asked about, by its number.
    Numbered(u64),
    Shared(u32),
}

/// A limiter of requests, by client or by what is asked about.
pub(super) struct Limiter {
    governor: DefaultKeyedRateLimiter<ClientKey>,
    swept: Mutex<Stopwatch>,
}

impl Limiter {
    /// The success page's.
    pub(super) fn new() -> Self {
        Self::of(BURST, PER_SECOND)
    }

    /// So many at once, and so many a second on average.
    pub(super) fn of(burst: NonZeroU32, per_second: NonZeroU32) -> Self {
        Self::with(Quota::per_second(per_second).allow_burst(burst))
    }

    /// So many at once, and one more after each period, which is longer than nothing.
    pub(super) fn slow(burst: NonZeroU32, each: Duration) -> Self {
        let quota = Quota::with_period(each).unwrap_or(Quota::per_second(PER_SECOND));
        Self::with(quota.allow_burst(burst))
    }

    fn with(quota: Quota) -> Self {
        Self {
            governor: RateLimiter::keyed(quota),
            swept: Mutex::new(Stopwatch::start()),
        }
    }

    /// Lets a client in, or says how long to wait, in seconds.
    pub(super) fn check(&self, client: IpAddr) -> Result<(), u64> {
        self.check_key(ClientKey::Own(client), || shared(client))
    }

    /// Lets a request about something in, or says how long to wait, in seconds.
    pub(super) fn check_number(&self, number: u64) -> Result<(), u64> {
        let shared = || crc32fast::hash(&number.to_be_bytes()) % SHARED;
        self.check_key(ClientKey::Numbered(number), shared)
    }

    fn check_key(&self, own: ClientKey, shared: impl Fn() -> u32) -> Result<(), u64> {
        let full = self.governor.len() >= CLIENTS_MAX;
        self.sweep(full);
        let key = if full {
            ClientKey::Shared(shared())
        } else {
            own
        };
        self.governor.check_key(&key).map_err(|not_until| {
            not_until
                .wait_time_from(governor::clock::DefaultClock::default().now())
                .as_secs()
                + 1
        })
    }

    fn sweep(&self, full: bool) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        // While full at most once a second: a sweep looks at every client.
        if swept.elapsed()
            >= if full {
                Duration::from_secs(1)
            } else {
                SWEEP_AFTER
            }
        {
            *swept = Stopwatch::start();
            self.governor.retain_recent();
        }
    }
}

/// The bucket that a client shares with others when there are very many.
pub(super) fn shared(client: IpAddr) -> u32 {
    let bytes = match client {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    };
    crc32fast::hash(&bytes) % SHARED
}

/// Who asks: the peer, or, behind a configured proxy, the rightmost hop of `X-Forwarded-For` that is no such proxy. What stands
/// left of it anybody can write. Of an IPv6 address the network counts: a client has 2^64 addresses.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |a: IpAddr| trusted.iter().any(|n| n.contains(a));
    let mut client = peer;
    if is_trusted(peer) {
        let values: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .map(|v| v.to_str().unwrap_or_default())
            .collect();
        for hop in values
            .iter()
            .rev()
            .flat_map(|v| v.rsplit(','))
            .take(HOPS_MAX)
        {
            let Some(address) = address(hop) else { break };
            client = address;
            if !is_trusted(address) {
                break;
            }
        }
    }
    network(client)
}

/// A hop: an address, perhaps with a port, as some proxies write it.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop
        .strip_prefix('[')
        .and_then(|h| h.split(']').next())
        .unwrap_or(hop);
    bare.parse()
        .ok()
        .or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()))
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(a) => IpAddr::V4(a),
        IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted = [
            Network::parse("127.0.0.1").unwrap(),
            Network::parse("10.0.0.0/8").unwrap(),
        ];
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_what_a_known_proxy_added_is_believed() {
        for (peer, forwarded, expected) in [
            ("203.0.113.7", vec!["1.1.1.1"], "203.0.113.7"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            (
                "127.0.0.1",
                vec!["1.1.1.1", "203.0.113.7, 10.1.2.3"],
                "203.0.113.7",
            ),
            ("127.0.0.1", vec!["203.0.113.7:4711"], "203.0.113.7"),
            ("127.0.0.1", vec!["1.1.1.1, nonsense, 10.0.0.9"], "10.0.0.9"),
            ("127.0.0.1", vec!["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::"),
            (
                "127.0.0.1",
                vec!["[2001:db8:1:2:3:4:5:6]:443"],
                "2001:db8:1:2::",
            ),
            ("::ffff:127.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
        ] {
            assert_eq!(who(peer, &forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn who_asks_too_often_waits() {
        let limiter = Limiter::new();
        let (one, other): (IpAddr, IpAddr) = (
            "203.0.113.7".parse().unwrap(),
            "203.0.113.8".parse().unwrap(),
        );
        let refused = (0..100).filter(|_| limiter.check(one).is_err()).count();
        assert!((60..=70).contains(&refused), "{refused}");
        assert!(limiter.check(one).is_err_and(|wait| wait >= 1));
        assert!(limiter.check(other).is_ok());
    }
}

//! The limits of the HTTP server, and whom it believes.

use std::net::IpAddr;

use crate::config::size::ByteSize;
use crate::domain::time::Span;

/// The limits of the HTTP server: `[http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The largest body of a delivery; above it 413.
    pub body_limit: ByteSize,
    /// How old a signature may be, where a source says nothing else.
    pub tolerance: Span,
    /// Open connections at most; further ones wait to be accepted.
    pub connections_max: u32,
    /// Deliveries that wait for the committer at most; above it 503.
    pub queue_len_max: u32,
    /// How long a request's head may take.
    pub header_timeout: Span,
    /// How long a request's body may take.
    pub body_timeout: Span,
    /// Proxies whose `X-Forwarded-For` is believed: the rightmost hop that is none of them is the client.
    pub trusted_proxies: Vec<Network>,
}

/// An address or a network, like `127.0.0.1` or `172.16.0.0/12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The network's address.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl Network {
    /// Reads an address, or an address with a prefix.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(bits), |p| p.parse().ok().filter(|p| *p <= bits))?;
        Some(Self { address, prefix })
    }

    /// Whether an address lies in it. An IPv4 address that came as `::ffff:a.b.c.d` counts as IPv4.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(a)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                let cut = |a: u32| a.checked_shr(shift).unwrap_or(0);
                cut(net.to_bits()) == cut(a.to_bits())
            }
            (IpAddr::V6(net), IpAddr::V6(a)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                let cut = |a: u128| a.checked_shr(shift).unwrap_or(0);
                cut(net.to_bits()) == cut(a.to_bits())
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_they_should() {
        for (net, inside, outside) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.0.0.1"),
        ] {
            let net = Network::parse(net).unwrap();
            assert!(net.contains(inside.parse().unwrap()), "{net:?} {inside}");
            assert!(!net.contains(outside.parse().unwrap()), "{net:?} {outside}");
        }
        for bad in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::/129",
            "1.2.3.4:80",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}

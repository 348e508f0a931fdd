//! Money as integer minor units with its currency. Zero-decimal currencies have no minor unit: 500 JPY is 500.

use std::fmt;

use minicbor::{Decode, Encode};

/// An amount in the currency's minor unit (cents; whole yen), as Stripe gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Money {
    /// Minor units; negative for a credit.
    #[n(0)]
    pub minor: i64,
    /// ISO 4217 in lower case, as Stripe writes it.
    #[n(1)]
    pub currency: String,
}

/// Currencies without a minor unit at Stripe (<https://docs.stripe.com/currencies#zero-decimal>).
const ZERO_DECIMAL: [&str; 16] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv",
    "xaf", "xof", "xpf",
];

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = self.currency.to_uppercase();
        if ZERO_DECIMAL.contains(&self.currency.to_lowercase().as_str()) {
            return write!(f, "{} {currency}", self.minor);
        }
        let sign = if self.minor < 0 { "-" } else { "" };
        let abs = self.minor.unsigned_abs();
        write!(f, "{sign}{}.{:02} {currency}", abs / 100, abs % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_with_the_currency_s_own_decimals() {
        let money = |minor, currency: &str| {
            Money {
                minor,
                currency: currency.into(),
            }
            .to_string()
        };
        assert_eq!(money(1999, "usd"), "19.99 USD");
        assert_eq!(money(-5, "eur"), "-0.05 EUR");
        assert_eq!(money(500, "jpy"), "500 JPY");
    }
}

//! Money as integer minor units with its currency. Not every currency has a hundred of them: 500 is 500 JPY and 0.500 KWD.

use std::fmt;

use minicbor::{Decode, Encode};

/// An amount in the currency's minor unit (cents; whole yen; a thousandth of a dinar), as Stripe gives it.
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
const ZERO_DECIMAL: [&str; 15] = [
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
    "xof", "xpf",
];

/// Currencies that have no minor unit any more, in whose amounts Stripe goes on to count hundredths: 500 is 5 UGX
/// (<https://docs.stripe.com/currencies#special-cases>).
const WHOLE_IN_HUNDREDTHS: [&str; 2] = ["isk", "ugx"];

/// Currencies of a thousand minor units at Stripe (<https://docs.stripe.com/currencies#three-decimal>).
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

impl Money {
    /// How many digits stand behind the point.
    fn decimals(&self) -> u32 {
        let currency = self.currency.to_lowercase();
        match currency.as_str() {
            zero if ZERO_DECIMAL.contains(&zero) => 0,
            three if THREE_DECIMAL.contains(&three) => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = self.currency.to_uppercase();
        let sign = if self.minor < 0 { "-" } else { "" };
        let abs = self.minor.unsigned_abs();
        let decimals = self.decimals();
        let unit = 10_u64.pow(decimals);
        // Fractions of them were charged once, and are shown where they come back.
        let is_whole = WHOLE_IN_HUNDREDTHS.contains(&self.currency.to_lowercase().as_str())
            && abs.is_multiple_of(unit);
        if decimals == 0 || is_whole {
            return write!(f, "{sign}{} {currency}", abs / unit);
        }
        let width = decimals as usize;
        write!(f, "{sign}{}.{:0width$} {currency}", abs / unit, abs % unit)
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
        assert_eq!(money(-500, "jpy"), "-500 JPY");
        assert_eq!(money(5_120, "kwd"), "5.120 KWD");
        assert_eq!(money(-40, "BHD"), "-0.040 BHD");
        assert_eq!(money(290_000, "ugx"), "2900 UGX");
        assert_eq!(money(-500, "isk"), "-5 ISK");
        assert_eq!(money(550, "isk"), "5.50 ISK");
    }
}

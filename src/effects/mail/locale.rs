//! Days and amounts written as people write them, in the languages that come with Keyward.

use chrono::{Datelike, NaiveDate};

const EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const ES: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];

/// `2026-03-14` or an RFC 3339 instant as a day (in UTC) in a language; what is no date, and a date in a language that we do
/// not speak, comes back as `2026-03-14` or as it was.
pub(crate) fn long_date(text: &str, lang: &str) -> String {
    let Some(day) = text
        .get(..10)
        .and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok())
    else {
        return text.to_owned();
    };
    let month = |names: [&'static str; 12]| names[day.month0() as usize];
    let (d, y) = (day.day(), day.year());
    match lang.split('-').next().unwrap_or(lang) {
        "en" => format!("{d} {} {y}", month(EN)),
        "de" => format!("{d}. {} {y}", month(DE)),
        "fr" if d == 1 => format!("1er {} {y}", month(FR)),
        "fr" => format!("{d} {} {y}", month(FR)),
        "es" => format!("{d} de {} de {y}", month(ES)),
        _ => day.to_string(),
    }
}

/// An amount like `19.99 USD`, with the decimal comma where a language has one.
pub(super) fn amount(text: &str, lang: &str) -> String {
    match lang.split('-').next().unwrap_or(lang) {
        "de" | "fr" | "es" => text.replacen('.', ",", 1),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{amount, long_date};

    #[test]
    fn amounts_have_the_language_s_comma() {
        for (lang, said) in [
            ("en", "19.99 USD"),
            ("de", "19,99 USD"),
            ("fr-ca", "19,99 USD"),
            ("es", "19,99 USD"),
            ("nl", "19.99 USD"),
        ] {
            assert_eq!(amount("19.99 USD", lang), said, "{lang}");
        }
        assert_eq!(amount("500 JPY", "de"), "500 JPY");
    }

    #[test]
    fn days_are_written_as_people_write_them() {
        for (text, lang, said) in [
            ("2026-03-14T08:00:00Z", "en", "14 March 2026"),
            ("2026-03-14", "de-at", "14. März 2026"),
            ("2026-08-01", "fr", "1er août 2026"),
            ("2026-12-31", "es", "31 de diciembre de 2026"),
            ("2026-03-14T08:00:00Z", "nl", "2026-03-14"),
            ("soon", "en", "soon"),
            ("2026-02-30", "en", "2026-02-30"),
            ("ééééé 2026", "en", "ééééé 2026"),
        ] {
            assert_eq!(long_date(text, lang), said, "{text} {lang}");
        }
    }
}

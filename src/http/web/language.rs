//! The language in which a page is written: the customer's own, else what the browser asks for, else the config's.

use axum::http::{HeaderMap, header};

/// Wishes of a browser that are read at most.
const WISHES_MAX: usize = 16;

/// What a browser asks for, the dearest first.
pub(super) fn wishes(headers: &HeaderMap) -> Vec<String> {
    let asked = headers.get(header::ACCEPT_LANGUAGE);
    let asked = asked.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut wishes: Vec<(u32, String)> = asked
        .split(',')
        .take(WISHES_MAX)
        .filter_map(|wish| {
            let (tag, weight) = wish.split_once(';').unwrap_or((wish, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
            // Weights have three digits at most, and nothing above one.
            let weight = (weight.clamp(0.0, 1.0) * 1000.0).round() as u32;
            (weight > 0).then(|| (weight, tag.trim().to_owned()))
        })
        .collect();
    // Stable: of equal wishes the first stays first.
    wishes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    wishes.into_iter().map(|(_, tag)| tag).collect()
}

/// The first wish in which something is written, each with its base: `de-AT`, then `de`.
pub(super) fn first_written<'w>(
    wishes: impl Iterator<Item = &'w str>,
    is_written: impl Fn(&str) -> bool,
) -> Option<String> {
    wishes
        .map(|tag| tag.trim().replace('_', "-").to_ascii_lowercase())
        .flat_map(|tag| {
            let base = tag.split('-').next().unwrap_or_default().to_owned();
            [tag, base]
        })
        .find(|tag| is_written(tag))
}

/// What a browser asks for dearest of the languages that somebody else writes in, as they spell it.
pub(in crate::http) fn of_browser(
    headers: &HeaderMap,
    written: &[&'static str],
) -> Option<&'static str> {
    let wishes = wishes(headers);
    first_spelt(wishes.iter().map(String::as_str), written)
}

/// The language that is asked for, or its base, as somebody else spells it who writes in these alone.
pub(in crate::http) fn nearest(tag: &str, written: &[&'static str]) -> Option<&'static str> {
    first_spelt(std::iter::once(tag), written)
}

fn first_spelt<'w>(
    tags: impl Iterator<Item = &'w str>,
    written: &[&'static str],
) -> Option<&'static str> {
    let spelt = |tag: &str| {
        written
            .iter()
            .find(|w| w.eq_ignore_ascii_case(tag))
            .copied()
    };
    let first = first_written(tags, |tag| spelt(tag).is_some());
    first.and_then(|tag| spelt(&tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_spell_languages_their_own_way() {
        let mut headers = HeaderMap::new();
        let asked = "tlh, pt-br;q=0.9, pt;q=0.8".parse().unwrap();
        headers.insert(header::ACCEPT_LANGUAGE, asked);
        assert_eq!(of_browser(&headers, &["pt", "pt-BR"]), Some("pt-BR"));
        assert_eq!(of_browser(&headers, &["pt"]), Some("pt"));
        assert_eq!(of_browser(&headers, &["de"]), None);
        for (tag, spelt) in [
            ("PT_br", Some("pt-BR")),
            ("pt-PT", Some("pt")),
            ("uk", None),
        ] {
            assert_eq!(nearest(tag, &["pt", "pt-BR"]), spelt);
        }
    }

    #[test]
    fn the_dearest_wish_that_is_written_counts() {
        for (asked, lang) in [
            ("de-AT,de;q=0.9,en;q=0.8", Some("de")),
            ("nl, fr;q=0.5, en;q=0.4", Some("fr")),
            ("en;q=0.1, ES;q=0.2", Some("es")),
            ("fr;q=0, en;q=0.001", Some("en")),
            ("zh-Hant, *;q=0.5", None),
            ("de;q=viel", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, asked.parse().unwrap());
            let wishes = wishes(&headers);
            let found = first_written(wishes.iter().map(String::as_str), |tag| {
                ["en", "de", "fr", "es"].contains(&tag)
            });
            assert_eq!(found.as_deref(), lang, "{asked}");
        }
    }
}

//! Every page with made-up data: what `keyward preview` shows, and what a vendor's templates are tried with.

use super::license_words::{masked, takes_only_what_it_added};
use super::portal;
use super::status_text::{LicenseCard, PurchaseText};
use super::web::{Page, PageMistake, Refresh, Site, Tone, say};
use crate::config::{Config, Link};
use crate::domain::status::PurchaseStatus;
use crate::domain::time::Timestamp;

/// A page in one of its states.
#[derive(Clone, Debug)]
pub(super) struct PageSample {
    /// Its name in the preview's address.
    pub(super) name: String,
    /// What it belongs to.
    pub(super) group: &'static str,
    pub(super) page: Page,
}

/// Every status.
const STATUSES: [PurchaseStatus; 19] = [
    PurchaseStatus::OnItsWay,
    PurchaseStatus::AwaitingPayment,
    PurchaseStatus::Preparing,
    PurchaseStatus::Delayed,
    PurchaseStatus::Partial,
    PurchaseStatus::Live,
    PurchaseStatus::Grace,
    PurchaseStatus::Ending,
    PurchaseStatus::Trial,
    PurchaseStatus::Lapsed,
    PurchaseStatus::Paused,
    PurchaseStatus::Disputed,
    PurchaseStatus::DisputeLost,
    PurchaseStatus::Refunded,
    PurchaseStatus::Revoked,
    PurchaseStatus::Ended,
    PurchaseStatus::Failed,
    PurchaseStatus::Expired,
    PurchaseStatus::Nothing,
];
/// Pages that only say something.
const MESSAGES: [(&str, Tone, &str); 8] = [
    ("not-found", Tone::Bad, "not_found"),
    ("wrong-method", Tone::Bad, "wrong_method"),
    ("too-often", Tone::Wait, "too_often"),
    ("unavailable", Tone::Wait, "unavailable"),
    ("broken-link", Tone::Bad, "broken_link"),
    ("buy-incomplete", Tone::Bad, "buy.incomplete"),
    ("buy-no-plan", Tone::Bad, "buy.no_plan"),
    ("buy-not-now", Tone::Wait, "buy.not_now"),
];

/// All pages, as a config makes them look.
pub(super) fn samples(config: &Config) -> Vec<PageSample> {
    let mut all = success(config);
    all.extend(portal::samples::samples(config));
    all.extend(MESSAGES.map(|(name, tone, words)| PageSample {
        name: name.to_owned(),
        group: "Other pages",
        page: Page::message(tone, words),
    }));
    all
}

/// What is wrong with the vendor's own files: read, and tried with each page in each language.
pub(super) fn mistakes(site: &Site, samples: &[PageSample]) -> Vec<PageMistake> {
    let mut all = site.mistakes().to_vec();
    for lang in site.words().languages() {
        let tried = samples.iter().filter_map(|s| s.page.mistake(site, lang));
        all.extend(tried);
    }
    all.sort();
    all.dedup();
    all
}

fn success(config: &Config) -> Vec<PageSample> {
    let mut all = Vec::new();
    let mut add = |name: String, text: &PurchaseText| {
        let refresh = text.waits().then(|| Refresh {
            after_s: 5,
            url: "?n=1".to_owned(),
        });
        all.push(PageSample {
            name,
            group: "After the purchase",
            page: text.page().looking_again(refresh),
        });
    };
    for status in STATUSES {
        let text = purchase(config, status);
        add(format!("success-{}", text.word().replace('_', "-")), &text);
    }
    for status in STATUSES
        .into_iter()
        .filter(|s| takes_only_what_it_added(*s))
    {
        let text = PurchaseText {
            only_adds: true,
            ..purchase(config, status)
        };
        let word = text.word().replace('_', "-");
        add(format!("success-{word}-extension"), &text);
    }
    let unknown = PurchaseText {
        mails: true,
        ..PurchaseText::default()
    };
    add("success-unknown".to_owned(), &unknown);
    let live = purchase(config, PurchaseStatus::Live);
    let unmailed = PurchaseText {
        mails: false,
        ..live.clone()
    };
    add("success-live-without-mail".to_owned(), &unmailed);
    let later = PurchaseText {
        licenses: live.licenses.iter().map(hidden).collect(),
        ..live.clone()
    };
    add("success-live-a-week-later".to_owned(), &later);
    let several = PurchaseText {
        licenses: [1, 2, 3].map(|n| card(config, n)).to_vec(),
        ..live
    };
    add("success-live-several".to_owned(), &several);
    all
}

fn purchase(config: &Config, status: PurchaseStatus) -> PurchaseText {
    let mut text = PurchaseText {
        status: Some(status),
        mails: true,
        seller_told: status == PurchaseStatus::Delayed,
        grace_ends: Some(day("2026-03-30")),
        pay_url: status
            .owes()
            .then(|| "https://invoice.example.com/i/abc".to_owned()),
        ..PurchaseText::default()
    };
    if status.shows_keys() {
        text.licenses = vec![card(config, 1)];
    }
    if text.downloads_are_shown() {
        text.downloads = downloads(config);
    }
    text
}

fn downloads(config: &Config) -> Vec<Link> {
    let of_plan = config
        .plans
        .first()
        .and_then(|p| config.display.get(&p.name));
    let own = of_plan.map(|l| l.downloads.clone());
    own.filter(|links| !links.is_empty())
        .unwrap_or_else(|| config.vendor.downloads.clone())
}

/// What customers call the plan that the samples are about.
pub(super) fn title(config: &Config) -> Option<&str> {
    config.plans.first().map(|plan| config.title(&plan.name))
}

fn card(config: &Config, number: u32) -> LicenseCard {
    let keys = [
        "KEYW-7Q2M-XD4F-9TRA-5NCE",
        "KEYW-B6HN-P0ZC-4WLE-8JQU",
        "KEYW-2M8T-YV5K-6RDG-1HSX",
    ];
    let (devices, validity, valid_until) = match number {
        1 => {
            let end = day("2027-03-14");
            let until = say("license.until").on("day", end);
            (say("license.device").count(3), until, Some(end))
        }
        2 => (
            say("license.device").count(1),
            say("license.for_life"),
            None,
        ),
        _ => (say("license.device.any"), say("license.paused"), None),
    };
    LicenseCard {
        title: title(config).map(str::to_owned),
        key: keys[number as usize % keys.len()].to_owned(),
        whole: true,
        devices,
        validity,
        plan: config.plans.first().map(|p| p.name.to_string()),
        devices_max: Some(number),
        valid_until,
        works: true,
    }
}

fn hidden(card: &LicenseCard) -> LicenseCard {
    LicenseCard {
        key: masked(&card.key),
        whole: false,
        ..card.clone()
    }
}

/// A day that is written rightly: the samples are tested.
fn day(text: &str) -> Timestamp {
    Timestamp::parse(&format!("{text}T08:00:00Z")).unwrap_or(Timestamp::from_s(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::license_words::ADDED;
    use super::*;

    #[test]
    fn every_page_can_be_written_in_every_language() {
        let config = Config::for_replay();
        let site = Site::load(&config);
        assert_eq!(mistakes(&site, &samples(&config)), []);
    }

    /// Words that no page says are found here: each stands in a template, in the code that chooses it, or is a state's own.
    #[test]
    fn no_words_are_unused() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let mut sources = String::new();
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if name.ends_with(".html") || name.ends_with(".rs") {
                    sources += &std::fs::read_to_string(&path).unwrap();
                }
            }
        }
        let groups: BTreeSet<String> = STATUSES
            .iter()
            .flat_map(|s| [format!("success.{s}"), format!("success.{s}{ADDED}")])
            .chain(["success.unknown".to_owned()])
            .collect();
        for key in Site::load(&Config::for_replay()).words().keys("en") {
            let (group, last) = key.rsplit_once('.').unwrap();
            let is_said = |text: &str| sources.contains(&format!("\"{text}\""));
            let by_group =
                ["title", "text"].contains(&last) && (groups.contains(group) || is_said(group));
            let by_status = STATUSES.iter().any(|s| {
                let status = format!("portal.status.{s}");
                key == status || key == format!("{status}{ADDED}")
            });
            let by_count = ["one", "other"].contains(&last) && is_said(group);
            assert!(
                is_said(&key) || by_group || by_status || by_count,
                "nothing says `{key}`"
            );
        }
    }
}

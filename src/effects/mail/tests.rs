//! The templates as a whole: what they say, whose file counts, and what hostile values can do (nothing).

use std::path::Path;

use super::*;

fn built_in() -> Templates {
    Templates::load(None, "en")
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_built_in_templates_have_no_mistake() {
    let mistakes: Vec<String> = built_in().check().iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn every_kind_in_english() {
    for kind in KINDS {
        let parts = built_in().render(kind, "en", &Letter::sample()).unwrap();
        insta::assert_snapshot!(
            kind,
            format!("Subject: {}\n\n{}", parts.subject, parts.text)
        );
    }
}

#[test]
fn html_of_the_mail_that_everybody_gets() {
    insta::assert_snapshot!(
        built_in()
            .render("license_issued", "en", &Letter::sample())
            .unwrap()
            .html
    );
}

#[test]
fn every_kind_says_what_matters_in_every_language() {
    let letter = Letter::sample();
    for kind in KINDS {
        for lang in LANGUAGES {
            let parts = built_in().render(kind, lang, &letter).unwrap();
            for part in [&parts.subject, &parts.text, &parts.html] {
                // Who signs in looks after all of the vendor's products.
                let named = if kind == SIGN_IN {
                    "Pixel Forge"
                } else {
                    "Pixel Forge Pro"
                };
                assert!(
                    part.contains(named),
                    "{kind} {lang} does not name the product: {part}"
                );
                assert!(
                    !part.contains("{{") && !part.contains("{%"),
                    "{kind} {lang}: {part}"
                );
            }
            assert!(
                !parts.text.contains("none"),
                "an absent value shows: {}",
                parts.text
            );
            assert!(
                parts.html.contains(&format!("<html lang=\"{lang}\">")),
                "{kind} {lang}"
            );
            assert!(
                !parts.html.contains("src=") && !parts.html.contains("url("),
                "{kind} {lang} loads something"
            );
            if kind == "license_issued" {
                for key in &letter.keys {
                    assert!(
                        parts.text.contains(&key.key) && parts.html.contains(&key.key),
                        "{lang} lacks a key"
                    );
                }
            }
        }
    }
}

#[test]
fn the_failure_mail_names_the_next_attempt_or_says_that_there_is_none() {
    let said = |letter: &Letter| {
        built_in()
            .render("payment_failed", "en", letter)
            .unwrap()
            .text
    };
    assert!(said(&Letter::sample()).contains("The next automatic attempt is on 17 March 2026."));
    assert!(said(&Letter::bare_sample()).contains("There will be no further automatic attempt."));
    let portal = Letter {
        pay_url: None,
        ..Letter::sample()
    };
    assert!(
        said(&portal).contains("https://licenses.example.com/portal"),
        "without an invoice: our portal"
    );
}

#[test]
fn languages_fall_back_step_by_step() {
    let templates = Templates::load(None, "fr-CA");
    for (asked, used) in [
        ("de-AT", "de"),
        ("DE_ch", "de"),
        ("es", "es"),
        ("pt-BR", "fr"),
        ("auto", "fr"),
        ("", "fr"),
        ("../en", "fr"),
    ] {
        assert_eq!(templates.language("suspended", asked), used, "{asked}");
    }
    assert_eq!(
        Templates::load(None, "tlh").language("suspended", "xx"),
        "en"
    );
}

#[test]
fn the_operator_s_files_win_one_by_one() {
    let home = tempfile::tempdir().unwrap();
    write(
        home.path(),
        "license_issued/de/subject.txt",
        "Los geht’s mit {{ product }}\n",
    );
    write(
        home.path(),
        "layout.html",
        "<html lang=\"{{ lang }}\"><h1>{{ vendor }}</h1>{% block body %}{% endblock %}</html>",
    );
    let templates = Templates::load(Some(home.path()), "en");
    assert_eq!(templates.check(), vec![]);
    let parts = templates
        .render("license_issued", "de", &Letter::sample())
        .unwrap();
    assert_eq!(parts.subject, "Los geht’s mit Pixel Forge Pro");
    assert!(
        parts.text.contains("Vielen Dank für Ihren Kauf."),
        "the text is still ours: {}",
        parts.text
    );
    assert!(
        parts.html.contains("<h1>Pixel Forge</h1>"),
        "{}",
        parts.html
    );
}

#[test]
fn an_operator_can_add_a_language() {
    let home = tempfile::tempdir().unwrap();
    for (part, text) in [
        ("subject.txt", "Uw sleutel"),
        ("text.txt", "{{ keys[0].key }} tot {{ paid_until|date }}"),
        (
            "html.html",
            "{% extends \"layout.html\" %}{% block body %}<p>{{ keys[0].key }}</p>{% endblock %}",
        ),
    ] {
        write(home.path(), &format!("license_issued/nl/{part}"), text);
    }
    let templates = Templates::load(Some(home.path()), "en");
    let parts = templates.render("license_issued", "nl-BE", &Letter::sample());
    assert_eq!(parts.unwrap().text, "KEYW-7Q2M-XD4F-9TRA tot 2026-04-14\n");
    assert_eq!(templates.language("ended", "nl-BE"), "en");
}

#[test]
fn a_broken_override_names_file_and_line() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name).display().to_string();
    write(home.path(), "ended/en/text.txt", "Hello\n\n{{ prodcut }}\n");
    write(
        home.path(),
        "ended/de/text.txt",
        "Hallo\n{% if product %}\n",
    );
    write(
        home.path(),
        "ended/fr/text.txt",
        "Bonjour\n{% include \"../../secret.txt\" %}\n",
    );
    write(
        home.path(),
        "ended/es/text.txt",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
    );
    write(home.path(), "ended/es/subject.txt", " \n");
    write(home.path(), "ended/it/text.txt", "Ciao");
    write(home.path(), "licence_issued/en/text.txt", "?");
    write(home.path(), "suspended/en/body.txt", "?");
    std::fs::write(home.path().join("ended/en/html.html"), b"\xff").unwrap();
    let mistakes: Vec<String> = Templates::load(Some(home.path()), "en")
        .check()
        .iter()
        .map(ToString::to_string)
        .collect();
    for begins in [
        format!("{}:3: undefined value", file("ended/en/text.txt")),
        format!("{}:", file("ended/de/text.txt")),
        format!("{}:2: template not found", file("ended/fr/text.txt")),
        format!("{}:1: engine ran out of fuel", file("ended/es/text.txt")),
        format!("{}: the subject is empty", file("ended/es/subject.txt")),
        format!("{}: is not UTF-8", file("ended/en/html.html")),
        "ended/it/html.html: this file is missing".to_owned(),
        "licence_issued/en/text.txt: `licence_issued` is no kind of mail; did you mean `license_issued`?".to_owned(),
        "suspended/en/body.txt: `body.txt` is no part of a mail".to_owned(),
    ] {
        assert!(mistakes.iter().any(|m| m.starts_with(&begins)), "{begins}\nis missing in\n{}", mistakes.join("\n"));
    }
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let mistakes = Templates::load(Some(Path::new("/nonexistent/mail")), "en").check();
    assert_eq!(mistakes.len(), 1);
    assert!(
        mistakes[0].to_string().starts_with("/nonexistent/mail: "),
        "{}",
        mistakes[0]
    );
}

#[test]
fn hostile_values_stay_values() {
    let evil = "<script>alert(1)</script>\r\nBcc: victim@example.com\r\n\r\n{{ 7 * 7 }}\"'";
    let some = || Some(evil.to_owned());
    let letter = Letter {
        product: evil.to_owned(),
        keys: vec![LetterKey {
            key: evil.to_owned(),
            devices: Some(1),
            expires_at: some(),
        }],
        customer_name: Some("Bob\r\nBcc: <b>\u{202e}".to_owned()),
        customer_email: evil.to_owned(),
        vendor: evil.to_owned(),
        amount: some(),
        next_attempt: some(),
        pay_url: Some(format!("https://example.com/\" onclick=\"{evil}")),
        portal_url: some(),
        sign_in: None,
        success_url: Some("javascript:alert(1)".to_owned()),
        buy_url: some(),
        grace_end: some(),
        paid_until: some(),
        reason: some(),
        reply_to: some(),
        support_url: some(),
        colors: None,
    };
    for kind in KINDS {
        for lang in LANGUAGES {
            let parts = built_in().render(kind, lang, &letter).unwrap();
            assert!(
                !parts.subject.contains(['\r', '\n']),
                "{kind} {lang}: {:?}",
                parts.subject
            );
            assert!(
                !parts.html.contains("<script") && !parts.html.contains("<b>"),
                "{kind} {lang}: {}",
                parts.html
            );
            assert!(
                !parts.html.contains("\" onclick"),
                "{kind} {lang}: {}",
                parts.html
            );
            assert!(
                !parts.html.contains("javascript:") && !parts.text.contains("javascript:"),
                "{kind} {lang}"
            );
            assert!(
                !parts
                    .text
                    .lines()
                    .any(|line| line.trim_start().starts_with("Bcc:")),
                "{kind} {lang}: {}",
                parts.text
            );
            assert!(
                !parts.text.contains(" 49"),
                "a value was run as a template: {}",
                parts.text
            );
        }
    }
}

#[test]
fn a_mail_does_not_show_its_keys_in_a_log() {
    let parts = built_in()
        .render("license_issued", "en", &Letter::sample())
        .unwrap();
    assert!(!format!("{parts:?}").contains("KEYW-"), "{parts:?}");
}

/// Whatever a mail is about, it leads to the portal, and does so once.
#[test]
fn the_portal_stands_in_each_mail_once() {
    let open_invoice = Letter::sample();
    let portal_url = open_invoice.portal_url.clone().unwrap();
    let paid = Letter {
        pay_url: None,
        buy_url: None,
        ..Letter::sample()
    };
    for kind in KINDS.into_iter().filter(|k| *k != "sign_in") {
        for lang in LANGUAGES {
            for letter in [&open_invoice, &paid] {
                let parts = built_in().render(kind, lang, letter).unwrap();
                let lines = parts.text.lines().filter(|l| *l == portal_url).count();
                assert_eq!(lines, 1, "{kind} {lang}: {}", parts.text);
                let as_link = portal_url.replace('/', "&#x2f;");
                let links = parts.html.matches(&format!("href=\"{as_link}\"")).count();
                assert_eq!(links, 1, "{kind} {lang}: {}", parts.html);
            }
        }
    }
}

#[test]
fn an_unknown_kind_is_an_error() {
    assert!(
        built_in()
            .render("../layout", "en", &Letter::sample())
            .is_err()
    );
}

#[test]
fn a_large_purchase_still_fits() {
    let key = LetterKey {
        key: "KEYW-7Q2M-XD4F-9TRA".to_owned(),
        devices: Some(3),
        expires_at: Some("2027-01-01".to_owned()),
    };
    let letter = Letter {
        keys: vec![key; 2000],
        ..Letter::sample()
    };
    assert!(built_in().render("license_issued", "en", &letter).is_ok());
}

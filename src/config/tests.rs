//! The table of keys against the reader: what the one says, the other does.

use std::path::Path;

use super::keys::{Absent, KeySpec, SECTIONS, Section, ValueKind};
use super::{Config, Env, Mistakes, TEMPLATE, Warning};

fn read(text: &str) -> Result<(Config, Vec<Warning>), Mistakes> {
    Config::parse(
        text,
        Path::new("keyward.toml"),
        &Env::new(|name| Some(format!("value-of-{name}"))),
    )
}

/// A small file with one more line in one of its tables; the line takes the place of one with the same key.
fn file(authforge: bool, section: &Section, name: &str, line: Option<&str>) -> String {
    let service = if authforge { "authforge" } else { "embedded" };
    let transport = if authforge { "smtp" } else { "folder" };
    let tables = [
        ("", String::new()),
        (
            "[[source]]",
            "name = \"s\"\nsigning_secrets = [\"w\"]".to_owned(),
        ),
        (
            "[licenses]",
            format!("service = \"{service}\"\napi_key = \"k\"\napp_id = \"a\""),
        ),
        (
            "[mail]",
            format!(
                "transport = \"{transport}\"\nfrom = \"a@b.c\"\nurl = \"smtps://h\"\npath = \"p\""
            ),
        ),
        ("[vendor]", String::new()),
        ("[success]", String::new()),
        ("[store]", String::new()),
        ("[backup]", "path = \"p\"".to_owned()),
        ("[scheduler]", String::new()),
        ("[http]", String::new()),
        ("[time]", String::new()),
        ("[backfill]", String::new()),
        ("[alert]", String::new()),
        ("[guard]", String::new()),
        ("[adopt]", String::new()),
        ("[checkout]", String::new()),
        ("[portal]", String::new()),
        ("[[plan]]", "name = \"p\"\npolicy = \"NAME\"".to_owned()),
        ("[plan.license]", String::new()),
        ("[plan.buy]", String::new()),
        ("[plan.self_service]", String::new()),
        ("[policy.NAME]", String::new()),
    ];
    let mine = match section.heading.split_once(" = {") {
        Some(("license", _)) => "[plan.license]",
        Some(("buy", _)) => "[plan.buy]",
        Some(("self_service", _)) => "[plan.self_service]",
        Some(_) | None => section.heading,
    };
    let mut text = String::new();
    for (heading, lines) in tables {
        // Where the key of the file's top is a table, that table makes way.
        let shadowed = mine.is_empty()
            && line.is_some()
            && heading.trim_matches(['[', ']']).split('.').next() == Some(name);
        let of_plan = mine == "[[plan]]" && line.is_some() && heading == format!("[plan.{name}]");
        if (shadowed && !heading.is_empty()) || of_plan {
            continue;
        }
        text += &format!("{heading}\n");
        for own in lines
            .lines()
            .filter(|l| heading != mine || !l.starts_with(&format!("{name} =")))
        {
            text += &format!("{own}\n");
        }
        if let Some(line) = line.filter(|_| heading == mine) {
            text += &format!("{line}\n");
        }
    }
    text
}

fn all_keys() -> impl Iterator<Item = (&'static Section, &'static KeySpec)> {
    SECTIONS
        .iter()
        .flat_map(|s| s.keys.iter().map(move |k| (*s, k)))
}

#[test]
fn every_default_is_what_happens_without_the_key() {
    for (section, key) in all_keys() {
        let Absent::Is(default) = key.absent else {
            continue;
        };
        for authforge in [false, true] {
            let line = format!("{} = {default}", key.name);
            let with = file(authforge, section, key.name, Some(&line));
            let without = file(authforge, section, key.name, None);
            if without.contains(&format!("\n{} = ", key.name))
                && matches!(key.name, "service" | "transport")
            {
                continue; // the small files choose these themselves
            }
            let (with, without) = (
                read(&with).unwrap_or_else(|e| panic!("{e}")),
                read(&without).unwrap_or_else(|e| panic!("{e}")),
            );
            assert_eq!(with.0, without.0, "{} {line}", section.heading);
        }
    }
    let (config, _) =
        read("[[source]]\nname = \"s\"\nsigning_secrets = [\"w\"]\n[licenses]\n[mail]\n").unwrap();
    assert_eq!(
        (config.licenses, config.mail),
        (super::LicensesConfig::default(), super::Mail::default())
    );
}

#[test]
fn every_key_is_read() {
    for (section, key) in all_keys() {
        let text = file(
            false,
            section,
            key.name,
            Some(&format!("{} = 1979-05-27", key.name)),
        );
        let mistakes = read(&text).expect_err(&text);
        let told = mistakes
            .mistakes
            .iter()
            .any(|m| m.message.contains("not a date") && m.message.contains(key.name));
        assert!(told, "{} {}: {mistakes}", section.heading, key.name);
    }
}

#[test]
fn the_choices_of_the_table_are_those_of_the_reader() {
    for (section, key) in all_keys() {
        let ValueKind::Choice(choices) = key.kind else {
            continue;
        };
        let text = file(
            true,
            section,
            key.name,
            Some(&format!("{} = \"~\"", key.name)),
        );
        let mistakes = read(&text).expect_err(&text);
        let all = choices
            .iter()
            .map(|c| format!("\"{c}\""))
            .collect::<Vec<_>>()
            .join(", ");
        assert_eq!(
            mistakes.mistakes[0].hint.as_deref(),
            Some(format!("there are: {all}").as_str()),
            "{}",
            key.name
        );
        if let Absent::Is(default) = key.absent {
            assert_eq!(
                default,
                format!("\"{}\"", choices[0]),
                "the default of {} is not its first choice",
                key.name
            );
        }
    }
}

/// With every commented key switched on, the file holds every key and none is misspelt or of a wrong type.
#[test]
fn the_template_shows_every_key() {
    let is_key = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(k, _)| k.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let mut seen = Vec::new();
    let mut text = String::new();
    for line in TEMPLATE.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if !(is_key(bare) || bare.starts_with('[')) {
            continue;
        }
        let key = bare.split_once(" = ").map_or(bare, |(k, _)| k);
        // The template shows some keys twice, as it is and as it could be: the last one stays.
        let table = text.rfind("\n[").map_or(0, |i| i + 1);
        if let Some(at) = text[table..]
            .find(&format!("\n{key} = "))
            .filter(|_| is_key(bare))
        {
            let start = table + at + 1;
            let end = text[start..]
                .find('\n')
                .map_or(text.len(), |i| start + i + 1);
            text.replace_range(start..end, "");
        }
        text += &format!("{bare}\n");
        seen.push(bare.to_owned());
    }
    if let Err(mistakes) = read(&text) {
        panic!("{mistakes}");
    }
    for (section, key) in all_keys() {
        let shown = seen.iter().any(|l| {
            l.starts_with(&format!("{} = ", key.name))
                || l.contains(&format!(" {} = ", key.name))
                || l.trim_start_matches('[').starts_with(key.name)
        });
        assert!(
            shown,
            "template.toml does not show `{}` of {}",
            key.name, section.heading
        );
    }
}

/// Mail into a folder is a trial's. Where licenses are sold outside it is none: customers who paid wait for their mail.
#[test]
fn mail_into_a_folder_is_warned_of_where_licenses_are_sold_outside() {
    const FOLDER: &str = "transport = \"folder\"\npath = \"p\"\nfrom = \"a@b.c\"\n";
    const SMTP: &str = "transport = \"smtp\"\nurl = \"smtps://h\"\nfrom = \"a@b.c\"\n";
    const OUTSIDE: &str = "service = \"authforge\"\napi_key = \"k\"\napp_id = \"a\"\n";
    const INSIDE: &str = "service = \"embedded\"\n";
    for (of_source, licenses, mail, warned) in [
        ("", OUTSIDE, FOLDER, true),
        ("", OUTSIDE, SMTP, false),
        ("", INSIDE, FOLDER, false),
        // A source of its own service, and one that mails by itself.
        ("licenses", INSIDE, FOLDER, true),
        ("mail", OUTSIDE, FOLDER, false),
    ] {
        let own = match of_source {
            "licenses" => format!("[source.licenses]\n{OUTSIDE}"),
            "mail" => format!("[source.mail]\n{SMTP}"),
            _ => String::new(),
        };
        let source = "[[source]]\nname = \"s\"\nsigning_secrets = [\"w\"]\n";
        let text = format!("{source}{own}[licenses]\n{licenses}[mail]\n{mail}");
        let (_, warnings) = read(&text).unwrap_or_else(|e| panic!("{text}{e}"));
        let message = "mail is written to a folder: no customer gets any";
        let is = warnings.iter().any(|w| w.message == message);
        assert_eq!(is, warned, "{text}");
    }
}

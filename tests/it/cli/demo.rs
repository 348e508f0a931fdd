//! `keyward demo`: the table that a newcomer reads, and the pages that it names.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// Each story of the table with what is said of it: the state, the first license, and its mails.
const EXPECTED: [(&str, &str, &str, &str); 13] = [
    ("bought once by card", "paid", "live", "license_issued"),
    (
        "bought by bank debit, money on its way",
        "awaiting_payment",
        "none yet",
        "",
    ),
    (
        "subscribed in the checkout",
        "active",
        "live",
        "license_issued",
    ),
    (
        "a trial that was converted",
        "active",
        "live",
        "license_issued",
    ),
    ("renewed twice", "active", "live", "license_issued"),
    (
        "a failed renewal, paid in grace",
        "active",
        "live",
        "payment_failed",
    ),
    (
        "suspended, then paid after all",
        "active",
        "live",
        "restored",
    ),
    (
        "a failed renewal, in grace now",
        "grace",
        "live",
        "payment_failed",
    ),
    (
        "a failed renewal, grace is over",
        "lapsed",
        "suspended",
        "suspended",
    ),
    (
        "cancelled, runs to the period's end",
        "active",
        "live",
        "license_issued",
    ),
    (
        "four seats, three given up",
        "active",
        "live",
        "license_issued",
    ),
    ("refunded in full", "refunded", "revoked", "refunded"),
    ("disputed, not decided yet", "paid", "suspended", "disputed"),
];

#[tokio::test]
async fn the_table_makes_sense_and_every_page_that_is_named_exists() {
    keyward::effects::tls::install();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command
        .args(["demo", "--keep"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains("Ctrl-C") {
        line.clear();
        assert!(
            log.read_line(&mut line).unwrap() > 0,
            "the demo ended: {said}"
        );
        said.push_str(&line);
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let urls: Vec<&str> = said
        .split_whitespace()
        .filter(|word| word.contains("http://"))
        .collect();
    assert!(urls.len() >= 4, "{said}");
    for url in urls {
        let answer = http.get(url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{url}");
        let text = answer.text().await.unwrap();
        assert!(
            !url.contains("/success") || !text.contains("on its way"),
            "{url}: {text}"
        );
    }
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let mut table = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut table)
        .unwrap();
    log.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    for (story, state, license, mail) in EXPECTED {
        let row = table
            .lines()
            .find(|row| row.starts_with(story))
            .unwrap_or_else(|| panic!("{story}: {table}"));
        let words: Vec<&str> = row[story.len()..]
            .split("  ")
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .collect();
        assert_eq!(words.first(), Some(&state), "{story}\n{table}");
        assert!(
            words.get(1).is_some_and(|word| word.starts_with(license)),
            "{story}\n{table}"
        );
        assert!(row.contains(mail), "{story}\n{table}");
        assert!(!row.contains("expired"), "{story}\n{table}");
    }
}

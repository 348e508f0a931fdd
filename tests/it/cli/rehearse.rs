//! `rehearse`: the same binary says that nothing differs; one that does otherwise is found out, customer by customer.

use std::process::Command;

use super::support::{CONFIG, Place, willing};

/// A build of keyward that takes everything away from one customer.
const OTHER: &str =
    "#!/bin/sh\nset -e\nKEYWARD \"$@\" | sed 's/\"status\": *\"revoked\"/\"status\":\"live\"/g'\n";

#[test]
fn another_binary_is_tried_on_a_copy_of_the_history() {
    let place = Place::with(CONFIG);
    place.fill(&["refund-full", "onetime-lifetime"], willing);
    let own = env!("CARGO_BIN_EXE_keyward");
    let same = place.run(&["rehearse", "--binary", own, "--json"]);
    assert_eq!(same.code, Some(0), "{same}");
    assert_eq!(same.json()["machines"], 2, "{same}");
    assert_eq!(same.json()["differ"], serde_json::json!([]), "{same}");
    let other = place.path("other");
    // Written by another process: a file that is open for writing here is so in whatever another test starts meanwhile, too,
    // and what is open for writing cannot be started.
    let writes = Command::new("sh")
        .args([
            "-c",
            "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"",
            "sh",
        ])
        .arg(OTHER.replace("KEYWARD", own))
        .arg(&other)
        .status();
    assert!(writes.unwrap().success());
    let otherwise = place.run(&["rehearse", "--binary", other.to_str().unwrap()]);
    assert_eq!(otherwise.code, Some(3), "{otherwise}");
    assert!(otherwise.out.contains("1 of 2 purchases"), "{otherwise}");
    assert!(
        otherwise.out.contains("stripe/cs_live_RefundFull01"),
        "{otherwise}"
    );
    let nothing = place.run(&["rehearse", "--binary", "/bin/false"]);
    assert_eq!(nothing.code, Some(1), "{nothing}");
    assert!(
        nothing.err.contains("could not play the history"),
        "{nothing}"
    );
}

/// Another config answers by the same exit codes as another binary.
#[test]
fn another_config_is_answered_by_the_same_exit_codes() {
    let place = Place::with(CONFIG);
    place.fill(&["refund-full", "onetime-lifetime"], willing);
    let rehearse = |name: &str, text: &str| {
        std::fs::write(place.path(name), text).unwrap();
        place.run(&["--config", name, "rehearse"])
    };
    let same = rehearse("same.toml", CONFIG);
    assert_eq!(same.code, Some(0), "{same}");
    let keeps = format!("{CONFIG}\n[policy.standard]\non_refund = \"keep\"\n");
    let otherwise = rehearse("keeps.toml", &keeps);
    assert_eq!(otherwise.code, Some(3), "{otherwise}");
    assert!(otherwise.out.contains("1 of 2 purchases"), "{otherwise}");
    assert!(
        otherwise
            .err
            .contains("1 purchase would come out otherwise"),
        "{otherwise}"
    );
    // A question that makes no sense is no answer.
    let unreadable = rehearse("broken.toml", "listen = ");
    assert_eq!(unreadable.code, Some(1), "{unreadable}");
}

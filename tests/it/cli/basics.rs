//! Commands that need no store, and those that make one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::support::{CONFIG, Place};

#[test]
fn init_writes_a_config_and_a_store_once() {
    let place = Place::empty();
    let mut settings = insta::Settings::clone_current();
    // The store's own lines are not this test's.
    settings.add_filter(r"(?m)^\d{4}-\d\d-\d\dT\S+ .*\n", "");
    settings.bind(|| {
        insta::assert_snapshot!("init", place.run(&["init"]));
        assert_eq!(
            fs::read_to_string(place.path("keyward.toml")).unwrap(),
            keyward::config::TEMPLATE
        );
        assert_eq!(
            fs::metadata(place.path("keyward-data"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        fs::write(place.path("keyward.toml"), format!("{CONFIG}# mine")).unwrap();
        insta::assert_snapshot!("init_again", place.run(&["init"]));
    });
    assert!(
        fs::read_to_string(place.path("keyward.toml"))
            .unwrap()
            .ends_with("# mine")
    );
    let said = place.run(&["--config", "a/b/k.toml", "init"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(place.path("a/b/keyward-data/log").is_dir());
    assert_eq!(
        place
            .run(&["events", "--json", "--config", "a/b/k.toml"])
            .out,
        "[]\n"
    );
}

#[test]
fn check_tells_every_mistake_at_once() {
    let place = Place::with("public_url = 5\nlisten = \"nowhere\"\n[[source]]\nnam = \"stripe\"\n");
    insta::assert_snapshot!("check_mistakes", place.run(&["check"]));
    let place = Place::with(CONFIG);
    insta::assert_snapshot!("check_without_the_secret", place.run(&["check"]));
    insta::assert_snapshot!("check_valid", place.run_with_secret(&["check"]));
    let place =
        Place::with(&CONFIG.replace("name = \"stripe\"", "name = \"stripe\"\nlivemode = \"any\""));
    insta::assert_snapshot!("check_unwise", place.run_with_secret(&["check"]));
    insta::assert_snapshot!("check_without_a_file", Place::empty().run(&["check"]));
}

#[test]
fn serve_refuses_where_there_is_no_store() {
    let place = Place::with(CONFIG);
    insta::assert_snapshot!("serve_without_a_store", place.run_with_secret(&["serve"]));
    assert!(!place.path("data").exists());
    fs::create_dir(place.path("data")).unwrap();
    assert_eq!(place.run_with_secret(&["serve"]).code, Some(1));
    assert_eq!(fs::read_dir(place.path("data")).unwrap().count(), 0);
    assert_eq!(
        place.run(&["serve", "--new"]).code,
        Some(1),
        "the secret is missing"
    );
    assert!(
        fs::read_dir(place.path("data")).unwrap().next().is_none(),
        "mistakes come before the store"
    );
}

#[test]
fn the_events_to_enable_are_printed() {
    let place = Place::empty();
    insta::assert_snapshot!("stripe_events", place.run(&["stripe-events"]));
    let all = place.run(&["stripe-events", "--json"]).json();
    assert_eq!(
        all.as_array().map(Vec::len),
        Some(keyward::sources::stripe::event::EVENT_TYPES.len())
    );
}

#[test]
fn completions_and_manual_are_printed() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish"] {
        let said = place.run(&["completions", shell]);
        assert!(
            said.code == Some(0) && said.out.contains("stripe-events"),
            "{said}"
        );
    }
    let man = place.run(&["man"]);
    assert!(
        man.code == Some(0)
            && man.out.contains(".TH keyward 1")
            && man.out.contains("KEYWARD EVENTS"),
        "{man}"
    );
}

#[test]
fn help_is_no_mistake_and_a_wrong_word_is() {
    let place = Place::empty();
    for (args, code) in [
        (vec!["--help"], 0),
        (vec!["show", "--help"], 0),
        (vec!["--version"], 0),
        (vec![], 1),
        (vec!["sho"], 1),
        (vec!["show"], 1),
    ] {
        assert_eq!(place.run(&args).code, Some(code), "{args:?}");
    }
}

#[test]
fn the_docs_are_printed_from_the_arguments() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let printed = Place::empty().run(&["markdown-help"]).out;
    if std::env::var_os("KEYWARD_BLESS").is_some() {
        fs::write(&page, &printed).unwrap();
    }
    let current = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        current == printed,
        "docs/cli.md is old: KEYWARD_BLESS=1 cargo test --test it cli"
    );
}

#[test]
fn check_tries_the_operators_templates() {
    let place = Place::with(&CONFIG.replace("from = ", "templates = \"./t\"\nfrom = "));
    fs::create_dir_all(place.path("t/ended/en")).unwrap();
    fs::write(
        place.path("t/ended/en/subject.txt"),
        "Over: {{ nothing_of_the_kind }}",
    )
    .unwrap();
    let said = place.run_with_secret(&["check"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.out.contains("fails  mail of stripe: ") && said.out.contains("ended/en/subject.txt"),
        "{said}"
    );
}

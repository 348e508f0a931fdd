//! A source that the config names otherwise, or no more: its name is part of every purchase's id.

use super::serve::Server;
use super::support::{CONFIG, Place, willing};

fn place() -> Place {
    let place = Place::with(CONFIG);
    place.fill(&["sub-checkout", "onetime-lifetime"], willing);
    place
}

fn write(place: &Place, config: &str) {
    std::fs::write(place.path("keyward.toml"), config).unwrap();
}

/// `serve`, `check`, `whatif` and `rehearse` refuse it with the line, and say what would be right.
#[test]
fn a_source_that_is_renamed_is_refused() {
    let place = place();
    let renamed = CONFIG.replace("name = \"stripe\"", "name = \"shop\"");
    std::fs::write(place.path("new.toml"), &renamed).unwrap();
    for args in [
        ["--config", "new.toml", "rehearse"],
        ["--config", "new.toml", "whatif"],
    ] {
        let said = place.run_with_secret(&args);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.err.contains("new.toml:6: "), "{said}");
        assert!(said.err.contains("keep `name = \"stripe\"`"), "{said}");
    }
    write(&place, &renamed);
    let said = place.run_with_secret(&["check"]);
    assert!(
        said.code == Some(1) && said.out.contains("keyward.toml:6: "),
        "{said}"
    );
    assert!(said.out.contains("which has 2 purchases"), "{said}");
    let said = place.run_with_secret(&["serve"]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.err
            .contains("each renewal would make a second purchase"),
        "{said}"
    );
    assert!(said.err.contains("keep `name = \"stripe\"`"), "{said}");
    // By its own name it goes on.
    write(&place, CONFIG);
    let said = place.run_with_secret(&["check"]);
    assert!(
        said.code == Some(0) && !said.out.contains("source "),
        "{said}"
    );
}

/// One more is nothing to speak of. Of one that is taken out it is said how many purchases nobody tends.
#[test]
fn a_source_that_is_added_or_taken_out_is_no_rename() {
    let place = place();
    let eu = "[[source]]\nname = \"eu\"\nsigning_secrets = [\"whsec_eu\"]\n[licenses]";
    write(&place, &CONFIG.replace("[licenses]", eu));
    let said = place.run_with_secret(&["check"]);
    assert!(
        said.code == Some(0) && !said.out.contains("nobody tends"),
        "{said}"
    );
    let server = Server::start(&place, &[]);
    server.signal("-TERM");
    assert_eq!(server.end().code, Some(0));
    let stripe =
        "[[source]]\nname = \"stripe\"\nsigning_secrets = [\"${STRIPE_WEBHOOK_SECRET}\"]\n";
    let without = CONFIG.replace("[licenses]", eu).replace(stripe, "");
    write(&place, &without);
    let said = place.run_with_secret(&["check"]);
    let gone = "the config names no source `stripe`, whose 2 purchases nobody tends any more";
    assert!(said.code == Some(0) && said.out.contains(gone), "{said}");
}

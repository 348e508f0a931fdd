//! `keyward policy`: a changed file is told key by key before it is loaded, and only an order brings it to what already is.

use super::support::{self, Place, Said, willing};

/// Its one plan is the one that the history's metadata names.
fn config() -> String {
    support::CONFIG.replace("name = \"pro\"", "name = \"addon\"")
}

/// Three changes: fewer devices, another margin, and a plan more.
fn changed() -> String {
    let team = "[[plan]]\nname = \"team\"\nprices = [\"price_team\"]\n";
    format!(
        "{}{team}[policy.standard]\nexpiry_margin = \"5d\"\n",
        config()
    )
    .replace("devices = 3", "devices = 2")
}

/// Lets a server load the config, as a start does.
fn load(place: &Place) -> Said {
    let server = super::serve::Server::start(place, &[]);
    server.signal("-TERM");
    server.end()
}

#[test]
fn a_changed_file_is_told_key_by_key() {
    let place = Place::with(&config());
    place.fill(&["cancel-undone", "onetime-metadata-plan"], willing);
    let same = place.run(&["policy", "diff", "keyward.toml"]);
    assert!(
        same.code == Some(0) && same.out.contains("loading it changes nothing"),
        "{same}"
    );
    std::fs::write(place.path("new.toml"), changed()).unwrap();
    let said = place.run(&["policy", "diff", "new.toml"]);
    assert_eq!(said.code, Some(0), "{said}");
    insta::assert_snapshot!("policy_diff", said.out);
    let json = place.run(&["policy", "diff", "new.toml", "--json"]).json();
    assert_eq!(json["equal"], false);
    assert_eq!(json["plans"]["added"][0]["name"], "team");
    let pro = &json["plans"]["changed"][0];
    assert_eq!(
        (&pro["name"], &pro["keys"][0]["key"]),
        (&"addon".into(), &"license.devices".into())
    );
    assert_eq!(
        (&pro["keys"][0]["from"], &pro["keys"][0]["to"]),
        (&3.into(), &2.into())
    );
    std::fs::write(place.path("bad.toml"), "nonsense = 1").unwrap();
    let said = place.run(&["policy", "diff", "bad.toml"]);
    assert!(
        said.code == Some(1) && said.err.contains("nonsense"),
        "{said}"
    );
}

fn a_plan_narrows_it(place: &Place) {
    let other = place.run(&[
        "policy",
        "apply",
        "--existing",
        "--reason",
        "x",
        "--plan",
        "team",
    ]);
    assert!(other.err.contains("nothing would change"), "{other}");
    let unknown = place.run(&[
        "policy",
        "apply",
        "--existing",
        "--reason",
        "x",
        "--plan",
        "nobody",
    ]);
    assert!(
        unknown.code == Some(1) && unknown.err.contains("no plan is named `nobody`"),
        "{unknown}"
    );
}

#[test]
fn only_the_order_reaches_what_already_is_and_it_lists_first() {
    let place = Place::with(&config());
    place.fill(&["onetime-metadata-plan", "onetime-lifetime"], willing);
    let find = |text: &str| place.run(&["find", text, "--json"]).json()[0].clone();
    let before = find("cs_live_OnetimeMetadataPlan01");
    assert_eq!(before["licenses"][0]["devices"], 3, "{before:#}");
    let apply = ["policy", "apply", "--existing", "--reason", "smaller plan"];
    let said = place.run(&apply);
    assert!(
        said.code == Some(0) && said.err.contains("nothing would change"),
        "{said}"
    );
    // A changed file that no server has loaded is not applied.
    std::fs::write(place.path("keyward.toml"), changed()).unwrap();
    let said = place.run(&apply);
    assert!(
        said.err.contains("only what is loaded is applied")
            && said.err.contains("nothing would change"),
        "{said}"
    );
    let loaded = load(&place);
    assert!(loaded.err.contains("new revision"), "{loaded}");
    let same = find("cs_live_OnetimeMetadataPlan01");
    assert_eq!(same["licenses"][0]["devices"], 3, "loading shrinks nobody");
    let said = place.run(&apply);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        said.out.contains("stripe/cs_live_OnetimeMetadataPlan01") && said.out.contains("devices"),
        "{said}"
    );
    assert!(said.err.contains("nothing was done"), "{said}");
    assert_eq!(
        find("cs_live_OnetimeMetadataPlan01")["actions"],
        same["actions"]
    );
    a_plan_narrows_it(&place);
    let said = place.run(&[&apply[..], &["--yes", "--json"]].concat());
    assert_eq!(
        said.json()["machines"].as_array().unwrap().len(),
        1,
        "{said}"
    );
    let after = find("cs_live_OnetimeMetadataPlan01");
    let update = after["actions"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&update["kind"], &update["outcome"]),
        (&"update_license".into(), &"pending".into())
    );
    let shown = place.run(&["show", "cs_live_OnetimeMetadataPlan01"]);
    assert!(
        shown
            .out
            .contains("ada decided: apply_revision (smaller plan)"),
        "{shown}"
    );
    // What is applied is applied.
    let again = place.run(&apply);
    assert!(again.err.contains("nothing would change"), "{again}");
}

#[test]
fn the_order_must_be_meant() {
    let place = Place::with(&config());
    let said = place.run(&["policy", "apply", "--reason", "x"]);
    assert!(
        said.code == Some(1) && said.err.contains("--existing"),
        "{said}"
    );
    let said = place.run(&["policy", "apply", "--existing", "--reason", " "]);
    assert!(
        said.code == Some(1) && said.err.contains("needs its reason"),
        "{said}"
    );
}

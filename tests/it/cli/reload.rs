//! SIGHUP: what changed comes into force without a restart, what cannot is told, and a mistake changes nothing.

use std::os::unix::net::UnixDatagram;

use super::serve::Server;
use super::support::{self, Place, willing};

/// Its one plan is the one that the history's metadata names.
fn config() -> String {
    support::CONFIG.replace("name = \"pro\"", "name = \"addon\"")
}

fn write(place: &Place, config: &str) {
    std::fs::write(place.path("keyward.toml"), config).unwrap();
}

#[test]
fn plans_come_into_force_and_mistakes_do_not() {
    let place = Place::with(&config());
    place.fill(&["onetime-metadata-plan"], willing);
    let mut server = Server::start(&place, &[]);
    let devices = || {
        place
            .run(&["find", "cs_live_OnetimeMetadataPlan01", "--json"])
            .json()[0]["licenses"][0]["devices"]
            .clone()
    };
    write(&place, &config().replace("devices = 3", "devices = 2"));
    let differs = place.run(&["policy", "diff", "keyward.toml"]);
    assert!(differs.out.contains("license.devices: 3 -> 2"), "{differs}");
    server.signal("-HUP");
    server.hears("new revision");
    let same = place.run(&["policy", "diff", "keyward.toml"]);
    assert!(same.out.contains("loading it changes nothing"), "{same}");
    assert_eq!(devices(), 3, "loading shrinks nobody");
    // The same file again is no revision.
    server.signal("-HUP");
    server.hears("are those in force");
    // A mistake is told, and what was in force stays.
    write(&place, &config().replace("devices = 3", "devices = -3"));
    server.signal("-HUP");
    server.hears("the one before stays in force");
    assert!(
        server.heard().contains("keyward.toml"),
        "{}",
        server.heard()
    );
    let still = place.run(&["policy", "diff", "keyward.toml"]);
    assert_eq!(still.code, Some(1));
    // What is read at the start only is told.
    write(
        &place,
        &config()
            .replace("127.0.0.1:0", "127.0.0.1:1")
            .replace("devices = 3", "devices = 2"),
    );
    server.signal("-HUP");
    server.hears("only a restart brings it into force: listen");
    server.signal("-TERM");
    let ended = server.end();
    assert!(
        ended.code == Some(0) && ended.err.contains("the store is closed"),
        "{ended}"
    );
    // The revision was kept: the next start finds nothing new.
    write(&place, &config().replace("devices = 3", "devices = 2"));
    let server = Server::start(&place, &[]);
    server.signal("-TERM");
    assert!(!server.end().err.contains("new revision"));
}

#[test]
fn a_person_orders_it_and_is_answered() {
    let place = Place::with(&config());
    let none = place.run(&["reload"]);
    assert_eq!(none.code, Some(1), "{none}");
    assert!(none.err.contains("no server runs"), "{none}");
    place.fill(&["onetime-metadata-plan"], willing);
    let server = Server::start(&place, &[]);
    let same = place.run(&["reload"]);
    assert_eq!(same.code, Some(0), "{same}");
    assert!(same.out.contains("are those in force"), "{same}");
    write(
        &place,
        &config()
            .replace("127.0.0.1:0", "127.0.0.1:1")
            .replace("devices = 3", "devices = 2"),
    );
    let changed = place.run(&["reload", "--json"]);
    assert_eq!(changed.code, Some(0), "{changed}");
    let reloaded = changed.json();
    assert_eq!(
        (&reloaded["revision"], &reloaded["restart"]),
        (&true.into(), &serde_json::json!(["listen"])),
        "{changed}"
    );
    // A mistake is shown as `check` shows it, and changes nothing.
    write(&place, &config().replace("devices = 3", "devices = -3"));
    let wrong = place.run(&["reload"]);
    assert_eq!(wrong.code, Some(1), "{wrong}");
    assert!(wrong.err.contains("keyward.toml:"), "{wrong}");
    // What only the server sees is its answer.
    let needs = config().replace("${STRIPE_WEBHOOK_SECRET}", "${STRIPE_NEW_SECRET}");
    write(&place, &needs);
    let unset = place.run(&["reload"]);
    assert_eq!(unset.code, Some(1), "{unset}");
    assert!(
        unset.err.contains("STRIPE_NEW_SECRET") && unset.err.contains("stays in force"),
        "{unset}"
    );
    server.signal("-TERM");
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn a_purchase_that_sold_nothing_is_fulfilled_when_the_config_learns_its_price() {
    let place = Place::with(&config().replace("name = \"addon\"", "name = \"other\""));
    place.fill(&["onetime-metadata-plan"], willing);
    let machine = || {
        place
            .run(&["find", "cs_live_OnetimeMetadataPlan01", "--json"])
            .json()[0]
            .clone()
    };
    assert!(machine()["licenses"].as_array().unwrap().is_empty());
    let mut server = Server::start(&place, &[]);
    write(&place, &config());
    server.signal("-HUP");
    server.hears("new revision");
    let kinds = machine()["actions"].clone();
    assert!(
        kinds
            .as_array()
            .unwrap()
            .iter()
            .any(|a| a["kind"] == "create_license"),
        "{kinds:#}"
    );
}

#[test]
fn templates_are_read_again_and_those_with_mistakes_are_not_taken() {
    let place = Place::with(&config().replace(
        "path = \"./mail\"",
        "path = \"./mail\"\ntemplates = \"./templates\"",
    ));
    let folder = place.path("templates/license_issued/en");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("subject.txt"), "Your key").unwrap();
    let mut server = Server::start(&place, &["--new"]);
    std::fs::write(folder.join("subject.txt"), "Your {{ key").unwrap();
    server.signal("-HUP");
    server.hears("those before stay in use");
    server.hears("are those in force");
    assert!(server.heard().contains("subject.txt"), "{}", server.heard());
    std::fs::write(folder.join("subject.txt"), "Here it is").unwrap();
    let before = server.heard().len();
    server.signal("-HUP");
    server.hears("are those in force");
    assert!(
        !server.heard()[before..].contains("stay in use"),
        "{}",
        server.heard()
    );
}

#[test]
fn systemd_is_told() {
    let place = Place::with(&config());
    let notified = UnixDatagram::bind(place.path("notify")).unwrap();
    notified
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    let told = || {
        let mut buffer = [0; 500];
        let len = notified.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let mut command = place.command(&["serve", "--new"]);
    let server = Server::from(command.env("NOTIFY_SOCKET", place.path("notify")));
    let mut words = vec![told()];
    server.signal("-HUP");
    while !words.iter().any(|w| w.contains("RELOADING=1")) {
        words.push(told());
    }
    let reloading = words.last().unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    while !words.last().unwrap().contains("READY=1") {
        words.push(told());
    }
}

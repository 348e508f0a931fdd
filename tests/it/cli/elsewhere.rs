//! `check` where the config names another license service than the one that has the licenses.

use super::support::{CONFIG, Place, willing};
use crate::support::app::{Setup, TestApp, binary};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

const AUTHFORGE: &str = "service = \"authforge\"\napi_key = \"k\"\napp_id = \"app_test\"";

/// The config with the other service.
fn config(service: &str) -> String {
    match service {
        "embedded" => CONFIG.to_owned(),
        _ => CONFIG.replace("service = \"embedded\"", AUTHFORGE),
    }
}

#[test]
fn licenses_at_another_service_than_the_configs_are_noted_with_the_way_out() {
    for (at, named) in [("embedded", "authforge"), ("authforge", "embedded")] {
        let place = Place::with(&config(at));
        place.fill(&["sub-checkout", "onetime-lifetime"], willing);
        let same = place.run_with_secret(&["check"]);
        assert!(
            same.code == Some(0) && !same.out.contains("move-licenses"),
            "{same}"
        );
        std::fs::write(place.path("keyward.toml"), config(named)).unwrap();
        let said = place.run_with_secret(&["check"]);
        let noted =
            format!("2 licenses of its purchases are at `{at}`, and the config names `{named}`");
        assert!(said.code == Some(0) && said.out.contains(&noted), "{said}");
        let way_out = format!("keyward move-licenses --from {at}");
        assert!(said.out.contains(&way_out), "{said}");
    }
}

/// The running server has the config of before; the edited one is what is asked about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_is_asked_about_the_edited_config() {
    let app = TestApp::start(Setup::embedded()).await;
    app.door().event(&one_time("Elsewhere", next_s())).await;
    until("its license", PATIENCE, async || {
        let licenses = &app.ask(&["show", &machine("Elsewhere")])["licenses"];
        (licenses.as_array()?.len() == 1).then_some(())
    })
    .await;
    let text = std::fs::read_to_string(app.config()).unwrap();
    let edited = app.dir().join("edited.toml");
    std::fs::write(&edited, text.replace("service = \"embedded\"", AUTHFORGE)).unwrap();
    let check = |config: &std::path::Path| {
        let out = std::process::Command::new(binary())
            .args(["check", "--config"])
            .arg(config)
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let noted = "1 license of its purchases is at `embedded`";
    assert!(!check(&app.config()).contains("move-licenses"));
    let said = check(&edited);
    assert!(said.contains(noted), "{said}");
}

//! The fake license service as a process of its own, for whoever must be killed while it lives on.

use std::process::Command;

use keyward::domain::id::AppId;
use keyward::domain::plan::Devices;
use keyward::effects::license::{Client, ClientConfig, NewLicense};
use keyward::secret::Secret;

use crate::support::fake_licenses::{API_KEY, Faults, Process, serve_until_stdin_closes};

/// Runs this test binary again, as the fake alone.
pub(crate) fn fake_process(addr: &str, faults: &Faults) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "--ignored",
        "--nocapture",
        "license::fake_process::the_fake_alone",
    ]);
    Process::start(command, addr, faults)
}

#[tokio::test]
#[ignore = "not a test: fake_process() runs it as a process of its own"]
async fn the_fake_alone() {
    serve_until_stdin_closes().await;
}

#[tokio::test]
async fn the_fake_runs_in_a_process_of_its_own() {
    let fake = fake_process("127.0.0.1:0", &Faults::default());
    let client = Client::new(ClientConfig::new(fake.base(), Secret::new(API_KEY))).unwrap();
    let (app_id, devices) = (AppId::new("app"), Devices::Count(1));
    let new = NewLicense {
        app_id,
        label: "Stripe sub sub_1".into(),
        expires_at: None,
        devices,
    };
    let made = client.create(&new).await.done().unwrap();
    let held = reqwest::get(fake.base().replace("/v1/", "/_fake/licenses"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let held: serde_json::Value = serde_json::from_str(&held).unwrap();
    assert_eq!(held[0]["licenseKey"], made.key.reveal());
    assert_eq!(held.as_array().unwrap().len(), 1);
}

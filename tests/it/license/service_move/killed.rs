//! SIGKILL of `move-licenses --apply` itself, beside the server and without it: the next run orders what was not ordered, and
//! each license is made once.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use keyward::clock::pause;
use keyward::domain::time::Span;

use crate::support::app::{Setup, TestApp, binary};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{machine, next_s, one_time};
use crate::support::wait::{PATIENCE, until};

/// More than share one sync, so that there is a middle.
const LICENSES: usize = 160;
/// How much is written before each kill, in bytes.
const WRITTEN: [usize; 3] = [2_000, 10_000, 20_000];

/// What stands in the commit log. Its files are longer than what is in them.
fn log_len(app: &TestApp) -> usize {
    let files = fs::read_dir(app.dir().join("data/log")).unwrap();
    let written = |f: std::io::Result<fs::DirEntry>| {
        let bytes = fs::read(f.unwrap().path()).unwrap_or_default();
        bytes.into_iter().filter(|byte| *byte != 0).count()
    };
    files.map(written).sum()
}

fn to_do(app: &TestApp) -> usize {
    let dry = app.ask(&["move-licenses", "--from", "embedded"]);
    usize::try_from(dry["to_do"].as_u64().unwrap()).unwrap()
}

fn order(app: &TestApp, expect: usize) -> Child {
    let mut command = Command::new(binary());
    command.args(["move-licenses", "--from", "embedded", "--apply"]);
    command.args(["--expect", &expect.to_string(), "--reason", "we move"]);
    command.arg("--config").arg(app.config());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Orders, and kills the command as soon as so much was written.
async fn killed_after(app: &TestApp, expect: usize, written: usize) {
    let before = log_len(app);
    let mut child = order(app, expect);
    while child.try_wait().unwrap().is_none() {
        if log_len(app) >= before + written {
            child.kill().unwrap();
            child.wait().unwrap();
            return;
        }
        pause(Span::from_ms(1)).await;
    }
}

async fn shop(fake: &Arc<Fake>) -> (TestApp, String) {
    let authforge = Setup::with(fake).licenses;
    let setup = Setup {
        fake: Some(Arc::clone(fake)),
        ..Setup::embedded()
    };
    let app = TestApp::start(setup).await;
    for n in 0..LICENSES {
        app.door()
            .event(&one_time(&format!("Kill{n}"), next_s()))
            .await;
    }
    until("all keys", PATIENCE, async || {
        let open = app.ask(&["actions"]);
        open.as_array().unwrap().is_empty().then_some(())
    })
    .await;
    (app, authforge)
}

/// Kills the command some times, then lets it end. Says how often it had ordered a part.
async fn ordered(app: &TestApp) -> usize {
    let (mut left, mut parts) = (to_do(app), 0);
    assert_eq!(left, LICENSES);
    for written in WRITTEN {
        killed_after(app, left, written).await;
        let now = to_do(app);
        assert!(now <= left, "what was ordered stays ordered");
        parts += usize::from(now > 0 && now < left);
        left = now;
    }
    if left > 0 {
        assert!(order(app, left).wait().unwrap().success());
    }
    assert_eq!(to_do(app), 0);
    parts
}

async fn each_once(app: &TestApp, fake: &Fake) {
    until("all licenses at the new service", PATIENCE, async || {
        (fake.licenses().len() >= LICENSES && app.ask(&["actions"]).as_array()?.is_empty())
            .then_some(())
    })
    .await;
    assert_eq!(fake.licenses().len(), LICENSES);
    for n in [0, LICENSES / 2, LICENSES - 1] {
        let page = app.ask(&["show", &machine(&format!("Kill{n}"))]);
        assert_eq!(page["licenses"][0]["left_at"], "embedded", "{page}");
        assert_eq!(page["licenses"][1]["status"], "live", "{page}");
        assert_eq!(page["licenses"].as_array().unwrap().len(), 2, "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_is_killed_without_a_server() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (mut app, authforge) = shop(&fake).await;
    app.configure_licenses(&authforge).await;
    assert!(ordered(&app).await > 0, "no kill came in the middle");
    app.restart().await;
    each_once(&app, &fake).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_is_killed_beside_a_server() {
    let fake = Arc::new(Fake::start(Faults::default()).await);
    let (mut app, authforge) = shop(&fake).await;
    app.configure_licenses(&authforge).await;
    app.restart().await;
    ordered(&app).await;
    each_once(&app, &fake).await;
}

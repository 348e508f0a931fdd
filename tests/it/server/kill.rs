//! SIGKILL in the middle of purchases: what was acknowledged gets its license, once, however often the process dies.
//!
//! The license service errs, hangs, and shows no labels in its list, like AuthForge's documentation leaves it open. The
//! count of licenses is taken there. `KEYWARD_FULL=1` runs the whole campaign, `KEYWARD_SEED` repeats a run's dice (not
//! its timing).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyward::clock::{Stopwatch, pause};
use keyward::domain::time::Span;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::app::{Door, Setup, TestApp};
use crate::support::fake_licenses::{Fake, Faults};
use crate::support::purchase::{label, next_s, one_time};
use crate::support::wait::{until, within};

/// When the process is killed, in hundredths of the way: acknowledgements and licenses count alike.
struct Campaign {
    purchases: usize,
    connections: usize,
    kills: usize,
    from_pct: usize,
    to_pct: usize,
    /// Of a hundred kills so many hit a process that is just starting.
    at_start_pct: u32,
    /// How long the last license may take after the last kill.
    patience: Duration,
}

const SHORT: Campaign = Campaign {
    purchases: 300,
    connections: 32,
    kills: 4,
    from_pct: 5,
    to_pct: 90,
    at_start_pct: 0,
    patience: Duration::from_secs(120),
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_purchases_come_in() {
    run(Campaign {
        connections: 64,
        from_pct: 3,
        to_pct: 55,
        ..SHORT
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_licenses_are_made() {
    run(Campaign {
        connections: 16,
        from_pct: 50,
        to_pct: 97,
        ..SHORT
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_while_it_starts() {
    run(Campaign {
        at_start_pct: 60,
        kills: 6,
        ..SHORT
    })
    .await;
}

/// Nothing without `KEYWARD_FULL=1`: it takes many minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_full_campaign() {
    if std::env::var("KEYWARD_FULL").is_ok_and(|v| v == "1") {
        let patience = Duration::from_secs(900);
        for connections in [16, 32, 64] {
            let full = Campaign {
                purchases: 2_000,
                connections,
                kills: 24,
                at_start_pct: 15,
                patience,
                ..SHORT
            };
            run(full).await;
        }
    }
}

async fn run(campaign: Campaign) {
    let seed =
        std::env::var("KEYWARD_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("KEYWARD_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let faults = Faults {
        seed,
        error_pct: 20,
        hang_pct: 2,
        ..Faults::default()
    };
    let fake = Arc::new(Fake::start(faults).await);
    let mail = "transport = \"folder\"\npath = \"./mail\"\nfrom = \"Shop <keys@shop.example>\"\n";
    let mut app = TestApp::start(Setup {
        mail: mail.to_owned(),
        ..Setup::with(&fake)
    })
    .await;
    let watch = Stopwatch::start();
    let names: Vec<String> = (0..campaign.purchases)
        .map(|n| format!("Kill{n:05}"))
        .collect();
    let load = start_load(app.door(), &names, &campaign, &mut dice);
    kills(&mut app, &fake, &campaign, &mut dice).await;
    for connection in load {
        connection.await.unwrap();
    }
    println!("all acknowledged after {:?}", watch.elapsed());
    finish(&app, &fake, &names, campaign.patience).await;
    println!(
        "all done after {:?}; the service saw {:?}",
        watch.elapsed(),
        fake.counters()
    );
    count(&app, &fake, &names);
    app.check_laws();
}

/// Every connection delivers its share, in its own order, each event until it is acknowledged, some of them twice.
fn start_load(
    door: &Door,
    names: &[String],
    campaign: &Campaign,
    dice: &mut StdRng,
) -> Vec<tokio::task::JoinHandle<()>> {
    let created = next_s();
    let mut shares: Vec<Vec<(serde_json::Value, bool)>> = vec![Vec::new(); campaign.connections];
    for name in names {
        let connection = dice.random_range(0..campaign.connections);
        shares[connection].push((one_time(name, created), dice.random_ratio(1, 10)));
    }
    let deliver = |share: Vec<(serde_json::Value, bool)>| {
        let door = door.clone();
        tokio::spawn(async move {
            for (event, twice) in share {
                door.event(&event).await;
                if twice {
                    door.event(&event).await;
                }
            }
        })
    };
    shares.into_iter().map(deliver).collect()
}

async fn kills(app: &mut TestApp, fake: &Fake, campaign: &Campaign, dice: &mut StdRng) {
    let way = campaign.purchases * 2;
    let mut moments: Vec<usize> = (0..campaign.kills)
        .map(|_| way * dice.random_range(campaign.from_pct..=campaign.to_pct) / 100)
        .collect();
    moments.sort_unstable();
    for moment in moments {
        let door = app.door().clone();
        let progress = || door.acknowledged().len() + fake.by_label().len();
        let what = format!("{moment} of {way} steps");
        until(&what, campaign.patience, async || {
            (progress() >= moment).then_some(())
        })
        .await;
        // Not a wait for something: the process dies at no particular moment.
        pause(Span::from_ms(dice.random_range(0..150))).await;
        println!(
            "kill at {} acknowledged, {} licenses",
            door.acknowledged().len(),
            fake.by_label().len()
        );
        app.kill9();
        while dice.random_ratio(campaign.at_start_pct, 100) {
            app.begin();
            pause(Span::from_ms(dice.random_range(0..400))).await;
            println!("kill at its start");
            app.kill9();
        }
        app.restart().await;
    }
}

/// Waits until there is nothing left to do: each purchase has a license and a mail, and no action is open.
async fn finish(app: &TestApp, fake: &Fake, names: &[String], patience: Duration) {
    let done = within(patience, async || {
        let made = fake.by_label().len() >= names.len();
        let idle = made && app.ask(&["actions"]) == json!([]);
        (idle && mails(app).len() >= names.len()).then_some(())
    });
    if done.await.is_none() {
        let made = fake.by_label();
        let missing: Vec<_> = names
            .iter()
            .filter(|n| !made.contains_key(&label(n)))
            .take(5)
            .collect();
        panic!(
            "unfinished after {patience:?}: {} of {} licenses, {} mails; without: {missing:?}; open: {:#}\n{}",
            made.len(),
            names.len(),
            mails(app).len(),
            app.ask(&["actions", "--limit", "5"]),
            app.tail()
        );
    }
}

/// At the service: a license for each purchase, none twice, and nothing else. In the mails: each key once, to its buyer.
fn count(app: &TestApp, fake: &Fake, names: &[String]) {
    let wanted: BTreeMap<String, usize> = names.iter().map(|n| (label(n), 1)).collect();
    assert_eq!(
        fake.by_label(),
        wanted,
        "licenses at the service\n{}",
        app.tail()
    );
    let keys: BTreeMap<String, String> = fake
        .licenses()
        .into_iter()
        .map(|l| (l.label.unwrap_or_default(), l.license_key))
        .collect();
    let mails = mails(app);
    assert_eq!(mails.len(), names.len(), "mails");
    for name in names {
        let to = format!("To: {}@customer.example", name.to_lowercase());
        let its: Vec<_> = mails.iter().filter(|m| m.contains(&to)).collect();
        assert_eq!(its.len(), 1, "mails to {to}");
        assert!(
            its[0].contains(&keys[&label(name)]),
            "the mail to {name} carries its key:\n{}",
            its[0]
        );
    }
    let ids: std::collections::BTreeSet<_> = mails
        .iter()
        .filter_map(|m| m.split("Message-ID: ").nth(1))
        .collect();
    assert_eq!(
        ids.len(),
        names.len(),
        "a Message-ID of its own for each mail"
    );
}

/// All mails in the folder, without the soft line breaks of their encoding.
fn mails(app: &TestApp) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(app.dir().join("mail")) else {
        return Vec::new();
    };
    let files = folder
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "eml"));
    files
        .filter_map(|p| std::fs::read_to_string(p).ok())
        .map(|m| m.replace("=\r\n", ""))
        .collect()
}

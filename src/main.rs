//! Arguments, logging, exit code.
#![forbid(unsafe_code)]
use keyward::{config, domain, engine, sim};
fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let v: Vec<String> = std::env::args().collect();
    if v[1] == "serve" {
        let cfg = v.iter().position(|a| a == "--config").map(|i| v[i + 1].clone()).unwrap();
        if v.contains(&"--help".to_string()) {
            println!("--new");
            return;
        }
        let (c, _) = config::Config::load(std::path::Path::new(&cfg), &config::Env::process().lenient()).unwrap();
        let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        rt.block_on(async move {
            let opened = keyward::server::open(&c, keyward::store::Create::IfMissing).unwrap();
            let l = tokio::net::TcpListener::bind(c.listen).await.unwrap();
            let s = keyward::server::Server::start(c, opened, l, keyward::clock::Clock::Wall).await.unwrap();
            eprintln!("listening on {}", s.address);
            let stop = s.stopper();
            tokio::spawn(async move {
                let mut t = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
                t.recv().await;
                stop.cancel();
            });
            s.run().await.unwrap();
        });
        return;
    }
    let mut args = std::env::args().skip(2);
    let file = args.next().unwrap();
    let cfg = args.next().unwrap();
    let until = args.next().and_then(|t| domain::time::Timestamp::parse(&t).ok());
    let text = std::fs::read_to_string(&file).unwrap();
    let (c, _) = config::Config::load(std::path::Path::new(&cfg), &config::Env::process().lenient()).unwrap();
    let rules = engine::input::Rules {
        revisions: domain::revision::Revisions::always(c.plans.clone(), c.policies.clone()),
        sources: keyward::server::source_rules(&c)
            .into_iter()
            .map(|(k, mut v)| {
                v.abilities = domain::action::Abilities::simulated();
                (k, v)
            })
            .collect(),
        store_since: None,
    };
    let lines = sim::history::read(&file, &text).unwrap();
    let (_, a) = sim::replay(lines, rules, until, None).unwrap();
    if std::env::var("JSON").is_ok() {
        println!("{}", serde_json::to_string_pretty(&a).unwrap());
    } else {
        print!("{}", sim::timeline::text(&a));
    }
}

//! Arguments, logging, exit code.
#![forbid(unsafe_code)]
use keyward::{config, domain, engine, sim};
fn main() {
    let mut args = std::env::args().skip(2);
    let file = args.next().unwrap();
    let cfg = args.next().unwrap();
    let until = args.next().and_then(|t| domain::time::Timestamp::parse(&t).ok());
    let text = std::fs::read_to_string(&file).unwrap();
    let (c, _) = config::Config::load(std::path::Path::new(&cfg), &config::Env::process().lenient()).unwrap();
    let rules = rules(&c);
    let lines = sim::history::read(&file, &text).unwrap();
    let (_, a) = sim::replay(lines, rules, until, None).unwrap();
    if std::env::var("JSON").is_ok() {
        println!("{}", serde_json::to_string_pretty(&a).unwrap());
    } else {
        print!("{}", sim::timeline::text(&a));
    }
}
fn rules(c: &config::Config) -> engine::input::Rules {
    let sources = c
        .sources
        .iter()
        .map(|s| {
            (
                s.name.clone(),
                engine::input::SourceRules {
                    livemode: match s.livemode {
                        config::Livemode::Live => Some(true),
                        config::Livemode::Test => Some(false),
                        config::Livemode::Any => None,
                    },
                    connect: s.connect == config::Connect::Accept,
                    ..Default::default()
                },
            )
        })
        .collect();
    engine::input::Rules {
        revisions: domain::revision::Revisions::always(c.plans.clone(), c.policies.clone()),
        sources,
        store_since: None,
    }
}

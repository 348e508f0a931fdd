//! Histories from `fixtures/histories`, and how a test replays them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward::config::{Config, Connect, Env, Livemode};
use keyward::domain::revision::Revisions;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::{EventPayload, Input, Rules, SourceRules};
use keyward::sim::history::{self, Line};
use keyward::sim::{ReplayReport, Simulation};

/// One recorded life cycle.
pub(crate) struct History {
    /// Its folder's name.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// The config under which it is read.
    pub(crate) rules: Rules,
    pub(crate) text: String,
}

/// Every history, in the order of its name.
pub(crate) fn all() -> Vec<History> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/histories");
    let shared = rules(&root.join("keyward.toml"));
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    folders.retain(|f| f.is_dir());
    folders.sort();
    assert!(folders.len() > 200, "the histories are not there");
    let only = std::env::var("HISTORY").ok();
    let history = |folder: PathBuf| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let own = folder.join("keyward.toml");
        let rules = if own.exists() {
            self::rules(&own)
        } else {
            shared.clone()
        };
        let text = fs::read_to_string(folder.join("history.jsonl")).unwrap();
        History {
            name,
            folder,
            rules,
            text,
        }
    };
    folders
        .into_iter()
        .map(history)
        .filter(|h| only.as_ref().is_none_or(|o| h.name == *o))
        .collect()
}

impl History {
    /// What was delivered, in the order of delivery.
    pub(crate) fn lines(&self) -> Vec<Line> {
        history::read(&self.name, &self.text).unwrap()
    }

    /// Plays it.
    pub(crate) fn replay(&self, until: Option<Timestamp>) -> (Simulation, ReplayReport) {
        answered(&self.name, &self.text, self.rules.clone(), until, None)
    }
}

/// Plays a history's text to its end.
pub(crate) fn answered(
    name: &str,
    text: &str,
    rules: Rules,
    until: Option<Timestamp>,
    seed: Option<u64>,
) -> (Simulation, ReplayReport) {
    let world = played(history::read(name, text).unwrap(), rules, until, seed);
    let answer = ReplayReport::of(&world).unwrap();
    (world, answer)
}

/// Plays lines to their end, all of them in one world.
pub(crate) fn played(
    lines: Vec<Line>,
    rules: impl Into<Arc<Rules>>,
    until: Option<Timestamp>,
    seed: Option<u64>,
) -> Simulation {
    let last = lines.iter().map(|line| line.received).max();
    let runs_on = || last.unwrap_or(Timestamp::from_ms(0)) + Span::from_days(60);
    let mut world = Simulation::new(rules, seed);
    world.play(lines, until.unwrap_or_else(runs_on)).unwrap();
    world
}

/// The rules of a config file, in force from the beginning.
pub(crate) fn rules(file: &Path) -> Rules {
    let (config, _) =
        Config::load(file, &Env::process().lenient()).unwrap_or_else(|m| panic!("{m}"));
    let livemode = |mode| match mode {
        Livemode::Live => Some(true),
        Livemode::Test => Some(false),
        Livemode::Any => None,
    };
    let source = |s: &keyward::config::Source| SourceRules {
        livemode: livemode(s.livemode),
        connect: s.connect == Connect::Accept,
        ..SourceRules::default()
    };
    Rules {
        sources: config
            .sources
            .iter()
            .map(|s| (s.name.clone(), source(s)))
            .collect(),
        revisions: Revisions::always(config.plans, config.policies),
        store_since: None,
        guard: None,
    }
}

/// The same line, received at another instant.
pub(crate) fn received(line: &Line, at: Timestamp) -> Line {
    let input = match &line.input {
        Input::Delivery(delivery) => {
            let mut delivery = delivery.clone();
            delivery.received = at;
            if let EventPayload::Fact(fact) = &mut delivery.payload {
                fact.received = at;
            }
            Input::Delivery(delivery)
        }
        Input::Decision {
            machine,
            id,
            decision,
            at,
        } => Input::Decision {
            machine: machine.clone(),
            id: id.clone(),
            decision: decision.clone(),
            at: *at,
        },
        Input::Attempt { .. }
        | Input::ReadAgain(_)
        | Input::ReadBy(_)
        | Input::ParkedQueryDone { .. }
        | Input::Outcome { .. }
        | Input::Mailed { .. }
        | Input::WakeUp { .. }
        | Input::Actions { .. }
        | Input::Mails { .. }
        | Input::Refused { .. }
        | Input::NeverLinked { .. }
        | Input::Revision { .. }
        | Input::Gap(_)
        | Input::Mend { .. }
        | Input::Standing(_)
        | Input::Probed(_)
        | Input::GuardReset
        | Input::Compare { .. }
        | Input::Labels(_)
        | Input::Erase(_)
        | Input::Adopt(_)
        | Input::Keep(_)
        | Input::Dismiss { .. }
        | Input::Heartbeat => panic!("a history has none of these"),
    };
    Line {
        received: at,
        input,
    }
}

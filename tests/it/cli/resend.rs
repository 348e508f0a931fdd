//! Keys are mailed once more when a person says so: once for each time, kept, and to whom it was said.

use keyward::domain::decision::{Decision, Verb};
use keyward::domain::id::{EventId, MachineId};
use keyward::domain::machine::Machine;
use keyward::domain::notice::{NoticeKind, NoticeStatus, Skipped};
use keyward::domain::time::Span;
use keyward::engine::input::Input;
use keyward::engine::read::view;
use keyward::sim::Simulation;
use keyward::sim::history::Line;

use super::support::{CONFIG, Place, willing};
use crate::support::replay;

/// A history that was played, with a resend on top.
struct Played {
    world: Simulation,
    machine: MachineId,
    said: u32,
}

impl Played {
    fn of(history: &str) -> Self {
        let history = replay::all()
            .into_iter()
            .find(|h| h.name == history)
            .unwrap();
        let (world, answer) = history.replay(None);
        let machine = answer.machines[0].id.as_str().parse::<MachineId>().unwrap();
        Self {
            world,
            machine,
            said: 0,
        }
    }

    fn say(&mut self, verb: Verb) {
        self.said += 1;
        let id = EventId::new(format!("dec_{}", self.said));
        let at = self.world.now + Span::from_s(1);
        let decision = Decision {
            verb,
            author: "ada".to_owned(),
            reason: "lost".to_owned(),
        };
        let input = Input::Decision {
            machine: self.machine.clone(),
            id,
            decision,
            at,
        };
        self.world
            .deliver(&Line {
                received: at,
                input,
            })
            .unwrap();
        self.world.advance(at + Span::from_hours(1)).unwrap();
    }

    fn machine(&self) -> Machine {
        view::machine(&self.world.store, &self.machine)
            .unwrap()
            .unwrap()
    }

    /// Part, recipient and licenses of every mail with keys.
    fn mails(&self) -> Vec<(String, Option<String>, Vec<u32>)> {
        let machine = self.machine();
        let keys = machine
            .notices
            .into_iter()
            .filter(|n| n.kind == NoticeKind::LicenseIssued);
        keys.inspect(|n| assert_eq!(n.status, NoticeStatus::Sent))
            .map(|n| (n.part.to_string(), n.to, n.seats))
            .collect()
    }
}

#[test]
fn each_resend_is_one_mail_to_whom_it_was_said() {
    let mut played = Played::of("cancel-at-date");
    let first = played.mails();
    assert_eq!(first.len(), 1);
    played.say(Verb::Resend { to: None });
    played.say(Verb::Resend {
        to: Some("new@example.com".to_owned()),
    });
    let mails = played.mails();
    assert_eq!(mails[0], first[0]);
    assert_eq!(
        mails[1],
        (
            "resend 1".to_owned(),
            first[0].1.clone(),
            first[0].2.clone()
        )
    );
    assert_eq!(
        mails[2],
        (
            "resend 2".to_owned(),
            Some("new@example.com".to_owned()),
            first[0].2.clone()
        )
    );
    assert_eq!(mails.len(), 3);
    // Nothing else comes of it, and nothing comes twice.
    let before = played.machine();
    played
        .world
        .advance(played.world.now + Span::from_days(30))
        .unwrap();
    assert_eq!(played.mails(), mails);
    assert_eq!(played.machine().grants, before.grants);
}

#[test]
fn a_revoked_key_is_not_sent_again() {
    let mut played = Played::of("refund-full");
    played.say(Verb::Resend {
        to: Some("new@example.com".to_owned()),
    });
    let notice = played
        .machine()
        .notices
        .into_iter()
        .find(|n| n.part.to_string() == "resend 1")
        .unwrap();
    assert_eq!(notice.status, NoticeStatus::Skipped);
    assert_eq!(notice.skipped, Some(Skipped::NoKey));
}

#[test]
fn the_command_hands_it_in_and_refuses_what_cannot_be_sent() {
    let place = Place::with(CONFIG);
    place.fill(&["cancel-at-date", "refund-full"], willing);
    let machine = |text: &str| {
        place.run(&["find", text, "--json"]).json()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let sub = machine("sub_CancelAtDate01");
    let said = place.run(&[
        "resend",
        &sub,
        "--to",
        "new@example.com",
        "--reason",
        "moved",
        "--json",
    ]);
    assert!(
        said.json()["decision"]
            .as_str()
            .unwrap()
            .starts_with("dec_"),
        "{said}"
    );
    let shown = place.run(&["show", &sub]);
    assert!(
        shown
            .out
            .contains("ada decided: resend to new@example.com (moved)"),
        "{shown}"
    );
    assert!(shown.out.contains("mail license_issued"), "{shown}");
    for bad in ["new", "A <a@example.com>", "a@example.com, b@example.com"] {
        let said = place.run(&["resend", &sub, "--to", bad]);
        assert!(
            said.code == Some(1) && said.err.contains("is not an address"),
            "{said}"
        );
    }
    let said = place.run(&["resend", "nothing"]);
    assert!(
        said.code == Some(1) && said.err.contains("there is no purchase `nothing`"),
        "{said}"
    );
    let silent = CONFIG.replace(
        "transport = \"folder\"\npath = \"./mail\"",
        "transport = \"none\"",
    );
    std::fs::write(place.path("keyward.toml"), silent).unwrap();
    let said = place.run(&["resend", &sub]);
    assert!(
        said.code == Some(1) && said.err.contains("mail is switched off"),
        "{said}"
    );
}

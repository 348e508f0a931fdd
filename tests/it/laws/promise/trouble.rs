//! What goes wrong in a shop, and how the same shop is played with it.

mod edit;
mod until;

use keyward::domain::policy::OnCancel;
use keyward::domain::time::{Span, Timestamp};
use keyward::engine::input::Input;
use keyward::sim::history::Line;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::judge::Judged;
use super::service::Lie;
use super::world::World;
use super::{Heard, adopted};
use edit::{Edit, edited};
use until::judged_until;

/// Deliveries that were missed, and what was held until then, take so long to be made up for.
const MADE_UP: Span = Span::from_hours(3);
const WEEK: Span = Span::from_days(7);
const DAY: Span = Span::from_days(1);
const HOUR: Span = Span::from_hours(1);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// The config is edited and loaded.
    Edited(Edit),
    /// A copy of the store, so many hours old, is put back, and what was told since is told again.
    PutBack { hours: u16 },
    /// The clock is wrong by so many hours, for so many.
    Jumped { by: i16, hours: u8 },
    /// Nothing runs for a week; then everything comes at once.
    Down,
    /// The store begins only now; the license service has all licenses. Whether what happened before is told.
    Late { told: bool },
    /// The store begins only now, beside licenses that others made, and takes all of them in. Whether a person says yes to
    /// whatever that holds.
    Adopted { agrees: bool },
    /// Another binary starts on the store, and judges everything anew.
    NewBinary,
    /// The license service lies for an hour.
    Lies(Lie),
}

impl What {
    /// The name under which it is counted.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Edited(_) => "edited",
            Self::PutBack { .. } => "put back",
            Self::Jumped { .. } => "jumped",
            Self::Down => "down",
            Self::Late { .. } => "late",
            Self::Adopted { .. } => "adopted",
            Self::NewBinary => "binary changed",
            Self::Lies(_) => "lies",
        }
    }

    /// Each kind.
    pub(crate) const KINDS: [&'static str; 8] = [
        "edited",
        "put back",
        "jumped",
        "down",
        "late",
        "adopted",
        "binary changed",
        "lies",
    ];
}

/// What goes wrong, and when: at an event's instant, or so many hours after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) what: What,
    pub(crate) event: u16,
    pub(crate) hours: u16,
}

/// Any trouble.
pub(crate) fn any_trouble() -> impl Strategy<Value = Trouble> {
    let edits = [
        Edit::FewerDevices,
        Edit::ShorterGrace,
        Edit::AnotherPolicy,
        Edit::PlansDropped,
        Edit::PricesMoved,
        Edit::RefundsRevoke,
        Edit::NoTrials,
    ];
    let lies = [
        Lie::Gone,
        Lie::Active,
        Lie::Revoked,
        Lie::Garbage,
        Lie::LostAnswer,
    ];
    let what = prop_oneof![
        prop::sample::select(edits.to_vec()).prop_map(What::Edited),
        (1..900_u16).prop_map(|hours| What::PutBack { hours }),
        (-900..900_i16, 1..72_u8).prop_map(|(by, hours)| What::Jumped { by, hours }),
        Just(What::Down),
        any::<bool>().prop_map(|told| What::Late { told }),
        any::<bool>().prop_map(|agrees| What::Adopted { agrees }),
        Just(What::NewBinary),
        prop::sample::select(lies.to_vec()).prop_map(What::Lies),
    ];
    (what, any::<u16>(), 0..400_u16).prop_map(|(what, event, hours)| Trouble { what, event, hours })
}

impl Trouble {
    /// When it begins.
    fn at(&self, lines: &[Line]) -> Timestamp {
        let event = &lines[usize::from(self.event) % lines.len()];
        // A service lies to whoever asks: it begins just before something happens.
        if matches!(self.what, What::Lies(_)) {
            return event.received - Span::from_s(1);
        }
        event.received + Span::from_hours(self.hours.into())
    }
}

/// Both runs of a shop, and what of them is compared.
pub(crate) struct Runs {
    pub(crate) calm: World,
    pub(crate) troubled: World,
    pub(crate) time: Judged,
}

/// Plays a shop with a trouble and without it.
pub(super) fn play(heard: &Heard, trouble: &Trouble) -> Runs {
    let (lines, rules) = (&heard.lines[..], &heard.rules);
    let at = trouble.at(lines);
    let last = lines.iter().map(|l| l.received).max().unwrap();
    let until = last.max(at) + Span::from_days(40);
    let before = lines.partition_point(|l| l.received <= at);
    let copied = match trouble.what {
        What::PutBack { hours } => at - Span::from_hours(hours.into()),
        What::Edited(_)
        | What::Jumped { .. }
        | What::Down
        | What::Late { .. }
        | What::Adopted { .. }
        | What::NewBinary
        | What::Lies(_) => at,
    };
    let kept = lines.partition_point(|l| l.received <= copied);
    let mut calm = World::new(rules.clone(), lines[0].received.min(copied));
    hear(&mut calm, &lines[..kept], copied);
    let mut troubled = calm.copy();
    hear(&mut calm, &lines[kept..before], at);
    let over = strike(
        trouble.what,
        &mut troubled,
        &calm,
        heard,
        (kept, before),
        at,
    );
    if matches!(trouble.what, What::Adopted { .. }) {
        adopt_again(&mut calm, &mut troubled, heard, (at, until));
    }
    catch_up(&mut troubled, lines, at, until);
    catch_up(&mut calm, lines, at, until);
    let policies = &rules.revisions.newest().unwrap().policies;
    let keeps = policies.iter().any(|p| p.on_cancel == OnCancel::Keep);
    let end = judged_until(trouble.what, lines, before, (copied, at), (until, keeps));
    let end = troubled
        .undecided
        .map_or(end, |undecided| undecided.min(end));
    let time = Judged {
        began: at,
        over,
        end,
        untold: matches!(trouble.what, What::Late { told: false }),
        listed: matches!(trouble.what, What::Adopted { .. }),
        guesses: matches!(trouble.what, What::Late { .. }),
        agreed: matches!(trouble.what, What::Adopted { agrees: true }),
    };
    Runs {
        calm,
        troubled,
        time,
    }
}

/// The next runs of an adoption, each a day after the one before, as long as a purchase waits.
fn adopt_again(
    calm: &mut World,
    troubled: &mut World,
    heard: &Heard,
    (began, until): (Timestamp, Timestamp),
) {
    let lines = &heard.lines[..];
    let (mut at, mut waits) = (began + DAY, true);
    while waits && at < until {
        catch_up(calm, lines, began, at);
        catch_up(troubled, lines, began, at);
        waits = adopted::adopt(troubled, &heard.objects);
        at = at + DAY;
    }
}

/// Hears what is told after an instant and was not heard yet, up to another.
fn catch_up(world: &mut World, lines: &[Line], after: Timestamp, until: Timestamp) {
    let heard = world.now.max(after);
    let from = lines.partition_point(|l| l.received <= heard);
    let to = lines.partition_point(|l| l.received <= until);
    hear(world, &lines[from..to.max(from)], until);
}

fn hear(world: &mut World, lines: &[Line], until: Timestamp) {
    for line in lines {
        world.hear(line);
    }
    world.run_to(until);
}

/// Lets it happen, up to the instant at which it is over and made up for.
fn strike(
    what: What,
    world: &mut World,
    calm: &World,
    heard: &Heard,
    (kept, before): (usize, usize),
    at: Timestamp,
) -> Timestamp {
    let lines = &heard.lines[..];
    match what {
        What::Edited(edit) => {
            world.rules.revisions = edited(&world.rules.revisions, edit, at);
            world.look_at_all();
            return at;
        }
        What::PutBack { .. } => {
            world.licenses = calm.licenses.clone();
            world.down_until(at);
            lines[kept..before].iter().for_each(|l| world.take_in(l));
        }
        What::Jumped { by, hours } => {
            world.set_skew(Span::from_hours(by.into()));
            let to = at + Span::from_hours(hours.into());
            let until = lines.partition_point(|l| l.received <= to);
            hear(world, &lines[before..until], to);
            world.set_skew(Span::ZERO);
        }
        What::Down => {
            let to = at + WEEK;
            world.down_until(to);
            let until = lines.partition_point(|l| l.received <= to);
            lines[before..until].iter().for_each(|l| world.take_in(l));
        }
        What::Late { told } => {
            let mut rules = world.rules.clone();
            rules.store_since = Some(at);
            *world = World::new(rules, at);
            world.licenses = calm.licenses.clone();
            if told {
                lines[..before].iter().for_each(|l| world.take_in(l));
            }
        }
        What::Adopted { agrees } => {
            let mut rules = world.rules.clone();
            rules.store_since = Some(at);
            *world = World::new(rules, at);
            world.licenses = calm.licenses.clone();
            world.agrees = agrees;
            adopted::adopt(world, &heard.objects);
        }
        What::NewBinary => {
            // A restart is short: nothing is held for it.
            world.put_in(&Input::ReadBy("99.0.0".to_owned()));
            world.look_at_all();
        }
        What::Lies(lie) => {
            world.licenses.lie = Some(lie);
            let to = at + HOUR;
            let until = lines.partition_point(|l| l.received <= to);
            hear(world, &lines[before..until], to);
            world.licenses.lie = None;
        }
    }
    // What is delivered meanwhile is heard meanwhile.
    let over = world.now + MADE_UP;
    let from = lines
        .partition_point(|l| l.received <= world.now)
        .max(before);
    let until = lines.partition_point(|l| l.received <= over);
    hear(world, &lines[from..until.max(from)], over);
    world.look_at_all();
    over
}

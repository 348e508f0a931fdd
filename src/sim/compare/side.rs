//! What became of one purchase under one set of rules, within the window.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Happens, Window};
use crate::domain::action::GrantStatus;
use crate::domain::id::LicenseKey;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::read::view::MachineView;
use crate::sim::answer::machines;
use crate::sim::history::Line;
use crate::sim::services::StatusChange;
use crate::sim::world::{Simulation, SimulationError};

/// What became of one purchase under one set of rules, within the window.
#[derive(Default)]
pub(super) struct Side {
    pub(super) view: Option<MachineView>,
    pub(super) happened: BTreeMap<(u32, Happens), Vec<Timestamp>>,
    pub(super) mails: BTreeMap<(&'static str, String), Vec<Timestamp>>,
    pub(super) days: f64,
}

impl Side {
    pub(super) fn play(
        lines: &[Line],
        rules: &Arc<Rules>,
        window: Window,
    ) -> Result<BTreeMap<String, Self>, SimulationError> {
        let mut world = Simulation::new(Arc::clone(rules), None);
        for line in lines.iter().filter(|l| l.received <= window.until) {
            world.play_line(line)?;
        }
        world.run_out(window.until)?;
        let mut sides: BTreeMap<String, Self> = BTreeMap::new();
        for view in machines(&world) {
            let view = view?;
            let mut side = Self::default();
            for mail in view
                .notices
                .iter()
                .filter(|n| n.status == "sent" && n.at >= window.since)
            {
                side.mails
                    .entry((mail.kind, mail.episode.clone()))
                    .or_default()
                    .push(mail.at);
            }
            let id = view.id.clone();
            side.view = Some(view);
            sides.insert(id, side);
        }
        for (id, seat, key) in holders(&world) {
            let (Some(side), Some(steps)) = (sides.get_mut(&id), world.licenses.steps.get(key))
            else {
                continue;
            };
            let life = Life::of(steps, window);
            for (at, what) in life.happened {
                side.happened.entry((seat, what)).or_default().push(at);
            }
            side.days = rounded(side.days + life.days);
        }
        Ok(sides)
    }
}

/// Which purchase holds which license at the end.
fn holders(world: &Simulation) -> impl Iterator<Item = (String, u32, &LicenseKey)> {
    world.machines().flat_map(|machine| {
        let id = machine.id.to_string();
        machine
            .grants
            .iter()
            .map(move |g| (id.clone(), g.number, &g.key))
    })
}

struct Life {
    happened: Vec<(Timestamp, Happens)>,
    days: f64,
}

/// A day in milliseconds.
const DAY_MS: f64 = 86_400_000.0;

impl Life {
    fn of(steps: &[StatusChange], window: Window) -> Self {
        let mut happened = Vec::new();
        let mut live_ms = 0;
        for (n, step) in steps.iter().enumerate() {
            let before = n.checked_sub(1).map(|n| steps[n]);
            happened.extend(change(before.as_ref(), step).map(|what| (step.at, what)));
            let next = steps
                .get(n + 1)
                .map_or(window.until, |next| next.at.min(window.until));
            if step.status != GrantStatus::Live {
                continue;
            }
            let end = step.expires_at.map_or(next, |expires| expires.min(next));
            live_ms += (end.ms() - step.at.max(window.since).ms()).max(0);
            // A stop at the very instant of the expiry is the stop.
            let stopped = steps
                .get(n + 1)
                .is_some_and(|s| Some(s.at) == step.expires_at);
            if let Some(expires) = step
                .expires_at
                .filter(|e| *e <= next && *e > step.at && !stopped)
            {
                happened.push((expires, Happens::Expired));
            }
        }
        happened.retain(|(at, _)| *at >= window.since && *at <= window.until);
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of a million years are exact"
        )]
        let days = rounded(live_ms as f64 / DAY_MS);
        Self { happened, days }
    }
}

/// What a step means to the license's holder.
fn change(before: Option<&StatusChange>, now: &StatusChange) -> Option<Happens> {
    let Some(before) = before else {
        return Some(Happens::Created);
    };
    let lives = now.status == GrantStatus::Live && now.expires_at.is_none_or(|e| e > now.at);
    let lived = before.status == GrantStatus::Live && before.expires_at.is_none_or(|e| e >= now.at);
    match now.status {
        GrantStatus::Revoked if before.status != GrantStatus::Revoked => Some(Happens::Revoked),
        GrantStatus::Suspended if lived => Some(Happens::Suspended),
        GrantStatus::Live if lives && !lived => Some(Happens::Restored),
        GrantStatus::Live if lived && !lives => Some(Happens::Expired),
        GrantStatus::Live | GrantStatus::Suspended | GrantStatus::Revoked => None,
    }
}

/// To a hundredth of a day, so that sums read well.
pub(super) fn rounded(days: f64) -> f64 {
    (days * 100.0).round() / 100.0
}

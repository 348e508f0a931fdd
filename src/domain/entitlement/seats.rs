//! How many licenses a claim makes, with how many devices each (rule 14).

use super::claims::Claim;
use super::{Ctx, SeatDue, Want, Why};
use crate::domain::plan::{AtDeviceLimit, Devices, Seats};

impl Ctx<'_> {
    /// The seats that a claim's quantity makes.
    pub(super) fn seats(&self, claim: &Claim<'_>) -> Vec<SeatDue> {
        let seat = |unit, devices| SeatDue {
            item: claim.item.clone(),
            aliases: claim.aliases.clone(),
            unit,
            plan: claim.plan.map(|p| p.name.clone()),
            app_id: claim.app_id.clone(),
            devices,
            want: Want::Nothing,
            why: Why::NotPaid,
            since: None,
            paid_until: None,
            period: claim.period,
            row: None,
            guessed: false,
        };
        let template = &claim.template;
        match claim.seats {
            Seats::Keys => {
                let devices = template.devices.unwrap_or(Devices::Count(1));
                (1..=claim.quantity)
                    // rule 13: units that are keys are a license each.
                    .map(|unit| seat(unit, devices))
                    .collect()
            }
            Seats::Devices if claim.quantity == 0 => Vec::new(),
            Seats::Devices => {
                let total = match (template.devices, template.devices_per_unit) {
                    (Some(Devices::Unlimited), _) => return vec![seat(1, Devices::Unlimited)],
                    (Some(Devices::Count(n)), per) => {
                        n.saturating_add(per.unwrap_or(0).saturating_mul(claim.quantity))
                    }
                    (None, Some(per)) => per.saturating_mul(claim.quantity),
                    (None, None) => 1,
                };
                let keys = self.split(total.max(1), template.at_device_limit);
                keys.into_iter()
                    .zip(1..)
                    .map(|(devices, unit)| seat(unit, devices))
                    .collect()
            }
        }
    }

    /// More devices than the service allows on one key: several keys, or one without a limit.
    fn split(&self, total: u32, at_limit: AtDeviceLimit) -> Vec<Devices> {
        let max = self.devices_max.max(1);
        if total <= max {
            return vec![Devices::Count(total)];
        }
        match at_limit {
            AtDeviceLimit::Unlimited => vec![Devices::Unlimited],
            AtDeviceLimit::Split => {
                let keys = total.div_ceil(max);
                (1..=keys)
                    .map(|k| {
                        Devices::Count(if k < keys {
                            max
                        } else {
                            total - max * (keys - 1)
                        })
                    })
                    .collect()
            }
        }
    }
}

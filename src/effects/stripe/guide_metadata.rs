//! What AuthForge's guide has a seller write into a Checkout session's metadata, so that whatever fulfilled purchases before
//! Keyward, and would after it, knows what was sold. Keyward itself goes by the plan, see
//! [`CHECKOUT_KEY`](crate::domain::fact::CHECKOUT_KEY).

use crate::config::{Config, Service};
use crate::domain::fact::{APP_ID_KEY, DEVICES_KEY, DURATION_KEY, SOLD_DEVICES_KEY};
use crate::domain::id::AppId;
use crate::domain::plan::{Devices, Plan, Template};
use crate::domain::time::Span;

/// The most devices that AuthForge allows on one license (reference: its licenses API, `maxHwidSlots`).
const DEVICES_MAX: u32 = 16;

/// A plan in the guide's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuideTerms<'a> {
    app_id: &'a AppId,
    template: &'a Template,
}

impl<'a> GuideTerms<'a> {
    /// Of a plan; `None` where the config says so, and where licenses are not AuthForge's.
    #[must_use]
    pub fn of(plan: &'a Plan, config: &'a Config) -> Option<Self> {
        let by_authforge = matches!(config.licenses.service, Service::AuthForge { .. });
        let app_id = plan
            .license
            .app_id
            .as_ref()
            .unwrap_or(&config.licenses.app_id);
        (by_authforge && config.checkout.guide_metadata).then_some(Self {
            app_id,
            template: &plan.license,
        })
    }

    /// The pairs for one unit. None at all where the guide's words cannot say what the plan gives: a handler that reads half of
    /// them would make a license for life, or for one device.
    #[must_use]
    pub fn pairs(&self, subscribes: bool) -> Vec<(&'static str, String)> {
        self.metadata(subscribes).unwrap_or_default()
    }

    fn metadata(&self, subscribes: bool) -> Option<Vec<(&'static str, String)>> {
        let devices = self.devices()?.to_string();
        let mut pairs = vec![
            (APP_ID_KEY, self.app_id.to_string()),
            (DEVICES_KEY, devices.clone()),
            (SOLD_DEVICES_KEY, devices),
        ];
        // A subscription lasts for as long as it is paid.
        if let Some(duration) = self.template.duration.filter(|_| !subscribes) {
            pairs.push((DURATION_KEY, days(duration)?.to_string()));
        }
        Some(pairs)
    }

    fn devices(&self) -> Option<u32> {
        let fixed = match self.template.devices {
            Some(Devices::Unlimited) => return None,
            Some(Devices::Count(n)) => n,
            None if self.template.devices_per_unit.is_some() => 0,
            None => 1,
        };
        let devices = fixed.checked_add(self.template.devices_per_unit.unwrap_or(0))?;
        (1..=DEVICES_MAX).contains(&devices).then_some(devices)
    }
}

/// Whole days, as the guide counts.
fn days(span: Span) -> Option<i64> {
    let day = Span::from_days(1).ms();
    (span.ms() % day == 0).then_some(span.ms() / day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs_of(template: &Template, subscribes: bool) -> Vec<(&'static str, String)> {
        let app_id = &AppId::new("app_7");
        GuideTerms { app_id, template }.pairs(subscribes)
    }

    fn with(devices: Option<Devices>, per_unit: Option<u32>, duration: Option<Span>) -> Template {
        Template {
            devices,
            devices_per_unit: per_unit,
            duration,
            ..Template::default()
        }
    }

    #[test]
    fn a_plan_is_said_in_the_guide_s_words() {
        let yearly = with(Some(Devices::Count(3)), None, Some(Span::from_days(365)));
        let once = pairs_of(&yearly, false);
        assert_eq!(
            once,
            [
                ("authforge_app_id", "app_7".to_owned()),
                ("max_hwid_slots", "3".to_owned()),
                ("keyward_devices", "3".to_owned()),
                ("license_duration", "365".to_owned()),
            ]
        );
        assert_eq!(pairs_of(&yearly, true), once[..3]);
        assert_eq!(pairs_of(&Template::default(), true)[1].1, "1");
        assert_eq!(pairs_of(&with(None, Some(2), None), true)[1].1, "2");
    }

    #[test]
    fn what_the_guide_has_no_words_for_is_not_half_said() {
        for template in [
            with(Some(Devices::Unlimited), None, None),
            with(Some(Devices::Count(17)), None, None),
            with(None, None, Some(Span::from_hours(36))),
        ] {
            assert_eq!(pairs_of(&template, false), [], "{template:?}");
        }
    }
}

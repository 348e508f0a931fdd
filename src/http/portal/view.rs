//! What a customer is shown of a purchase. Pure: no request, no clock.

use serde::Serialize;

use super::sessions::PortalSession;
use crate::config::Config;
use crate::domain::action::{Act, Action};
use crate::domain::entitlement::Entitlement;
use crate::domain::id::{CustomerId, LicenseKey, ObjectKind, PlanName};
use crate::domain::lifecycle::Folded;
use crate::domain::machine::{Grant, Machine};
use crate::domain::plan::Devices;
use crate::domain::self_service::{SelfService, Turn, Wish, turn};
use crate::domain::status::PurchaseStatus;
use crate::domain::summary::customer_status;
use crate::domain::time::Timestamp;
use crate::engine::input::Rules;
use crate::engine::read::addresses::HeldPurchase;
use crate::engine::read::view;
use crate::http::license_words::{
    self, ADDED, grace_ends, masked, pay_url, takes_only_what_it_added, tone,
};
use crate::http::web::{Say, Tone, say};

/// Characters of a device's name: enough to tell a household's devices apart.
const DEVICE_LEN: usize = 8;

/// A purchase with all that is needed to show it and to judge a wish.
pub(super) struct OwnPurchase {
    pub(super) held: HeldPurchase,
    pub(super) status: PurchaseStatus,
    pub(super) folded: Folded,
    /// Whether a license should work; another one may work all the same.
    is_due: bool,
    /// Until when it works without the payment.
    grace_ends: Option<Timestamp>,
    /// The plans of its licenses; of what it bought, where it has none: it added to one that was there.
    plans: Vec<PlanName>,
    /// What its plans allow.
    pub(super) service: SelfService,
    /// Whether its keys can be mailed.
    mails: bool,
    /// Whether Stripe's billing portal can be opened.
    bills: bool,
}

/// A purchase as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PurchaseView {
    /// What stands for it in forms.
    pub(super) number: String,
    pub(super) title: String,
    pub(super) tone: Tone,
    pub(super) status: Say,
    pub(super) licenses: Vec<KeyView>,
    pub(super) shown: bool,
    pub(super) elsewhere: bool,
    pub(super) forget: Option<WishView>,
    pub(super) rekey: Option<WishView>,
    pub(super) resend: Option<WishView>,
    pub(super) billing: Option<BillingView>,
}

/// A license as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct KeyView {
    pub(super) key: String,
    pub(super) valid: Say,
    pub(super) devices: Say,
    pub(super) bound: Vec<DeviceView>,
}

/// A device as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct DeviceView {
    pub(super) name: String,
    /// What stands for it in forms.
    pub(super) number: String,
}

/// Something that the customer may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct WishView {
    pub(super) open: bool,
    pub(super) hint: Say,
}

/// What can be done about money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct BillingView {
    pub(super) open: bool,
    pub(super) card: bool,
    pub(super) cancel: bool,
    pub(super) pay_url: Option<String>,
}

/// How keys are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyDisplay {
    /// The last characters.
    Masked,
    /// As they are.
    Full,
}

impl KeyDisplay {
    /// A key as it is shown.
    pub(super) fn of(self, key: &str) -> String {
        match self {
            Self::Masked => masked(key),
            Self::Full => key.to_owned(),
        }
    }
}

/// What a view is made with.
pub(super) struct Viewer<'a> {
    pub(super) session: &'a PortalSession,
    pub(super) config: &'a Config,
    /// The devices of a license, where they are known here.
    pub(super) devices: &'a dyn Fn(&LicenseKey) -> Vec<String>,
    pub(super) now: Timestamp,
}

impl OwnPurchase {
    /// Judges a purchase. `bills`: whether its source can open Stripe's billing portal.
    pub(super) fn of(
        held: HeldPurchase,
        config: &Config,
        rules: &Rules,
        bills: bool,
        now: Timestamp,
    ) -> Self {
        let machine = &held.machine;
        let folded = machine.folded(&rules.revisions, now);
        let should: Entitlement = view::seats(machine, rules, now);
        let status = customer_status(machine, &folded, &should, now);
        let is_due = should.seats.iter().any(|s| s.want.live_at(now));
        let of_plan = |grant: &Grant| {
            let own = grant.plan.as_ref().and_then(|p| config.portal.plans.get(p));
            own.copied().unwrap_or_default()
        };
        let usable = machine.grants.iter().filter(|g| g.can_be_mailed());
        let service = SelfService::common(usable.map(of_plan));
        let mut plans: Vec<PlanName> = machine
            .grants
            .iter()
            .filter_map(|g| g.plan.clone())
            .collect();
        if plans.is_empty() {
            plans = should.seats.into_iter().filter_map(|s| s.plan).collect();
        }
        let source = rules.sources.get(&machine.source);
        let mails = source.is_some_and(|s| s.abilities.sends_mail);
        let bills = bills
            && held.holder.pays
            && folded.contact.customer.is_some()
            && machine.id.scope().account().is_none();
        Self {
            status,
            is_due,
            grace_ends: grace_ends(&folded, now),
            service,
            mails,
            bills,
            folded,
            plans,
            held,
        }
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.held.machine
    }

    /// What stands for it in the forms of a session.
    pub(super) fn number(&self, session: &PortalSession) -> String {
        session.number_of(&self.machine().id.to_string())
    }

    /// The customer at Stripe for whom the billing portal can be opened.
    pub(super) fn billed(&self) -> Option<&CustomerId> {
        self.folded.contact.customer.as_ref().filter(|_| self.bills)
    }

    /// Whether its keys are shown when they are asked for.
    pub(super) fn shows_keys(&self) -> bool {
        self.held.holder.holds_keys && self.status.shows_keys()
    }

    /// Whether a wish is granted now.
    pub(super) fn turn(&self, wish: Wish, now: Timestamp) -> Turn {
        let machine = self.machine();
        let mut usable = machine.grants.iter().filter(|g| g.can_be_mailed());
        let fits = match wish {
            Wish::Resend => self.mails && usable.next().is_some(),
            Wish::ResetDevices => usable.any(|g| g.live_at(now) && g.devices != Devices::Unlimited),
            // The old key ends, and what should not be is not made anew.
            Wish::Rekey => self.is_due && usable.any(|g| g.live_at(now)),
        };
        if !self.shows_keys() || !fits {
            return Turn::Never;
        }
        turn(machine, wish, &self.service, now)
    }

    /// Whether its subscription can be cancelled.
    pub(super) fn can_cancel(&self) -> bool {
        self.status.runs() && self.machine().object().kind() == ObjectKind::Subscription
    }

    /// Shows it; its keys in full where they were asked for.
    pub(super) fn view(&self, viewer: &Viewer<'_>, keys: KeyDisplay) -> PurchaseView {
        let holds = self.held.holder.holds_keys;
        let keys = if self.shows_keys() {
            keys
        } else {
            KeyDisplay::Masked
        };
        let licenses = self.machine().grants.iter();
        let licenses = licenses.filter(|g| g.can_be_mailed() && self.shows_keys());
        PurchaseView {
            number: self.number(viewer.session),
            title: self.title(viewer.config),
            tone: tone(self.status),
            status: self.sentence(),
            licenses: licenses.map(|g| self.key_view(g, viewer, keys)).collect(),
            shown: keys == KeyDisplay::Full,
            elsewhere: !holds,
            forget: self.wish_view(viewer, Wish::ResetDevices),
            rekey: self.wish_view(viewer, Wish::Rekey),
            resend: self.wish_view(viewer, Wish::Resend),
            billing: self.billing_view(),
        }
    }

    fn title(&self, config: &Config) -> String {
        let mut titles: Vec<&str> = Vec::new();
        for plan in &self.plans {
            let title = config.title(plan);
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        titles.join(", ")
    }

    fn sentence(&self) -> Say {
        if let (PurchaseStatus::Grace, Some(ends)) = (self.status, self.grace_ends) {
            return say("portal.status.grace_until").on("day", ends);
        }
        let added = self.machine().only_adds()
            && (self.status == PurchaseStatus::Live || takes_only_what_it_added(self.status));
        let added = if added { ADDED } else { "" };
        say(format!("portal.status.{}{added}", self.status))
    }

    fn wish_view(&self, viewer: &Viewer<'_>, wish: Wish) -> Option<WishView> {
        match self.turn(wish, viewer.now) {
            Turn::Never => None,
            Turn::At(at) => Some(WishView {
                open: false,
                hint: say("portal.wait").on("day", at),
            }),
            Turn::Now { .. } => Some(WishView {
                open: true,
                hint: say(match wish {
                    Wish::ResetDevices => "portal.forget.hint",
                    Wish::Rekey => "portal.rekey.hint",
                    Wish::Resend => "portal.resend.ask",
                }),
            }),
        }
    }

    /// None where there is nothing to say about money: the address does not pay.
    fn billing_view(&self) -> Option<BillingView> {
        self.held.holder.pays.then(|| BillingView {
            open: self.bills,
            card: self.bills && self.status.owes(),
            cancel: self.bills && self.can_cancel(),
            pay_url: pay_url(&self.folded, self.status),
        })
    }

    fn key_view(&self, grant: &Grant, viewer: &Viewer<'_>, keys: KeyDisplay) -> KeyView {
        let mut bound = match grant.devices {
            Devices::Count(_) => (viewer.devices)(&grant.key),
            Devices::Unlimited => Vec::new(),
        };
        bound.retain(|device| !self.is_being_forgotten(grant, device));
        let devices = match grant.devices {
            Devices::Count(max) if !bound.is_empty() => {
                let used = say("portal.devices.used").with("used", bound.len());
                used.with("max", max)
            }
            Devices::Count(_) | Devices::Unlimited => license_words::devices(grant.devices),
        };
        let view = |device: &String| DeviceView {
            name: device.chars().take(DEVICE_LEN).collect(),
            number: viewer.session.number_of(device),
        };
        KeyView {
            key: keys.of(grant.key.reveal()),
            valid: license_words::validity(grant, viewer.now),
            devices,
            bound: bound.iter().map(view).collect(),
        }
    }

    /// Whether a device that the service still knows is about to be forgotten: the customer has said so.
    fn is_being_forgotten(&self, grant: &Grant, device: &str) -> bool {
        let is_meant = |action: &Action| {
            let Act::ResetDevices {
                key, device: one, ..
            } = &action.act
            else {
                return false;
            };
            *key == grant.key && one.as_deref().is_none_or(|one| one == device)
        };
        self.machine().open_actions().any(is_meant)
    }
}

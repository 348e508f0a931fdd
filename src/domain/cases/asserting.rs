//! What a case asserts, in one line each.

use super::*;

impl Case {
    /// State and licenses, as in `active: live 33` (until day 33), `lapsed: suspended`, `paid: live for life`.
    #[track_caller]
    pub(super) fn is(&mut self, wanted: &str) -> &mut Self {
        let revisions = self.rules();
        let folded = self.machine.folded(&revisions, self.now);
        let licenses =
            self.machine
                .grants
                .iter()
                .map(|g| match (g.status_at(self.now), g.expires_at) {
                    (LicenseStatus::Live, Some(at)) => format!("live {}", days(at)),
                    (LicenseStatus::Live, None) => "live for life".to_owned(),
                    (status, _) => status.to_string(),
                });
        let licenses: Vec<String> = licenses.collect();
        let state = folded
            .state
            .map_or("nothing", super::super::lifecycle::State::as_str);
        assert_eq!(
            format!("{state}: {}", licenses.join(", ")).trim_end(),
            wanted,
            "on day {}",
            days(self.now)
        );
        self
    }

    /// What the operator was told so far holds this, first told on that day; an empty text: nothing was told.
    #[track_caller]
    pub(super) fn tells(&mut self, at: f64, what: &str) -> &mut Self {
        let told: Vec<String> = self
            .machine
            .told
            .iter()
            .map(|r| format!("{}: {}", days(r.at), r.finding))
            .collect();
        let begins = format!("{}: ", days(day(at)));
        let said = told
            .iter()
            .any(|t| t.starts_with(&begins) && t.contains(what));
        assert!(
            if what.is_empty() {
                told.is_empty()
            } else {
                said
            },
            "not told: `{begins}{what}`, but {told:#?}"
        );
        self
    }

    /// The devices of each license.
    #[track_caller]
    pub(super) fn devices(&mut self, wanted: &[u32]) -> &mut Self {
        let devices: Vec<Devices> = self.machine.grants.iter().map(|g| g.devices).collect();
        assert_eq!(
            devices,
            wanted
                .iter()
                .map(|n| Devices::Count(*n))
                .collect::<Vec<_>>(),
            "on day {}",
            days(self.now)
        );
        self
    }

    /// The mails that went out, as in `license_issued 0, payment_failed 30.05`.
    #[track_caller]
    pub(super) fn mails(&mut self, wanted: &str) -> &mut Self {
        let sent = self
            .machine
            .notices
            .iter()
            .filter(|n| n.status == NoticeStatus::Sent);
        let sent: Vec<String> = sent
            .map(|n| format!("{} {}", n.kind.as_str(), days(n.at)))
            .collect();
        assert_eq!(sent.join(", "), wanted, "on day {}", days(self.now));
        self
    }

    /// Whom each mail that went out went to.
    #[track_caller]
    pub(super) fn mailed_to(&mut self, wanted: &[&str]) -> &mut Self {
        let sent = self
            .machine
            .notices
            .iter()
            .filter(|n| n.status == NoticeStatus::Sent);
        let to: Vec<&str> = sent.map(|n| n.to.as_deref().unwrap()).collect();
        assert_eq!(to, wanted, "on day {}", days(self.now));
        self
    }

    /// The acts that were carried out, by kind.
    #[track_caller]
    pub(super) fn acts(&mut self, wanted: &str) -> &mut Self {
        let done = self
            .machine
            .actions
            .iter()
            .filter(|a| a.outcome == ActionOutcome::Done);
        let done: Vec<String> = done
            .map(|a| a.act.as_str().replace("_license", ""))
            .collect();
        assert_eq!(done.join(" "), wanted, "on day {}", days(self.now));
        self
    }
}

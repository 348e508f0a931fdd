//! Licenses that somebody else made beside ours.

use crate::domain::action::GrantStatus;
use crate::domain::adoption::{FoundLicense, Made};
use crate::domain::id::MachineId;
use crate::domain::machine::Machine;

/// A working license that carries the name of a purchase with a license from here, and is none of its own.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// The purchase.
    pub machine: MachineId,
    /// The license.
    pub made: Made,
}

/// Each such license of a purchase. Which of them shows another program is judged of each: the youngest may be one that we
/// ourselves made in a time of which nothing is remembered.
pub(super) fn strangers(
    machine: &Machine,
    found: &[FoundLicense],
) -> impl Iterator<Item = Stranger> {
    let made_here = machine.grants.iter().any(|g| !g.adopted);
    let working = found
        .iter()
        .filter(move |l| made_here && l.status == Some(GrantStatus::Live));
    let made = working.map(Made::of);
    let made = made.filter(|made| !made.may_be_ours(machine));
    made.map(|made| Stranger {
        machine: machine.id.clone(),
        made,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::adoption::samples::licensed;
    use crate::domain::id::LicenseKey;
    use crate::domain::time::Timestamp;

    fn license(key: &str, made_s: i64, status: GrantStatus) -> FoundLicense {
        FoundLicense {
            key: LicenseKey::new(key),
            app_id: None,
            status: Some(status),
            expires_at: Some(None),
            devices: None,
            label: None,
            made: Some(Timestamp::from_s(made_s)),
            seat: None,
        }
    }

    /// A purchase with a license that was made here.
    fn served() -> Machine {
        let mut machine = licensed("ours", None);
        machine.grants[0].adopted = false;
        machine
    }

    #[test]
    fn each_license_of_others_counts_not_the_youngest_alone() {
        let found = [
            license("ours", 1, GrantStatus::Live),
            license("another's", 20, GrantStatus::Live),
            license("revoked", 30, GrantStatus::Revoked),
            license("youngest", 40, GrantStatus::Live),
        ];
        let s = Timestamp::from_s;
        let mut machine = served();
        let made: Vec<_> = strangers(&machine, &found)
            .filter_map(|l| l.made.at)
            .collect();
        assert_eq!(made, [s(20), s(40)]);
        machine.grants[0].adopted = true;
        let all = strangers(&machine, &found).count();
        assert_eq!(all, 0, "all are somebody else's");
    }
}

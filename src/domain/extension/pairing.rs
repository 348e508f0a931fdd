//! Which seat of a purchase extends which of several licenses: three keys that are bought again together are extended
//! together.

use super::target::{NotExtended, SeatAsked};
use crate::domain::action::SeatId;
use crate::domain::id::{AppId, PlanName};

/// A license that may be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its seat.
    pub seat: SeatId,
    /// Its application.
    pub app_id: Option<AppId>,
    /// Its plan.
    pub plan: Option<PlanName>,
}

/// Whether a license may be meant for a seat.
type Fits<'f> = &'f dyn Fn(&SeatAsked, &Offer) -> bool;

/// Pairs seats with licenses, by their places: a license of the seat's own plan first; where there is none, one of another
/// plan, for a renewal and an upgrade are plans of their own. A seat that finds none gets a license of its own.
///
/// # Errors
/// That there are more licenses than seats, so that nobody knows which are meant, or none for the application.
pub fn pair(seats: &[SeatAsked], offers: &[Offer]) -> Result<Vec<(usize, usize)>, NotExtended> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    let mut several = false;
    let of_own_plan = |s: &SeatAsked, o: &Offer| o.app_id == s.app_id && o.plan == s.plan;
    let of_other_plan = |s: &SeatAsked, o: &Offer| {
        let has_own = offers.iter().any(|o| of_own_plan(s, o));
        let is_anothers = seats.iter().any(|s| of_own_plan(s, o));
        o.app_id == s.app_id && !has_own && !is_anothers
    };
    let fits: [Fits<'_>; 2] = [&of_own_plan, &of_other_plan];
    for fits in fits {
        for (place, seat) in seats.iter().enumerate() {
            let meant = |o: &&usize| fits(seat, &offers[**o]);
            let all: Vec<usize> = (0..offers.len()).collect();
            let mine: Vec<usize> = all.iter().filter(meant).copied().collect();
            let rivals = seats
                .iter()
                .filter(|s| mine.iter().any(|o| fits(s, &offers[*o])));
            if mine.len() > rivals.count() {
                several = true;
                continue;
            }
            let taken = |o: &usize| out.iter().any(|(_, taken)| taken == o);
            if let Some(offer) = mine.into_iter().find(|o| !taken(o)) {
                out.push((place, offer));
            }
        }
    }
    if !out.is_empty() || offers.is_empty() {
        return Ok(out);
    }
    Err(if several || offers.len() > seats.len() {
        NotExtended::Several
    } else {
        NotExtended::OtherApplication
    })
}

#[cfg(test)]
mod tests {
    use super::super::target::Sought;
    use super::*;

    fn seat(item: &str, plan: &str) -> SeatAsked {
        let (item, unit) = item.split_once('#').unwrap();
        SeatAsked {
            seat: SeatId {
                item: item.into(),
                unit: unit.parse().unwrap(),
            },
            app_id: Some(AppId::from("app")),
            plan: Some(PlanName::from(plan)),
            sought: Sought::OneOf(Vec::new()),
        }
    }

    fn offers(of: &[(&str, &str)]) -> Vec<Offer> {
        let offer = |(item, plan): &(&str, &str)| {
            let SeatAsked {
                seat, app_id, plan, ..
            } = seat(item, plan);
            Offer { seat, app_id, plan }
        };
        of.iter().map(offer).collect()
    }

    #[track_caller]
    fn pairs(
        seats: &[(&str, &str)],
        of: &[(&str, &str)],
        wanted: Result<&[(usize, usize)], NotExtended>,
    ) {
        let seats: Vec<SeatAsked> = seats.iter().map(|(item, plan)| seat(item, plan)).collect();
        assert_eq!(pair(&seats, &offers(of)), wanted.map(<[_]>::to_vec));
    }

    #[test]
    fn as_many_as_were_bought_are_extended() {
        let three = [("a#1", "pro"), ("a#2", "pro"), ("a#3", "pro")];
        pairs(&three, &three, Ok(&[(0, 0), (1, 1), (2, 2)]));
        pairs(&three, &three[..1], Ok(&[(0, 0)]));
        pairs(&three[..2], &three, Err(NotExtended::Several));
        pairs(&three, &[], Ok(&[]));
    }

    #[test]
    fn each_line_of_a_bundle_finds_its_own() {
        let bundle = [("a#1", "pro"), ("b#1", "extra")];
        let turned = [("b#1", "extra"), ("a#1", "pro")];
        pairs(&bundle, &turned, Ok(&[(0, 1), (1, 0)]));
        pairs(&bundle[1..], &bundle, Ok(&[(0, 1)]));
        // The second seat of one plan pays for no license of the other.
        pairs(&[("a#1", "pro"), ("a#2", "pro")], &bundle, Ok(&[(0, 0)]));
    }

    #[test]
    fn a_renewal_and_an_upgrade_are_plans_of_their_own() {
        pairs(&[("r#1", "renewal")], &[("a#1", "pro")], Ok(&[(0, 0)]));
        let two = [("a#1", "pro"), ("a#2", "pro")];
        pairs(&[("r#1", "renewal")], &two, Err(NotExtended::Several));
        pairs(
            &[("r#1", "renewal"), ("r#2", "renewal")],
            &two,
            Ok(&[(0, 0), (1, 1)]),
        );
    }

    #[test]
    fn another_application_is_never_meant() {
        let mut other = offers(&[("a#1", "pro")]);
        other[0].app_id = None;
        let refused = Err(NotExtended::OtherApplication);
        assert_eq!(pair(&[seat("a#1", "pro")], &other), refused);
    }
}

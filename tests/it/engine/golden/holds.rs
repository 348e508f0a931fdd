//! Golden bytes of what holds an action.

use keyward::domain::hold::{Distrust, DistrustCause, Hold};
use keyward::domain::service_move::ServiceKind;
use keyward::domain::time::{Span, Timestamp};

use super::{bytes, golden};

#[test]
fn golden_holds() {
    let until = Timestamp::from_s(1_767_607_200);
    let distrust = |cause| Hold::TimeNotTrusted(Distrust { cause, until });
    let reason = || "moving".to_owned();
    let all = [
        distrust(DistrustCause::Away(Span::from_hours(5))),
        distrust(DistrustCause::Jumped(Span::from_minutes(-3))),
        Hold::Person { reason: reason() },
        Hold::Observed,
        Hold::Paused { reason: reason() },
        Hold::Guard,
        Hold::Adoption,
        Hold::BeginningUnknown,
        Hold::OtherHandler,
        Hold::OtherService {
            at: ServiceKind::AuthForge,
        },
        Hold::OtherService {
            at: ServiceKind::Embedded,
        },
    ];
    golden::<Hold>("hold", &|| all.iter().flat_map(bytes).collect());
}

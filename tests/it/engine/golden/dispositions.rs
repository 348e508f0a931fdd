//! What becomes of events, where the histories have none of it.

use keyward::domain::no_use::{Dismissal, Unreadable};
use keyward::engine::record::disposition::{Disposition, Reason};

use super::{bytes, golden};

#[test]
fn golden_dispositions() {
    let was = || Unreadable::Field {
        field: "data.object.mode".to_owned(),
        found: "the text `barter`".to_owned(),
    };
    let by = || Dismissal {
        author: "ada".to_owned(),
        reason: "a test of ours".to_owned(),
    };
    let all = [was(), Unreadable::Beyond].into_iter().flat_map(|was| {
        let dismissed = Reason::Dismissed {
            by: by(),
            was: was.clone(),
        };
        [
            Disposition::Unreadable(was),
            Disposition::Ignored(dismissed),
        ]
    });
    let all: Vec<Disposition> = all.collect();
    golden::<Vec<Disposition>>("disposition", &|| bytes(&all));
}

//! What holds for every history, whatever the order, the faults, and the words.

mod erasure;
mod field;
mod first_week;
mod generated_lifecycles;
mod histories;
mod order;
pub(crate) mod promise;
mod side_by_side;
mod steady;
mod table;
mod wording;

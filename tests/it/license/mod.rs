//! License services: the client, look-ups, the embedded one, and licenses that others made.

mod adopt;
mod client;
mod coming_back;
mod device_limit;
mod embedded;
mod embedded_gone;
mod fake_process;
pub(crate) mod look_first;
mod probe;
pub(crate) mod programs;
mod recover;
mod restored;
mod service_move;
mod still_wanted;
mod successor;

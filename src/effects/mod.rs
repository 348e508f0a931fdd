//! Work outside the process: what the machines ask for, carried out and answered.

pub mod license;
pub mod throttle;

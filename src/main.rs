//! Arguments, logging, exit code.
#![forbid(unsafe_code)]

fn main() {}

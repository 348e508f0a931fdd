//! Arguments, logging, exit code.
#![forbid(unsafe_code)]

/// Chosen by measurement: docs/decisions/7-allocator.md.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    keyward::cli::main()
}

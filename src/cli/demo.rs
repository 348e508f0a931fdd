//! `keyward demo`: the main job on the embedded default.

use clap::Args;

use super::fail::Failure;

/// `demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Leave the server running at the end.
    #[arg(long)]
    pub keep: bool,
    /// The loopback port; absent: a free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// Runs the demo.
///
/// # Errors
/// What went wrong.
pub fn run(_: &DemoArgs) -> Result<(), Failure> {
    Err(Failure::ours("the demo is not built yet"))
}

//! `preview`: all pages and all mails with made-up data, on loopback, until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use clap::Args;
use tokio::net::TcpListener;

use super::ask::load;
use super::report;
use crate::admin::Failure;
use crate::config::{Config, Env};
use crate::http;

/// `preview`.
#[derive(Args, Debug)]
pub struct PreviewArgs {
    /// The loopback port; absent: a free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// Serves the preview.
///
/// # Errors
/// That the config has mistakes, or that the port cannot be used.
pub(super) fn run(path: &Path, args: &PreviewArgs) -> Result<(), Failure> {
    let config = if path.exists() {
        load(path, &Env::process().lenient())?.0
    } else {
        report::say(&format!(
            "There is no {}: you see the built-in looks.",
            path.display()
        ));
        Config::for_replay()
    };
    for mistake in http::page_mistakes(&config) {
        report::warning(&mistake.to_string());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::ours(format!("no runtime: {e}")))?;
    runtime.block_on(serve(config, args.port.unwrap_or(0)))
}

async fn serve(config: Config, port: u16) -> Result<(), Failure> {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(at).await;
    let listener = listener.map_err(|e| Failure::input(format!("cannot listen on {at}: {e}")))?;
    let at = listener
        .local_addr()
        .map_err(|e| Failure::ours(e.to_string()))?;
    let public_url = format!("http://{at}");
    // Programs read the address; a person the rest.
    report::data(&public_url);
    report::say("All pages and mails, in all languages. It runs until Ctrl-C.");
    let router = http::preview(Config {
        public_url,
        ..config
    });
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
        .map_err(|e| Failure::ours(e.to_string()))
}

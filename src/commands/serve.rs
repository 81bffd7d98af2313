//! `aside serve`: the proxy at work, until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::config::Config;
use crate::server::{Parts, Server};
use crate::telemetry::Log;
use crate::{origin, proxy, store, telemetry};

/// Serves until SIGINT or SIGTERM; a second one does not wait for requests under way. SIGHUP reads the certificate again.
///
/// 0 after an orderly stop, 1 where a socket cannot be opened.
pub(super) fn run(config: Config) -> ExitCode {
    let log = telemetry::start(config.log, config.log_filter.as_deref());
    match serve(config, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config, log: &Log) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anybody can connect: a signal that nobody waits for would end the process.
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let routes = super::count_routes(&config);
    let file = config.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let server = Server::bind(config.server)?;
    // The kernel may have chosen a port.
    let proxy = config.proxy.listening_on(server.addresses());
    let origin = config.origin.urls().join(" and ");
    let parts = Parts {
        proxy: proxy::Shared::new(proxy, Clock::System, config.log.requests),
        store: store::Shared::new(&config.store),
        origin: Arc::new(origin::Shared::new(config.origin, &Clock::System)),
    };
    let running = server.start(&parts)?;
    let scheme = if running.is_secure() { "https" } else { "http" };
    for address in running.addresses() {
        tracing::info!(
            "listening on {scheme}://{address}, origin {origin}, store {}, {file}, {routes}",
            config.store.url
        );
    }
    runtime.block_on(async {
        let mut stop_signal = async || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        };
        let told = loop {
            tokio::select! {
                told = stop_signal() => break told,
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: only a certificate is read again; for proxy.toml start again");
                    running.reload_certificate();
                }
            }
        };
        tracing::info!("{told}: finishing the requests under way");
        let stopping = tokio::task::spawn_blocking(move || running.stop());
        tokio::select! {
            stopped = stopping => stopped.map_err(std::io::Error::other)?,
            again = stop_signal() => {
                tracing::warn!("{again} again: stopping without waiting");
                log.flush();
                std::process::exit(EXIT_SECOND_SIGNAL);
            }
        }
        tracing::info!("stopped");
        Ok(())
    })
}

/// 128 + SIGINT, as a shell reports it.
const EXIT_SECOND_SIGNAL: i32 = 130;

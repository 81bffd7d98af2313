//! `aside serve`: the proxy at work, until it is told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::signals::{Asked, Signals};
use super::terminal::{count_routes, say_aside};
use crate::clock::Clock;
use crate::config::Config;
use crate::proxy::Parts;
use crate::rules::Digest;
use crate::server::{Running, Server};
use crate::store::StoreSettings;
use crate::telemetry::{Log, Metrics, Recent, STEP};
use crate::{origin, proxy, store, telemetry};

/// Serves until SIGINT or SIGTERM; a second one, a second later or more, does not wait for requests under way. SIGHUP
/// reads the certificate again.
///
/// 0 after an orderly stop, 1 where a socket cannot be opened or where at the end something may be old in the store, 130 or 143 after a second SIGINT or SIGTERM.
pub(super) fn run(config: Config) -> ExitCode {
    let log = match telemetry::start(config.log, config.log_filter.as_deref()) {
        Ok(log) => log,
        Err(error) => {
            say_aside(&format!("error: the log cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
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
    let signals = Signals::new()?;
    let routes = count_routes(&config);
    let file = config.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let mut store = config.store;
    store.lock = Some(lock_name(&store, &config.server.listen));
    let server = Server::bind(config.server)?;
    // The kernel may have chosen a port.
    let proxy = config.proxy.listening_on(server.addresses());
    let origin = config.origin.urls().join(" and ");
    let metrics = Metrics::new();
    let recent = Arc::new(Recent::of(Arc::clone(&metrics), Clock::System.now()));
    runtime.spawn(take_steps(recent));
    let shared = proxy::Shared::new(proxy, Clock::System, log.recorder().counting(&metrics));
    let shared_store = store::Shared::new(&store).lending_to(shared.answers());
    let parts = Parts::new(shared, shared_store, Arc::new(origin::Shared::new(config.origin, &Clock::System)));
    // Others have to know of this node before it answers the first write; without Redis it serves all the same.
    runtime.block_on(parts.store.joined(JOIN_WITHIN));
    let running = server.start(&parts)?;
    let scheme = if running.is_secure() { "https" } else { "http" };
    for address in running.addresses() {
        tracing::info!("listening on {scheme}://{address}, origin {origin}, store {}, {file}, {routes}", store.url);
    }
    runtime.block_on(until_stopped(running, signals, log))?;
    runtime.block_on(parts.store.leave(LEAVE_WITHIN))?;
    tracing::info!("stopped");
    Ok(())
}

/// Ends a step of the last hour whenever one is over.
async fn take_steps(recent: Arc<Recent>) {
    let mut steps = tokio::time::interval(STEP);
    steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    steps.tick().await;
    loop {
        steps.tick().await;
        recent.step(Clock::System.now());
    }
}

/// So long the store is waited for before connections are taken: for as long as a connection with it may take, and a little.
const JOIN_WITHIN: Duration = Duration::from_millis(1_500);
/// So long what is pending may take at the end, beyond what the requests under way have taken.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

/// The same for the process that comes after this one, and for no other: it listens on the same addresses, and shares the
/// same store.
fn lock_name(store: &StoreSettings, listen: &[SocketAddr]) -> String {
    let StoreSettings { url, prefix, .. } = store;
    Digest::of(format!("{url} {prefix} {listen:?}").as_bytes()).to_string()
}

/// Does what signals ask for, until the server has stopped.
async fn until_stopped(running: Running, mut signals: Signals, log: &Log) -> Result<(), Box<dyn std::error::Error>> {
    let told = loop {
        match signals.next().await {
            Asked::Stop(told) => break told,
            Asked::Reload => {
                tracing::info!("SIGHUP: only the certificate is read again; a changed proxy.toml needs a restart");
                running.reload_certificate();
            }
            Asked::Nothing(name) => {
                tracing::info!("{name} does nothing here: SIGTERM stops, SIGHUP reads the certificate again");
            }
        }
    };
    tracing::info!("{}: finishing the requests under way", told.name());
    let since = Instant::now();
    let mut stopping = tokio::task::spawn_blocking(move || running.stop());
    loop {
        let asked = tokio::select! {
            stopped = &mut stopping => {
                stopped.map_err(std::io::Error::other)?;
                return Ok(());
            }
            asked = signals.next() => asked,
        };
        let Asked::Stop(again) = asked else { continue };
        if since.elapsed() < COPIES {
            tracing::info!(
                "{} again within a second counts as the same one; after that it stops without waiting",
                again.name()
            );
            continue;
        }
        tracing::warn!("{} again: stopping without waiting", again.name());
        log.flush();
        std::process::exit(again.exit_code());
    }
}

/// For how long a second signal counts as the first one's copy. Ctrl-C goes to all processes of a terminal, and whoever
/// started this one may pass on the one that it got.
const COPIES: Duration = Duration::from_secs(1);

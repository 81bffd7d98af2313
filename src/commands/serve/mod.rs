//! `aside serve`: the proxy at work, until it is told to stop.

mod changes;
mod findings;
mod listener;
mod notify;
mod reload;
mod signals;
mod steering;
mod stop;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::terminal::{BAD_CONFIG, count_routes, say_aside, say_findings};
use crate::admin::{Process, Readiness};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Overrides, Severity};
use crate::proxy::Parts;
use crate::rules::Digest;
use crate::server::{Running, Server};
use crate::store::StoreSettings;
use crate::telemetry::{Log, LogFormat, LogSettings, Metrics, Recent, Recorder, STEP};
use crate::{origin, proxy, store, telemetry};
use listener::Opened;
use notify::Notifier;
use reload::{InForce, Reload, Source};
use signals::Signals;
use steering::Steering;
use stop::{Ears, Servers, Steered, until_stopped};

/// Serves until SIGINT or SIGTERM; a second one, a second later or more, does not wait for requests under way. SIGHUP
/// reads the configuration again, with the same `overrides`.
///
/// 0 after an orderly stop, 1 where a socket cannot be opened or where at the end something may be old in the store, 130 or 143 after a second SIGINT or SIGTERM.
pub(super) fn run(config: Config, overrides: Overrides) -> ExitCode {
    let (format, worth_knowing) = (config.log.format, config.remarks.at_least(Severity::Warning));
    if format == LogFormat::Text {
        say_findings(&worth_knowing);
    }
    let log = match telemetry::start(config.log, config.log_filter.as_deref()) {
        Ok(log) => Arc::new(log),
        Err(error) => {
            say_aside(&format!("error: the log cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    if format == LogFormat::Json {
        findings::remarks(format, &worth_knowing);
    }
    let code = match serve(config, overrides, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    // Others hold the log, too, such as the thread that reloads: it may still be there when the process has ended.
    log.flush();
    code
}

/// Says why a configuration cannot be used: in the log where the command line wants that in JSON, whatever `ASIDE_LOG` lets
/// through; else as every command does.
pub(super) fn cannot(error: &ConfigError, format: Option<LogFormat>) -> ExitCode {
    let settings = LogSettings { format: LogFormat::Json, ..LogSettings::default() };
    let log = format.filter(|format| *format == LogFormat::Json).map(|_| telemetry::start(settings, None));
    let Some(Ok(_log)) = log else {
        say_findings(error.report());
        return ExitCode::from(BAD_CONFIG);
    };
    findings::refused(LogFormat::Json, "the configuration cannot be used", error);
    ExitCode::from(BAD_CONFIG)
}

fn serve(config: Config, overrides: Overrides, log: &Arc<Log>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before anybody can connect: a signal that nobody waits for would end the process.
    let _inside = runtime.enter();
    let ears = Ears { signals: Signals::new()?, notifier: Notifier::new() };
    let server = Server::bind(config.server.clone())?;
    let admin = runtime.block_on(Opened::open(&config.admin, server.addresses()))?;
    let metrics = Metrics::new();
    let recent = Arc::new(Recent::of(Arc::clone(&metrics), Clock::System.now()));
    runtime.spawn(take_steps(Arc::clone(&recent)));
    let parts = parts(&config, server.addresses(), log.recorder().counting(&metrics));
    // Others have to know of this node before it answers the first write; without Redis it serves all the same.
    runtime.block_on(parts.store.joined(JOIN_WITHIN));
    let running = server.counting(metrics.refused_connections()).start(&parts)?;
    let source = Source { file: config.file.as_deref().map(std::path::absolute).transpose()?, overrides };
    tell_where(&running, &config);
    let reload = Arc::new(Reload {
        source,
        parts,
        server: running.control(),
        addresses: running.addresses().to_vec(),
        log: Arc::clone(log),
        in_force: ArcSwap::from_pointee(InForce { config, loaded_at: Clock::System.now() }),
    });
    // Nobody waits for it.
    runtime.spawn(reload.parts.origin().look());
    let reloader = reload.reloader()?;
    let readiness = Readiness::default();
    let process = Process {
        parts: reload.parts.clone(),
        metrics,
        recent,
        control: Arc::new(Steering { reload: Arc::clone(&reload), reloader: reloader.clone() }),
        readiness: readiness.clone(),
    };
    // Clients are served already: whoever is told at all is told so.
    readiness.serving();
    let admin = admin.start(urls(&running), process)?;
    Notifier::ready("serving");
    let steered = Steered { reload: &reload, reloader: &reloader };
    runtime.block_on(until_stopped(Servers { clients: running, admin, readiness }, ears, steered))?;
    runtime.block_on(reload.parts.store.leave(LEAVE_WITHIN))?;
    tracing::info!("stopped");
    Ok(())
}

/// What the proxies are made from. The kernel may have chosen a port.
fn parts(config: &Config, addresses: &[SocketAddr], recorder: Recorder) -> Parts {
    let lock = Some(lock_name(&config.store, &config.server.listen));
    let settings = StoreSettings { lock, ..config.store.clone() };
    let shared = proxy::Shared::new(config.proxy.clone().listening_on(addresses), Clock::System, recorder);
    let store = store::Shared::new(&settings).lending_to(shared.answers());
    Parts::new(shared, store, Arc::new(origin::Shared::new(config.origin.clone(), &Clock::System)))
}

fn tell_where(running: &Running, config: &Config) {
    let routes = count_routes(config);
    let file = config.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let (origin, store) = (config.origin.urls().join(" and "), &config.store.url);
    for url in urls(running) {
        tracing::info!("listening on {url}, origin {origin}, store {store}, {file}, {routes}");
    }
}

/// Where clients are served.
fn urls(running: &Running) -> Vec<String> {
    let scheme = if running.is_secure() { "https" } else { "http" };
    running.addresses().iter().map(|address| format!("{scheme}://{address}")).collect()
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

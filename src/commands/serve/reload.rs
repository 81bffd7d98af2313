//! Reading the configuration again while the proxy runs: a good one takes the place of the one in force, whole; a bad one
//! changes nothing.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::{fmt, io, thread};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::changes::Changes;
use super::findings;
use super::notify::Notifier;
use crate::clock::{Clock, Millis};
use crate::config::{Config, ConfigError, Overrides, Severity};
use crate::proxy::Parts;
use crate::server::ServerControl;
use crate::telemetry::Log;

/// Where the configuration of a process comes from.
#[derive(Debug)]
pub(in crate::commands) struct Source {
    /// The file; none for the command line alone.
    pub(in crate::commands) file: Option<PathBuf>,
    /// What the command line says.
    pub(in crate::commands) overrides: Overrides,
}

/// What a reload has to do with.
pub(in crate::commands) struct Reload {
    pub(super) source: Source,
    pub(super) parts: Parts,
    pub(super) server: ServerControl,
    /// Where the server listens.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) log: Arc<Log>,
    /// Whoever looks at it waits for nobody who reads another one.
    pub(super) in_force: ArcSwap<InForce>,
}

/// The configuration in force.
#[derive(Debug)]
pub(in crate::commands) struct InForce {
    pub(super) config: Config,
    /// When it was read.
    pub(super) loaded_at: Millis,
}

/// Has the configuration read again, one reload after another, by a thread of its own: a file may take long to read, or be a
/// pipe into which nobody writes, and neither signals nor the admin listener wait for that.
#[derive(Clone, Debug)]
pub(super) struct Reloader(SyncSender<Option<Tell>>);

/// Whom it is told what a reload has come to.
type Tell = oneshot::Sender<Result<Changes, ConfigError>>;

/// So many reloads may wait for their turn.
const WAITING: usize = 32;

impl Source {
    fn read(&self) -> Result<Config, ConfigError> {
        match &self.file {
            Some(path) => Config::load(path, &self.overrides),
            None => Config::without_file(&self.overrides),
        }
    }

    /// How it is called.
    pub(super) fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string())
    }
}

impl Reload {
    /// Starts the thread that reloads; to be called within a runtime, which it works in.
    pub(super) fn reloader(self: &Arc<Self>) -> io::Result<Reloader> {
        let reload = Arc::clone(self);
        Reloader::start(move || reload.announced())
    }

    /// The same as [`Reload::run`], told to the service manager.
    fn announced(&self) -> Result<Changes, ConfigError> {
        Notifier::reloading();
        let done = self.run();
        Notifier::ready(if done.is_ok() { "serving" } else { "serving; the last reload was refused" });
        done
    }

    /// Reads the configuration again and puts it in force. It reads files, so it blocks; one thread alone does so, within a
    /// runtime. What has changed comes back, and is told in the log; or what is wrong, and then nothing has changed.
    fn run(&self) -> Result<Changes, ConfigError> {
        let config = &self.in_force.load_full().config;
        let after = self.source.read().inspect_err(|error| self.tell_refused(error))?;
        let changes = Changes::between(config, &after);
        self.log.change(&after.log);
        let proxy = after.proxy.clone().listening_on(&self.addresses);
        self.parts.replace(proxy, after.origin.clone(), after.store.commit_within, &self.log.recorder());
        self.server.change(&after.server, after.origin.max_connections);
        self.tell(&changes, &after);
        let loaded_at = Clock::System.now();
        self.in_force.store(Arc::new(InForce { config: after.but_what_needs_a_restart(config), loaded_at }));
        Ok(changes)
    }

    fn tell(&self, changes: &Changes, after: &Config) {
        tracing::info!("reloaded {}: {changes}", self.source.name());
        findings::remarks(self.log.format(), &after.remarks.at_least(Severity::Warning));
    }

    fn tell_refused(&self, error: &ConfigError) {
        let means = format!("{} cannot be used; the configuration stays as it was", self.source.name());
        findings::refused(self.log.format(), &means, error);
    }
}

impl Reloader {
    /// Starts the thread, in which `reload` is done whenever it is asked for; within a runtime.
    fn start(reload: impl Fn() -> Result<Changes, ConfigError> + Send + 'static) -> io::Result<Self> {
        let (send, asked) = sync_channel::<Option<Tell>>(WAITING);
        let runtime = Handle::current();
        // Nobody waits for its end: it may be reading.
        thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            for tell in asked {
                // A panic is told by its hook; it must not end the thread, or nobody would reload any more.
                let Ok(done) = catch_unwind(AssertUnwindSafe(&reload)) else {
                    tell_broken_off();
                    continue;
                };
                // Whoever has asked may have left.
                if let Some(tell) = tell {
                    drop(tell.send(done));
                }
            }
        })?;
        Ok(Self(send))
    }

    /// Asks for it, and does not wait. Where too many wait already, one of them has yet to read the file.
    pub(super) fn ask(&self) {
        drop(self.0.try_send(None));
    }

    /// The same for whoever wants to know what it comes to; `None` where too many wait already.
    pub(super) fn ask_to_be_told(&self) -> Option<oneshot::Receiver<Result<Changes, ConfigError>>> {
        let (tell, told) = oneshot::channel();
        self.0.try_send(Some(tell)).ok().map(|()| told)
    }
}

/// Where a reload has panicked, whatever it had done by then.
fn tell_broken_off() {
    tracing::error!(
        "the reload broke off by a fault in aside itself; the configuration may be in force in part: reload again, or \
         restart, and report the panic"
    );
    Notifier::ready("serving; the last reload broke off");
}

impl fmt::Debug for Reload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reload").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[tokio::test]
    async fn a_reload_that_panics_is_not_the_last() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let reloader = Reloader::start(move || {
            assert!(counted.fetch_add(1, SeqCst) != 1, "the second one panics");
            let overrides = Overrides::default();
            Config::without_file(&overrides).map(|config| Changes::between(&config, &config))
        })
        .unwrap();
        for whole in [true, false, true, true] {
            let told = reloader.ask_to_be_told().unwrap().await;
            assert_eq!(told.is_ok(), whole, "{told:?}");
        }
        reloader.ask();
        assert!(reloader.ask_to_be_told().unwrap().await.is_ok());
        assert_eq!(asked.load(SeqCst), 6);
    }
}

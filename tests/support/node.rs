//! A node of aside in this process: its own cores, its own sockets, a clock that the test may set.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;

use aside::clock::Clock;
use aside::config::Config;
use aside::proxy::Parts;
use aside::server::{Running, Server};
use aside::telemetry::{Metrics, Recorder};
use aside::{origin, proxy, store};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use super::client::Client;
use super::connected;
use super::redis::RedisServer;

/// A node, stopped when it is dropped.
pub struct Node {
    pub address: SocketAddr,
    pub clock: Clock,
    /// What its stores share.
    pub store: store::Shared,
    /// What it has counted.
    pub metrics: std::sync::Arc<Metrics>,
    /// What its proxies share.
    pub shared: proxy::Shared,
    running: Option<Running>,
}

/// A time for clocks that stand still: 2026-01-01T00:00:00Z.
pub const NEW_YEAR: u64 = 1_767_225_600_000;

/// The table of a store that a busy machine keeps nobody from.
pub fn patient(store: &str) -> String {
    format!("[store]\nurl = \"{store}\"\ntimeout = \"10s\"\n")
}

impl Node {
    /// Starts a node in front of an origin, with the rest of a `proxy.toml` and the system's clock.
    pub fn start(origin: SocketAddr, config: &str) -> Self {
        Self::with(origin, "memory://", config, Clock::System)
    }

    /// Starts a node whose clock stands still at [`NEW_YEAR`].
    pub fn timed(origin: SocketAddr, config: &str) -> Self {
        Self::with(origin, "memory://", config, Clock::at(NEW_YEAR))
    }

    /// Starts a node on a store of the test's choice.
    pub fn on(origin: SocketAddr, store: &str, config: &str) -> Self {
        Self::with(origin, store, config, Clock::System)
    }

    /// Starts two nodes on one store, and waits until both have their sessions with it.
    pub async fn two_on(origin: SocketAddr, store: &str, config: &str) -> [Self; 2] {
        let nodes = std::array::from_fn(|_| Self::on(origin, store, config));
        for node in &nodes {
            connected(&node.client()).await;
        }
        nodes
    }

    /// Starts a node whose store is a whole table.
    pub fn with_store_table(origin: SocketAddr, table: &str, config: &str) -> Self {
        Self::from_text(
            &format!("listen = \"127.0.0.1:0\"\norigin = \"http://{origin}\"\n{table}\n{config}"),
            Clock::System,
        )
    }

    pub fn with(origin: SocketAddr, store: &str, config: &str, clock: Clock) -> Self {
        let origin = if config.contains("[origin]") {
            config.replace("ORIGIN", &format!("http://{origin}"))
        } else {
            format!("origin = \"http://{origin}\"\n{config}")
        };
        Self::from_text(&format!("listen = \"127.0.0.1:0\"\n{origin}\n{}", patient(store)), clock)
    }

    fn from_text(text: &str, clock: Clock) -> Self {
        let config = Config::from_text("test.toml", text, |_| None).unwrap_or_else(|error| panic!("{error}"));
        let mut server = config.server;
        server.cores = 2;
        let server = Server::bind(server).unwrap();
        let proxy = config.proxy.listening_on(server.addresses());
        let metrics = Metrics::new();
        let shared = proxy::Shared::new(proxy, clock.clone(), Recorder::default().counting(&metrics));
        let store = store::Shared::new(&config.store).lending_to(shared.answers());
        let parts = Parts::new(shared, store, std::sync::Arc::new(origin::Shared::new(config.origin, &clock)));
        let running = server.counting(metrics.refused_connections()).start(&parts).unwrap();
        Self {
            address: running.addresses()[0],
            clock,
            shared: parts.shared(),
            store: parts.store,
            metrics,
            running: Some(running),
        }
    }

    pub fn client(&self) -> Client {
        Client::of(self.address)
    }

    /// A node in memory, and one on a Redis of its own, which ends with it.
    pub async fn on_each_store(origin: SocketAddr, config: &str) -> [(Self, Option<RedisServer>); 2] {
        let redis = RedisServer::start();
        let node = Self::on(origin, &redis.url(), config);
        super::connected(&node.client()).await;
        [(Self::start(origin, config), None), (node, Some(redis))]
    }
}

impl Node {
    /// Tells the node to stop. Joining takes as long as requests under way do, so it is done by a thread of its own.
    pub fn stop(&mut self) -> std::thread::JoinHandle<()> {
        let running = self.running.take();
        std::thread::spawn(move || {
            if let Some(running) = running {
                running.stop();
            }
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What `proxy.toml` says.
fn written(origin: SocketAddr, port: u16, config: &str) -> String {
    let url = if config.contains("[origin]") { String::new() } else { format!("origin = \"http://{origin}\"\n") };
    format!("listen = \"127.0.0.1:{port}\"\n{url}{config}")
}

/// The configuration of a process.
const FILE: &str = "proxy.toml";

/// The file that a process logs into.
const LOG: &str = "log";

/// An `aside serve` of its own, killed when it is dropped.
pub struct Process {
    child: std::process::Child,
    pub address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Process {
    /// Starts the binary in front of an origin, with the rest of a `proxy.toml`; returns once it listens.
    pub async fn start(origin: SocketAddr, store: &str, config: &str) -> Self {
        Self::with_filter(origin, store, &format!("{config}\n[log]\nrequests = false\n"), None).await
    }

    /// Starts it with a store that is a whole table, and one line a request less.
    pub async fn with_store_table(origin: SocketAddr, table: &str, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join(LOG)).unwrap();
        let config = format!("{config}\n[log]\nrequests = false\n{table}");
        Self::spawn(folder, origin, 0, &config, log, &[]).listening().await
    }

    /// Starts it with a line for each request.
    pub async fn telling(origin: SocketAddr, store: &str, config: &str) -> Self {
        Self::with_filter(origin, store, config, None).await
    }

    /// Starts it with a value for `ASIDE_LOG`.
    pub async fn with_filter(origin: SocketAddr, store: &str, config: &str, filter: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join(LOG)).unwrap();
        let filter = filter.map(|filter| ("ASIDE_LOG", filter));
        let config = format!("{config}\n{}", patient(store));
        Self::spawn(folder, origin, 0, &config, log, filter.as_slice()).listening().await
    }

    async fn listening(mut self) -> Self {
        self.says(", origin ").await;
        let log = self.log();
        let (_, rest) = log.split_once("listening on ").unwrap();
        let (url, _) = rest.split_once(',').unwrap();
        self.address = url.split_once("://").unwrap().1.parse().unwrap();
        self
    }

    /// Starts it with its log in a place that the test cannot read, or does not; returns once it listens.
    pub async fn unheard(origin: SocketAddr, log: impl Into<Stdio>) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), super::redis::free_port());
        let mut process = Self::spawn(folder, origin, port, "", log, &[]);
        process.address = SocketAddr::from(([127, 0, 0, 1], port));
        super::until("it listens", || async { tokio::net::TcpStream::connect(process.address).await.is_ok() }).await;
        process
    }

    /// Starts it on this port, with a file or a folder of its own made before that.
    pub async fn prepared(origin: SocketAddr, port: u16, prepare: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let log = File::create(folder.path().join(LOG)).unwrap();
        Self::spawn(folder, origin, port, "", log, &[]).listening().await
    }

    fn spawn(
        folder: tempfile::TempDir,
        origin: SocketAddr,
        port: u16,
        config: &str,
        log: impl Into<Stdio>,
        environment: &[(&str, &str)],
    ) -> Self {
        let file = folder.path().join(FILE);
        std::fs::write(&file, written(origin, port, config)).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_aside"));
        command.env_remove("ASIDE_LOG").envs(environment.iter().copied());
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(folder.path(), own).unwrap();
        command.env("XDG_RUNTIME_DIR", folder.path());
        let child = command.arg("serve").arg("--config").arg(&file).stderr(log).spawn().unwrap();
        Self { child, address: origin, folder }
    }

    /// Starts it with these variables in its environment.
    pub async fn in_environment(origin: SocketAddr, config: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join(LOG)).unwrap();
        Self::spawn(folder, origin, 0, config, log, environment).listening().await
    }

    /// Writes its configuration anew: what it was given besides the store's table, which may be in it.
    pub fn rewrite(&self, origin: SocketAddr, config: &str) {
        let quiet = if config.contains("[log]") { "" } else { "\n[log]\nrequests = false\n" };
        std::fs::write(self.folder.path().join(FILE), written(origin, 0, &format!("{config}{quiet}"))).unwrap();
    }

    /// Tells it to stop, and waits for its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits for its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = std::cell::Cell::new(None);
        let child = std::cell::RefCell::new(&mut self.child);
        super::until("it has stopped", || async {
            ended.set(child.borrow_mut().try_wait().unwrap());
            ended.get().is_some()
        })
        .await;
        ended.get().unwrap().code()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }

    pub fn client(&self) -> Client {
        Client::of(self.address)
    }

    /// The folder of its `proxy.toml`, where it has its admin socket, too.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Its admin socket, where the configuration names none.
    pub fn admin_socket(&self) -> std::path::PathBuf {
        self.folder().join(format!("aside-{}.sock", self.address.port()))
    }

    /// Sends it SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until its log has this text.
    pub async fn says(&self, text: &str) {
        super::until(text, || async { self.log().contains(text) }).await;
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> u64 {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count() as u64
    }

    /// Lets it have no more than so many.
    pub fn allow_descriptors(&self, count: u64) {
        let limit = Rlimit { current: Some(count), maximum: Some(count) };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Nofile, limit).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

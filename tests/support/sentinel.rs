//! A master, two replicas and three sentinels that look after them; and a sentinel that says what the test wants.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::redis::{RedisServer, Reply};
use super::until;

/// What the sentinels call their master.
pub const NAME: &str = "mymaster";

/// All of them; each ends with this.
pub struct Watched {
    /// The master first, as it was at the start.
    pub servers: Vec<RedisServer>,
    pub sentinels: Vec<RedisServer>,
    password: Option<String>,
}

impl Watched {
    pub async fn start() -> Self {
        Self::start_with_logins(&[], "", None).await
    }

    /// Starts them with options for the servers, lines for the sentinels' files, and the password that those lines give them.
    pub async fn start_with_logins(options: &[&str], lines: &str, password: Option<&str>) -> Self {
        let master = RedisServer::start_with(options);
        let of = format!("127.0.0.1 {}", master.port());
        let replica = || RedisServer::start_with(&[options, &["--replicaof", &of]].concat());
        let servers = vec![master, replica(), replica()];
        let lines = format!(
            "sentinel monitor {NAME} {of} 2\nsentinel down-after-milliseconds {NAME} 500\n\
             sentinel failover-timeout {NAME} 3000\n{lines}\n"
        );
        let sentinels = (0..3).map(|_| RedisServer::sentinel(&lines)).collect();
        let all = Self { servers, sentinels, password: password.map(str::to_owned) };
        all.settled(2).await;
        all
    }

    /// Waits until every sentinel knows the others and so many replicas that work.
    pub async fn settled(&self, replicas: usize) {
        until("the sentinels know one another and the replicas", || async {
            self.sentinels.iter().all(|sentinel| {
                let found = |what: &str| match self.ask(sentinel, &["SENTINEL", what, NAME]) {
                    Reply::List(found) => found.iter().filter(|one| !format!("{one:?}").contains("down")).count(),
                    _ => 0,
                };
                found("SENTINELS") >= 2 && found("REPLICAS") >= replicas
            })
        })
        .await;
    }

    fn ask(&self, sentinel: &RedisServer, words: &[&str]) -> Reply {
        match &self.password {
            None => sentinel.command(words),
            Some(password) => sentinel.command_as(password, words),
        }
    }

    /// The store's URL without its scheme and login.
    pub fn list(&self) -> String {
        let ports: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect();
        format!("{}/{NAME}", ports.join(","))
    }

    /// Which of the servers is the master, as the first sentinel has it.
    pub fn master(&self) -> usize {
        let named = self.ask(&self.sentinels[0], &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let Reply::List(named) = named else { panic!("no master: {named:?}") };
        let port = named[1].text();
        self.servers.iter().position(|server| server.port().to_string() == port).unwrap()
    }
}

/// A sentinel that names this as its master, whoever asks; as little of one as a client needs. `None` knows none.
pub async fn naming(master: Option<(&str, u16)>) -> SocketAddr {
    let answer: Arc<str> = match master {
        Some((host, port)) => {
            let port = port.to_string();
            format!("*2\r\n${}\r\n{host}\r\n${}\r\n{port}\r\n", host.len(), port.len()).into()
        }
        None => "*-1\r\n".into(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut bytes = vec![0; 4096];
                // The client waits for each answer before it asks again.
                while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                    let asked = String::from_utf8_lossy(&bytes[..length]).to_uppercase();
                    let answer = if asked.contains("SENTINEL") { &*answer } else { "+PONG\r\n" };
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

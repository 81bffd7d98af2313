//! A kind of Redis as a user has it: the `[store]` table for it, and the arguments by which `redis-cli` gets there.

use std::process::Command;

use crate::support::https::{Authority, Issued};
use crate::support::redis::{RedisServer, free_port};

/// The routes that all tests here have.
pub const FRUIT: &str = "[[route]]\npath = \"/fruit/{id}\"\nkey = \"fruit:{id}\"\nttl = \"10m\"\n\
                         invalidated_by = [\"PUT /fruit/{id}\"]\n";

/// A `[store]` table for this URL, which a busy machine keeps nobody from.
pub fn store(url: &str) -> String {
    format!("[store]\nurl = \"{url}\"\ntimeout = \"10s\"\n")
}

/// What `redis-cli` prints.
pub fn cli<A: AsRef<str>>(way: &[A], words: &[&str]) -> String {
    let way = way.iter().map(AsRef::as_ref);
    let output = Command::new("redis-cli").args(way).args(words).output().expect("redis-cli");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// A Redis that speaks TLS, and on another port plain text for the test.
pub struct TlsRedis {
    /// Ends with this.
    _server: RedisServer,
    pub port: u16,
    files: tempfile::TempDir,
}

impl TlsRedis {
    /// Shows this certificate, issued by that authority; whether clients have to show one of that authority's, too.
    pub fn start(authority: &Authority, shown: &Issued, clients: bool) -> Self {
        let files = tempfile::tempdir().unwrap();
        let client = authority.issue("aside");
        for (name, text) in [
            ("ca.pem", &authority.certificate()),
            ("other-ca.pem", &Authority::new().certificate()),
            ("cert.pem", &shown.certificate),
            ("key.pem", &shown.key),
            ("client.pem", &client.certificate),
            ("client-key.pem", &client.key),
        ] {
            std::fs::write(files.path().join(name), text).unwrap();
        }
        let at = |name: &str| files.path().join(name).display().to_string();
        let port = free_port();
        let server = RedisServer::start_with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &at("cert.pem"),
            "--tls-key-file",
            &at("key.pem"),
            "--tls-ca-cert-file",
            &at("ca.pem"),
            "--tls-auth-clients",
            if clients { "yes" } else { "no" },
        ]);
        Self { _server: server, port, files }
    }

    /// Where one of the files is.
    pub fn at(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// The tables for this host, with `FOLDER` for where the files are.
    pub fn store(&self, host: &str, tls: &str) -> String {
        let tls = tls.replace("FOLDER", &self.files.path().display().to_string());
        format!("{}\n[store.tls]\n{tls}\n", store(&format!("rediss://{host}:{}", self.port)))
    }
}

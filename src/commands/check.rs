//! `aside check`: `serve`, stopped before anything is opened.
//!
//! With `--json`, one object on standard output:
//!
//! ```json
//! {"ok": true, "file": "proxy.toml", "listen": ["127.0.0.1:8080"], "origin": ["http://127.0.0.1:5000"],
//!  "store": "memory://", "routes": 3, "findings": []}
//! ```
//!
//! `ok` is false where the configuration cannot be used, and `error` and `findings` stand beside it then. A finding is
//! `{"severity": "error"|"warning"|"note", "file", "line", "column", "message", "help"}`; line and column count from 1
//! and are null where no text is to blame. Passwords are not shown.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::Failure;
use super::terminal::{ConfigArguments, configuration, count_routes, say, say_findings, say_json};
use crate::config::{Config, Overrides, size};
use crate::store::StoreUrl;

/// Reads the configuration and says what it found: 0 when it can be used, 78 when not, 1 where that cannot be told.
pub(super) fn run(arguments: &ConfigArguments, json: bool) -> Result<ExitCode, Failure> {
    let config = configuration(arguments, &Overrides::default())?;
    if json {
        return Ok(say_json(&good_json(&config)));
    }
    say_findings(&config.remarks);
    Ok(say(&good(&config)))
}

fn good(config: &Config) -> String {
    let store = match config.store.url {
        StoreUrl::Memory => format!("memory:// ({})", size::show(config.store.memory)),
        StoreUrl::Redis(_) => config.store.url.to_string(),
    };
    format!(
        "{} is good: {}, store {store}, origin {}, listening on {}",
        file(config),
        count_routes(config),
        config.origin.urls().join(" and "),
        addresses(config).join(" and "),
    )
}

fn file(config: &Config) -> String {
    config.file.as_ref().map_or_else(|| "the command line".to_owned(), |path| path.display().to_string())
}

fn addresses(config: &Config) -> Vec<String> {
    config.server.listen.iter().map(ToString::to_string).collect()
}

fn good_json(config: &Config) -> Value {
    json!({
        "ok": true,
        "file": config.file.as_ref().map(|path| path.display().to_string()),
        "listen": addresses(config),
        "origin": config.origin.urls(),
        "store": config.store.url.to_string(),
        "routes": config.proxy.rules.routes.iter().count(),
        "findings": config.remarks.to_json(),
    })
}

//! `proxy.toml`, as it is written and as it is meant: nothing is invalid after this room.
//!
//! Each table has a file: its keys as they are written (`Raw…`, the form of each value checked and its place kept), what
//! they mean (`resolve`), and what it says about keys that it does not have (`table::Table`). Everything that is wrong is
//! collected and printed at once, with line, column and what to write instead. A new key touches the file of its table,
//! what uses it, and `proxy.toml`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod admin;
mod client_tls;
mod clients;
mod condition;
pub mod diagnostic;
pub mod duration;
mod findings;
mod forms;
mod invalidated_by;
mod key;
mod limits;
mod listen;
mod log;
mod origin;
mod origin_tls;
mod outside;
mod parse;
mod route;
mod routes;
mod search;
mod secret;
pub mod size;
mod statuses;
mod store;
mod store_tls;
mod table;
mod tls;
mod unrouted;
mod verify;
mod whereabouts;
mod write_policy;
mod write_rule;

pub use diagnostic::{ConfigError, Diagnostic, Finding, Position, Report, Severity};
pub use outside::{runtime_folders, wants_no_colours};
pub use secret::without_secrets;
pub use whereabouts::Whereabouts;

use serde::Deserialize;
use toml::Spanned;

use admin::RawAdmin;
use clients::RawClients;
use diagnostic::Source;
use findings::{Findings, Problem};
use forms::{List, ManyOr, OneOrMany, TextOr};
use limits::RawLimits;
use log::RawLog;
use origin::RawOrigin;
use outside::{Lookup, Outside};
use route::RawRoute;
use store::RawStore;
use table::{Hint, Level, TOP, Table};
use tls::RawTls;
use unrouted::RawUnrouted;
use verify::RawVerify;
use write_rule::RawWriteRule;

use crate::admin::AdminSettings;
use crate::files::{self, FileError};
use crate::origin::OriginSettings;
use crate::proxy::ProxySettings;
use crate::rules::{Ruleset, Surroundings};
use crate::server::ServerSettings;
use crate::store::{StoreSettings, StoreUrl};
use crate::telemetry::{LogFormat, LogSettings};
/// The file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
struct RawFile {
    listen: Option<Spanned<OneOrMany>>,
    origin: Option<Spanned<ManyOr<RawOrigin>>>,
    store: Option<Spanned<TextOr<RawStore>>>,
    tls: Option<Spanned<RawTls>>,
    clients: RawClients,
    limits: RawLimits,
    admin: RawAdmin,
    log: RawLog,
    unrouted: RawUnrouted,
    verify: RawVerify,
    write: Option<List<Spanned<RawWriteRule>>>,
    route: Option<List<Spanned<RawRoute>>>,
}

impl Table for RawFile {
    const TITLE: &'static str = TOP;
    const BELOW: &'static [(&'static str, &'static Level)] = &[
        ("route", RawRoute::LEVEL),
        ("origin", RawOrigin::LEVEL),
        ("store", RawStore::LEVEL),
        ("tls", RawTls::LEVEL),
        ("clients", RawClients::LEVEL),
        ("limits", RawLimits::LEVEL),
        ("admin", RawAdmin::LEVEL),
        ("log", RawLog::LEVEL),
        ("unrouted", RawUnrouted::LEVEL),
        ("verify", RawVerify::LEVEL),
        ("write", RawWriteRule::LEVEL),
    ];
    const HINTS: &'static [Hint] = &[
        Hint::here(&["timeout"], "write `response_timeout` or `connect_timeout` in [origin], or `timeout` in [store]"),
        Hint::here(
            &["host", "port", "address"],
            "write listen = \"127.0.0.1:8080\"; `host` in [origin] says which host the origin sees",
        ),
        Hint::anywhere(
            &["bind", "listen_addr", "listen_address", "listener", "listeners"],
            "write listen = \"127.0.0.1:8080\" at the top of the file",
        ),
    ];
}

const LOG_FILTER: &str = "ASIDE_LOG";

/// Larger files are no configuration.
const LARGEST_FILE: u64 = 4 << 20;

/// Everything that `proxy.toml` and the command line say.
#[derive(Clone, Debug)]
pub struct Config {
    /// `listen`, `[tls]`, `[clients]`, `[limits]`.
    pub server: ServerSettings,
    /// `[origin]`.
    pub origin: OriginSettings,
    /// `[store]`.
    pub store: StoreSettings,
    /// The routes, `[unrouted]`, `[clients]`, `[limits]`.
    pub proxy: ProxySettings,
    /// `[admin]`.
    pub admin: AdminSettings,
    /// `[log]`.
    pub log: LogSettings,
    /// Which log lines are written, from the environment's `ASIDE_LOG`: `aside=debug`.
    pub log_filter: Option<String>,
    /// The file it was read from.
    pub file: Option<PathBuf>,
    /// The line of each route's `[[route]]`, in the order of `proxy.rules.routes`.
    pub route_lines: Vec<usize>,
    /// The line of each `[[write]]`, in the file's order.
    pub write_lines: Vec<usize>,
    /// What is worth knowing although nothing is wrong: warnings and notes.
    pub remarks: Report,
}

/// What the command line says; it wins over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The origin's URL.
    pub origin: Option<String>,
    /// Addresses to listen on; empty for those of the file.
    pub listen: Vec<String>,
    /// The store's URL.
    pub store: Option<String>,
    /// The form of log lines.
    pub log: Option<LogFormat>,
}

impl Config {
    /// Reads a file, with the environment of this process.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => return Err(refused(&name, problem)),
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut config = compile(name, text, Some(folder), overrides, &outside::of_process)?;
        config.file = Some(path.to_owned());
        Ok(config)
    }

    /// Reads a text as if it were a file of this name. `environment` gives the values of `${VAR}`; relative paths in
    /// `${file:path}` count from that file's folder. Certificates that it names are not looked at.
    pub fn from_text(
        name: &str,
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        compile(name.to_owned(), text.to_owned(), None, &Overrides::default(), &environment)
    }

    /// Reads the named file; else the one that `ASIDE_CONFIG` names, `./proxy.toml` or `/etc/aside/proxy.toml`, whichever comes
    /// first; else what the command line says alone, where that has an origin.
    pub fn find(named: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        match search::file(named) {
            Some(path) => Self::load(&path, overrides),
            None if overrides.origin.is_some() => Self::without_file(overrides),
            None => Err(refused(search::FOLDER_FILE, search::nothing_found())),
        }
    }

    /// The same, but for what holds only after a restart: that is as it was `before`.
    #[must_use]
    pub fn but_what_needs_a_restart(self, before: &Self) -> Self {
        let StoreSettings { commit_within, rules, .. } = self.store;
        // Writes that are under way may still be committed within the longer one.
        let commit_within = commit_within.max(before.store.commit_within);
        let store = StoreSettings { commit_within, rules, ..before.store.clone() };
        let (listen, cores) = (before.server.listen.clone(), before.server.cores);
        let tls = self.server.tls.clone().filter(|_| before.server.tls.is_some()).or_else(|| before.server.tls.clone());
        let admin = before.admin.clone();
        Self { store, server: ServerSettings { listen, tls, cores, ..self.server }, admin, ..self }
    }

    /// Every default, but for what the command line says. An origin is needed.
    pub fn without_file(overrides: &Overrides) -> Result<Self, ConfigError> {
        compile("the command line".to_owned(), String::new(), None, overrides, &outside::of_process)
    }
}

/// A file's text, or why there is none.
fn read(path: &Path) -> Result<String, Problem> {
    let shown = path.display();
    if path.as_os_str().is_empty() {
        return Err(Problem::new(
            "the path of the configuration file is empty",
            "name a file, as in --config proxy.toml",
        ));
    }
    let bytes = files::read_stream(path, LARGEST_FILE).map_err(|error| {
        let help = match error {
            FileError::Directory => {
                format!("name the file in it, as in --config {}", path.join("proxy.toml").display())
            }
            FileError::TooLarge(_) => "name a configuration file, as in --config proxy.toml".to_owned(),
            _ => "name a file that exists and that this user may read, as in --config proxy.toml, or use none: \
                  aside serve --no-config --origin URL"
                .to_owned(),
        };
        Problem::new(format!("{shown} {error}"), help)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("{shown} is not UTF-8: line {line} has a byte that is not");
        Problem::new(message, "save the file as UTF-8")
    })
}

/// A configuration of which nothing could be read.
fn refused(name: &str, problem: Problem) -> ConfigError {
    let mut findings = Findings::new("");
    findings.error_nowhere(problem);
    let source = Arc::new(Source { name: name.to_owned(), text: String::new() });
    ConfigError(Report::new(source, findings.into_vec()))
}

/// `folder` is the file's, from where it names other files; without one certificates are not looked at.
fn compile(
    name: String,
    text: String,
    folder: Option<&Path>,
    overrides: &Overrides,
    environment: Lookup<'_>,
) -> Result<Config, ConfigError> {
    let source = Arc::new(Source { name, text });
    let mut findings = Findings::new(&source.text);
    let beside = folder.or_else(|| Path::new(&source.name).parent()).unwrap_or(Path::new(""));
    let outside = Outside::new(environment, beside);
    // What could not be read is told already; what the rest means is judged all the same.
    let resolved = parse::parse(&source.text, &outside, &mut findings)
        .and_then(|raw| resolve(raw, overrides, folder, &source, &mut findings));
    let failed = findings.has_errors();
    let report = Report::new(Arc::clone(&source), outside.without_secrets(findings.into_vec()));
    match resolved {
        Some(config) if !failed => Ok(Config { log_filter: environment(LOG_FILTER), remarks: report, ..config }),
        _ => Err(ConfigError(report)),
    }
}

fn resolve(
    raw: RawFile,
    overrides: &Overrides,
    folder: Option<&Path>,
    source: &Arc<Source>,
    findings: &mut Findings<'_>,
) -> Option<Config> {
    let listen = if overrides.listen.is_empty() {
        listen::resolve(raw.listen, findings)
    } else {
        listen::given(&overrides.listen, findings)
    };
    let beside = folder.or_else(|| Path::new(&source.name).parent()).unwrap_or(Path::new(""));
    // Unknown if it could not be read.
    let own: &[_] = if findings.tables().is_unread(&(0..0), &["listen"]) { &[] } else { &listen };
    let origin::Resolved { settings: origin, commit_within } =
        origin::resolve(raw.origin, overrides.origin.as_deref(), own, beside, findings);
    let admin = admin::resolve(raw.admin, own, beside, findings);
    let shared_at = store::shared_at(raw.store.as_ref());
    let store = store::resolve(raw.store, overrides.store.as_deref(), beside, findings);
    let (mut server, mut proxy) = limits::resolve(raw.limits, findings);
    server.listen = listen;
    server.tls = tls::resolve(raw.tls, folder, findings);
    let rule = origin.as_ref().map(|origin| &origin.host);
    let hosts = clients::resolve(raw.clients, rule, (&mut server, &mut proxy), findings);
    if let StoreUrl::Redis(_) = &store.url {
        clients::note_for_nodes(hosts.as_ref(), shared_at, findings);
    }
    let (unrouted, by_all_fields) = unrouted::resolve(raw.unrouted);
    let routes = raw.route.into_iter().flat_map(|routes| routes.0);
    let drafts: Vec<_> = routes.filter_map(|raw| route::resolve(raw, findings)).collect();
    proxy.verify = verify::resolve(raw.verify, &drafts, findings);
    let route_lines = drafts.iter().map(|draft| source.position(draft.header.start).line).collect();
    let writes = raw.write.map(|writes| writes.0).unwrap_or_default();
    let write_lines = writes.iter().map(|write| source.position(write.span().start).line).collect();
    let writes = write_rule::resolve(writes, &drafts, findings);
    let around = Surroundings { host: format!("{rule:?}"), unrouted: unrouted.clone(), by_all_fields };
    let routes = routes::resolve(drafts, writes, &around, findings);
    let origin = origin?;
    proxy.rules = Ruleset::new(routes?, unrouted, by_all_fields, hosts);
    let store = StoreSettings { commit_within, rules: proxy.rules.of_writes(), ..store };
    Some(Config {
        server,
        origin,
        store,
        proxy,
        admin,
        log: log::resolve(raw.log, overrides.log, findings),
        log_filter: None,
        file: None,
        route_lines,
        write_lines,
        remarks: Report::new(Arc::clone(source), Vec::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_knows_its_keys() {
        for level in RawFile::LEVEL.all() {
            assert!(!level.keys().is_empty(), "{}", level.title);
            for (name, _) in level.below {
                assert!(level.keys().contains(name), "{name}");
            }
        }
    }

    #[test]
    fn the_shipped_file_shows_every_key() {
        let shipped = include_str!("../../proxy.toml");
        for level in RawFile::LEVEL.all() {
            for key in level.keys() {
                let (set, header) = (format!("{key} = "), format!("{key}]"));
                let shows = |line: &str| line.contains(&set) || line.contains(&header);
                assert!(shipped.lines().any(shows), "{key} of {}", level.title);
            }
        }
    }

    #[test]
    fn no_two_hints_are_for_one_key() {
        let mut seen = Vec::new();
        for level in RawFile::LEVEL.all() {
            for hint in level.hints {
                let title = if hint.reach == table::Reach::Anywhere { "" } else { level.title };
                for key in hint.keys {
                    assert!(!seen.contains(&(title, key)), "{key} of {title:?}");
                    seen.push((title, key));
                }
            }
        }
    }
}

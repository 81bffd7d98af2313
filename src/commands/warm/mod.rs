//! `aside warm`: asks the running proxy for what is to be in its store before clients ask for it.
//!
//! With `--json`, one object on standard output: `{"proxy", "asked", "stored", "hits", "not_stored": {reason: count},
//! "failed": {reason: count}, "seconds", "interrupted"}`. A reason is one of `docs/reasons.md`, or why there was no answer.

mod list;
mod progress;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Uri};
use tokio::signal::ctrl_c;
use tokio::task::JoinSet;

use super::terminal::{ConfigArguments, UNAVAILABLE, USAGE, configuration, refuse, say, say_aside, say_json};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Overrides};
use crate::origin::{self, Origin, OriginError, OriginSettings, Outgoing};
use list::{Asks, List};
use progress::Progress;
use tally::{Came, Tally};

/// `aside warm`.
#[derive(Debug, Args)]
pub struct WarmArguments {
    /// What to ask for: paths, as in /fruits?page=1, or URLs whose host clients use.
    #[arg(value_name = "URL", required_unless_present = "from")]
    urls: Vec<String>,
    /// A file with a path or URL a line; `-` for standard input. Empty lines and those with a # at their beginning are
    /// skipped.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How many are asked for at once.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    #[arg(
        long,
        value_name = "URL",
        help = "The proxy, as in https://shop.example; where the configuration has it listen if not"
    )]
    proxy: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// Interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// The proxy that is asked.
struct Proxy {
    /// Whom a path is asked of.
    host: Authority,
    origin: Origin,
}

/// Asks for all of it: 0, 1 where something was not answered, 69 where nobody answers at all, 130 after an interrupt.
pub(super) fn run(arguments: &WarmArguments) -> ExitCode {
    let (url, named, settings) = match proxy(arguments) {
        Ok(proxy) => proxy,
        Err(error) => return refuse(&error),
    };
    let Some(host) = url.parse::<Uri>().ok().and_then(|url| named.or_else(|| url.authority().cloned())) else {
        say_aside(&format!("error: `{url}` is no URL of a proxy, as http://127.0.0.1:8080 is"));
        return ExitCode::from(USAGE);
    };
    let list = match List::open(&arguments.urls, arguments.from.as_deref()) {
        Ok(list) => list,
        Err(why) => {
            say_aside(&format!("error: {why}"));
            return ExitCode::from(USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say_aside(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let tally = runtime.block_on(async {
        let origin = Origin::new(Arc::new(origin::Shared::new(settings, &Clock::System)));
        warm(Arc::new(Proxy { host, origin }), list, usize::from(arguments.concurrency)).await
    });
    let printed = if arguments.json { say_json(&tally.json(&url)) } else { say(&tally.text(&url)) };
    if printed == ExitCode::SUCCESS { code(&tally, &url) } else { printed }
}

fn code(tally: &Tally, url: &str) -> ExitCode {
    if tally.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if tally.nobody_answers() {
        say_aside(&format!("error: nobody answers at {url}; is the proxy running? --proxy names another"));
        ExitCode::from(UNAVAILABLE)
    } else if tally.has_failures() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// The proxy's URL, the name that its file says clients know it by, and how it is spoken to: as the proxy speaks to an origin.
fn proxy(arguments: &WarmArguments) -> Result<(String, Option<Authority>, OriginSettings), ConfigError> {
    let (url, named) = if let Some(url) = &arguments.proxy {
        (url.trim_end_matches('/').to_owned(), None)
    } else {
        let config = configuration(&arguments.config, &Overrides::default())?;
        (listening(&config), named(&config))
    };
    // It listens nowhere; but what listens where the origin is would be refused.
    let overrides = Overrides { origin: Some(url.clone()), listen: vec![NOWHERE.to_owned()], ..Overrides::default() };
    let settings = Config::without_file(&overrides)?.origin;
    Ok((url, named, OriginSettings { max_connections: usize::from(arguments.concurrency), ..settings }))
}

const NOWHERE: &str = "127.0.0.1:0";

/// The first of the names that the file lists: what it is asked for by another one is not stored.
fn named(config: &Config) -> Option<Authority> {
    let listed = config.proxy.rules.hosts.as_ref().filter(|hosts| !hosts.keeps_others_apart())?;
    listed.first().to_string().parse().ok()
}

/// Where a proxy with this configuration is asked from the same machine.
fn listening(config: &Config) -> String {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let address = config.server.listen.first().map(|address| {
        let mut address = *address;
        match address.ip() {
            ip if !ip.is_unspecified() => {}
            std::net::IpAddr::V4(_) => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
            std::net::IpAddr::V6(_) => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        }
        address.to_string()
    });
    format!("{scheme}://{}", address.unwrap_or_default())
}

/// Asks for everything in the list, so many at once, until its end or an interrupt.
async fn warm(proxy: Arc<Proxy>, mut list: List, concurrency: usize) -> Tally {
    let mut tally = Tally::default();
    let mut progress = Progress::of(list.length());
    let mut asking = JoinSet::new();
    let interrupted = ctrl_c();
    tokio::pin!(interrupted);
    let mut has_more = true;
    while has_more || !asking.is_empty() {
        tokio::select! {
            asks = list.next(), if has_more && asking.len() < concurrency => match asks {
                Some(Ok(asks)) => drop(asking.spawn(ask(Arc::clone(&proxy), asks))),
                Some(Err(why)) => tally.count(Came::Failed(why)),
                None => has_more = false,
            },
            Some(came) = asking.join_next() => {
                tally.count(came.unwrap_or_else(|_| Came::Failed("it broke off".to_owned())));
                progress.at(&tally);
            }
            _ = &mut interrupted => {
                tally.interrupted = true;
                break;
            }
        }
    }
    progress.ends();
    tally
}

/// Asks for one thing, and takes all of its answer.
async fn ask(proxy: Arc<Proxy>, asks: Asks) -> Came {
    let Asks { host, target } = asks;
    let host = host.unwrap_or_else(|| proxy.host.clone());
    let outgoing = outgoing(&host, target);
    let answered = match proxy.origin.send(outgoing).await {
        Ok(answered) => answered,
        Err(OriginError::Connect(_) | OriginError::OutOfOrder(_)) => return Came::NobodyThere,
        Err(error) => return Came::Failed(error.to_string()),
    };
    let (head, mut body) = (answered.head, answered.body);
    while let Some(piece) = body.next().await {
        if let Err(error) = piece {
            return Came::Failed(error.to_string());
        }
    }
    Came::of(head.status, &head.headers)
}

fn outgoing(host: &Authority, target: PathAndQuery) -> Outgoing {
    let mut fields = HeaderMap::new();
    fields.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
    fields.insert(
        http::header::USER_AGENT,
        HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION"), " (warm)")),
    );
    Outgoing::get(target, fields, HeaderValue::from_str(host.as_str()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_asked_for_by_the_first_name_that_the_file_lists() {
        let of = |clients: &str| {
            let text = format!("origin = \"http://127.0.0.1:1\"\n{clients}");
            let config = Config::from_text("test.toml", &text, |_| None).ok()?;
            named(&config).map(|host| host.to_string())
        };
        assert_eq!(of("[clients]\nhosts = [\"shop.example\", \"a.example\"]\n").as_deref(), Some("shop.example"));
        assert_eq!(of(""), None, "whoever listens is asked by where that is");
    }
}

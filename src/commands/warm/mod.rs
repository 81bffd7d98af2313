//! `aside warm`: asks the running proxy for what is to be in its store before clients ask for it.
//!
//! With `--json`, one object on standard output: `{"proxy", "asked", "stored", "hits", "not_stored": {reason: count},
//! "failed": {reason: count}, "seconds", "interrupted"}`. A reason is one of `docs/reasons.md`, or why there was no answer.

mod list;
mod progress;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::signal::ctrl_c;
use tokio::task::JoinSet;

use super::failure::Failure;
use super::terminal::{ConfigArguments, UNAVAILABLE, field, say, say_aside, say_json};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Overrides, Whereabouts};
use crate::fields::HostName;
use crate::origin::{self, Origin, OriginError, OriginSettings, Outgoing};
use crate::rules::reachable;
use list::{Asks, List};
use progress::Progress;
use tally::{Came, Tally};

/// `aside warm`.
#[derive(Debug, Args)]
pub struct WarmArguments {
    /// What to ask for: paths, as in /fruits?page=1, or URLs whose scheme and host clients use.
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
    #[arg(
        long = "header",
        short = 'H',
        value_name = "FIELD",
        help = "A field that every request has, as clients send it, as in 'Accept-Language: de'; may be given several times"
    )]
    headers: Vec<String>,
    #[command(flatten)]
    config: ConfigArguments,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

/// By which scheme the client asks, as a proxy says it.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// The proxy that is asked.
struct Proxy {
    asked: Asked,
    origin: Origin,
}

/// How it is asked.
struct Asked {
    /// Whom a path is asked of.
    host: String,
    /// Whether it is asked by https.
    is_secure: bool,
    /// What every request has.
    fields: HeaderMap,
}

/// Asks for all of it: 0, 1 where something was not answered or nothing is stored, 69 where nobody answers at all, 130 after an
/// interrupt.
pub(super) fn run(arguments: &WarmArguments) -> Result<ExitCode, Failure> {
    if let Some(url) = arguments.proxy.as_deref().filter(|url| !is_of_proxy(url)) {
        let told = "is no URL of a proxy, as http://127.0.0.1:8080 or https://shop.example is";
        return Err(Failure::of_usage(format!("--proxy: `{url}` {told}")));
    }
    let (url, settings, name) = proxy(arguments)?;
    let asked = Asked::of(arguments, &url, name.as_ref()).map_err(Failure::of_usage)?;
    let list = List::open(&arguments.urls, arguments.from.as_deref()).map_err(Failure::of_usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(1, error.to_string()))?;
    let tally = runtime.block_on(async {
        let origin = Origin::new(Arc::new(origin::Shared::new(settings, &Clock::System)));
        warm(Arc::new(Proxy { asked, origin }), list, usize::from(arguments.concurrency)).await
    });
    let printed = if arguments.json { say_json(&tally.json(&url)) } else { say(&tally.text(&url)) };
    Ok(if printed == ExitCode::SUCCESS { code(&tally, &url) } else { printed })
}

fn code(tally: &Tally, url: &str) -> ExitCode {
    if tally.interrupted {
        return ExitCode::from(INTERRUPTED);
    }
    if tally.nobody_answers() {
        say_aside(&format!("error: nobody answers at {url}; is the proxy running? --proxy names another"));
        return ExitCode::from(UNAVAILABLE);
    }
    if let Some(reason) = tally.why_nothing() {
        let help = match reason {
            "host-unknown" => "write URLs with a name of `hosts` in [clients], or --header 'Host: …'",
            _ => "docs/reasons.md says what that means, and `aside explain GET URL` why",
        };
        say_aside(&format!("error: nothing of it is stored ({reason}); {help}"));
        return ExitCode::FAILURE;
    }
    if tally.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether it is `http://HOST` or `https://HOST`, with a port or not, and nothing more.
fn is_of_proxy(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else { return false };
    let plain = matches!(url.scheme_str(), Some("http" | "https")) && url.path() == "/" && url.query().is_none();
    plain && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
}

/// The proxy's URL, how it is spoken to (as the proxy speaks to an origin), and the name that its clients have for it.
fn proxy(arguments: &WarmArguments) -> Result<(String, OriginSettings, Option<HostName>), ConfigError> {
    let (url, name) = match &arguments.proxy {
        Some(url) => (url.trim_end_matches('/').to_owned(), None),
        None => listening(arguments.config.config.as_deref())?,
    };
    // It listens nowhere; but what listens where the origin is would be refused.
    let overrides = Overrides { origin: Some(url.clone()), listen: vec![NOWHERE.to_owned()], ..Overrides::default() };
    let settings = Config::without_file(&overrides)?.origin;
    Ok((url, OriginSettings { max_connections: usize::from(arguments.concurrency), ..settings }, name))
}

const NOWHERE: &str = "127.0.0.1:0";

/// Where a proxy with this configuration is asked from the same machine, and by which name; without one, where a proxy without
/// one is.
fn listening(file: Option<&Path>) -> Result<(String, Option<HostName>), ConfigError> {
    let found = Whereabouts::find(file)?;
    if let Some(error) = found.trouble {
        return Err(error);
    }
    let scheme = if found.tls { "https" } else { "http" };
    let address = found.listen.first().map(|address| reachable(*address).to_string());
    Ok((format!("{scheme}://{}", address.unwrap_or_default()), found.host))
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
    let answered = match proxy.origin.send(proxy.asked.outgoing(asks)).await {
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

impl Asked {
    /// As the arguments say, of a proxy at this URL whose clients have this name for it. The error is a sentence.
    fn of(arguments: &WarmArguments, url: &str, name: Option<&HostName>) -> Result<Self, String> {
        let uri = url.parse::<Uri>().ok();
        let Some(authority) = uri.as_ref().and_then(Uri::authority) else {
            return Err(format!("`{url}` is no URL of a proxy, as http://127.0.0.1:8080 is"));
        };
        let is_secure = uri.as_ref().and_then(Uri::scheme) == Some(&Scheme::HTTPS);
        let mut fields = HeaderMap::new();
        for line in &arguments.headers {
            let (name, value) = field(line)?;
            fields.append(name, value);
        }
        let given = fields.remove(HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
        let host = given.or(name.map(|name| name.by_scheme(is_secure))).unwrap_or_else(|| authority.to_string());
        fields.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        let own = HeaderValue::from_static(concat!("aside/", env!("CARGO_PKG_VERSION"), " (warm)"));
        fields.entry(USER_AGENT).or_insert(own);
        Ok(Self { host, is_secure, fields })
    }

    fn outgoing(&self, asks: Asks) -> Outgoing {
        let mut fields = self.fields.clone();
        // As a proxy in front of it would say: the scheme is a part of the key.
        if let Some(is_secure) = asks.is_secure.filter(|is_secure| *is_secure != self.is_secure) {
            let scheme = if is_secure { "https" } else { "http" };
            fields.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static(scheme));
        }
        let host = asks.host.as_ref().map_or(&*self.host, Authority::as_str);
        Outgoing::get(asks.target, fields, HeaderValue::from_str(host).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_by_scheme_and_host() {
        for url in ["http://127.0.0.1:8080", "https://shop.example", "https://shop.example/", "http://[::1]:8080"] {
            assert!(is_of_proxy(url), "{url}");
        }
        for text in ["foo", "foo:80", "/x", "ftp://a", "http://a/x", "http://a?x", "http://u:p@a", ""] {
            assert!(!is_of_proxy(text), "{text}");
        }
    }
}

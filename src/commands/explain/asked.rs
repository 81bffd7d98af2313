//! What is asked about: from the command line to a request.

use clap::Args;
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use serde_json::Value;

use super::super::terminal::{ConfigArguments, field};
use crate::admin::ExplainQuestion;
use crate::config::Config;
use crate::fields::{TRACEPARENT, TraceParent};
use crate::handler::Client;
use crate::rules::{AskedHost, Fill, Hosts, reachable};

/// `aside explain`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option that a person may give")]
pub struct ExplainArguments {
    /// The method, as in GET or PUT.
    method: String,
    /// The path and query, or the whole URL.
    url: String,
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    /// Read no file at all, also where there is a ./proxy.toml: what every default does.
    #[arg(long, conflicts_with = "config")]
    pub(super) no_config: bool,
    /// Look into the store too: what is stored for this GET or HEAD, and why it is or is not reused now. The running process
    /// tells; where it cannot be asked, a store in Redis can be looked into. Nothing is written, and the origin is not asked.
    #[arg(long)]
    pub(super) live: bool,
    #[arg(
        long,
        value_name = "PLACE",
        requires = "live",
        help = "The admin listener of the process that tells, as in unix:/run/aside/admin.sock or http://127.0.0.1:9900; by \
                default where the configuration says"
    )]
    pub(super) admin: Option<String>,
    /// The host that the client asks, with the port if it is not the scheme's own; by default the first of `hosts` in
    /// [clients], or else the first address of `listen`.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The client asks by https; so it is where [tls] or `secure` in [clients] is set, or the URL says so.
    #[arg(long)]
    https: bool,
    /// A field of the request, as in 'Accept: text/csv'; may be given several times.
    #[arg(long = "header", short = 'H', value_name = "FIELD")]
    headers: Vec<String>,
    /// The JSON body of the request.
    #[arg(long, short, value_name = "JSON")]
    data: Option<String>,
    /// The JSON body that the origin answers.
    #[arg(long, value_name = "JSON")]
    response: Option<String>,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(in crate::commands) json: bool,
}

/// The request that is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) fields: HeaderMap,
    /// The host of the URL, of `--host` or of the Host field.
    pub(super) host: Option<String>,
    /// Whether it asks by https; `None` for what the listener speaks.
    pub(super) secure: Option<bool>,
    pub(super) data: Option<Value>,
    pub(super) response: Option<Value>,
}

impl Asked {
    /// What a question asks about; the error names the part that is to blame and says why.
    pub(super) fn of(question: &ExplainQuestion) -> Result<Self, (&'static str, String)> {
        let method = method(&question.method).map_err(|why| ("method", why))?;
        let (target, authority) = target(&question.url).map_err(|why| ("url", why))?;
        let mut fields = HeaderMap::new();
        for line in &question.fields {
            let (name, value) = field(line).map_err(|why| ("header", why))?;
            fields.append(name, value);
        }
        let given = fields.remove(HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
        Ok(Self {
            method,
            target,
            fields,
            host: question.host.clone().or(authority).or(given),
            secure: question.https.then_some(true).or(scheme_of(&question.url)),
            data: None,
            response: None,
        })
    }

    pub(super) fn query(&self) -> &str {
        self.target.query().unwrap_or_default()
    }

    /// The host that a client sends: by default the first that this proxy is known by.
    pub(super) fn host(&self, config: &Config) -> String {
        self.host.clone().unwrap_or_else(|| {
            let hosts = config.proxy.rules.hosts.clone().unwrap_or_else(|| Hosts::of_listeners(&config.server.listen));
            hosts.first().by_scheme(self.secure(config))
        })
    }

    /// A fill with what goes along although it is in no key: the trace, and the Host that the origin sees where that is the
    /// client's.
    pub(super) fn as_sent(&self, mut fill: Fill, config: &Config) -> Fill {
        if let Some(trace) = TraceParent::of(&self.fields).and_then(|trace| trace.value()) {
            fill.fields.entry(TRACEPARENT).or_insert(trace);
        }
        let Some(hosts) = &config.proxy.rules.hosts else { return fill };
        let secure = self.secure(config);
        let host = match hosts.asked(&self.host(config), secure) {
            AskedHost::Known => hosts.first().by_scheme(secure),
            AskedHost::Other(host) => host,
        };
        fill.fields.extend(HeaderValue::from_str(&host).ok().map(|host| (HOST, host)));
        fill
    }

    pub(super) fn secure(&self, config: &Config) -> bool {
        self.secure == Some(true) || config.server.is_secure()
    }

    /// The request's head as it stands on the wire.
    pub(super) fn head(&self, config: &Config) -> Result<Parts, http::Error> {
        let request = Request::builder().method(&self.method).uri(self.target.as_str());
        let (mut head, ()) = request.header(HOST, self.host(config)).body(())?.into_parts();
        head.headers.extend(self.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(head)
    }

    /// A client on this machine.
    pub(super) fn client(&self, config: &Config) -> Client {
        let listener = config.server.listen.first().map(|address| reachable(*address).ip());
        Client { address: listener, secure: self.secure(config), ..Client::default() }
    }
}

impl ExplainArguments {
    /// The same as a running process is asked it.
    pub(super) fn question(&self) -> ExplainQuestion {
        ExplainQuestion {
            method: self.method.clone(),
            url: self.url.clone(),
            host: self.host.clone(),
            https: self.https,
            fields: self.headers.clone(),
        }
    }
}

pub(super) fn asked(arguments: &ExplainArguments) -> Result<Asked, String> {
    let asked = Asked::of(&arguments.question()).map_err(|(_, why)| why)?;
    if arguments.live && (!matches!(asked.method, Method::GET | Method::HEAD) || arguments.data.is_some()) {
        return Err("--live is about GET and HEAD without a body: only their answers are stored".to_owned());
    }
    let data = body("--data", arguments.data.as_deref())?;
    Ok(Asked { data, response: body("--response", arguments.response.as_deref())?, ..asked })
}

fn method(text: &str) -> Result<Method, String> {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(format!("methods are upper-case: write {}", text.to_ascii_uppercase()));
    }
    Method::from_bytes(text.as_bytes()).map_err(|_| format!("`{text}` is no method; write GET, PUT or another"))
}

fn target(text: &str) -> Result<(PathAndQuery, Option<String>), String> {
    let help = "write a path, as in /orders/99?x=1, or a whole URL; other characters than ASCII are percent-encoded";
    let uri: Uri = text.parse().map_err(|_| format!("`{text}` is no URL; {help}"))?;
    let authority =
        uri.authority().map(|authority| authority.as_str().rsplit('@').next().unwrap_or_default().to_owned());
    if text.starts_with('/') != authority.is_none() || (authority.is_some() && uri.scheme().is_none()) {
        return Err(format!("`{text}` is neither a path nor a URL; {help}"));
    }
    match uri.path_and_query() {
        Some(target) if target.as_str().starts_with('/') => Ok((target.clone(), authority)),
        Some(target) => {
            let target = format!("/{}", target.as_str()).parse().map_err(|_| format!("`{text}` is no URL; {help}"))?;
            Ok((target, authority))
        }
        None => Ok((PathAndQuery::from_static("/"), authority)),
    }
}

/// Whether a URL says https; `None` for a path.
fn scheme_of(text: &str) -> Option<bool> {
    let (scheme, _) = text.split_once("://").filter(|_| !text.starts_with('/'))?;
    Some(scheme.eq_ignore_ascii_case("https"))
}

fn body(option: &str, text: Option<&str>) -> Result<Option<Value>, String> {
    let parsed = text.map(serde_json::from_str).transpose();
    parsed.map_err(|error| format!("{option} is not JSON: {error}; write it as in {option} '{{\"id\": 1}}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_paths_or_urls() {
        let read = |text| target(text).map(|(target, host)| (target.as_str().to_owned(), host));
        assert_eq!(read("/a?b=1"), Ok(("/a?b=1".to_owned(), None)));
        assert_eq!(read("http://h:1/a?b"), Ok(("/a?b".to_owned(), Some("h:1".to_owned()))));
        assert_eq!(read("http://h"), Ok(("/".to_owned(), Some("h".to_owned()))));
        assert_eq!(read("http://u:p@h?x"), Ok(("/?x".to_owned(), Some("h".to_owned()))));
        for text in ["orders/1", "a b", "", "/caf\u{e9} x", "h:80"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

//! `redis://…` as a user writes it; its password is shown to nobody.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::tls::Tls;

const DEFAULT_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// More sentinels than this are a slip.
const MOST_SENTINELS: usize = 32;

/// Where a Redis is, who to be there, and how it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) endpoint: Endpoint,
    pub(super) login: Login,
    pub(super) database: u8,
    /// How TLS is spoken, where it is.
    pub(super) tls: Option<Box<Tls>>,
    /// Who to be at the sentinels.
    pub(super) sentinel_login: Login,
}

/// How a Redis is reached.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { address: Address, secure: bool },
    Unix(PathBuf),
    Sentinel { sentinels: Vec<Address>, name: String, secure: bool },
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Who to be, if anybody.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl RedisUrl {
    /// Reads `redis://[user:password@]host[:port][/database]`; `redis+unix://[user:password@]/path/to/socket[?db=database]`; or
    /// `redis+sentinel://[user:password@]host[:port],host[:port]/name[/database]`, where the login is the master's. With
    /// `rediss` in place of `redis` it is TLS, but for a socket.
    ///
    /// The error is a sentence without a full stop, and after its last `; ` perhaps what to write. It never repeats what may be
    /// part of a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("a Redis URL looks like redis://127.0.0.1:6379/0".to_owned());
        };
        match scheme {
            "redis" => Self::parse_tcp(rest, false),
            "rediss" => Self::parse_tcp(rest, true),
            "redis+unix" => Self::parse_unix(rest),
            "redis+sentinel" => Self::parse_sentinel(rest, false),
            "rediss+sentinel" => Self::parse_sentinel(rest, true),
            "redis+cluster" => Err(format!("{scheme}:// is not supported by this version")),
            _ => Err("a Redis URL must begin with redis://, rediss:// (TLS), redis+unix:// (a socket file) or \
                      redis+sentinel://"
                .to_owned()),
        }
    }

    /// The same with the way that TLS is spoken.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(Box::new(tls)), ..self }
    }

    /// The same with who to be at the sentinels, which have users of their own.
    #[must_use]
    pub fn with_sentinel_login(self, user: Option<String>, password: Option<String>) -> Self {
        Self { sentinel_login: Login { user, password }, ..self }
    }

    /// Whether TLS is spoken.
    pub fn is_secure(&self) -> bool {
        matches!(self.endpoint, Endpoint::Tcp { secure: true, .. } | Endpoint::Sentinel { secure: true, .. })
    }

    /// Whether sentinels say where it is.
    pub fn has_sentinels(&self) -> bool {
        matches!(self.endpoint, Endpoint::Sentinel { .. })
    }

    fn of(endpoint: Endpoint, login: Login, database: u8) -> Self {
        Self { endpoint, login, database, tls: None, sentinel_login: Login::default() }
    }

    fn parse_tcp(rest: &str, secure: bool) -> Result<Self, String> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        refuse_strays(rest, path)?;
        let (login, address) = Login::split(authority)?;
        let address = Address::parse(address, DEFAULT_PORT)?;
        let database = parse_database(path, "redis://localhost:6379/1")?;
        Ok(Self::of(Endpoint::Tcp { address, secure }, login, database))
    }

    fn parse_unix(rest: &str) -> Result<Self, String> {
        let hint = || {
            "a socket file needs three slashes; write redis+unix:///run/redis/redis.sock, with ?db=1 for another database"
                .to_owned()
        };
        let start = rest.find('/').ok_or_else(hint)?;
        let (authority, path) = rest.split_at(start);
        let (login, host) = Login::split(authority)?;
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        if !host.is_empty() || path.len() < 2 || path.contains('#') {
            return Err(hint());
        }
        let database = match query.map(|query| query.strip_prefix("db=")) {
            None => "",
            Some(Some(database)) if !database.is_empty() => database,
            Some(_) => return Err("after the `?` of a socket file only db=1 or the like is known".to_owned()),
        };
        let database = parse_database(database, "redis+unix:///run/redis/redis.sock?db=1")?;
        Ok(Self::of(Endpoint::Unix(decode(path)?.into()), login, database))
    }

    fn parse_sentinel(rest: &str, secure: bool) -> Result<Self, String> {
        let example = "redis+sentinel://10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379/mymaster";
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        refuse_strays(rest, path)?;
        let (login, list) = Login::split(authority)?;
        let mut sentinels = Vec::new();
        for address in list.split(',').map(str::trim) {
            let address = Address::parse(address, SENTINEL_PORT)?;
            if sentinels.contains(&address) {
                return Err("a sentinel is listed twice".to_owned());
            }
            sentinels.push(address);
        }
        if sentinels.len() > MOST_SENTINELS {
            return Err(format!("there are more than {MOST_SENTINELS} sentinels; three or five are enough"));
        }
        let (name, database) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(format!("the name by which the sentinels know their master is missing; write {example}"));
        }
        let name = decode(name)?;
        if name.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(format!("the master's name cannot have a space in it; write {example}"));
        }
        let database = parse_database(database, "redis+sentinel://10.0.0.1,10.0.0.2/mymaster/1")?;
        Ok(Self::of(Endpoint::Sentinel { sentinels, name, secure }, login, database))
    }

    /// `host:port`, the path of the socket, or the name of the master and its sentinels: for logs.
    pub fn address(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp { address, .. } => address.to_string(),
            Endpoint::Unix(path) => path.display().to_string(),
            Endpoint::Sentinel { sentinels, name, .. } => format!("{name} of Sentinel {}", listed(sentinels, ", ")),
        }
    }
}

impl Address {
    /// Reads `host[:port]`.
    fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let port_error = "the host must be followed by `:` and a port number; in a password write %40 for `@`, %3A for \
                          `:` and %2F for `/`";
        let brackets = "an IPv6 address needs brackets; write redis://[::1]:6379";
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(brackets)?;
                if host.parse::<Ipv6Addr>().is_err() {
                    return Err("between the brackets there is no IPv6 address".to_owned());
                }
                let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(port_error)?) };
                (host, port)
            }
            None if text.parse::<Ipv6Addr>().is_ok() => return Err(brackets.to_owned()),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err("the URL has no host, or an empty one in its list".to_owned());
        }
        if host.chars().any(|character| !character.is_alphanumeric() && !matches!(character, '.' | '-' | '_' | ':')) {
            return Err("a host has a character in it that none can have".to_owned());
        }
        let Some(port) = port else { return Ok(Self { host: host.to_owned(), port: default_port }) };
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(port_error.to_owned());
        }
        let port = port.parse().ok().filter(|port| *port > 0).ok_or("a port must be a number from 1 to 65535")?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl Login {
    /// The login of `[[user]:password@]address`, and the address.
    fn split(authority: &str) -> Result<(Self, &str), String> {
        let Some((login, address)) = authority.rsplit_once('@') else {
            return Ok((Self::default(), authority));
        };
        let Some((user, password)) = login.split_once(':') else {
            return Err("a login must be user:password@ or, for the default user, :password@".to_owned());
        };
        let user = Some(decode(user)?).filter(|user| !user.is_empty());
        let password = Some(decode(password)?).filter(|password| !password.is_empty());
        if user.is_some() && password.is_none() {
            return Err("the login has a user but no password".to_owned());
        }
        Ok((Self { user, password }, address))
    }
}

/// Refuses what cannot stand in a URL as it is: most likely it is of a password. `path` is what follows the first slash.
fn refuse_strays(rest: &str, path: &str) -> Result<(), String> {
    if path.contains('@') {
        return Err("a `/` in the user name or password must be written as %2F".to_owned());
    }
    if path.starts_with("?db=") {
        return Err("the database stands after a slash; write redis://localhost:6379/1".to_owned());
    }
    if rest.contains(['?', '#']) {
        return Err("a Redis URL cannot contain `?` or `#`; in a password write %3F and %23".to_owned());
    }
    Ok(())
}

/// Reads the number of a database; none is the first.
fn parse_database(digits: &str, example: &str) -> Result<u8, String> {
    let number = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None };
    let none = digits.is_empty().then_some(0);
    none.or(number).ok_or_else(|| format!("the database must be a number from 0 to 255; write {example}"))
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| "a percent-encoded part of the URL is not UTF-8")?.into_owned())
}

fn listed(addresses: &[Address], between: &str) -> String {
    addresses.iter().map(Address::to_string).collect::<Vec<_>>().join(between)
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(out, "[{host}]:{port}") } else { write!(out, "{host}:{port}") }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.password) {
            (Some(user), _) => write!(out, "{user}:***@"),
            (None, Some(_)) => out.write_str(":***@"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { login, database, .. } = self;
        let scheme = if self.is_secure() { "rediss" } else { "redis" };
        match &self.endpoint {
            Endpoint::Tcp { address, .. } => write!(out, "{scheme}://{login}{address}/{database}"),
            Endpoint::Unix(path) if *database == 0 => write!(out, "redis+unix://{login}{}", path.display()),
            Endpoint::Unix(path) => write!(out, "redis+unix://{login}{}?db={database}", path.display()),
            Endpoint::Sentinel { sentinels, name, .. } => {
                write!(out, "{scheme}+sentinel://{login}{}/{name}/{database}", listed(sentinels, ","))
            }
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_meant() {
        for (text, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://localhost/", "redis://localhost:6379/0"),
            ("redis://10.0.0.7:6380/3", "redis://10.0.0.7:6380/3"),
            ("redis://[::1]", "redis://[::1]:6379/0"),
            ("redis://[::1]:7000/1", "redis://[::1]:7000/1"),
            ("rediss://cache.example", "rediss://cache.example:6379/0"),
            ("redis://:hush@cache", "redis://:***@cache:6379/0"),
            ("redis://app:hush@cache:1", "redis://app:***@cache:1/0"),
            ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
            ("redis+unix:///run/redis.sock?db=2", "redis+unix:///run/redis.sock?db=2"),
            ("redis+unix:///run/a%3Fb%20c.sock?db=0", "redis+unix:///run/a?b c.sock"),
            ("redis+sentinel://a,b:1,[::1]/mymaster", "redis+sentinel://a:26379,b:1,[::1]:26379/mymaster/0"),
            ("redis+sentinel://:hush@a, b/my%2Fmaster/3", "redis+sentinel://:***@a:26379,b:26379/my/master/3"),
            ("rediss+sentinel://app:hush@10.0.0.1/m/", "rediss+sentinel://app:***@10.0.0.1:26379/m/0"),
            ("redis+unix://app:hush@/run/redis.sock", "redis+unix://app:***@/run/redis.sock"),
        ] {
            assert_eq!(RedisUrl::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn logins_are_percent_decoded() {
        let url = RedisUrl::parse("redis://a%40b:p%2Fs%3As%25@cache").unwrap();
        assert_eq!((url.login.user.as_deref(), url.login.password.as_deref()), (Some("a@b"), Some("p/s:s%")));
        let url = RedisUrl::parse("redis://app:at@sign@cache").unwrap();
        assert_eq!(url.login.password.as_deref(), Some("at@sign"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_repeating_it() {
        for text in [
            "hush",
            "http://hush",
            "redis://",
            "redis://hush@cache",
            "redis://app:@cache-hush",
            "redis://:hu/sh@cache",
            "redis://:hush@cache:many",
            "redis://:hush@cache/many",
            "redis://:hush@cache/0?x=hush",
            "redis://[::1",
            "redis://:%FFhush@cache",
            "redis+unix://hush",
            "redis+unix://:hush@host/run/redis.sock",
            "redis://hush cache",
            "redis://:hush@cache:0",
            "redis://:hush@cache:65536",
            "redis://:hush@cache:+1",
            "redis://:hush@cache/256",
            "redis://:hush@cache/+1",
            "redis://:hush@cache/?db=1",
            "redis://:hush@::1",
            "redis://:hush@[hush]",
            "redis+unix:///hush?db=",
            "redis+unix:///run/redis.sock?password=hush",
            "redis+unix:///run/redis.sock?db=hush",
            "redis+unix:///run/redis.sock?db=1&password=hush",
            "redis+sentinel://:hush@a:1,b:2",
            "redis+sentinel://:hush@a:1,b:2/",
            "redis+sentinel://:hush@a,,b/mymaster",
            "redis+sentinel://:hush@a,b,/mymaster",
            "redis+sentinel://:hush@a,b,a:26379/mymaster",
            "redis+sentinel://:hush@a:99999,b/mymaster",
            "redis+sentinel://:hush@::1,b/mymaster",
            "redis+sentinel://:hush@[::1,b/mymaster",
            "redis+sentinel://:hush@a,b/mymaster/hush",
            "redis+sentinel://:hush@a,b/hush hush",
            "redis+sentinel://:hush@a,b/mymaster?hush",
            "redis+sentinel://:hu/sh@a,b/mymaster",
            "redis+cluster://:hush@a:1",
        ] {
            let error = RedisUrl::parse(text).unwrap_err();
            assert!(!error.contains("hush") && !error.contains("hu/sh"), "{error}");
        }
    }

    #[test]
    fn no_output_has_the_password() {
        let url = RedisUrl::parse("redis://app:hush@cache").unwrap();
        assert!(!format!("{url} {url:?} {:?}", Some(&url)).contains("hush"));
    }
}

//! `redis://…` as a user writes it; its password is shown to nobody.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

const DEFAULT_PORT: u16 = 6379;

/// Where a Redis is, and who to be there.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    pub(super) endpoint: Endpoint,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u8,
}

/// How a Redis is reached.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl RedisUrl {
    /// Reads `redis://[user:password@]host[:port][/database]`, the same with `rediss://` for TLS, or
    /// `redis+unix:///path/to/socket`.
    ///
    /// The error is a sentence without a full stop. It never repeats what may be part of a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("a Redis URL looks like redis://127.0.0.1:6379/0".to_owned());
        };
        match scheme {
            "redis" => Self::parse_tcp(rest, false),
            "rediss" => Self::parse_tcp(rest, true),
            "redis+unix" => Self::parse_unix(rest),
            "redis+sentinel" | "redis+cluster" => Err(format!(
                "{scheme}:// is not supported yet; until then name the master itself, as in \
                 redis://10.0.0.7:6379"
            )),
            _ => {
                Err("a Redis URL must begin with redis://, rediss:// (TLS) or redis+unix:// (a socket file)".to_owned())
            }
        }
    }

    fn parse_tcp(rest: &str, tls: bool) -> Result<Self, String> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains('@') {
            return Err("a `/` in the user name or password must be written as %2F".to_owned());
        }
        if rest.contains(['?', '#']) {
            return Err("a Redis URL cannot contain `?` or `#`; in a password write %3F and %23".to_owned());
        }
        let (user, password, address) = split_login(authority)?;
        let (host, port) = split_port(address)?;
        let database = match path {
            "" => 0,
            digits => digits
                .parse()
                .map_err(|_| "the database must be a number from 0 to 255, as in redis://localhost:6379/1")?,
        };
        Ok(Self { endpoint: Endpoint::Tcp { host, port, tls }, user, password, database })
    }

    fn parse_unix(rest: &str) -> Result<Self, String> {
        let hint = || "a socket file needs three slashes, as in redis+unix:///run/redis/redis.sock".to_owned();
        let start = rest.find('/').ok_or_else(hint)?;
        let (authority, path) = rest.split_at(start);
        let (user, password, host) = split_login(authority)?;
        if !host.is_empty() || path.len() < 2 {
            return Err(hint());
        }
        Ok(Self { endpoint: Endpoint::Unix(decode(path)?.into()), user, password, database: 0 })
    }

    /// `host:port` or the path of the socket: for logs.
    pub fn address(&self) -> String {
        match &self.endpoint {
            Endpoint::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp { host, port, .. } => format!("{host}:{port}"),
            Endpoint::Unix(path) => path.display().to_string(),
        }
    }
}

/// User, password and what is left of `[user][:password]@address`.
fn split_login(authority: &str) -> Result<(Option<String>, Option<String>, &str), String> {
    let Some((login, address)) = authority.rsplit_once('@') else {
        return Ok((None, None, authority));
    };
    let Some((user, password)) = login.split_once(':') else {
        return Err("a login must be user:password@ or, for the default user, :password@".to_owned());
    };
    let user = Some(decode(user)?).filter(|user| !user.is_empty());
    let password = Some(decode(password)?).filter(|password| !password.is_empty());
    if user.is_some() && password.is_none() {
        return Err("the login has a user but no password".to_owned());
    }
    Ok((user, password, address))
}

fn split_port(address: &str) -> Result<(String, u16), String> {
    let port_error = "the host must be followed by `:` and a port number; in a password write %40 for `@`, %3A for `:` and %2F for `/`";
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or("an IPv6 address needs brackets, as in redis://[::1]:6379")?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(port_error)?) };
            (host, port)
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err("the URL has no host".to_owned());
    }
    let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| port_error))?;
    Ok((host.to_owned(), port))
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| "a percent-encoded part of the URL is not UTF-8")?.into_owned())
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, database) = match &self.endpoint {
            Endpoint::Tcp { tls: false, .. } => ("redis", Some(self.database)),
            Endpoint::Tcp { tls: true, .. } => ("rediss", Some(self.database)),
            Endpoint::Unix(_) => ("redis+unix", None),
        };
        write!(out, "{scheme}://")?;
        match (&self.user, &self.password) {
            (Some(user), _) => write!(out, "{user}:***@")?,
            (None, Some(_)) => out.write_str(":***@")?,
            (None, None) => {}
        }
        out.write_str(&self.address())?;
        database.map_or(Ok(()), |database| write!(out, "/{database}"))
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
            ("redis+unix://app:hush@/run/redis.sock", "redis+unix://app:***@/run/redis.sock"),
        ] {
            assert_eq!(RedisUrl::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn logins_are_percent_decoded() {
        let url = RedisUrl::parse("redis://a%40b:p%2Fs%3As%25@cache").unwrap();
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("a@b"), Some("p/s:s%")));
        let url = RedisUrl::parse("redis://app:at@sign@cache").unwrap();
        assert_eq!(url.password.as_deref(), Some("at@sign"));
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
            "redis+sentinel://:hush@a:1,b:2/mymaster",
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

//! Why Redis cannot be used: what an error of the client or the server means, in words without secrets.

use std::fmt;

use fred::error::{Error, ErrorKind};

use crate::tls;

/// An error's text from the server is cut here.
const TEXT_LIMIT: usize = 200;

/// Why Redis cannot be used. The texts have no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// It is not there, not answering or not ready.
    Unreachable(String),
    /// It does not accept the login.
    Login(String),
    /// It is not a master.
    Replica,
    /// It does not take what this store needs of it.
    Unfit(String),
    /// The sentinels name no master.
    Sentinel(String),
}

impl Outage {
    /// Which of the kinds of an outage it is, as its episode numbers them.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Unreachable(_) => 0,
            Self::Login(_) => 1,
            Self::Replica => 2,
            Self::Unfit(_) => 3,
            Self::Sentinel(_) => 4,
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(text) | Self::Sentinel(text) => out.write_str(text),
            Self::Login(text) => write!(out, "it refuses the login: {text}"),
            Self::Replica => out
                .write_str("it is a replica, which takes no writes and may lag behind: name its master in [store] url"),
            Self::Unfit(text) => write!(out, "it refuses what aside needs: {text}"),
        }
    }
}

/// Whether an error is the server's answer, which begins with a code in capitals, and not the client's own.
pub(super) fn is_reply(text: &str) -> bool {
    let code = text.split(' ').next().unwrap_or_default();
    code.len() > 1 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Why Redis cannot be used, by an error of the client or the server.
pub(super) fn outage(error: &Error) -> Outage {
    let text = error.details();
    let login = ["NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password", "ERR invalid username"];
    if *error.kind() == ErrorKind::Auth || login.iter().any(|code| text.starts_with(code)) {
        Outage::Login(plain(text))
    } else if is_reply(text) && !["LOADING", "MASTERDOWN", "BUSY"].iter().any(|code| text.starts_with(code)) {
        Outage::Unfit(denied(text).unwrap_or_else(|| plain(text)))
    } else {
        Outage::Unreachable(tls::explain_printed(text, "[store.tls]").unwrap_or_else(|| plain(text)))
    }
}

/// What to do about a command that a user may not run.
fn denied(text: &str) -> Option<String> {
    let (command, _) = text.strip_prefix("NOPERM")?.split_once("run the '")?.1.split_once('\'')?;
    Some(format!("its user may not run {}: ACL SETUSER with +{command} allows it", command.to_uppercase()))
}

/// An error's text for people: fred prints I/O errors as Rust does, with the message inside.
pub(super) fn plain(text: &str) -> String {
    let message = text.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    let text = message.map_or(text, |(message, _)| message).trim_end_matches('.');
    text.chars().filter(|character| !character.is_control()).take(TEXT_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_server_are_told_from_those_of_the_client() {
        for text in ["ERR unknown command", "WRONGTYPE Operation", "OOM command not allowed", "NOAUTH"] {
            assert!(is_reply(text), "{text}");
        }
        for text in ["Connection closed.", "channel closed", "Request timed out.", "", "Os { code: 111 }"] {
            assert!(!is_reply(text), "{text}");
        }
    }

    #[test]
    fn texts_are_made_plain() {
        let text = r#"Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }"#;
        assert_eq!(plain(text), "Connection refused");
        assert_eq!(plain("Connection closed."), "Connection closed");
        assert_eq!(plain("a\r\nb"), "ab");
        assert_eq!(plain(&"x".repeat(1000)).len(), TEXT_LIMIT);
    }
}

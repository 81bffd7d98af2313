//! `vary`: the request fields in the key.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderName};

use super::findings::{Findings, Problem, Text};
use super::forms::List;
use crate::policy::{is_credential, is_forgeable};
use crate::rules::is_dealt_with;

/// The fields; Accept and Accept-Language unless the file says otherwise.
pub(super) fn mean(written: Option<List<Text>>, findings: &mut Findings<'_>) -> Vec<HeaderName> {
    let Some(List(texts)) = written else { return vec![ACCEPT, ACCEPT_LANGUAGE] };
    let mut names = Vec::new();
    for text in &texts {
        let Some(name) = findings.check(text, field(text.get_ref())) else { continue };
        if names.contains(&name) {
            findings.error(text.span(), format!("`{}` stands twice", text.get_ref()), "delete one of the two");
        } else {
            names.push(name);
        }
    }
    names
}

const HOSTS: &str =
    "delete it; where the origin sees the client's Host (host = \"client\" in [origin]) hosts are told apart already";

fn field(text: &str) -> Result<HeaderName, Problem> {
    let name: HeaderName = text.parse().map_err(|_| {
        let help = "write the name of a request field, as in \"Accept-Language\"";
        Problem::new(format!("`{text}` is no field name"), help)
    })?;
    let refuse = |message: String, help: &str| Err(Problem::new(message, help));
    match name.as_str() {
        "cookie" => refuse("cookies are not keyed by `vary`".to_owned(), "write cookies = \"key\""),
        "authorization" => refuse("`Authorization` is not keyed by `vary`".to_owned(), "write authorization = \"key\""),
        "host" => refuse("`Host` is not keyed by `vary`".to_owned(), HOSTS),
        "*" => refuse(
            "`*` is no field name".to_owned(),
            "name each field; a request that differs in others is not told apart",
        ),
        "origin" => refuse("`Origin` is in every key as it is".to_owned(), "delete it"),
        _ if is_dealt_with(&name) => {
            refuse(format!("`{text}` does not select an answer"), "delete it; it is dealt with by the proxy itself")
        }
        "x-forwarded-proto" => refuse(format!("`{text}` is in every key as it is"), "delete it"),
        _ if is_forgeable(&name) => refuse(format!("a client's `{text}` never reaches the origin"), HOSTS),
        _ if is_credential(&name) => {
            refuse(format!("`{text}` names a person, as Authorization does"), "write authorization = \"key\"")
        }
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        assert_eq!(field("Accept-Encoding").unwrap().as_str(), "accept-encoding");
        assert_eq!(mean(None, &mut Findings::new("")), [ACCEPT, ACCEPT_LANGUAGE]);
        assert_eq!(mean(Some(List(Vec::new())), &mut Findings::new("")), [] as [HeaderName; 0]);
    }

    #[test]
    fn what_cannot_be_keyed_says_what_to_write() {
        for (text, help) in [
            ("Cookie", "cookies = \"key\""),
            ("authorization", "authorization = \"key\""),
            ("X-Api-Key", "authorization = \"key\""),
            ("Host", "host = \"client\""),
            ("X-Forwarded-Host", "host = \"client\""),
            ("X-Forwarded-Proto", "delete it"),
            ("If-None-Match", "delete it"),
            ("*", "name each field"),
            ("a b", "\"Accept-Language\""),
            ("", "\"Accept-Language\""),
        ] {
            let problem = field(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }
}

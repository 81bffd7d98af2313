//! `key`, `query`, `vary` and `tags`: what tells the answers of a route apart, and whether a read can give every variable a
//! value.

use std::ops::Range;

use http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderName};
use toml::Spanned;

use super::findings::{Findings, Problem, Text, closest};
use super::forms::List;
use crate::policy::{is_credential, is_forgeable};
use crate::rules::{PathPattern, RouteQuery, Source, Template, is_dealt_with};

/// The variables that a read of a route has.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadNames<'a> {
    pub(super) path: &'a PathPattern,
    pub(super) query: &'a RouteQuery,
}

impl<'a> ReadNames<'a> {
    fn listed(self) -> &'a [String] {
        match self.query {
            RouteQuery::Raw => &[],
            RouteQuery::Listed(names) => names,
        }
    }

    fn all(self) -> impl Iterator<Item = &'a str> {
        self.path.variables().chain(self.listed().iter().map(String::as_str))
    }
}

/// The key's template: the written one, or path and listed query.
pub(super) fn key(raw: Option<&Text>, names: ReadNames<'_>, findings: &mut Findings<'_>) -> Template {
    let default = Template::of_path(names.path.as_str(), names.listed());
    let Some(text) = raw else { return default };
    let Some(template) = template(text, findings) else {
        findings.unread(&text.span(), Some("key"));
        return default;
    };
    let mut known = true;
    for source in template.variables() {
        match source {
            Source::Name(name) => known &= is_known(text, name, names, findings),
            Source::Body(_) => {
                let help = "take it from the path or the query; a read has no body";
                findings.error(place_of(text, "body:", findings), "a key cannot come from a request body", help);
            }
            Source::Response(_) => {
                let help = "take it from the path or the query; `tags` may look into the response";
                let message = "a key cannot come from the response: a lookup has none yet";
                findings.error(place_of(text, "response:", findings), message, help);
            }
        }
    }
    // A misspelt variable is most often the one that is missing: one error is enough.
    for name in names.all().filter(|name| known && !template.uses(name)) {
        findings.lacks(
            text.span(),
            &["path", "query"],
            format!("`{{{name}}}` is not in the key: two of them would share one entry"),
            format!("add {{{name}}}, as in \"{}:{{{name}}}\", or leave `key` out", text.get_ref()),
        );
    }
    template
}

/// A route's extra tags.
pub(super) fn tags(raw: &[Text], names: ReadNames<'_>, findings: &mut Findings<'_>) -> Vec<Template> {
    let mut tags = Vec::new();
    for text in raw {
        let Some(template) = template(text, findings) else { continue };
        for source in template.variables() {
            match source {
                Source::Name(name) => {
                    is_known(text, name, names, findings);
                }
                Source::Body(_) => {
                    let help = "take it from the answer, as in \"customer:{response:/customer_id}\"";
                    findings.error(place_of(text, "body:", findings), "a read has no body", help);
                }
                Source::Response(_) => {}
            }
        }
        tags.push(template);
    }
    tags
}

/// Reads one template.
pub(super) fn template(text: &Text, findings: &mut Findings<'_>) -> Option<Template> {
    let help = "write text and variables, as in \"fruit:{id}\" or \"customer:{response:/customer_id}\"";
    findings.check(text, Template::parse(text.get_ref()).map_err(|error| Problem::of_pattern(error, help)))
}

/// Whether a read has the variable; says so if not.
fn is_known(text: &Text, name: &str, names: ReadNames<'_>, findings: &mut Findings<'_>) -> bool {
    if names.all().any(|known| known == name) {
        return true;
    }
    let help = match closest(name, names.all()) {
        Some(near) => format!("write {{{near}}}"),
        None => match names.query {
            RouteQuery::Raw => format!("list the parameter: query = [\"{name}\"]"),
            RouteQuery::Listed(_) => format!("add it to `query`: \"{name}\""),
        },
    };
    let place = place_of(text, name, findings);
    findings.lacks(place, &["path", "query"], format!("`{{{name}}}` is neither in the path nor in `query`"), help);
    false
}

/// The place of a variable in a template's text.
fn place_of(text: &Text, variable: &str, findings: &Findings<'_>) -> Range<usize> {
    match text.get_ref().find(&format!("{{{variable}")) {
        Some(at) => findings.inside(text, at + 1),
        None => text.span(),
    }
}

/// The query parameters that count: all of them, byte for byte, unless the file lists some.
pub(super) fn query(
    raw: Option<Spanned<List<Text>>>,
    path: &PathPattern,
    key: Option<&Text>,
    findings: &mut Findings<'_>,
) -> RouteQuery {
    let Some(raw) = raw else { return RouteQuery::Raw };
    let mut names: Vec<String> = Vec::new();
    for text in raw.into_inner().0 {
        let name = text.get_ref().as_str();
        if names.iter().any(|known| known == name) {
            findings.error(text.span(), format!("`{name}` stands twice"), "delete one of the two");
        } else if path.variables().any(|variable| variable == name) {
            let help = "call the variable of the path something else";
            findings.error(text.span(), format!("`{name}` is a variable of the path already"), help);
        } else if name.is_empty() || !name.bytes().all(stands_in_keys) {
            let help = "write the parameter's name, as in query = [\"page\"]; without `query` all parameters count";
            findings.error(text.span(), format!("`{name}` is no parameter that can stand in a key"), help);
        } else if key.is_some() && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            let help = "leave `key` out: path and listed parameters then make the key";
            findings.error(text.span(), format!("no `key` can name the parameter `{name}`"), help);
        } else {
            names.push(text.into_inner());
        }
    }
    RouteQuery::Listed(names)
}

fn stands_in_keys(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"{}~#%&=?\"\\<>+;".contains(&byte)
}

/// The fields; Accept and Accept-Language unless the file says otherwise.
pub(super) fn vary(raw: Option<List<Text>>, findings: &mut Findings<'_>) -> Vec<HeaderName> {
    let Some(List(texts)) = raw else { return vec![ACCEPT, ACCEPT_LANGUAGE] };
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
        assert_eq!(vary(None, &mut Findings::new("")), [ACCEPT, ACCEPT_LANGUAGE]);
        assert_eq!(vary(Some(List(Vec::new())), &mut Findings::new("")), [] as [HeaderName; 0]);
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

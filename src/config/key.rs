//! `key`, `query`, `vary` and `tags`: what tells the answers of a route apart, and whether a read can give every variable a
//! value.

use std::ops::Range;

use http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderName};
use toml::Spanned;

use super::findings::{Findings, Problem, Text, closest};
use super::forms::List;
use crate::policy::is_forgeable;
use crate::rules::{PathPattern, RouteQuery, Source, Template, is_dealt_with, remedy};

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
                findings.error(place_of(text, "body:", findings), "a key cannot come from the request body", help);
            }
            Source::Response(_) => {
                let help = "take it from the path or the query; only `tags` can come from the response";
                let message = "a key cannot come from the response, which is not known yet when the key is needed";
                findings.error(place_of(text, "response:", findings), message, help);
            }
        }
    }
    // A misspelt variable is most often the one that is missing: one error is enough.
    for name in names.all().filter(|name| known && !template.uses(name)) {
        findings.lacks(
            text.span(),
            &["path", "query"],
            format!("`{{{name}}}` is missing in `key`, so answers that differ by it would share one entry"),
            format!("add {{{name}}}, as in \"{}:{{{name}}}\", or delete `key`", text.get_ref()),
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
            RouteQuery::Raw => format!("list it as a parameter: query = [\"{name}\"]"),
            RouteQuery::Listed(_) => format!("add it to `query`: \"{name}\""),
        },
    };
    let place = place_of(text, name, findings);
    findings.lacks(place, &["path", "query"], format!("`{{{name}}}` is neither in `path` nor in `query`"), help);
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
            findings.error(text.span(), format!("`{name}` is listed twice"), "delete one of the two");
        } else if path.variables().any(|variable| variable == name) {
            let help = "give the variable of the path another name";
            findings.error(text.span(), format!("`{name}` is already the name of a variable of the path"), help);
        } else if name.is_empty() || !name.bytes().all(is_fit_for_keys) {
            let help = "write the name of a parameter, as in query = [\"page\"]; without `query` all parameters count";
            findings.error(text.span(), format!("`{name}` cannot be used as a parameter in keys"), help);
        } else if key.is_some() && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            let help = "delete `key`: the key is then made of the path and the listed parameters";
            findings.error(text.span(), format!("`key` cannot contain the parameter `{name}`"), help);
        } else {
            names.push(text.into_inner());
        }
    }
    RouteQuery::Listed(names)
}

fn is_fit_for_keys(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"{}~#%&=?\"\\<>+;".contains(&byte)
}

/// The fields; Accept and Accept-Language unless the file says otherwise.
pub(super) fn vary(raw: Option<List<Text>>, findings: &mut Findings<'_>) -> Vec<HeaderName> {
    let Some(List(texts)) = raw else { return vec![ACCEPT, ACCEPT_LANGUAGE] };
    let mut names = Vec::new();
    for text in &texts {
        let Some(name) = findings.check(text, field(text.get_ref())) else { continue };
        if names.contains(&name) {
            findings.error(text.span(), format!("`{}` is listed twice", text.get_ref()), "delete one of the two");
        } else {
            names.push(name);
        }
    }
    names
}

const HOSTS: &str = "delete it; with host = \"client\" in [origin], answers for different hosts are kept apart anyway";

fn field(text: &str) -> Result<HeaderName, Problem> {
    let name: HeaderName = text.parse().map_err(|_| {
        let help = "write the name of a request header, as in \"Accept-Language\"";
        Problem::new(format!("`{text}` is not a valid header name"), help)
    })?;
    let refuse = |message: String, help: &str| Err(Problem::new(message, help));
    match name.as_str() {
        "host" => refuse("`Host` cannot be listed in `vary`".to_owned(), HOSTS),
        "*" => refuse("`*` cannot be listed in `vary`".to_owned(), "list each header by its name"),
        "origin" => refuse("`Origin` is always part of the key".to_owned(), "delete it"),
        _ if is_dealt_with(&name) => refuse(
            format!("`{text}` does not choose between answers"),
            "delete it; the proxy handles this header itself",
        ),
        "x-forwarded-proto" => refuse(format!("`{text}` is always part of the key"), "delete it"),
        _ if is_forgeable(&name) => refuse(format!("`{text}` of a client never reaches the origin"), HOSTS),
        _ => match remedy(&name).line() {
            Some(line) => refuse(
                format!("`{text}` identifies a user, so it cannot be listed in `vary`"),
                &format!("write {line}"),
            ),
            None => Ok(name),
        },
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
            ("*", "list each header by its name"),
            ("a b", "\"Accept-Language\""),
            ("", "\"Accept-Language\""),
        ] {
            let problem = field(text).unwrap_err();
            assert!(problem.help.contains(help), "{text}: {}", problem.help);
        }
    }
}

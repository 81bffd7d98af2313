//! `key` and `tags`: templates, and whether a read can give every variable of them a value.

use std::ops::Range;

use super::findings::{Findings, Problem, Text, closest};
use crate::rules::{PathPattern, RouteQuery, Source, Template};

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
pub(super) fn mean(written: Option<&Text>, names: ReadNames<'_>, findings: &mut Findings<'_>) -> Template {
    let default = Template::of_path(names.path.as_str(), names.listed());
    let Some(text) = written else { return default };
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
pub(super) fn tags(written: &[Text], names: ReadNames<'_>, findings: &mut Findings<'_>) -> Vec<Template> {
    let mut tags = Vec::new();
    for text in written {
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

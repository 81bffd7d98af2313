//! `invalidated_by`: the writes that invalidate a route's entries.

use serde::Deserialize;
use toml::Spanned;

use super::condition;
use super::findings::{Findings, Problem, Text, closest, listed};
use super::forms::{Entries, Json, List, TextOr, WordOrList};
use super::key::template;
use super::table::Table;
use crate::rules::{InvalidatedBy, InvalidationRule, PathPattern, RequestPattern, Source, Template};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite \"PUT /fruit/{id}\", or a table with `request`")]
pub(super) struct RawRule {
    request: Option<Text>,
    when: Option<Entries<Json>>,
    variables: Option<Entries<Text>>,
    tags: Option<List<Text>>,
}

impl Table for RawRule {
    const TITLE: &'static str = "[[route.invalidated_by]]";
    const FORMS: Option<&'static str> = Some("\"PUT /fruit/{id}\", or a table with `request`");
    const LIST: Option<&'static str> =
        Some("write [[route.invalidated_by]] above it, or a list: invalidated_by = [{ … }]");
}

const REQUEST_HELP: &str = "write a method and a path, as in \"PUT /fruit/{id}\"";

/// The list as it is written.
type RawRules = List<Spanned<TextOr<RawRule>>>;

/// Which writes make a route old; without the key every write that nothing is said of.
pub(super) fn resolve(
    raw: Option<Spanned<WordOrList<Spanned<TextOr<RawRule>>>>>,
    (path, key): (&PathPattern, &Template),
    findings: &mut Findings<'_>,
) -> InvalidatedBy {
    let Some(raw) = raw else { return InvalidatedBy::Every };
    let place = raw.span();
    match raw.into_inner() {
        WordOrList::List(list) => InvalidatedBy::Listed(rules(list, (path, key), findings)),
        WordOrList::Word(word) if word == "path" => InvalidatedBy::Path,
        WordOrList::Word(word) => {
            let help = match RequestPattern::parse(&word) {
                Ok(_) => format!("write [\"{word}\"]"),
                Err(_) => {
                    "write a list of writes, as in [\"PUT /fruit/{id}\"], or \"path\" for writes to the paths around \
                           an entry's; without `invalidated_by` every write drops the route"
                        .to_owned()
                }
            };
            findings.error(place, format!("`{word}` is not a list of writes"), help);
            InvalidatedBy::Every
        }
    }
}

/// The rules, in the file's order.
fn rules(raw: RawRules, (path, key): (&PathPattern, &Template), findings: &mut Findings<'_>) -> Vec<InvalidationRule> {
    let mut rules = Vec::new();
    for member in raw.0 {
        let place = member.span();
        let table = match member.into_inner() {
            TextOr::Text(text) => RawRule { request: Some(Spanned::new(place.clone(), text)), ..RawRule::default() },
            TextOr::Table(table) => table,
        };
        let Some(raw) = &table.request else {
            findings.lacks(
                place,
                &[],
                "`request` is missing: it says which writes are meant",
                "add request = \"PUT /fruit/{id}\"",
            );
            continue;
        };
        let raw = raw.clone();
        let Some(rule) = rule(&raw, table, key, findings) else { continue };
        if rules.contains(&rule) {
            findings.error(raw.span(), format!("`{}` is listed twice", raw.get_ref()), "delete one of the two");
            continue;
        }
        note_whole_route(&raw, &rule, key, findings);
        note_other_things(&raw, &rule, (path, key), findings);
        rules.push(rule);
    }
    rules
}

fn rule(raw: &Text, table: RawRule, key: &Template, findings: &mut Findings<'_>) -> Option<InvalidationRule> {
    let request = request(raw, findings);
    let when = condition::resolve(table.when, findings);
    let tags: Vec<Template> =
        table.tags.into_iter().flat_map(|tags| tags.0).filter_map(|text| template(&text, findings)).collect();
    let raw = table.variables.into_iter().flat_map(|entries| entries.0);
    let variables: Vec<(String, Source)> =
        raw.filter_map(|(name, value)| variable(name, &value, key, &tags, findings)).collect();
    Some(InvalidationRule { request: request?, when, variables, tags })
}

/// Reads `PUT /fruit/{id}`.
pub(super) fn request(raw: &Text, findings: &mut Findings<'_>) -> Option<RequestPattern> {
    let parsed = RequestPattern::parse(raw.get_ref());
    findings.check(raw, parsed.map_err(|error| Problem::of_pattern(error, REQUEST_HELP)))
}

/// One entry of `variables`: a variable of the key or of the tags, and where the write has its value.
fn variable(
    name: Text,
    value: &Text,
    key: &Template,
    tags: &[Template],
    findings: &mut Findings<'_>,
) -> Option<(String, Source)> {
    let known: Vec<&str> = std::iter::once(key).chain(tags).flat_map(names_in).collect();
    if !known.contains(&name.get_ref().as_str()) {
        let help = match closest(name.get_ref(), known.iter().copied()) {
            Some(near) => format!("write `{near}`"),
            None if known.is_empty() => "delete it: `key` has no variables".to_owned(),
            None => format!("its variables are {}", listed(known.iter().copied(), "and")),
        };
        findings.lacks(
            name.span(),
            &["path", "query", "key", "tags"],
            format!("`key` has no variable `{}`", name.get_ref()),
            help,
        );
    }
    let template = template(value, findings)?;
    let mut sources = template.variables();
    match (sources.next(), sources.next()) {
        (Some(source), None) if template.shape(|_| String::new()).is_empty() => {
            Some((name.into_inner(), source.clone()))
        }
        _ => {
            let help = "write a single variable, as in \"{body:/order/id}\"";
            findings.error(value.span(), format!("`{}` is not a single variable", value.get_ref()), help);
            None
        }
    }
}

fn names_in(template: &Template) -> impl Iterator<Item = &str> {
    template.variables().filter_map(|source| match source {
        Source::Name(name) => Some(name.as_str()),
        Source::Body(_) | Source::Response(_) => None,
    })
}

/// Says so where a write names something, but nothing that the key is made of: it is legal and drops every entry.
fn note_whole_route(raw: &Text, rule: &InvalidationRule, key: &Template, findings: &mut Findings<'_>) {
    let mut path = rule.request.path().variables().peekable();
    let Some(first) = path.peek().copied().map(str::to_owned) else { return };
    let names: Vec<&str> = names_in(key).collect();
    let told = |name: &str| rule.variables.iter().any(|(known, _)| known == name);
    if !rule.tags.is_empty() || names.iter().any(|name| told(name)) || path.any(|name| names.contains(&name)) {
        return;
    }
    let Some(wanted) = names.first() else { return };
    findings.note(
        raw.span(),
        format!("`{}` does not contain {}, so it drops every entry of this route", raw.get_ref(), braced(&names)),
        format!(
            "if it should drop one entry only, call the variable {{{wanted}}}, or use the long form with \
             variables = {{ {wanted} = \"{{{first}}}\" }}"
        ),
    );
}

/// Variables of the same name are taken for the same thing; legal, and most often a slip where they follow different
/// words.
fn note_other_things(
    raw: &Text,
    rule: &InvalidationRule,
    (path, key): (&PathPattern, &Template),
    findings: &mut Findings<'_>,
) {
    if !rule.tags.is_empty() {
        return;
    }
    let mapped = |name: &str| rule.variables.iter().any(|(known, _)| known == name);
    for name in names_in(key).filter(|name| !mapped(name)) {
        let literals = (path.literal_before(name), rule.request.path().literal_before(name));
        if let (Some(dropped), Some(write)) = literals
            && !dropped.eq_ignore_ascii_case(write)
        {
            note_literals(raw, name, (dropped, write), findings);
        }
    }
}

/// The note of a variable that follows one literal in what is dropped, and another in the write.
pub(super) fn note_literals(raw: &Text, name: &str, (dropped, write): (&str, &str), findings: &mut Findings<'_>) {
    findings.note(
        raw.span(),
        format!(
            "{{{name}}} follows `{write}` in the write and `{dropped}` in what it drops: the same name is taken for the same \
             thing"
        ),
        format!("if these are different things, give the write's variable a name other than {{{name}}}"),
    );
}

fn braced(names: &[&str]) -> String {
    let braced: Vec<String> = names.iter().map(|name| format!("{{{name}}}")).collect();
    braced.join(" or ")
}

//! The tags of a route's entries, and what stands in them for all spellings of a path and of a key, on both sides.
//!
//! An entry has the tag of its own form. One with a value that begins with a number, such as a UUID, is also *near* the form
//! with the number alone. A write drops its own form and what is near it; where its own value begins with a number, the
//! form with that, too. So `7` and `7eadbeef-…` meet, and two UUIDs do not.

use std::borrow::Cow;

use super::Route;
use crate::rules::document::LazyJson;
use crate::rules::fold::scalar;
use crate::rules::pattern::{Captures, Source, Template};
use crate::rules::tag::{Tag, tags_of};
use crate::rules::value::{As, plain_path};

impl Route {
    /// The tags of a read that has a key.
    pub(in crate::rules) fn tags_of(&self, path: &str, query: &str) -> Vec<Tag> {
        let captures = self.path.matches(path).unwrap_or_default();
        let mut tags = vec![Tag::route(&self.name)];
        if self.is_unlisted() && self.write.is_none() {
            tags.push(Tag::unlisted());
        }
        let (forms, odd) = self.forms(query, &captures);
        if odd && self.write.is_none() {
            tags.push(Tag::odd(&self.name));
        }
        tags.extend(forms);
        if self.may_lack_values() && self.lacks_value(query, &captures) {
            tags.push(Tag::absent(&self.name));
        }
        tags.extend(self.named_in_request(query, &captures));
        tags
    }

    /// Further tags of what the origin had a part in, where the route has a write policy. What a write left in the cache
    /// alone has none of these: no backend reads its values, and no write to the origin invalidates it.
    pub fn fetched_tags(&self, path: &str, query: &str) -> Vec<Tag> {
        if self.write.is_none() {
            return Vec::new();
        }
        let captures = self.path.matches(path).unwrap_or_default();
        let (_, odd) = self.forms(query, &captures);
        std::iter::once(Tag::fetched(&self.name)).chain(odd.then(|| Tag::odd(&self.name))).collect()
    }

    /// The extra tags that the request alone tells.
    fn named_in_request(&self, query: &str, captures: &Captures<'_>) -> Vec<Tag> {
        let of_request =
            |template: &&Template| !template.variables().any(|source| matches!(source, Source::Response(_)));
        let asked = |name: &str| self.read_value(name, query, captures);
        self.tags.iter().filter(of_request).flat_map(|template| extra_tags(template, &asked, None)).collect()
    }

    /// The route's extra tags; `None` where the JSON answer, `response`, lacks a value of one of them. A tag whose
    /// variable the request lacks is left out.
    pub fn named_tags<'v>(
        &self,
        value: impl Fn(&str) -> Option<Cow<'v, str>>,
        response: &LazyJson<'_>,
    ) -> Option<Vec<Tag>> {
        let said = |source: &Source| match source {
            Source::Response(pointer) => response.get().and_then(|json| pointer.of(json)).and_then(scalar).is_some(),
            Source::Name(_) | Source::Body(_) => true,
        };
        if !self.tags.iter().flat_map(Template::variables).all(said) {
            return None;
        }
        Some(self.tags.iter().flat_map(|template| extra_tags(template, &value, Some(response))).collect())
    }

    /// Whether its key or one of its tags has a variable that a read may come without.
    pub(in crate::rules) fn may_lack_values(&self) -> bool {
        self.named_variables().any(|name| !self.path.variables().any(|known| known == name))
    }

    fn lacks_value(&self, query: &str, captures: &Captures<'_>) -> bool {
        self.named_variables().any(|name| self.read_value(name, query, captures).is_none())
    }

    fn named_variables(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.key).chain(&self.tags).flat_map(Template::variables).filter_map(|source| match source {
            Source::Name(name) => Some(name.as_str()),
            Source::Body(_) | Source::Response(_) => None,
        })
    }

    /// The tags of a read's path and of its key, and whether one of them has an odd value.
    pub(in crate::rules) fn forms(&self, query: &str, captures: &Captures<'_>) -> (Vec<Tag>, bool) {
        let value = |source: &Source| match source {
            Source::Name(name) => Some(self.read_value(name, query, captures)),
            Source::Body(_) | Source::Response(_) => None,
        };
        let by_path = self.path_forms(captures).map(|forms| forms.of_entry(&self.name, Tag::path));
        let by_key = self.key_forms(value).map(|forms| forms.of_entry(&self.name, Tag::key));
        let odd = by_path.is_none() || by_key.is_none();
        let by_path = by_path.or_else(|| Some(vec![self.exact_path_tag(captures)?]));
        let by_key = by_key.or_else(|| Some(vec![self.exact_key_tag(value)?]));
        (by_path.into_iter().chain(by_key).flatten().collect(), odd)
    }

    /// What stands for a path that it has matched; `None` where a value is odd.
    pub(in crate::rules) fn path_forms(&self, captures: &Captures<'_>) -> Option<Forms> {
        Forms::of(|read| self.path.folded(captures, read))
    }

    /// What stands for a key with these values: `value` gives `Some(None)` for one that is absent. `None` where one is
    /// unknown, or odd.
    pub(in crate::rules) fn key_forms<'v>(
        &self,
        mut value: impl FnMut(&Source) -> Option<Option<Cow<'v, str>>>,
    ) -> Option<Forms> {
        Forms::of(|read| {
            self.key.render(|source| match value(source)? {
                None => Some(None),
                Some(value) => self.form(source, &value, read).map(Some),
            })
        })
    }

    /// The form of a key variable's value; that of a `{*rest}` as a path, which it is.
    fn form<'v>(&self, source: &Source, value: &str, read: As) -> Option<Cow<'v, str>> {
        match source {
            Source::Name(name) if self.path.is_rest(name) => plain_path(value).map(Cow::Owned),
            _ => read.form(value).map(|form| Cow::Owned(form.into_owned())),
        }
    }

    /// The tag of a path word for word, where the route has a write policy.
    pub(in crate::rules) fn exact_path_tag(&self, captures: &Captures<'_>) -> Option<Tag> {
        self.write.as_ref()?;
        let path = self.path.render(|name| captures.get(name).map(Cow::Borrowed))?;
        Some(Tag::exact(&self.name, path.trim_end_matches('/')))
    }

    /// The tag of a key with these values, word for word, where the route has a write policy; `None` where one is unknown.
    pub(in crate::rules) fn exact_key_tag<'v>(
        &self,
        value: impl FnMut(&Source) -> Option<Option<Cow<'v, str>>>,
    ) -> Option<Tag> {
        self.write.as_ref()?;
        self.key.render(value).map(|key| Tag::exact(&self.name, &key))
    }
}

/// What stands for a path or a key in tags.
pub(in crate::rules) struct Forms {
    own: String,
    /// The same where numbers are read, if that is another one.
    number: Option<String>,
}

impl Forms {
    fn of(mut form: impl FnMut(As) -> Option<String>) -> Option<Self> {
        let own = form(As::Itself)?;
        let number = form(As::Number).filter(|number| *number != own);
        Some(Self { own, number })
    }

    /// The tags of an entry, made by `tag` from a route's name and a form.
    fn of_entry(self, route: &str, tag: fn(&str, &str) -> Tag) -> Vec<Tag> {
        let near = self.number.map(|number| Tag::near(route, &number));
        std::iter::once(tag(route, &self.own)).chain(near).collect()
    }

    /// The tags that a write drops, its own form's first.
    pub(in crate::rules) fn of_write(self, route: &str, tag: fn(&str, &str) -> Tag) -> Vec<Tag> {
        let number = self.number.map(|number| tag(route, &number));
        [tag(route, &self.own), Tag::near(route, &self.own)].into_iter().chain(number).collect()
    }
}

/// The tags of a template; none where a value is absent. One with an odd value has its name all the same for the one that tells it
/// so, and is dropped whenever any name is: see [`Tag::odd_names`].
fn extra_tags<'v>(
    template: &Template,
    value: &impl Fn(&str) -> Option<Cow<'v, str>>,
    response: Option<&LazyJson<'_>>,
) -> Vec<Tag> {
    let said = |source: &Source| match source {
        Source::Name(name) => value(name),
        Source::Body(_) => None,
        Source::Response(pointer) => scalar(pointer.of(response?.get()?)?).map(|value| Cow::Owned(value.into_owned())),
    };
    if !template.variables().all(|source| said(source).is_some()) {
        return Vec::new();
    }
    tags_of(template, said).unwrap_or_else(|| vec![Tag::odd_names()])
}

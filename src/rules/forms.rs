//! Tags of one path and of one key of a route: what stands for all spellings of their values, on both sides.
//!
//! An entry has the tag of its own form. One with a value that begins with a number, such as a UUID, is also *near* the form
//! with the number alone. A write drops its own form and what is near it; where its own value begins with a number, the
//! form with that, too. So `7` and `7eadbeef-…` meet, and two UUIDs do not.

use std::borrow::Cow;

use super::path::Captures;
use super::route::Route;
use super::tag::Tag;
use super::template::Source;
use super::value::{As, plain_path};

/// What stands for a path or a key in tags.
pub(super) struct Forms {
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
    pub(super) fn of_write(self, route: &str, tag: fn(&str, &str) -> Tag) -> Vec<Tag> {
        let number = self.number.map(|number| tag(route, &number));
        [tag(route, &self.own), Tag::near(route, &self.own)].into_iter().chain(number).collect()
    }
}

impl Route {
    /// The tags of a read's path and of its key, and whether one of them has an odd value.
    pub(super) fn forms(&self, query: &str, captures: &Captures<'_>) -> (Vec<Tag>, bool) {
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
    pub(super) fn path_forms(&self, captures: &Captures<'_>) -> Option<Forms> {
        Forms::of(|read| self.path.folded(captures, read))
    }

    /// What stands for a key with these values: `value` gives `Some(None)` for one that is absent. `None` where one is
    /// unknown, or odd.
    pub(super) fn key_forms<'v>(
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
    pub(super) fn exact_path_tag(&self, captures: &Captures<'_>) -> Option<Tag> {
        self.write.as_ref()?;
        let path = self.path.render(|name| captures.get(name).map(Cow::Borrowed))?;
        Some(Tag::exact(&self.name, path.trim_end_matches('/')))
    }

    /// The tag of a key with these values, word for word, where the route has a write policy; `None` where one is unknown.
    pub(super) fn exact_key_tag<'v>(&self, value: impl FnMut(&Source) -> Option<Option<Cow<'v, str>>>) -> Option<Tag> {
        self.write.as_ref()?;
        self.key.render(value).map(|key| Tag::exact(&self.name, &key))
    }
}

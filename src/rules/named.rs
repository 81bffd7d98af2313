//! Tags that have a name: by a template, from the values of a read, an answer or a write.

use std::borrow::Cow;

use super::tag::Tag;
use super::template::{Source, Template};
use super::value::plain;

/// What a template of a tag names; `None` where a value is unknown or odd.
pub(super) fn tag_of<'v>(template: &Template, mut value: impl FnMut(&Source) -> Option<Cow<'v, str>>) -> Option<Tag> {
    let text = template.render_plain(|source| Some(Cow::Owned(plain(&value(source)?)?.into_owned())));
    text.map(|text| Tag::named(&text))
}

//! Tags that have a name: by a template, from the values of a read, an answer or a write.

use std::borrow::Cow;

use super::tag::Tag;
use super::template::{Source, Template};
use super::value::plain;

/// What a template of a tag names; `None` where a value is unknown or odd. With the values as they are, for the API may name
/// the same in its answers, and with the forms that stand for them, for another spelling of a value means the same.
pub(super) fn tags_of<'v>(
    template: &Template,
    mut value: impl FnMut(&Source) -> Option<Cow<'v, str>>,
) -> Option<Vec<Tag>> {
    let mut named = |form: fn(&str) -> Option<Cow<'_, str>>| {
        let text = template.render_plain(|source| Some(Cow::Owned(form(&value(source)?)?.into_owned())));
        text.map(|text| Tag::named(&text))
    };
    let mut tags = vec![named(plain)?, named(|value| Some(value.into()))?];
    tags.dedup();
    Some(tags)
}

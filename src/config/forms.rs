//! The forms a value of `proxy.toml` may take: a text or a table, one or a list, one of a few words, names with values.
//!
//! Written by hand instead of `#[serde(untagged)]`, whose messages say neither what was read nor what was wanted. An
//! error's first line is what is wrong, its second what to write.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use toml::Spanned;

use super::findings::{Findings, Problem, Text, closest, listed};
use super::table::Table;

/// The short form of a table, or the table.
#[derive(Clone, Debug)]
pub(super) enum TextOr<T> {
    Text(String),
    Table(T),
}

impl<'de, T: Table> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<T>(PhantomData<T>);

        impl<'de, T: Table> Visitor<'de> for Forms<T> {
            type Value = TextOr<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a string or a table\nwrite {}", T::FORMS.unwrap_or(T::TITLE))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Table)
            }
        }

        deserializer.deserialize_any(Forms(PhantomData))
    }
}

/// The short form, which may be a list here, or the table.
#[derive(Clone, Debug)]
pub(super) enum ManyOr<T> {
    Many(OneOrMany),
    Table(T),
}

impl<'de, T: Table> Deserialize<'de> for ManyOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<T>(PhantomData<T>);

        impl<'de, T: Table> Visitor<'de> for Forms<T> {
            type Value = ManyOr<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a string, a list of strings or a table\nwrite {}", T::FORMS.unwrap_or(T::TITLE))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ManyOr::Many(OneOrMany::One(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                members_of(members).map(|members| ManyOr::Many(OneOrMany::Many(members)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(ManyOr::Table)
            }
        }

        deserializer.deserialize_any(Forms(PhantomData))
    }
}

/// A list in brackets.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = List<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list\nwrite it in brackets, as in [\"a\", \"b\"]")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Err(E::custom(format_args!("a list is needed here, even for a single value\nwrite [\"{text}\"]")))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                members_of(members).map(List)
            }
        }

        deserializer.deserialize_any(Members(PhantomData))
    }
}

/// One word in place of a list, or the list.
#[derive(Clone, Debug)]
pub(super) enum WordOrList<T> {
    Word(String),
    List(List<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WordOrList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Forms<T> {
            type Value = WordOrList<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list\nwrite it in brackets, as in [\"a\", \"b\"]")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(WordOrList::Word(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                members_of(members).map(|members| WordOrList::List(List(members)))
            }
        }

        deserializer.deserialize_any(Forms(PhantomData))
    }
}

/// One text, or a list of them.
#[derive(Clone, Debug)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<Text>),
}

impl OneOrMany {
    /// Each of them with its place.
    pub(super) fn texts(raw: Spanned<Self>) -> Vec<Text> {
        let place = raw.span();
        match raw.into_inner() {
            Self::One(text) => vec![Spanned::new(place, text)],
            Self::Many(texts) => texts,
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = OneOrMany;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or a list of strings\nwrite \"…\" or [\"…\", \"…\"]")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                members_of(members).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

fn members_of<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut members: A) -> Result<Vec<T>, A::Error> {
    let mut list = Vec::new();
    while let Some(member) = members.next_element()? {
        list.push(member);
    }
    Ok(list)
}

/// A table whose keys the user chooses, with the place of each key.
#[derive(Clone, Debug)]
pub(super) struct Entries<V>(pub(super) Vec<(Text, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
            type Value = Entries<V>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a table\nwrite it in braces, as in { name = \"value\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Entries(pairs))
            }
        }

        deserializer.deserialize_any(Pairs(PhantomData))
    }
}

/// The words that a value may be.
pub(super) trait Words: Copy + fmt::Debug + 'static {
    /// What a word means.
    type Meaning: Copy + fmt::Debug + 'static;

    /// Each word with its meaning.
    const WORDS: &'static [(&'static str, Self::Meaning)];

    /// The meaning of a word.
    fn meaning(word: &str) -> Result<Self::Meaning, Problem> {
        if let Some((_, meaning)) = Self::WORDS.iter().find(|(known, _)| *known == word) {
            return Ok(*meaning);
        }
        let known = || Self::WORDS.iter().map(|(known, _)| *known);
        let help = closest(word, known()).map_or_else(Self::help, |near| format!("write \"{near}\""));
        Err(Problem::new(format!("`{word}` is not one of {}", listed(known(), "or")), help))
    }

    /// All of them, as they are written.
    fn help() -> String {
        format!("write {}", listed(Self::WORDS.iter().map(|(known, _)| *known), "or").replace('`', "\""))
    }
}

/// One of a few words, by its meaning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<W: Words>(pub(super) W::Meaning);

impl<'de, W: Words> Deserialize<'de> for Word<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOf<W>(PhantomData<W>);

        impl<W: Words> Visitor<'_> for OneOf<W> {
            type Value = Word<W>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "a string\n{}", W::help())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let meaning = W::meaning(text);
                meaning.map(Word).map_err(|problem| E::custom(format_args!("{}\n{}", problem.message, problem.help)))
            }
        }

        deserializer.deserialize_any(OneOf(PhantomData))
    }
}

/// The members of a list of such words, each of which may be listed once.
pub(super) fn each_once<W: Words>(list: List<Text>, findings: &mut Findings<'_>) -> Vec<W::Meaning>
where
    W::Meaning: PartialEq,
{
    let mut found = Vec::new();
    for text in list.0 {
        let Some(meaning) = findings.check(&text, W::meaning(text.get_ref())) else { continue };
        if found.contains(&meaning) {
            findings.error(text.span(), format!("`{}` is listed twice", text.get_ref()), "delete one of the two");
        }
        found.push(meaning);
    }
    found
}

/// Any value that JSON can say too.
#[derive(Clone, Debug)]
pub(super) struct Json(pub(super) Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if has_date(&value) {
            return Err(D::Error::custom("JSON has no dates\nwrite it in quotes, as a string"));
        }
        Ok(Self(value))
    }
}

/// Whether a TOML date is in it, which serde shows as a table with a key of the parser's own.
fn has_date(value: &Value) -> bool {
    match value {
        Value::Object(object) => {
            object.iter().any(|(key, value)| key.starts_with("$__toml_private") || has_date(value))
        }
        Value::Array(list) => list.iter().any(has_date),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Sample {
        #[serde(default)]
        list: Option<List<Text>>,
        #[serde(default)]
        entries: Option<Entries<Json>>,
        #[serde(default)]
        one: Option<OneOrMany>,
    }

    fn error(text: &str) -> String {
        toml::from_str::<Sample>(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn the_forms_are_read_with_their_places() {
        let sample: Sample =
            toml::from_str("list = [\"a\", \"b\"]\none = \"x\"\nentries = { b = 1, \"a.c\" = [true] }").unwrap();
        let list = sample.list.unwrap().0;
        assert_eq!((list[1].get_ref().as_str(), list[1].span()), ("b", 13..16));
        assert!(matches!(sample.one, Some(OneOrMany::One(text)) if text == "x"));
        let entries = sample.entries.unwrap().0;
        assert!(entries.iter().any(|(key, value)| key.get_ref() == "a.c" && value.0 == serde_json::json!([true])));
    }

    #[test]
    fn what_does_not_fit_says_what_to_write() {
        assert!(error("list = \"a\"").contains("\nwrite [\"a\"]"));
        assert!(error("list = 1").contains("\nwrite it in brackets"));
        assert!(error("entries = []").contains("\nwrite it in braces"));
        assert!(error("one = 1").contains("\nwrite \"…\" or"));
        assert!(error("entries = { a = 2020-01-01 }").contains("JSON has no dates"));
        assert!(error("entries = { a = [{ b = 2020-01-01 }] }").contains("JSON has no dates"));
    }
}

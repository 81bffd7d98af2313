//! What each table of `proxy.toml` says about itself, and the keys that no table has: misspelt ones, ones in the wrong
//! table, ones that people know from elsewhere.

use std::collections::VecDeque;

use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, closest, listed};

/// A table as it is written. The fields of the struct are its keys.
pub(super) trait Table: DeserializeOwned {
    /// What people call it: its header, or its key where it is written in braces.
    const TITLE: &'static str;
    /// The tables below it, by their keys. Where a key might belong to several tables the first one is suggested.
    const BELOW: &'static [(&'static str, &'static Level)] = &[];
    /// The two ways to write a table that has a short form.
    const FORMS: Option<&'static str> = None;
    /// What to write where there is one such table and a list was expected; `None` for a table of which there is one.
    const LIST: Option<&'static str> = None;
    /// What to write instead of keys that this table does not have.
    const HINTS: &'static [Hint] = &[];

    /// The above as a value.
    const LEVEL: &'static Level = &Level {
        title: Self::TITLE,
        keys: keys_of::<Self>,
        below: Self::BELOW,
        forms: Self::FORMS,
        list: Self::LIST,
        hints: Self::HINTS,
    };
}

/// The title of the table that has no header.
pub(super) const TOP: &str = "the top of the file";

/// What a [`Table`] says about itself.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) title: &'static str,
    keys: fn() -> &'static [&'static str],
    pub(super) below: &'static [(&'static str, &'static Level)],
    pub(super) forms: Option<&'static str>,
    list: Option<&'static str>,
    pub(super) hints: &'static [Hint],
}

impl Level {
    /// The keys that the table may have.
    pub(super) fn keys(&self) -> &'static [&'static str] {
        (self.keys)()
    }

    /// This table and all below it, the nearest first.
    pub(super) fn all(&'static self) -> Vec<&'static Level> {
        let mut found = Vec::new();
        let mut next = VecDeque::from([self]);
        while let Some(level) = next.pop_front() {
            found.push(level);
            next.extend(level.below.iter().map(|(_, below)| *below));
        }
        found
    }
}

/// What to write instead of keys from other programs, or from earlier versions.
#[derive(Debug)]
pub(super) struct Hint {
    pub(super) keys: &'static [&'static str],
    pub(super) instead: &'static str,
    pub(super) reach: Reach,
}

/// Where a hint counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// In the table that gives it.
    Here,
    /// In every table.
    Anywhere,
}

impl Hint {
    /// For keys in this table.
    pub(super) const fn here(keys: &'static [&'static str], instead: &'static str) -> Self {
        Self { keys, instead, reach: Reach::Here }
    }

    /// For keys in whichever table, where this one has what is meant.
    pub(super) const fn anywhere(keys: &'static [&'static str], instead: &'static str) -> Self {
        Self { keys, instead, reach: Reach::Anywhere }
    }

    fn is_for(&self, key: &str) -> bool {
        self.keys.contains(&&*key.to_lowercase().replace('-', "_"))
    }
}

/// The keys that a table may have, asked of the struct that reads it.
fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // The answer is an error in any case: the question carries no value.
    let _ = T::deserialize(KeysAsked(&mut keys));
    keys
}

/// Takes down the keys that a struct asks for and gives it nothing.
struct KeysAsked<'k>(&'k mut &'static [&'static str]);

impl<'de> Deserializer<'de> for KeysAsked<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = keys;
        Err(NoValue::custom("no value"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Reports every key of a file that no table has, and takes it out, so that the rest can be read.
pub(super) fn refuse_unknown(file: &mut DeTable<'_>, top: &'static Level, findings: &mut Findings<'_>) {
    Known { top }.refuse_others(file, top, findings);
}

/// The tables of a file.
#[derive(Clone, Copy)]
struct Known {
    top: &'static Level,
}

impl Known {
    fn refuse_others(self, table: &mut DeTable<'_>, level: &'static Level, findings: &mut Findings<'_>) {
        let known = level.keys();
        let mut refused = Vec::new();
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().as_ref();
            let below = level.below.iter().find(|(known, _)| *known == name);
            let readable = if known.contains(&name) {
                below.is_none_or(|(name, below)| self.descend(name, value, below, findings))
            } else {
                let (message, help) = self.explain(name, level);
                findings.unread(&key.span(), closest(name, known.iter().copied()));
                findings.error(key.span(), message, help);
                false
            };
            if !readable {
                refused.push(name.to_owned());
            }
        }
        for name in &refused {
            table.remove(name.as_str());
        }
    }

    /// Looks into the tables of a value; false when it cannot be read at all.
    fn descend(
        self,
        name: &str,
        value: &mut Spanned<DeValue<'_>>,
        level: &'static Level,
        findings: &mut Findings<'_>,
    ) -> bool {
        let place = value.span();
        match (value.get_mut(), level.list) {
            (DeValue::Table(_), Some(help)) => {
                findings.unread(&place, Some(name));
                findings.error(place, format!("`{name}` must be a list of tables, because there may be several"), help);
                return false;
            }
            (DeValue::Table(table), None) => self.refuse_others(table, level, findings),
            (DeValue::Array(list), _) => {
                for member in list.iter_mut() {
                    if let DeValue::Table(table) = member.get_mut() {
                        self.refuse_others(table, level, findings);
                    }
                }
            }
            _ => {}
        }
        true
    }

    /// What is wrong with a key, and what to write instead.
    fn explain(self, key: &str, level: &'static Level) -> (String, String) {
        let at = if level.title == TOP { "at" } else { "in" };
        let message = format!("there is no key `{key}` {at} {}", level.title);
        if let Some(hint) = self.hint(key, level) {
            return (message, hint.instead.to_owned());
        }
        let known = level.keys();
        if let Some(near) = closest(key, known.iter().copied()) {
            return (message, format!("write `{near}`"));
        }
        let tables = || level.all().into_iter().chain(self.top.all());
        if let Some(other) = tables().find(|other| other.keys().contains(&key)) {
            return (message, belongs(key, other));
        }
        let near = tables().find_map(|other| Some((closest(key, other.keys().iter().copied())?, other)));
        if let Some((near, other)) = near {
            return (message, belongs(near, other));
        }
        (message, format!("its keys are {}", listed(known.iter().copied(), "and")))
    }

    fn hint(self, key: &str, level: &Level) -> Option<&'static Hint> {
        let own = level.hints.iter().filter(|hint| hint.reach != Reach::Anywhere);
        let all = self.top.all().into_iter().flat_map(|level| level.hints);
        own.chain(all.filter(|hint| hint.reach == Reach::Anywhere)).find(|hint| hint.is_for(key))
    }
}

fn belongs(key: &str, level: &Level) -> String {
    match level.title {
        TOP => format!("`{key}` belongs at the top of the file, above the first [table]"),
        title => format!("`{key}` belongs in {title}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct RawShelf {
        width: Option<u8>,
        book: Option<RawBook>,
    }

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct RawBook {
        author: Option<String>,
        height: Option<u8>,
    }

    impl Table for RawShelf {
        const TITLE: &'static str = TOP;
        const BELOW: &'static [(&'static str, &'static Level)] = &[("book", RawBook::LEVEL)];
    }

    impl Table for RawBook {
        const TITLE: &'static str = "[[book]]";
        const HINTS: &'static [Hint] = &[
            Hint::here(&["width"], "a book has its `height`"),
            Hint::anywhere(&["written_by"], "write author = \"Ann\" into a [[book]]"),
        ];
    }

    fn explain(key: &str, level: &'static Level) -> (String, String) {
        Known { top: RawShelf::LEVEL }.explain(key, level)
    }

    fn help(key: &str, level: &'static Level) -> String {
        explain(key, level).1
    }

    #[test]
    fn a_struct_tells_its_keys() {
        assert_eq!(RawBook::LEVEL.keys(), ["author", "height"]);
        assert_eq!(RawShelf::LEVEL.all().len(), 2);
        let shelf = RawShelf { width: Some(1), book: None };
        assert!(shelf.width.is_some() && shelf.book.is_none_or(|book| book.author.is_none() && book.height.is_none()));
    }

    #[test]
    fn a_misspelt_key_gets_the_right_one() {
        assert_eq!(help("autor", RawBook::LEVEL), "write `author`");
        assert_eq!(help("Heigth", RawBook::LEVEL), "write `height`");
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_to_its_own() {
        assert_eq!(help("height", RawShelf::LEVEL), "`height` belongs in [[book]]");
        assert_eq!(help("book", RawBook::LEVEL), "`book` belongs at the top of the file, above the first [table]");
    }

    #[test]
    fn a_hint_counts_where_it_should() {
        assert_eq!(help("width", RawBook::LEVEL), "a book has its `height`");
        for level in [RawShelf::LEVEL, RawBook::LEVEL] {
            assert!(help("Written-By", level).contains("author = "));
        }
        assert!(explain("lamp", RawShelf::LEVEL).0.contains("no key `lamp` at the top"));
        assert!(explain("lamp", RawBook::LEVEL).0.contains("no key `lamp` in [[book]]"));
    }

    #[test]
    fn what_nobody_knows_gets_the_list() {
        assert_eq!(help("colour", RawBook::LEVEL), "its keys are `author` and `height`");
    }
}

//! Which tables of a file could not be read whole: what such a table lacks may be just what was not read.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The tables that are no `[[route]]`, also where that is misspelt.
const OTHERS: [&str; 8] = ["origin", "store", "tls", "clients", "limits", "log", "unrouted", "write"];

/// The tables of a file in their order: its top, each `[table]`, each member of a `[[list]]` with what lies below it.
#[derive(Debug, Default)]
pub(super) struct Tables {
    headed: Vec<Table>,
    unread: Vec<Unread>,
}

#[derive(Debug)]
struct Table {
    start: usize,
    may_be_route: bool,
}

/// A key that could not be read, in one of the headed tables or at the top; `None` where nobody can tell which key it is.
#[derive(Debug)]
struct Unread {
    table: Option<usize>,
    at: usize,
    key: Option<String>,
}

impl Unread {
    fn may_be(&self, keys: &[&str]) -> bool {
        keys.is_empty() || self.key.as_deref().is_none_or(|key| keys.contains(&key))
    }
}

impl Tables {
    /// Those of a text that was parsed.
    pub(super) fn of(root: &DeTable<'_>, text: &str) -> Self {
        let mut headed = Vec::new();
        let mut add = |place: Range<usize>, name: &str| {
            // An inline table begins with a brace, and belongs to the table around it.
            if text.get(place.start..).is_some_and(|rest| rest.starts_with('[')) {
                headed.push(Table { start: place.start, may_be_route: !OTHERS.contains(&name) });
            }
        };
        for (key, value) in root {
            let name = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(table) => {
                    add(value.span(), name);
                    table
                        .iter()
                        .filter(|(_, below)| below.get_ref().is_table())
                        .for_each(|(_, it)| add(it.span(), name));
                }
                DeValue::Array(list) => {
                    list.iter().filter(|it| it.get_ref().is_table()).for_each(|it| add(it.span(), name));
                }
                _ => {}
            }
        }
        headed.sort_by_key(|table| table.start);
        Self { headed, unread: Vec::new() }
    }

    /// This key of the table around this place could not be read.
    pub(super) fn unread(&mut self, place: &Range<usize>, key: Option<&str>) {
        self.unread.push(Unread { table: self.around(place), at: place.start, key: key.map(str::to_owned) });
    }

    /// Whether one of these keys of the table around this place could not be read, or anything at the place itself; any key
    /// where none is named.
    pub(super) fn is_unread(&self, place: &Range<usize>, keys: &[&str]) -> bool {
        let table = self.around(place);
        let may_be = |unread: &Unread| unread.may_be(keys) || place.contains(&unread.at);
        self.unread.iter().any(|unread| unread.table == table && may_be(unread))
    }

    /// Whether anything could not be read.
    pub(super) fn is_any_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether what a route is called could not be read, or a table that may be a route.
    pub(super) fn is_any_route_unread(&self) -> bool {
        self.unread.iter().any(|unread| match unread.table.and_then(|table| self.headed.get(table)) {
            Some(table) => table.may_be_route && unread.may_be(&["path", "name", "route"]),
            None => unread.may_be(&["route"]),
        })
    }

    /// Which table is around this place; `None` for the top.
    pub(super) fn around(&self, place: &Range<usize>) -> Option<usize> {
        self.headed.partition_point(|table| table.start <= place.start).checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_belongs_to_the_last_table_above_it() {
        let text = "listen = 1\nstore = { url = 2 }\n[origin]\nurl = 3\n[origin.tls]\nca = 4\n[[route]]\npath = 5\n\
                    [route.write]\nentry = 6\n[[route]]\npath = 7\n";
        let root = DeTable::parse(text).unwrap();
        let at = |value: char| {
            let start = text.find(&format!("= {value}")).unwrap();
            start..start + 3
        };
        let unread_with = |value: char, key: Option<&str>| {
            let mut tables = Tables::of(root.get_ref(), text);
            tables.unread(&at(value), key);
            assert!(tables.is_any_unread());
            let unread: String = "1234567".chars().filter(|other| tables.is_unread(&at(*other), &["path"])).collect();
            (unread, tables.is_any_route_unread())
        };
        for (value, unread, route) in [
            ('1', "12", false),
            ('2', "12", false),
            ('3', "3", false),
            ('4', "4", false),
            ('5', "56", true),
            ('6', "56", true),
            ('7', "7", true),
        ] {
            assert_eq!(unread_with(value, Some("path")), (unread.to_owned(), route), "{value}");
            assert_eq!(unread_with(value, None).0, unread, "{value}");
            assert_eq!(unread_with(value, Some("ttl")).0, value.to_string());
        }
        assert!(unread_with('1', None).1 && unread_with('5', None).1 && !unread_with('3', None).1);
        assert!(!Tables::of(root.get_ref(), text).is_any_unread());
    }
}

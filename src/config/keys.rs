//! Keys that `proxy.toml` does not have: misspelt ones, ones in the wrong table, ones that people know from elsewhere.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{
    AnnotateTable, CacheByTable, ClientsTable, File, LimitsTable, LogTable, OriginHealthTable, OriginTable,
    OriginTlsTable, RefusedTable, ReplyTable, RouteTable, RuleTable, StoreTable, TlsTable, UnroutedTable,
    WriteRuleTable, WriteTable, keys_of,
};
use super::findings::{Findings, closest, listed};
use super::tombstones;

/// A table of the file: what people call it, its keys, the tables below it.
pub(super) struct Level {
    pub(super) title: &'static str,
    keys: fn() -> &'static [&'static str],
    below: &'static [(&'static str, &'static Level)],
    /// Whether there may be several, so that its header has two brackets.
    many: bool,
}

const fn level(title: &'static str, keys: fn() -> &'static [&'static str]) -> Level {
    Level { title, keys, below: &[], many: false }
}

pub(super) static TOP: Level = Level {
    title: "the top of the file",
    keys: keys_of::<File>,
    below: &[
        ("origin", &ORIGIN),
        ("store", &STORE),
        ("tls", &TLS),
        ("clients", &CLIENTS),
        ("limits", &LIMITS),
        ("log", &LOG),
        ("unrouted", &UNROUTED),
        ("write", &WRITE_RULE),
        ("route", &ROUTE),
    ],
    many: false,
};
static ORIGIN: Level = Level {
    title: "[origin]",
    keys: keys_of::<OriginTable>,
    below: &[("tls", &ORIGIN_TLS), ("health", &ORIGIN_HEALTH)],
    many: false,
};
static ORIGIN_TLS: Level = level("[origin.tls]", keys_of::<OriginTlsTable>);
static ORIGIN_HEALTH: Level = level("[origin.health]", keys_of::<OriginHealthTable>);
static STORE: Level = level("[store]", keys_of::<StoreTable>);
static TLS: Level = level("[tls]", keys_of::<TlsTable>);
static CLIENTS: Level = level("[clients]", keys_of::<ClientsTable>);
static LIMITS: Level = level("[limits]", keys_of::<LimitsTable>);
static LOG: Level = level("[log]", keys_of::<LogTable>);
static UNROUTED: Level = level("[unrouted]", keys_of::<UnroutedTable>);
static ROUTE: Level = Level {
    title: "[[route]]",
    keys: keys_of::<RouteTable>,
    below: &[("annotate", &ANNOTATE), ("invalidated_by", &RULE), ("write", &WRITE)],
    many: true,
};
static ANNOTATE: Level = level("annotate", keys_of::<AnnotateTable>);
static RULE: Level = Level { title: "[[route.invalidated_by]]", keys: keys_of::<RuleTable>, below: &[], many: true };
static WRITE: Level = Level {
    title: "[route.write]",
    keys: keys_of::<WriteTable>,
    below: &[("reply", &REPLY), ("cache_by", &CACHE_BY)],
    many: false,
};
static CACHE_BY: Level = level("cache_by", keys_of::<CacheByTable>);
static WRITE_RULE: Level =
    Level { title: "[[write]]", keys: keys_of::<WriteRuleTable>, below: &[("refused", &REFUSED)], many: true };
static REFUSED: Level = level("refused", keys_of::<RefusedTable>);
static REPLY: Level = level("reply", keys_of::<ReplyTable>);

/// Where a key that stands in the wrong table is looked for, the likeliest first.
static LEVELS: [&Level; 18] = [
    &ROUTE,
    &TOP,
    &ORIGIN,
    &STORE,
    &TLS,
    &CLIENTS,
    &LIMITS,
    &LOG,
    &UNROUTED,
    &RULE,
    &WRITE,
    &ANNOTATE,
    &REPLY,
    &CACHE_BY,
    &WRITE_RULE,
    &REFUSED,
    &ORIGIN_TLS,
    &ORIGIN_HEALTH,
];

/// Reports every key that is not known and takes it out, so that the rest can be read.
pub(super) fn refuse_unknown(table: &mut DeTable<'_>, level: &'static Level, findings: &mut Findings<'_>) {
    let known = (level.keys)();
    let mut refused = Vec::new();
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().as_ref();
        let below = level.below.iter().find(|(known, _)| *known == name);
        let readable = if known.contains(&name) {
            below.is_none_or(|(name, below)| descend(name, value, below, findings))
        } else {
            let (message, help) = explain(name, level);
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
fn descend(name: &str, value: &mut Spanned<DeValue<'_>>, level: &'static Level, findings: &mut Findings<'_>) -> bool {
    let place = value.span();
    match value.get_mut() {
        DeValue::Table(_) if level.many => {
            let help = match level.title {
                "[[route]]" => "write [[route]] instead of [route]".to_owned(),
                "[[write]]" => {
                    "write [[write]] instead of [write]; what a write leaves in the cache is [route.write]".to_owned()
                }
                title => format!("write {title} above it, or a list: {name} = [{{ … }}]"),
            };
            findings.unread(&place, Some(name));
            findings.error(place, format!("there may be several of `{name}`, so it is a list of tables"), help);
            return false;
        }
        DeValue::Table(table) => refuse_unknown(table, level, findings),
        DeValue::Array(list) => {
            for member in list.iter_mut() {
                if let DeValue::Table(table) = member.get_mut() {
                    refuse_unknown(table, level, findings);
                }
            }
        }
        _ => {}
    }
    true
}

/// What is wrong with a key, and what to write instead.
fn explain(key: &str, level: &Level) -> (String, String) {
    if let Some(help) = tombstones::not_yet(key, level.title) {
        return (format!("`{key}` is not supported by this version"), help.to_owned());
    }
    let at = if level.title == TOP.title { "at" } else { "in" };
    let message = format!("there is no key `{key}` {at} {}", level.title);
    if let Some(help) = tombstones::instead_of(key, level.title) {
        return (message, help);
    }
    let known = (level.keys)();
    if let Some(near) = closest(key, known.iter().copied()) {
        return (message, format!("write `{near}`"));
    }
    if let Some(other) = LEVELS.iter().find(|other| (other.keys)().contains(&key)) {
        return (message, belongs(key, other));
    }
    let near = LEVELS.iter().find_map(|other| Some((closest(key, (other.keys)().iter().copied())?, other)));
    if let Some((near, other)) = near {
        return (message, belongs(near, other));
    }
    (message, format!("its keys are {}", listed(known.iter().copied()).replace(" or ", " and ")))
}

fn belongs(key: &str, level: &Level) -> String {
    if level.title == TOP.title {
        return format!("`{key}` belongs to the top of the file, above the first [table]");
    }
    format!("`{key}` belongs into {}", level.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(key: &str, level: &Level) -> String {
        explain(key, level).1
    }

    #[test]
    fn a_misspelt_key_gets_the_right_one() {
        assert_eq!(help("tll", &ROUTE), "write `ttl`");
        assert_eq!(help("invalidate_by", &ROUTE), "write `invalidated_by`");
        assert_eq!(help("origins", &TOP), "write `origin`");
        assert_eq!(help("fields", &ANNOTATE), "write `field`");
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_to_its_own() {
        assert_eq!(help("ttl", &TOP), "`ttl` belongs into [[route]]");
        assert_eq!(help("listen", &ROUTE), "`listen` belongs to the top of the file, above the first [table]");
        assert_eq!(help("heuristics", &ROUTE), "`heuristics` belongs into [unrouted]");
        assert_eq!(help("when", &ROUTE), "`when` belongs into [[route.invalidated_by]]");
    }

    #[test]
    fn foreign_and_future_keys_are_known_for_what_they_are() {
        assert!(help("upstream", &TOP).contains("origin = \"http://127.0.0.1:5000\""));
        assert!(help("cache_ttl", &ROUTE).contains("ttl = \"10m\""));
        assert!(help("routes", &TOP).contains("[[route]]"));
        assert!(help("auth", &ROUTE).contains("authorization"));
        assert!(explain("settle", &ROUTE).0.contains("not supported by this version"));
        assert!(explain("admin", &TOP).0.contains("not supported by this version"));
    }

    #[test]
    fn what_nobody_knows_gets_the_list() {
        assert_eq!(help("colour", &LOG), "its keys are `format` and `requests`");
    }

    #[test]
    fn the_shipped_file_shows_every_key() {
        let shipped = include_str!("../../proxy.toml");
        for level in LEVELS {
            for key in (level.keys)() {
                let (set, header) = (format!("{key} = "), format!("{key}]"));
                let written = |line: &str| line.contains(&set) || line.contains(&header);
                assert!(shipped.lines().any(written), "{key} of {}", level.title);
            }
        }
    }

    #[test]
    fn every_level_knows_its_keys() {
        for level in LEVELS {
            assert!(!(level.keys)().is_empty(), "{}", level.title);
            for (name, _) in level.below {
                assert!((level.keys)().contains(name), "{name}");
            }
        }
    }
}

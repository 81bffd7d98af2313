//! The names of keys in Redis, and what the app's record says.

use std::fmt::Write as _;

use bytes::Bytes;
use fred::types::Value;

use crate::rules::{CacheKey, EntryRef, Role, Tag, UNROUTED};
use crate::store::core::{LastInvalidated, Token};

/// Names keys. A name that comes from a request has no braces, so none can be taken for one of the other two kinds.
#[derive(Debug)]
pub(super) struct Layout {
    prefix: String,
    control: Control,
    absent: String,
}

/// The keys of what an app has besides entries.
#[derive(Clone, Debug)]
pub(super) struct Control {
    /// HASH: the app's record.
    pub(super) record: Bytes,
    /// HASH: the nodes that share it.
    pub(super) nodes: Bytes,
    /// HASH: what is held, or invalidated again and again, by tag.
    pub(super) held: Bytes,
    /// HASH: the marks of writes under way, by the write's id.
    pub(super) pend: Bytes,
}

/// The keys of one entry.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// STRING: the body, byte for byte.
    pub(super) body: Bytes,
    /// HASH: everything else of the entry. Its hash tag puts it into the body's cluster slot.
    pub(super) meta: Bytes,
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        // In braces, so that all of them lie in one slot of a cluster.
        let app = if prefix.is_empty() { "aside" } else { prefix };
        let key = |kind| Bytes::from(format!("aside:{{{app}}}:{kind}"));
        Self {
            prefix: prefix.to_owned(),
            control: Control { record: key("gen"), nodes: key("nodes"), held: key("held"), pend: key("pend") },
            absent: format!("aside:{{{app}}}:self-test"),
        }
    }

    /// What matches the meta keys of all entries, for a scan.
    pub(super) fn meta_pattern(&self) -> String {
        let mut pattern = "{".to_owned();
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern + "*}:meta"
    }

    /// What every key of an entry begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A key of the app's that is never there.
    pub(super) fn absent(&self) -> &str {
        &self.absent
    }

    /// A key of each kind that a user may be kept from: with a prefix of every kind, without one of those alone whose names do
    /// not depend on the routes.
    pub(super) fn samples(&self) -> Vec<String> {
        let Self { prefix, absent, .. } = self;
        let mut samples = vec![absent.clone()];
        if !prefix.is_empty() {
            samples.extend([format!("{prefix}self-test"), format!("{{{prefix}self-test}}:meta")]);
        }
        samples
    }

    /// The patterns of [`Self::samples`], as a user's rights name them.
    pub(super) fn patterns(keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| key.replace("self-test", "*")).collect()
    }

    pub(super) fn keys(&self, at: &EntryRef) -> Keys {
        let mut text = String::with_capacity(self.prefix.len() + at.key.name.len() + 2 * DIGEST);
        text.push('{');
        text.push_str(&self.prefix);
        push_name(&at.key, &mut text);
        text.push_str(META);
        Keys::by_meta(text.into())
    }

    /// The meta key of what lies under this name of a key, with this at its end.
    pub(super) fn meta_of(&self, name: &str, end: &str) -> Bytes {
        ["{", &self.prefix, name, end, META].concat().into()
    }

    /// The keys of what the app has besides entries.
    pub(super) fn control(&self) -> Control {
        self.control.clone()
    }

    /// The key of the app's record.
    pub(super) fn record(&self) -> &Bytes {
        &self.control.record
    }
}

/// What follows the name of a body in that of its meta.
const META: &str = "}:meta";

impl Keys {
    fn by_meta(meta: Bytes) -> Self {
        Self { body: meta.slice(1..meta.len() - META.len()), meta }
    }

    /// The same in no more bytes than they have.
    pub(super) fn compact(&self) -> Self {
        Self::by_meta(Bytes::copy_from_slice(&self.meta))
    }

    /// How many that are.
    pub(super) fn size(&self) -> usize {
        self.meta.len()
    }
}

/// How many bytes a digest takes in a name.
const DIGEST: usize = "#".len() + 32;

/// The name of a key: in Redis the name of the entry's body, and what people are told of it. The name that its route's
/// template made, `@` with a host that the proxy is not known by, `#https` where that was the scheme, `#` with a digest of
/// what selects it, and `#` with what is kept there if that is not the answer itself.
pub fn key_name(key: &CacheKey) -> String {
    let mut text = String::with_capacity(key.name.len() + DIGEST);
    push_name(key, &mut text);
    text
}

fn push_name(key: &CacheKey, text: &mut String) {
    let CacheKey { route, fingerprint: _, name, host, secure, selected, role } = key;
    text.push_str(name);
    // Without a route a host stands with its scheme.
    let https_host = *secure && **route == *UNROUTED && host.as_ref().is_some_and(|host| !host.is_empty());
    if let Some(host) = host {
        text.extend(["@", if https_host { "https://" } else { "" }, &**host]);
    }
    if *secure && !https_host {
        text.push_str("#https");
    }
    for digest in selected {
        let _ = write!(text, "#{digest}");
    }
    match role {
        Role::Answer => {}
        Role::Part => text.push_str("#part"),
        Role::Variant(slot) => {
            let _ = write!(text, "#{slot}");
        }
        Role::Around => text.push_str("#around"),
    }
}

const EPOCH: Bytes = Bytes::from_static(b"epoch");
const REPLID: Bytes = Bytes::from_static(b"replid");
const SEQ: Bytes = Bytes::from_static(b"seq");
const FLOOR: Bytes = Bytes::from_static(b"floor");
const NAMES: Bytes = Bytes::from_static(b"names");

/// So many of [`record_fields`] come before those of the tags.
pub(super) const RECORD_HEAD: usize = 4;

/// The fields of a record to ask for, in the order that [`Record::decode`] takes them: of these tags, and of all names where
/// one of them is a name. What else counts in the place of a tag an entry has among its own.
pub(super) fn record_fields<'a>(tags: impl IntoIterator<Item = &'a Tag>) -> Vec<Bytes> {
    let (mut fields, mut has_name) = (vec![EPOCH, REPLID, SEQ, FLOOR], false);
    for tag in tags {
        has_name = has_name || tag.is_name();
        fields.push(field(tag));
    }
    if has_name {
        fields.push(NAMES);
    }
    // fred takes a reply of three to five strings for a pub/sub message if the first one is spelt like one, drops it and
    // gives every later reply to the wrong caller. Nobody but a person can write such an epoch; a longer reply is safe.
    while fields.len() < 6 {
        fields.push(FLOOR);
    }
    fields
}

/// The field that has a tag's last invalidation. `record.lua` names them alike.
pub(super) fn field(tag: &Tag) -> Bytes {
    let text = tag.as_str();
    if *tag == Tag::everything() {
        FLOOR
    } else if *tag == Tag::names() {
        NAMES
    } else if tag.is_listed_for_good() {
        ["f:", text.strip_prefix("r:").unwrap_or(text)].concat().into()
    } else {
        ["t:", text].concat().into()
    }
}

/// What the app's record says about some tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The point that the app's sequence has reached.
    pub(super) now: Token,
    /// Where the floor or one of the tags was last invalidated.
    pub(super) latest: LastInvalidated,
}

/// What the floor or the field of a tag says: `12`, `12s15`, `s15`, or `q<until> <owner>` where it is held; `None` where it
/// cannot be read. `record.lua` reads it alike.
fn parse_last(value: &Value) -> Option<LastInvalidated> {
    if value.is_null() {
        return Some(LastInvalidated::default());
    }
    let text = text(value)?;
    if let Some(held) = text.strip_prefix('q') {
        let (until, owner) = held.split_once(' ')?;
        let one_word = !owner.is_empty() && !owner.contains(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        return (one_word && whole(until).is_some()).then_some(LastInvalidated::ENDLESS);
    }
    let Some((hard, soft)) = text.split_once('s') else {
        return Some(LastInvalidated { hard: whole(text)?, soft: 0 });
    };
    let hard = if hard.is_empty() { 0 } else { whole(hard)? };
    Some(LastInvalidated { hard, soft: whole(soft)? })
}

impl Record {
    /// Reads the values of [`record_fields`]. Nothing comes back if there is no record, if it was made under another
    /// replication id, or if somebody has spoilt it.
    pub(super) fn decode(values: &[Value], replid: &str) -> Option<Self> {
        let (record, tags) = Self::head(values, replid)?;
        Some(record.with(tags))
    }

    /// The same without the tags, whose values come back with it.
    pub(super) fn head<'v>(values: &'v [Value], replid: &str) -> Option<(Self, &'v [Value])> {
        let [epoch, made_under, seq, floor, tags @ ..] = values else { return None };
        if text(made_under)? != replid {
            return None;
        }
        let now = Token { epoch: parse_epoch(text(epoch)?)?, seq: whole(text(seq)?)? };
        let latest = if floor.is_null() { return None } else { parse_last(floor)? };
        Some((Self { now, latest }, tags))
    }

    /// The same with what the fields of some tags say.
    pub(super) fn with(self, tags: &[Value]) -> Self {
        let latest = tags.iter().fold(self.latest, |latest, value| latest.max(last_invalidated(value)));
        Self { latest, ..self }
    }

    /// Which of these tags, whose [`record_fields`] the values are, were invalidated after this token. `None` where the
    /// record is not the one that the token is of.
    pub(super) fn raised(values: &[Value], replid: &str, token: Token, tags: &[Tag]) -> Option<Vec<Tag>> {
        let record = Self::decode(values, replid)?;
        let later = |(_, value): &(&Tag, &Value)| last_invalidated(value).hard > token.seq;
        let raised = || tags.iter().zip(values.iter().skip(4)).filter(later).map(|(tag, _)| tag.clone()).collect();
        (record.now.epoch == token.epoch && token.seq <= record.now.seq).then(raised)
    }

    /// Whether nothing that was asked for was invalidated after this token.
    pub(super) fn spares(&self, token: Token) -> bool {
        // A token from the future can only come from a record that was put back to an older state.
        token.epoch == self.now.epoch && token.seq <= self.now.seq && self.latest.hard <= token.seq
    }

    /// Whether something that was asked for was invalidated softly after this token.
    pub(super) fn softens(&self, token: Token) -> bool {
        self.latest.soft > token.seq
    }
}

fn last_invalidated(value: &Value) -> LastInvalidated {
    parse_last(value).unwrap_or(LastInvalidated::ENDLESS)
}

pub(super) fn text(value: &Value) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()?).ok()
}

/// A number as the scripts accept it too.
fn whole(text: &str) -> Option<u64> {
    let digits = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// An epoch as it is written in Redis.
pub(super) fn write_epoch(epoch: u64) -> String {
    format!("{epoch:016x}")
}

fn parse_epoch(text: &str) -> Option<u64> {
    let written = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    written.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// A token as it is written in Redis.
pub(super) fn write_token(token: Token) -> String {
    format!("{}:{}", write_epoch(token.epoch), token.seq)
}

pub(super) fn parse_token(text: &str) -> Option<Token> {
    let (epoch, seq) = text.split_once(':')?;
    Some(Token { epoch: parse_epoch(epoch)?, seq: whole(seq)? })
}

/// Reads `epoch seq …`, which the scripts answer with. One string: see [`record_fields`].
pub(super) fn parse_answer(text: &str) -> Option<(Token, &str)> {
    let mut parts = text.splitn(3, ' ');
    let token = Token { epoch: parse_epoch(parts.next()?)?, seq: whole(parts.next()?)? };
    Some((token, parts.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Digest;

    const REPLICATION: &str = "f00d";

    #[test]
    fn a_key_has_one_name() {
        let key = |route: &str| CacheKey::new(route, 7, "fruit:1");
        let (plain, host) = (key("fruit"), Some(Box::from("a.example")));
        let https = CacheKey { secure: true, ..plain.clone() };
        let selected = CacheKey { selected: [Digest::of(b"de")].into(), ..https.clone() };
        for (key, name) in [
            (plain.clone(), "fruit:1"),
            (https, "fruit:1#https"),
            (CacheKey { host: host.clone(), secure: true, ..plain.clone() }, "fruit:1@a.example#https"),
            (CacheKey { host: host.clone(), secure: true, ..key(UNROUTED) }, "fruit:1@https://a.example"),
            (CacheKey { host: Some("".into()), secure: true, ..key(UNROUTED) }, "fruit:1@#https"),
            (CacheKey { role: Role::Around, ..plain.clone() }, "fruit:1#around"),
            (CacheKey { role: Role::Variant(31), host, ..plain }, "fruit:1@a.example#31"),
            (CacheKey { role: Role::Part, ..selected }, "fruit:1#https#959a45d44e6fcf58361ed004681556fe#part"),
        ] {
            assert_eq!(key_name(&key), name);
        }
    }

    #[test]
    fn a_meta_key_has_the_bodys_name_as_its_hash_tag() {
        let place = EntryRef { key: CacheKey::new("fruit", 0, "fruit:1"), tags: Vec::new().into() };
        let layout = Layout::new("shop:");
        let Keys { body, meta } = layout.keys(&place).compact();
        let Control { record, nodes, held, pend } = layout.control();
        let names = [
            "shop:fruit:1",
            "{shop:fruit:1}:meta",
            "aside:{shop:}:gen",
            "aside:{shop:}:nodes",
            "aside:{shop:}:held",
            "aside:{shop:}:pend",
        ];
        assert_eq!([body, meta, record, nodes, held, pend], names);
    }

    fn record(values: &[&str]) -> Option<Record> {
        let values: Vec<Value> =
            values.iter().map(|text| if *text == "-" { Value::Null } else { Value::from(*text) }).collect();
        Record::decode(&values, REPLICATION)
    }

    #[test]
    fn a_record_is_read() {
        let now = Token { epoch: 0xab, seq: 7 };
        let read = |values: &[&str]| record(values).map(|record| (record.now, record.latest.hard, record.latest.soft));
        assert_eq!(read(&["00000000000000ab", "f00d", "7", "2", "-", "5"]), Some((now, 5, 0)));
        assert_eq!(read(&["00000000000000ab", "f00d", "7", "2"]), Some((now, 2, 0)));
        assert_eq!(read(&["00000000000000ab", "f00d", "7", "1s2", "s6", "5", "3s4"]), Some((now, 5, 6)));
        assert_eq!(read(&["00000000000000ab", "f00d", "7", "q9 *"]), Some((now, u64::MAX, u64::MAX)));
    }

    #[test]
    fn what_made_an_entry_old_is_named() {
        let tags = ["a", "b", "c"].map(Tag::route);
        let values: Vec<Value> =
            ["00000000000000ab", REPLICATION, "7", "2", "5", "", "6"].map(Value::from).into_iter().collect();
        let raised = |epoch, seq| Record::raised(&values, REPLICATION, Token { epoch, seq }, &tags);
        assert_eq!(raised(0xab, 5), Some(vec![Tag::route("b"), Tag::route("c")]), "a spoilt one counts");
        assert_eq!(raised(0xac, 5), None);
        assert_eq!(raised(0xab, 8), None);
    }

    #[test]
    fn a_spoilt_record_is_none() {
        for values in [
            &["-", "-", "-", "-"][..],
            &["00000000000000ab", "0ther", "7", "0"],
            &["ab", "f00d", "7", "0"],
            &["00000000000000AB", "f00d", "7", "0"],
            &["00000000000000ab", "f00d", "-7", "0"],
            &["00000000000000ab", "f00d", "+7", "0"],
            &["00000000000000ab", "f00d", "7", ""],
            &["00000000000000ab", "f00d", "7", "1e3"],
            &["00000000000000ab", "f00d", "7", "-"],
            &["00000000000000ab", "f00d", "7", "q9"],
            &["00000000000000ab", "f00d", "7", "s"],
            &["00000000000000ab", "f00d", "7777777777777777", "0"],
            &["00000000000000ab", "f00d", "7"],
            &[],
        ] {
            assert_eq!(record(values), None, "{values:?}");
        }
    }

    #[test]
    fn a_spoilt_tag_counts_as_invalidated() {
        let record = record(&["00000000000000ab", "f00d", "7", "0", "many"]).unwrap();
        assert!(!record.spares(record.now));
    }

    #[test]
    fn a_token_from_another_life_or_from_the_future_is_not_spared() {
        let record = record(&["00000000000000ab", "f00d", "7", "2"]).unwrap();
        assert!(record.spares(Token { epoch: 0xab, seq: 2 }));
        assert!(!record.spares(Token { epoch: 0xab, seq: 1 }));
        assert!(!record.spares(Token { epoch: 0xab, seq: 8 }));
        assert!(!record.spares(Token { epoch: 0xac, seq: 2 }));
    }

    #[test]
    fn no_reply_is_short_enough_for_a_pubsub_message() {
        assert!(record_fields([]).len() > 5);
        assert_eq!(record_fields(&[Tag::route("a"), Tag::route("b"), Tag::route("c")]).len(), 7);
        let fields = record_fields(&[Tag::named("a"), Tag::route("b"), Tag::named("c")]);
        assert_eq!(fields[4..], ["t:n:a", "f:b", "t:n:c", "names"], "once, behind the others");
    }

    #[test]
    fn tokens_survive_writing() {
        let token = Token { epoch: u64::MAX - 1, seq: 12 };
        assert_eq!(parse_token(&write_token(token)), Some(token));
    }
}

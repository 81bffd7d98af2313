//! What each script is told: its keys and its arguments, by name and in order.

use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;

use super::codec::{Content, identity, json, tag_list};
use super::layout::{Control, Keys, write_epoch};
use crate::clock::millis;
use crate::rules::{CacheKey, Tag};
use crate::store::change::{Change, Intent, Strength};
use crate::store::core::{FOLDED_AT_ONCE, MARK_LIMIT, Otherwise, READ_LIMIT, TAG_LIMIT, fresh_epoch};
use crate::store::entry::{Expect, Kind, StoredResponse};

/// An entry is never kept for a shorter time, nor for a longer one.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a script is told: its keys and its arguments.
pub(super) trait Arguments {
    /// The lines of the script that give them their names.
    const NAMES: &'static str;

    /// Keys and arguments in the order of these names; `replid` is the replication id of the session's master.
    fn values(self, replid: Bytes) -> (Vec<Bytes>, Vec<Value>);
}

/// Lists the keys and arguments of a script, besides `replid`. Their names in Lua and the order of their values both come
/// from this list.
macro_rules! arguments {
    ($(#[$script_doc:meta])* $script:ident($($key:ident),+) { $($(#[$doc:meta])* $name:ident,)+ }) => {
        $(#[$script_doc])*
        #[derive(Clone)]
        pub(super) struct $script {
            $(pub(super) $key: Bytes,)+
            $($(#[$doc])* pub(super) $name: Bytes,)+
        }

        impl Arguments for $script {
            const NAMES: &'static str = concat!(
                "local ", $(stringify!($key), ", ",)+ "_ = unpack(KEYS)\n",
                "local replid, ", $(stringify!($name), ", ",)+ "_ = unpack(ARGV)\n",
            );

            fn values(self, replid: Bytes) -> (Vec<Bytes>, Vec<Value>) {
                (vec![$(self.$key),+], vec![replid.into(), $(self.$name.into()),+])
            }
        }
    };
}

arguments! {
    /// Stores a fill unless its token says that it may be old, or something else is there than what is expected.
    Put(body_key, meta_key, record_key) {
        /// The entry's token.
        epoch,
        seq,
        /// How long it is kept, in milliseconds.
        life,
        body,
        /// What its meta hash says.
        version,
        key,
        tags,
        fields,
        about,
        hash,
        /// A tag that it has not, by which it may be refused all the same.
        fills,
        /// `1` for an index of variants.
        is_index,
        /// `any`, `absent` or `entry`, and of the entry its token, about and sum.
        expect,
        expect_token,
        expect_about,
        expect_sum,
        /// `1` if the entry's body is the one that is stored now.
        same_body,
    }
}

arguments! {
    /// Invalidates tags.
    Invalidate(record_key, held_key, pend_key) {
        /// For a record that has to be made.
        fresh_epoch,
        /// The id of the write whose mark ends; empty for none.
        mark,
        /// `1` if what it hits is stale instead of gone.
        softly,
        /// What is held after that, and for how many milliseconds each, as JSON.
        settled,
        /// The `since` token; empty for none.
        since_epoch,
        since_seq,
        /// How many tags are listed at most, and how many are taken out at once.
        tag_limit,
        folded_at_once,
        /// The tags, and those that are only watched, as JSON.
        invalidated,
        watched,
    }
}

arguments! {
    /// Invalidates tags and puts an entry in their place.
    InvalidateAndPut(body_key, meta_key, record_key, held_key, pend_key) {
        /// As [`Invalidate`] has them.
        fresh_epoch,
        mark,
        softly,
        settled,
        since_epoch,
        since_seq,
        tag_limit,
        folded_at_once,
        invalidated,
        watched,
        /// `invalidate` if that takes place although the entry may not be put.
        otherwise,
        /// As [`Put`] has them.
        life,
        body,
        version,
        key,
        tags,
        fields,
        about,
        hash,
    }
}

arguments! {
    /// Holds what a write of unknown outcome may have changed.
    Hold(record_key, held_key, pend_key) {
        /// As [`Invalidate`] has them.
        fresh_epoch,
        mark,
        tag_limit,
        folded_at_once,
        /// What is held, as JSON, and for how many milliseconds.
        held,
        held_for,
        /// What is invalidated now, and again and again, as JSON.
        others,
    }
}

arguments! {
    /// Notes a write that is about to be forwarded.
    MarkWrite(pend_key) {
        /// The id of the write.
        mark,
        /// What it is about to change, as JSON.
        intent,
        /// How many are noted at the most.
        mark_limit,
    }
}

arguments! {
    /// Ends the mark of a write that has changed nothing.
    Unmark(pend_key) {
        /// The id of the write.
        mark,
    }
}

arguments! {
    /// Looks which writes of others are under way, and whether what has these tags may still be changed.
    LookAround(held_key, pend_key) {
        /// Which node looks: its own writes it knows.
        node,
        /// The fingerprint of its rules.
        rules,
        /// So many marks are read at the most.
        read_limit,
        /// As JSON.
        tags,
    }
}

arguments! {
    /// Makes the app's record, and does what is due.
    Renew(record_key, held_key) {
        /// As [`Invalidate`] has them.
        fresh_epoch,
        tag_limit,
        folded_at_once,
    }
}

arguments! {
    /// Joins the registry, renews a lease or leaves, and makes what is pending.
    Call(record_key, nodes_key, held_key, pend_key) {
        /// As [`Invalidate`] has them.
        fresh_epoch,
        tag_limit,
        folded_at_once,
        /// As [`MarkWrite`] has it.
        mark_limit,
        /// Which node, and in which generation.
        node,
        generation,
        /// `join`, `renew` or `leave`.
        step,
        /// The time by the server's clock after which it must not run.
        run_before,
        /// Since when the node knows the server, by its clock; empty if it does not.
        known_since,
        /// `1` where a node that this one knows has been silent for too long: a new epoch begins.
        gives_up,
        /// What the node's configuration says, in milliseconds.
        lease,
        absence,
        commit_within,
        /// The fingerprint of its rules; that of those which it went by before, and the tags of what has changed since, as
        /// JSON: empty where it has no others to name.
        rules,
        rules_before,
        rules_changed,
        /// The file that it has locked; `-` for none.
        lock,
        /// What is pending, as JSON.
        pending,
        /// Its writes under way, as JSON: what is noted of each, by its id.
        marks,
    }
}

impl Put {
    /// Stores an entry that is built upon what is expected.
    pub(super) fn of(keys: Keys, record: Bytes, at: &CacheKey, entry: &StoredResponse, expect: &Expect) -> Self {
        let none = || <[Bytes; 3]>::default();
        let (expect, [expect_token, expect_about, expect_sum], same_body) = match expect {
            Expect::Any => ("any", none(), false),
            Expect::Absent => ("absent", none(), false),
            // A person may have put another body there. Where it was to stay as it is, the script can see that.
            Expect::Entry(there) => ("entry", identity(at, there), there.has_body_of(entry)),
        };
        let Content { version, key, tags, fields, about, hash } = Content::of(at, entry);
        Self {
            body_key: keys.body,
            meta_key: keys.meta,
            record_key: record,
            epoch: write_epoch(entry.token.epoch).into(),
            seq: entry.token.seq.to_string().into(),
            life: life(entry),
            body: entry.body.clone(),
            version,
            key,
            tags,
            fields,
            about,
            hash,
            fills: Bytes::copy_from_slice(Tag::fills(&at.route).as_str().as_bytes()),
            is_index: flag(entry.kind == Kind::VaryIndex),
            expect: Bytes::from_static(expect.as_bytes()),
            expect_token,
            expect_about,
            expect_sum,
            same_body: flag(same_body),
        }
    }
}

impl Invalidate {
    /// Invalidates what the change says.
    pub(super) fn of(keys: Control, change: &Change<'_>) -> Self {
        let Change { tags, since, mark, settle, strength } = change;
        let epoch = since.map(|since| write_epoch(since.token.epoch)).unwrap_or_default();
        let seq = since.map(|since| since.token.seq.to_string()).unwrap_or_default();
        let settle: Vec<(&str, u64)> = settle.iter().map(|(tag, time)| (tag.as_str(), millis(*time))).collect();
        Self {
            record_key: keys.record,
            held_key: keys.held,
            pend_key: keys.pend,
            fresh_epoch: fresh(),
            mark: id_of(mark.and_then(|mark| mark.id.as_deref())),
            softly: flag(*strength == Strength::Soft),
            settled: json(&settle),
            since_epoch: epoch.into(),
            since_seq: seq.into(),
            tag_limit: number(TAG_LIMIT),
            folded_at_once: number(FOLDED_AT_ONCE),
            invalidated: tag_list(tags),
            watched: tag_list(since.map_or(&[], |since| &since.watched)),
        }
    }
}

impl InvalidateAndPut {
    /// Does what `told` says, and puts an entry in the place of what that invalidates.
    pub(super) fn of(
        keys: Keys,
        told: &Invalidate,
        key: &CacheKey,
        entry: StoredResponse,
        otherwise: Otherwise,
    ) -> Self {
        let Content { version, key, tags, fields, about, hash } = Content::of(key, &entry);
        let otherwise: &[u8] = match otherwise {
            Otherwise::Invalidate => b"invalidate",
            Otherwise::Nothing => b"nothing",
        };
        let told = told.clone();
        Self {
            body_key: keys.body,
            meta_key: keys.meta,
            record_key: told.record_key,
            held_key: told.held_key,
            pend_key: told.pend_key,
            fresh_epoch: told.fresh_epoch,
            mark: told.mark,
            softly: told.softly,
            settled: told.settled,
            since_epoch: told.since_epoch,
            since_seq: told.since_seq,
            tag_limit: told.tag_limit,
            folded_at_once: told.folded_at_once,
            invalidated: told.invalidated,
            watched: told.watched,
            otherwise: Bytes::from_static(otherwise),
            life: life(&entry),
            body: entry.body,
            version,
            key,
            tags,
            fields,
            about,
            hash,
        }
    }
}

impl Hold {
    /// Holds what a write with this id was about to change for so long.
    pub(super) fn of(keys: Control, id: Option<&str>, intent: &Intent, time: Duration) -> Self {
        Self {
            record_key: keys.record,
            held_key: keys.held,
            pend_key: keys.pend,
            fresh_epoch: fresh(),
            mark: id_of(id),
            tag_limit: number(TAG_LIMIT),
            folded_at_once: number(FOLDED_AT_ONCE),
            held: tag_list(&intent.held),
            held_for: millis(time).to_string().into(),
            others: tag_list(&intent.others),
        }
    }
}

impl MarkWrite {
    /// Notes a write under this id.
    pub(super) fn of(keys: Control, id: &str, intent: Bytes) -> Self {
        Self { pend_key: keys.pend, mark: id_of(Some(id)), intent, mark_limit: number(MARK_LIMIT) }
    }
}

impl Unmark {
    /// Ends the mark with this id.
    pub(super) fn of(keys: Control, id: &str) -> Self {
        Self { pend_key: keys.pend, mark: id_of(Some(id)) }
    }
}

impl LookAround {
    /// For what has these tags, by a node of these rules.
    pub(super) fn of(keys: Control, node: &str, rules: Bytes, tags: &[Tag]) -> Self {
        Self {
            held_key: keys.held,
            pend_key: keys.pend,
            node: Bytes::copy_from_slice(node.as_bytes()),
            rules,
            read_limit: number(READ_LIMIT),
            tags: tag_list(tags),
        }
    }
}

impl Renew {
    /// Makes the record if there is none.
    pub(super) fn of(keys: Control) -> Self {
        let (tag_limit, folded_at_once) = (number(TAG_LIMIT), number(FOLDED_AT_ONCE));
        Self { record_key: keys.record, held_key: keys.held, fresh_epoch: fresh(), tag_limit, folded_at_once }
    }
}

/// An epoch for a record that has to be made.
pub(super) fn fresh() -> Bytes {
    write_epoch(fresh_epoch()).into()
}

fn id_of(mark: Option<&str>) -> Bytes {
    Bytes::copy_from_slice(mark.unwrap_or_default().as_bytes())
}

pub(super) fn number(number: impl ToString + Copy) -> Bytes {
    number.to_string().into()
}

/// How long Redis keeps an entry, in milliseconds.
fn life(entry: &StoredResponse) -> Bytes {
    entry.useful_for().clamp(SHORTEST_LIFE, LONGEST_LIFE).as_millis().to_string().into()
}

fn flag(set: bool) -> Bytes {
    Bytes::from_static(if set { b"1" } else { b"0" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_and_the_values_have_one_order() {
        assert_eq!(Unmark::NAMES, "local pend_key, _ = unpack(KEYS)\nlocal replid, mark, _ = unpack(ARGV)\n");
        let unmark = Unmark { pend_key: "k".into(), mark: "m".into() };
        let values = ["r", "m"].map(|value| Value::Bytes(value.into()));
        assert_eq!(unmark.values("r".into()), (vec!["k".into()], values.to_vec()));
    }
}

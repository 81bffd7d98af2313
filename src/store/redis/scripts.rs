//! The steps that have to be atomic, as scripts that run inside Redis, and what each of them is told.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::LuaInterface;
use fred::types::Value;

use super::codec::{Content, identity, tag_list};
use super::layout::{Keys, write_epoch};
use crate::rules::{CacheKey, Tag};
use crate::store::core::{FOLDED_AT_ONCE, Otherwise, Since, TAG_LIMIT, fresh_epoch};
use crate::store::entry::{Expect, Kind, StoredResponse};

const RECORD: &str = include_str!("scripts/record.lua");
const INVALIDATION: &str = include_str!("scripts/invalidation.lua");
const ENTRY: &str = include_str!("scripts/entry.lua");

/// Redis 7 is the first to read these lines. Without `allow-oom` it could not invalidate when its memory is used up.
const PLAIN: &str = "#!lua\n";
const ALWAYS: &str = "#!lua flags=allow-oom\n";

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
    Invalidate(record_key) {
        /// For a record that has to be made.
        fresh_epoch,
        /// `1` for everything there is, whatever its tags.
        everything,
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
    InvalidateAndPut(body_key, meta_key, record_key) {
        /// As [`Invalidate`] has them.
        fresh_epoch,
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
    /// Makes the app's record.
    Renew(record_key) {
        /// For a record that has to be made.
        fresh_epoch,
    }
}

impl Put {
    /// Stores an entry that is built upon what is expected.
    pub(super) fn of(keys: Keys, key: &CacheKey, entry: &StoredResponse, expect: &Expect) -> Self {
        let none = || <[Bytes; 3]>::default();
        let (expect, [expect_token, expect_about, expect_sum], same_body) = match expect {
            Expect::Any => ("any", none(), false),
            Expect::Absent => ("absent", none(), false),
            // A person may have put another body there. Where it was to stay as it is, the script can see that.
            Expect::Entry(there) => ("entry", identity(key, there), there.has_body_of(entry)),
        };
        let Content { version, key, tags, fields, about, hash } = Content::of(key, entry);
        Self {
            body_key: keys.body,
            meta_key: keys.meta,
            record_key: keys.record,
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
    /// Invalidates these tags, or everything there is.
    pub(super) fn of(record_key: Bytes, everything: bool, tags: &[Tag], since: Option<&Since>) -> Self {
        let epoch = since.map(|since| write_epoch(since.token.epoch)).unwrap_or_default();
        let seq = since.map(|since| since.token.seq.to_string()).unwrap_or_default();
        Self {
            record_key,
            fresh_epoch: write_epoch(fresh_epoch()).into(),
            everything: flag(everything),
            since_epoch: epoch.into(),
            since_seq: seq.into(),
            tag_limit: TAG_LIMIT.to_string().into(),
            folded_at_once: FOLDED_AT_ONCE.to_string().into(),
            invalidated: tag_list(tags),
            watched: tag_list(since.map_or(&[], |since| &since.watched)),
        }
    }
}

impl InvalidateAndPut {
    /// Invalidates these tags, and puts an entry in their place.
    pub(super) fn of(
        keys: Keys,
        tags: &[Tag],
        since: &Since,
        key: &CacheKey,
        entry: StoredResponse,
        otherwise: Otherwise,
    ) -> Self {
        let told = Invalidate::of(keys.record, false, tags, Some(since));
        let Content { version, key, tags, fields, about, hash } = Content::of(key, &entry);
        let otherwise: &[u8] = match otherwise {
            Otherwise::Invalidate => b"invalidate",
            Otherwise::Nothing => b"nothing",
        };
        Self {
            body_key: keys.body,
            meta_key: keys.meta,
            record_key: told.record_key,
            fresh_epoch: told.fresh_epoch,
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

/// How long Redis keeps an entry, in milliseconds.
fn life(entry: &StoredResponse) -> Bytes {
    entry.useful_for().clamp(SHORTEST_LIFE, LONGEST_LIFE).as_millis().to_string().into()
}

fn flag(set: bool) -> Bytes {
    Bytes::from_static(if set { b"1" } else { b"0" })
}

/// The scripts as one server knows them; by default it knows none.
#[derive(Default)]
pub(super) struct Scripts {
    pub(super) put: Script<Put>,
    pub(super) invalidate: Script<Invalidate>,
    pub(super) invalidate_and_put: Script<InvalidateAndPut>,
    pub(super) renew: Script<Renew>,
}

/// A script and the hash by which the server calls it.
pub(super) struct Script<A> {
    text: String,
    hash: String,
    told: PhantomData<fn(A)>,
}

impl Scripts {
    /// Loads the scripts. `flags` says whether the server reads the line that says when they may run.
    pub(super) async fn load(client: &Client, flags: bool) -> Result<Self, Error> {
        let line = |line| if flags { line } else { "" };
        let (plain, always) = (line(PLAIN), line(ALWAYS));
        let invalidate = [RECORD, INVALIDATION, include_str!("scripts/invalidate.lua")];
        let both = [RECORD, INVALIDATION, ENTRY, include_str!("scripts/invalidate_and_put.lua")];
        Ok(Self {
            put: Script::load(client, plain, [RECORD, ENTRY, include_str!("scripts/put.lua")]).await?,
            invalidate: Script::load(client, always, invalidate).await?,
            invalidate_and_put: Script::load(client, plain, both).await?,
            renew: Script::load(client, always, [RECORD, include_str!("scripts/renew.lua")]).await?,
        })
    }
}

impl<A: Arguments> Script<A> {
    async fn load<const PARTS: usize>(client: &Client, line: &str, parts: [&str; PARTS]) -> Result<Self, Error> {
        let text = [line, A::NAMES, &parts.concat()].concat();
        let hash = client.script_load(text.as_str()).await?;
        Ok(Self { text, hash, told: PhantomData })
    }

    /// Runs the script; it answers with one string.
    pub(super) async fn run(&self, client: &Client, replid: &str, arguments: A) -> Result<String, Error> {
        let (keys, args) = arguments.values(replid.to_owned().into());
        match client.evalsha(self.hash.as_str(), keys.clone(), args.clone()).await {
            // Somebody has emptied the server's script cache; this also fills it again.
            Err(error) if error.details().starts_with("NOSCRIPT") => client.eval(self.text.as_str(), keys, args).await,
            answer => answer,
        }
    }
}

impl<A> Default for Script<A> {
    fn default() -> Self {
        Self { text: String::new(), hash: String::new(), told: PhantomData }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_and_the_values_have_one_order() {
        assert_eq!(Renew::NAMES, "local record_key, _ = unpack(KEYS)\nlocal replid, fresh_epoch, _ = unpack(ARGV)\n");
        let renew = Renew { fresh_epoch: "e".into(), record_key: "k".into() };
        let values = ["r", "e"].map(|value| Value::Bytes(value.into()));
        assert_eq!(renew.values("r".into()), (vec!["k".into()], values.to_vec()));
    }

    /// What no argument, no function and no local of a script is called fails when Redis runs it, so whatever the list has
    /// that no script reads is the only thing to look for here.
    #[test]
    fn every_argument_is_read() {
        let put = [RECORD, ENTRY, include_str!("scripts/put.lua")].concat();
        let invalidate = [RECORD, INVALIDATION, include_str!("scripts/invalidate.lua")].concat();
        let both = [RECORD, INVALIDATION, ENTRY, include_str!("scripts/invalidate_and_put.lua")].concat();
        for (names, text) in [(Put::NAMES, put), (Invalidate::NAMES, invalidate), (InvalidateAndPut::NAMES, both)] {
            let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            for name in names.split([' ', ',', '\n']).filter(|name| !["local", "_", "=", ""].contains(name)) {
                assert!(name.starts_with("unpack") || words.contains(&name), "{name}");
            }
        }
    }
}

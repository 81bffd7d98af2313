//! The steps that have to be atomic, as scripts that run inside Redis.

use std::marker::PhantomData;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::LuaInterface;

use super::arguments::{
    Arguments, Call, Hold, Invalidate, InvalidateAndPut, LookAround, MarkWrite, Put, Renew, Unmark,
};

/// What the scripts have in common, each part behind those that it builds upon.
const RECORD: &str = include_str!("scripts/record.lua");
const HELD: &str = include_str!("scripts/held.lua");
const INVALIDATION: &str = include_str!("scripts/invalidation.lua");
const MARKS: &str = include_str!("scripts/marks.lua");
const ENTRY: &str = include_str!("scripts/entry.lua");

const PUT: [&str; 3] = [RECORD, ENTRY, include_str!("scripts/put.lua")];
const INVALIDATE: [&str; 5] = [RECORD, HELD, INVALIDATION, MARKS, include_str!("scripts/invalidate.lua")];
const INVALIDATE_AND_PUT: [&str; 6] =
    [RECORD, HELD, INVALIDATION, MARKS, ENTRY, include_str!("scripts/invalidate_and_put.lua")];
const HOLD: [&str; 5] = [RECORD, HELD, INVALIDATION, MARKS, include_str!("scripts/hold.lua")];
const MARK: [&str; 3] = [RECORD, HELD, include_str!("scripts/mark.lua")];
const UNMARK: [&str; 2] = [RECORD, include_str!("scripts/unmark.lua")];
const CALL: [&str; 5] = [RECORD, HELD, INVALIDATION, MARKS, include_str!("scripts/call.lua")];
const UNFINISHED: [&str; 5] = [RECORD, HELD, INVALIDATION, MARKS, include_str!("scripts/unfinished.lua")];
const RENEW: [&str; 5] = [RECORD, HELD, INVALIDATION, MARKS, include_str!("scripts/renew.lua")];

/// Redis 7 is the first to read these lines. Without `allow-oom` it could not invalidate when its memory is used up.
const PLAIN: &str = "#!lua\n";
const ALWAYS: &str = "#!lua flags=allow-oom\n";

/// The scripts as one server knows them; by default it knows none.
#[derive(Default)]
pub(super) struct Scripts {
    pub(super) put: Script<Put>,
    pub(super) invalidate: Script<Invalidate>,
    pub(super) invalidate_and_put: Script<InvalidateAndPut>,
    pub(super) hold: Script<Hold>,
    pub(super) mark: Script<MarkWrite>,
    pub(super) unmark: Script<Unmark>,
    pub(super) renew: Script<Renew>,
    pub(super) call: Script<Call>,
    pub(super) unfinished: Script<LookAround>,
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
        // All at once: from far away one after the other would take longer than a connection may.
        let (put, invalidate, invalidate_and_put, hold, mark, unmark, renew, call, unfinished) = tokio::try_join!(
            Box::pin(Script::load(client, plain, PUT)),
            Box::pin(Script::load(client, always, INVALIDATE)),
            Box::pin(Script::load(client, plain, INVALIDATE_AND_PUT)),
            Box::pin(Script::load(client, always, HOLD)),
            Box::pin(Script::load(client, always, MARK)),
            Box::pin(Script::load(client, always, UNMARK)),
            Box::pin(Script::load(client, always, RENEW)),
            Box::pin(Script::load(client, always, CALL)),
            Box::pin(Script::load(client, always, UNFINISHED)),
        )?;
        Ok(Self { put, invalidate, invalidate_and_put, hold, mark, unmark, renew, call, unfinished })
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
        let called = client.evalsha(self.hash.as_str(), keys.clone(), args.clone()).await;
        if !called.as_ref().is_err_and(|error| error.details().starts_with("NOSCRIPT")) {
            return called;
        }
        // Somebody has emptied the server's script cache.
        client.script_load::<String, _>(self.text.as_str()).await?;
        client.evalsha(self.hash.as_str(), keys, args).await
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

    /// What no argument, no function and no local of a script is called fails when Redis runs it, so whatever the list has
    /// that no script reads is the only thing to look for here.
    #[test]
    fn every_argument_is_read() {
        let scripts = [
            (Put::NAMES, PUT.concat()),
            (Invalidate::NAMES, INVALIDATE.concat()),
            (InvalidateAndPut::NAMES, INVALIDATE_AND_PUT.concat()),
            (Hold::NAMES, HOLD.concat()),
            (MarkWrite::NAMES, MARK.concat()),
            (Unmark::NAMES, UNMARK.concat()),
            (Renew::NAMES, RENEW.concat()),
            (LookAround::NAMES, UNFINISHED.concat()),
        ];
        for (names, text) in scripts {
            let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            for name in names.split([' ', ',', '\n']).filter(|name| !["local", "_", "=", ""].contains(name)) {
                assert!(name.starts_with("unpack") || words.contains(&name), "{name}");
            }
        }
    }
}

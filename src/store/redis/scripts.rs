//! The steps that have to be atomic, as scripts that run inside Redis.

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::LuaInterface;
use fred::types::Value;

use bytes::Bytes;

const RECORD: &str = include_str!("scripts/record.lua");
const INVALIDATION: &str = include_str!("scripts/invalidation.lua");
const ENTRY: &str = include_str!("scripts/entry.lua");

/// Redis 7 is the first to read these lines. Without `allow-oom` it could not invalidate when its memory is used up.
const PLAIN: &str = "#!lua\n";
const ALWAYS: &str = "#!lua flags=allow-oom\n";

/// The scripts as one server knows them; by default it knows none.
#[derive(Default)]
pub(super) struct Scripts {
    /// Stores a fill unless its token says that it may be old.
    pub(super) put: Script,
    /// Makes tags old.
    pub(super) invalidate: Script,
    /// Makes tags old and puts an entry in their place.
    pub(super) invalidate_and_put: Script,
    /// Makes the app's record.
    pub(super) renew: Script,
}

/// A script and the hash by which the server calls it.
#[derive(Default)]
pub(super) struct Script {
    text: String,
    hash: String,
}

impl Scripts {
    /// Loads the scripts. `flags` says whether the server reads the line that says when they may run.
    pub(super) async fn load(client: &Client, flags: bool) -> Result<Self, Error> {
        let line = |line| if flags { line } else { "" };
        Ok(Self {
            put: Script::load(client, [line(PLAIN), RECORD, ENTRY, include_str!("scripts/put.lua")]).await?,
            invalidate: Script::load(
                client,
                [line(ALWAYS), RECORD, INVALIDATION, include_str!("scripts/invalidate.lua")],
            )
            .await?,
            invalidate_and_put: Script::load(
                client,
                [line(PLAIN), RECORD, INVALIDATION, ENTRY, include_str!("scripts/invalidate_and_put.lua")],
            )
            .await?,
            renew: Script::load(client, [line(ALWAYS), RECORD, include_str!("scripts/renew.lua")]).await?,
        })
    }
}

impl Script {
    async fn load<const PARTS: usize>(client: &Client, parts: [&str; PARTS]) -> Result<Self, Error> {
        let text = parts.concat();
        let hash = client.script_load(text.as_str()).await?;
        Ok(Self { text, hash })
    }

    /// Runs the script; it answers with one string.
    pub(super) async fn run(&self, client: &Client, keys: Vec<Bytes>, args: Vec<Value>) -> Result<String, Error> {
        match client.evalsha(self.hash.as_str(), keys.clone(), args.clone()).await {
            // Somebody has emptied the server's script cache; this also fills it again.
            Err(error) if error.details().starts_with("NOSCRIPT") => client.eval(self.text.as_str(), keys, args).await,
            answer => answer,
        }
    }
}

//! `proxy.toml` as it is written: every key there is, nothing checked but the form of its value.
//!
//! Everything that a later error may point at keeps its place. What the values mean together is decided in the file
//! of each table; these structs are also the list of known keys that misspelt ones are compared with.

use serde::Deserialize;
use serde::de::value::Error as NoValue;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;

use super::duration::WrittenDuration;
use super::findings::Text;
use super::forms::{Entries, HasShortForm, Json, List, ManyOr, OneOrMany, TextOr, WordOrList};
use super::size::{WrittenCount, WrittenShare, WrittenSize};
use super::statuses::WrittenStatusTtl;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct File {
    pub(super) listen: Option<Spanned<OneOrMany>>,
    pub(super) origin: Option<Spanned<ManyOr<OriginTable>>>,
    pub(super) store: Option<Spanned<TextOr<StoreTable>>>,
    pub(super) tls: Option<Spanned<TlsTable>>,
    pub(super) clients: ClientsTable,
    pub(super) limits: LimitsTable,
    pub(super) log: LogTable,
    pub(super) unrouted: UnroutedTable,
    pub(super) write: Option<List<Spanned<WriteRuleTable>>>,
    pub(super) route: Option<List<Spanned<RouteTable>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite origin = \"http://127.0.0.1:5000\", or an [origin] table with `url`"
)]
pub(super) struct OriginTable {
    pub(super) url: Option<Spanned<OneOrMany>>,
    pub(super) host: Option<Text>,
    pub(super) connect_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) response_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) total_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) idle_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) reuse_after_body: Option<bool>,
    pub(super) max_connections: Option<Spanned<WrittenCount>>,
    pub(super) max_fields: Option<Spanned<WrittenCount>>,
    pub(super) max_header: Option<Spanned<WrittenSize>>,
    pub(super) upgrade: Option<bool>,
    pub(super) tunnel_idle: Option<Spanned<WrittenDuration>>,
    pub(super) tls: Option<Spanned<OriginTlsTable>>,
    pub(super) health: Option<Spanned<OriginHealthTable>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [origin.tls] and its keys below it, as in ca = \"ca.pem\""
)]
pub(super) struct OriginTlsTable {
    pub(super) ca: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) verify: Option<Spanned<bool>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [origin.health] and its keys below it, as in path = \"/health\""
)]
pub(super) struct OriginHealthTable {
    pub(super) path: Option<Text>,
    pub(super) interval: Option<Spanned<WrittenDuration>>,
    pub(super) timeout: Option<Spanned<WrittenDuration>>,
}

impl HasShortForm for OriginTable {
    const FORMS: &'static str = "origin = \"http://127.0.0.1:5000\", or an [origin] table with `url`";
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite store = \"memory://\", or a [store] table with `url`"
)]
pub(super) struct StoreTable {
    pub(super) url: Option<Text>,
    pub(super) memory: Option<Spanned<WrittenSize>>,
    pub(super) prefix: Option<Text>,
    pub(super) timeout: Option<Spanned<WrittenDuration>>,
    pub(super) when_down: Option<Text>,
}

impl HasShortForm for StoreTable {
    const FORMS: &'static str = "store = \"memory://\", or a [store] table with `url`";
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [tls] and its keys below it, as in cert = \"cert.pem\""
)]
pub(super) struct TlsTable {
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [clients] and its keys below it, as in http2 = \"tls\""
)]
pub(super) struct ClientsTable {
    pub(super) http2: Option<Text>,
    pub(super) proxy_protocol: Option<bool>,
    pub(super) secure: Option<bool>,
    pub(super) hosts: Option<Spanned<List<Text>>>,
    pub(super) trusted_proxies: Option<List<Text>>,
    pub(super) compression: Option<List<Text>>,
    pub(super) compression_memory: Option<Spanned<WrittenSize>>,
    pub(super) pass_tags: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [limits] and its keys below it, as in connections = 10000"
)]
pub(super) struct LimitsTable {
    pub(super) cores: Option<Spanned<WrittenCount>>,
    pub(super) connections: Option<Spanned<WrittenCount>>,
    pub(super) header: Option<Spanned<WrittenSize>>,
    pub(super) fields: Option<Spanned<WrittenCount>>,
    pub(super) target: Option<Spanned<WrittenSize>>,
    pub(super) header_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) idle_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) write_stall: Option<Spanned<WrittenDuration>>,
    pub(super) shutdown_timeout: Option<Spanned<WrittenDuration>>,
    pub(super) request_body: Option<Spanned<WrittenSize>>,
    pub(super) buffer_body: Option<Spanned<WrittenSize>>,
    pub(super) variants: Option<Spanned<WrittenCount>>,
    pub(super) body_rate: Option<Spanned<WrittenSize>>,
    pub(super) waiters: Option<Spanned<WrittenCount>>,
    pub(super) answers: Option<Spanned<WrittenSize>>,
    pub(super) connection_answers: Option<Spanned<WrittenSize>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [log] and its keys below it, as in format = \"json\""
)]
pub(super) struct LogTable {
    pub(super) format: Option<Text>,
    pub(super) requests: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [unrouted] and its keys below it, as in cache = false"
)]
pub(super) struct UnroutedTable {
    pub(super) cache: Option<bool>,
    pub(super) heuristics: Option<bool>,
    pub(super) close_delimited: Option<bool>,
    pub(super) set_cookie: Option<Text>,
    pub(super) cookies: Option<Text>,
    pub(super) post: Option<Text>,
    pub(super) any_order: Option<bool>,
    pub(super) stale_while_revalidate: Option<Spanned<WrittenDuration>>,
    pub(super) stale_if_error: Option<Spanned<WrittenDuration>>,
    pub(super) errors: Option<bool>,
    pub(super) vary: Option<Text>,
    pub(super) request_directives: Option<Text>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [[route]] and its keys below it, as in path = \"/orders/{page}\""
)]
pub(super) struct RouteTable {
    pub(super) path: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) query: Option<Spanned<List<Text>>>,
    pub(super) vary: Option<List<Text>>,
    pub(super) key: Option<Text>,
    pub(super) ttl: Option<Spanned<WrittenDuration>>,
    pub(super) override_origin: Option<Spanned<bool>>,
    pub(super) override_private: Option<Spanned<bool>>,
    pub(super) stale_while_revalidate: Option<WrittenDuration>,
    pub(super) stale_if_error: Option<WrittenDuration>,
    pub(super) ttl_jitter: Option<WrittenShare>,
    pub(super) statuses: Option<Entries<WrittenStatusTtl>>,
    pub(super) cookies: Option<Text>,
    pub(super) authorization: Option<Text>,
    pub(super) max_body: Option<WrittenSize>,
    pub(super) set_cookie: Option<Text>,
    pub(super) close_delimited: Option<bool>,
    pub(super) request_directives: Option<Text>,
    pub(super) etag: Option<bool>,
    pub(super) upgrade: Option<bool>,
    pub(super) unless: Option<Entries<Json>>,
    pub(super) tags: Option<List<Text>>,
    pub(super) invalidated_by: Option<Spanned<WordOrList<Spanned<TextOr<RuleTable>>>>>,
    pub(super) annotate: Option<Spanned<AnnotateTable>>,
    pub(super) write: Option<Spanned<WriteTable>>,
    pub(super) compress: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite \"PUT /fruit/{id}\", or a table with `request`")]
pub(super) struct RuleTable {
    pub(super) request: Option<Text>,
    pub(super) when: Option<Entries<Json>>,
    pub(super) variables: Option<Entries<Text>>,
    pub(super) tags: Option<List<Text>>,
}

impl HasShortForm for RuleTable {
    const FORMS: &'static str = "\"PUT /fruit/{id}\", or a table with `request`";
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite annotate = { field = \"from_cache\", hit = true, miss = false }"
)]
pub(super) struct AnnotateTable {
    pub(super) field: Option<Text>,
    pub(super) hit: Option<Json>,
    pub(super) miss: Option<Json>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [route.write] and its keys below it, as in request = \"POST /orders\""
)]
pub(super) struct WriteTable {
    pub(super) request: Option<Text>,
    pub(super) policy: Option<Text>,
    pub(super) select: Option<Spanned<Entries<Text>>>,
    pub(super) entry: Option<Text>,
    pub(super) reply: Option<Spanned<ReplyTable>>,
    pub(super) cache_by: Option<Spanned<TextOr<CacheByTable>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite \"anyone\", or a table with `field` and `value`")]
pub(super) struct CacheByTable {
    pub(super) field: Option<Text>,
    pub(super) value: Option<Text>,
}

impl HasShortForm for CacheByTable {
    const FORMS: &'static str = "\"anyone\", or a table with `field` and `value`";
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table\nwrite [[write]] and its keys below it, as in request = \"POST /login\""
)]
pub(super) struct WriteRuleTable {
    pub(super) request: Option<Spanned<OneOrMany>>,
    pub(super) drops: Option<List<Text>>,
    pub(super) when: Option<Entries<Json>>,
    pub(super) refused: Option<Spanned<RefusedTable>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite refused = { status = [302], location = \"/login\" }")]
pub(super) struct RefusedTable {
    pub(super) status: Option<Spanned<Json>>,
    pub(super) location: Option<Text>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table\nwrite reply = { status = 201, json = '{…}' }")]
pub(super) struct ReplyTable {
    pub(super) status: Option<Spanned<WrittenCount>>,
    pub(super) json: Option<Text>,
}

/// The keys that a table may have, asked of the struct that reads it.
pub(super) fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_tells_its_keys() {
        assert_eq!(keys_of::<AnnotateTable>(), ["field", "hit", "miss"]);
        assert!(keys_of::<File>().contains(&"route"));
    }
}

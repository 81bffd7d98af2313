//! Names that people bring from other proxies, from earlier drafts, or from the future: each says what to write.
//!
//! A key that is renamed or removed gets a line here, so that an old file is answered with the new name.

/// A key, and what to write instead of it.
struct Tombstone {
    /// The table it is written in; empty for any.
    table: &'static str,
    keys: &'static [&'static str],
    instead: &'static str,
}

const fn anywhere(keys: &'static [&'static str], instead: &'static str) -> Tombstone {
    Tombstone { table: "", keys, instead }
}

const fn in_table(table: &'static str, keys: &'static [&'static str], instead: &'static str) -> Tombstone {
    Tombstone { table, keys, instead }
}

const ROUTE: &str = "[[route]]";
const TOP: &str = "the top of the file";

static TOMBSTONES: &[Tombstone] = &[
    in_table(
        ROUTE,
        &["url", "uri", "pattern", "match", "location", "prefix", "endpoint"],
        "write path = \"/orders/{page}\"",
    ),
    in_table(
        ROUTE,
        &["cache", "enabled", "disabled"],
        "a [[route]] says what is cached: without one the origin's own freshness rules decide",
    ),
    in_table(ROUTE, &["group", "groups"], "delete it: a write drops whatever it may have changed, on every route"),
    in_table("[route.write]", &["status"], "write reply = { status = 201, json = '…' }"),
    in_table(
        ROUTE,
        &["timeout"],
        "a lifetime is `ttl`; how long the origin may take is `response_timeout` in [origin]",
    ),
    in_table(ROUTE, &["methods", "method"], "delete it: answers to GET and HEAD are cached, all else is forwarded"),
    in_table(ROUTE, &["grace", "stale"], "write `stale_while_revalidate` or `stale_if_error`"),
    in_table(ROUTE, &["heuristic"], "it is for paths without a route: write it into [unrouted]"),
    in_table(
        "[store]",
        &["password", "user", "username", "db", "database", "address", "port"],
        "it is part of the URL: url = \"redis://:${REDIS_PASSWORD}@127.0.0.1:6379/0\"",
    ),
    in_table("[store]", &["max_size", "max_memory", "size", "capacity"], "write memory = \"64MiB\""),
    in_table("[origin]", &["address", "port", "scheme"], "it is part of the URL: url = \"http://127.0.0.1:5000\""),
    in_table("[origin]", &["timeout", "read_timeout"], "write `response_timeout` or `connect_timeout`"),
    in_table("[tls]", &["certificate", "cert_file", "crt", "chain"], "write cert = \"cert.pem\""),
    in_table("[tls]", &["private_key", "key_file"], "write key = \"key.pem\""),
    in_table("[limits]", &["keepalive", "keep_alive", "keepalive_timeout"], "write `idle_timeout`"),
    in_table("[limits]", &["write_timeout", "send_timeout"], "write `write_stall`"),
    anywhere(&["ssl", "https"], "write a [tls] table with `cert` and `key`"),
    anywhere(&["h2", "h2c"], "write http2 = \"tls\", \"off\" or \"always\" into [clients]"),
    in_table("[origin]", &["urls", "addresses"], "write url = [\"http://10.0.0.1:5000\", \"http://10.0.0.2:5000\"]"),
    in_table("[origin]", &["websocket", "websockets"], "write upgrade = true"),
    in_table("[origin]", &["health_check", "healthcheck"], "write [origin.health] and path = \"/health\" below it"),
    in_table("[origin.tls]", &["insecure", "insecure_skip_verify", "skip_verify"], "write verify = false"),
    in_table("[origin.tls]", &["server_name", "sni"], "write `name`"),
    in_table(
        "[clients]",
        &["server_name", "server_names", "domain", "domains", "names", "virtual_hosts", "allowed_hosts"],
        "write hosts = [\"shop.example\"]",
    ),
    in_table("[origin]", &["keepalive", "keep_alive"], "write `idle_timeout`"),
    in_table(
        TOP,
        &["timeout"],
        "write `response_timeout` or `connect_timeout` into [origin], or `timeout` into [store]",
    ),
    in_table(
        TOP,
        &["host", "port", "address"],
        "write listen = \"127.0.0.1:8080\"; what the origin sees is `host` in [origin]",
    ),
    anywhere(
        &["upstream", "upstreams", "backend", "backends", "proxy_pass", "origin_url", "server", "servers"],
        "write origin = \"http://127.0.0.1:5000\" at the top of the file",
    ),
    anywhere(
        &["redis", "redis_url", "cache", "cache_url", "storage"],
        "write store = \"redis://127.0.0.1:6379\" at the top of the file",
    ),
    anywhere(
        &["routes", "location", "locations", "rules", "endpoints", "paths"],
        "each route is a table of its own: write [[route]] above its keys",
    ),
    anywhere(
        &["bind", "listen_addr", "listen_address", "listener", "listeners"],
        "write listen = \"127.0.0.1:8080\" at the top of the file",
    ),
    anywhere(
        &[
            "cache_ttl",
            "max_age",
            "s_maxage",
            "expire",
            "expires",
            "expiry",
            "expiration",
            "lifetime",
            "default_ttl",
            "cache_time",
            "cache_for",
            "proxy_cache_valid",
        ],
        "write ttl = \"10m\" into a [[route]]",
    ),
    anywhere(
        &[
            "purge",
            "purges",
            "purge_on",
            "invalidates",
            "invalidate",
            "invalidate_on",
            "bust",
            "evict",
            "drop",
            "drops",
            "drop_on",
            "clear_on",
        ],
        "write drops = [\"/orders/{id}\"] into the [[write]] that does it, or invalidated_by = [\"PUT /orders/{id}\"] into \
         the [[route]] that it makes old",
    ),
    anywhere(
        &["headers", "vary_by", "vary_on", "vary_headers", "header_keys"],
        "write vary = [\"Accept\", \"Accept-Language\"] into a [[route]]",
    ),
    anywhere(
        &["params", "parameters", "query_params", "query_string", "args"],
        "write query = [\"page\"] into a [[route]]",
    ),
    anywhere(&["cache_key", "key_template", "keys"], "write key = \"orders:{page}\" into a [[route]]"),
    anywhere(
        &["gzip", "brotli", "zstd", "encode", "encodings", "gzip_types"],
        "write compression = [\"zstd\", \"br\", \"gzip\"] into [clients]",
    ),
    anywhere(&["swr"], "write stale_while_revalidate = \"30s\" into a [[route]]"),
    anywhere(&["sie"], "write stale_if_error = \"1d\" into a [[route]]"),
    anywhere(&["jitter"], "write ttl_jitter = \"10%\" into a [[route]]"),
    anywhere(
        &["negative_ttl", "negative_cache", "status", "codes", "status_ttl"],
        "write statuses = { 404 = \"10s\" } into a [[route]]",
    ),
    anywhere(
        &["max_size", "max_body_size", "body_limit", "client_max_body_size"],
        "write max_body into a [[route]] for what is stored, request_body into [limits] for what is accepted",
    ),
    anywhere(
        &[
            "trust_proxy",
            "trusted_proxy",
            "trusted_ips",
            "set_real_ip_from",
            "real_ip",
            "real_ip_header",
            "forwarded_allow_ips",
        ],
        "write trusted_proxies = [\"10.0.0.0/8\"] into [clients]",
    ),
    anywhere(&["workers", "threads", "worker_processes"], "write cores = 2 into [limits]"),
    anywhere(
        &["max_connections", "worker_connections"],
        "write `connections` into [limits], or `max_connections` into [origin]",
    ),
    anywhere(&["logging", "log_format", "access_log"], "write format = \"json\" into [log]"),
    anywhere(&["auth"], "write authorization = \"bypass\", \"ignore\" or \"key\" into a [[route]]"),
    anywhere(&["override", "ignore_origin", "force"], "write override_origin = true into a [[route]]"),
    anywhere(&["write_policy", "write_through"], "write a [route.write] table below its [[route]]"),
    anywhere(
        &["writes"],
        "what a write drops is a [[write]], what it leaves in the cache a [route.write] below its [[route]]",
    ),
];

/// What to write instead of a foreign or former key; `None` for one that nobody knows.
pub(super) fn instead_of(key: &str, table: &str) -> Option<String> {
    let key = key.to_lowercase().replace('-', "_");
    let own = TOMBSTONES.iter().filter(|tombstone| tombstone.table == table);
    let any = TOMBSTONES.iter().filter(|tombstone| tombstone.table.is_empty());
    own.chain(any)
        .find(|tombstone| tombstone.keys.contains(&key.as_str()))
        .map(|tombstone| tombstone.instead.to_owned())
}

/// What to do about a key that is planned and that this version cannot do; `None` for all others.
pub(super) fn not_yet(key: &str, table: &str) -> Option<&'static str> {
    match (table, key) {
        (ROUTE, "settle") => Some("delete it; reads right after a write may be answered by a lagging replica"),
        (TOP, "admin") => Some("delete it; there is no admin listener yet"),
        ("[store]", "lease") => Some("delete it; there are no memory copies in front of Redis yet"),
        ("[log]", "fields") => Some("delete it; every line has the same fields"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_answer_in_a_table() {
        let mut seen = Vec::new();
        for tombstone in TOMBSTONES {
            for key in tombstone.keys {
                assert!(!seen.contains(&(tombstone.table, key)), "{key} twice");
                seen.push((tombstone.table, key));
            }
        }
    }

    #[test]
    fn spelling_with_dashes_is_the_same_name() {
        assert!(instead_of("Cache-TTL", ROUTE).is_some_and(|help| help.contains("ttl = ")));
        assert_eq!(instead_of("colour", ROUTE), None);
    }
}

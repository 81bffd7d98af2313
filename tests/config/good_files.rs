//! Good files mean what `proxy.toml`'s own comments say.

use std::time::Duration;

use aside::origin::HostRule;
use aside::policy::SetCookie;
use aside::rules::{
    Condition, Credential, Hosts, InvalidatedBy, Pointer, RouteQuery, Selection, Source, Subject, WriteTarget,
};
use aside::server::Http2;
use aside::store::{StoreUrl, WhenDown};
use aside::telemetry::LogFormat;
use serde_json::{Value, json};

use super::good;

/// What a body must say somewhere.
fn says(subject: Subject, pointer: &str, equals: Value) -> Condition {
    Condition::Says { subject, pointer: Pointer::parse(pointer).unwrap(), equals }
}

#[test]
fn everything_has_a_default() {
    let config = good("origin = \"http://127.0.0.1:5000\"");
    assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(
        (config.server.max_connections, config.server.max_header, config.server.max_fields),
        (10_000, 16_384, 100)
    );
    assert_eq!(config.server.header_timeout, Duration::from_secs(10));
    assert_eq!(
        (config.server.idle_timeout, config.server.write_stall),
        (Duration::from_secs(60), Duration::from_secs(30))
    );
    assert!(!config.server.secure && !config.server.is_secure());
    assert_eq!((config.server.tls, config.server.http2, config.server.proxy_protocol), (None, Http2::Tls, false));
    assert_eq!(config.server.shutdown_timeout, Duration::from_secs(6));
    assert_eq!(config.store.url, StoreUrl::Memory);
    assert_eq!((config.store.memory, config.store.timeout), (64 << 20, Duration::from_millis(50)));
    assert_eq!((config.store.when_down, config.store.prefix.as_str()), (WhenDown::Forward, ""));
    assert_eq!(config.store.commit_within, Duration::from_secs(60));
    assert_eq!(config.origin.host, HostRule::Client);
    assert_eq!(config.origin.idle_timeout, Duration::from_secs(1));
    assert_eq!(
        (config.origin.connect_timeout, config.origin.response_timeout),
        (Duration::from_secs(1), Duration::from_secs(30))
    );
    assert_eq!((config.origin.max_connections, config.origin.reuse_after_body), (1024, true));
    assert_eq!((config.origin.max_fields, config.origin.max_header), (1024, 256 << 10));
    assert!(config.origin.total_timeout.is_none() && config.origin.health.is_none() && config.origin.tls.is_none());
    assert_eq!((config.origin.upgrade, config.origin.tunnel_idle), (false, Duration::from_secs(3600)));
    assert_eq!((config.proxy.max_target, config.proxy.max_request_body), (8192, None));
    assert_eq!((config.proxy.buffer_body, config.proxy.max_waiters), (65_536, 1024));
    assert_eq!((config.proxy.max_answers, config.server.max_connection_answers), (64 << 20, 4 << 20));
    assert_eq!((config.proxy.trusted_proxies.len(), config.proxy.max_variants), (0, 32));
    let hosts = config.proxy.rules.hosts.clone().unwrap();
    assert_eq!(
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"]
    );
    assert!(hosts.keeps_others_apart());
    let unrouted = config.proxy.rules.unrouted.clone().unwrap();
    assert!(
        !unrouted.routed && !unrouted.heuristics && !unrouted.close_delimited && unrouted.honour_request_directives
    );
    assert!(!unrouted.errors && !config.proxy.rules.unrouted_by_all_fields);
    assert_eq!((config.log.format, config.log.requests), (LogFormat::Text, true));
    assert!(config.route_lines.is_empty() && config.remarks.iter().next().is_none());
}

#[test]
fn clients_are_served_as_the_file_says() {
    let config = good(
        "origin = \"http://a\"\n[clients]\nhttp2 = \"always\"\nproxy_protocol = true\nsecure = true\n[limits]\nfields = 7",
    );
    assert_eq!((config.server.http2, config.server.proxy_protocol), (Http2::Always, true));
    assert!(config.server.secure && config.server.is_secure());
    assert!(!config.proxy.pass_tags && good("origin = \"http://a\"\n[clients]\npass_tags = true").proxy.pass_tags);
    assert_eq!((config.server.max_fields, config.proxy.max_fields), (7, 7));
    assert_eq!(good("origin = \"http://a\"\n[clients]\nhttp2 = \"off\"").server.http2, Http2::Off);
}

#[test]
fn clients_know_the_proxy_by_the_names_that_the_file_lists() {
    let hosts = |text: &str| good(&format!("origin = \"http://a\"\n{text}")).proxy.rules.hosts.clone().unwrap();
    let names = |hosts: &Hosts| hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let listed = hosts("[clients]\nhosts = [\"Shop.Example\", \"[::1]:8080\"]");
    assert_eq!(
        (names(&listed), listed.keeps_others_apart()),
        (vec!["shop.example".into(), "[::1]:8080".into()], false)
    );
    let own = hosts("listen = [\"0.0.0.0:80\", \"127.0.0.1:81\"]");
    assert_eq!((own.first().to_string().as_str(), names(&own).len()), ("127.0.0.1:80", 6));
}

/// Port 0 is the kernel's to choose.
#[test]
fn the_names_have_the_ports_that_the_listeners_got() {
    let proxy = |more: &str| good(&format!("listen = \"127.0.0.1:0\"\norigin = \"http://a\"\n{more}")).proxy;
    let first = |more: &str| {
        let bound = proxy(more).listening_on(&["127.0.0.1:4711".parse().unwrap()]);
        bound.rules.hosts.as_ref().map(|hosts| hosts.first().to_string())
    };
    assert_eq!(first("").as_deref(), Some("127.0.0.1:4711"));
    assert_eq!(first("[clients]\nhosts = [\"shop.example\"]").as_deref(), Some("shop.example"));
}

#[test]
fn nodes_on_one_redis_are_told_which_name_they_have_to_share() {
    let notes = |text: &str| good(text).remarks.render(false);
    for text in [
        "origin = \"http://a\"\nstore = \"redis://h\"",
        "[origin]\nurl = \"http://a\"\nhost = \"client\"\n[store]\nurl = \"redis://h\"",
    ] {
        let told = notes(text);
        assert!(told.contains("note: ") && told.contains("each node keeps its own"), "{told}");
        assert!(told.contains(if text.contains("[store]") { ":5:7" } else { ":2:9" }), "{told}");
    }
    for text in [
        "origin = \"http://a\"\nstore = \"redis://h\"\n[clients]\nhosts = [\"shop.example\"]",
        "store = \"redis://h\"\n[origin]\nurl = \"http://a\"\nhost = \"origin\"",
        "origin = \"http://a\"",
    ] {
        assert_eq!(notes(text), "", "{text}");
    }
}

/// An API that has a certificate is most often one of several behind one address.
#[test]
fn an_https_api_that_sees_the_clients_host_is_told() {
    let told = good("origin = \"https://a.example\"").remarks.render(false);
    assert!(told.contains("note: the API sees the client's Host") && told.contains("host = \"origin\""), "{told}");
    assert!(told.contains(":1:10"), "{told}");
    for quiet in ["origin = \"http://a.example\"", "[origin]\nurl = \"https://a.example\"\nhost = \"client\""] {
        assert_eq!(good(quiet).remarks.render(false), "", "{quiet}");
    }
}

#[test]
fn hosts_that_change_nothing_are_told() {
    let told = good("[origin]\nurl = \"http://a\"\nhost = \"origin\"\n[clients]\nhosts = [\"shop.example\"]").remarks;
    let told = told.render(false);
    assert!(told.contains("warning: `hosts` has no effect") && told.contains(":5:9"), "{told}");
}

#[test]
fn a_route_has_defaults_too() {
    let config = good("origin = \"http://a\"\n[[route]]\npath = \"/orders/{page}\"");
    let route = config.proxy.rules.routes.iter().next().unwrap();
    assert_eq!(&*route.name, "/orders/{page}");
    assert_eq!(route.key.as_str(), "/orders/{page}");
    assert_eq!(route.query, RouteQuery::Raw);
    assert_eq!(route.vary, ["accept", "accept-language"]);
    assert_eq!((route.cookies, route.authorization), (Credential::Bypass, Credential::Bypass));
    assert!(
        route.etag && route.invalidated_by == InvalidatedBy::Every && route.write.is_none() && route.annotate.is_none()
    );
    let choices = &route.choices;
    assert!(
        choices.routed && !choices.override_origin && !choices.override_private && !choices.honour_request_directives
    );
    assert_eq!((choices.ttl, choices.statuses.as_slice()), (None, &[(200, None)][..]));
    assert_eq!((choices.stale_while_revalidate, choices.stale_if_error), (Duration::ZERO, Duration::from_secs(3_600)));
    assert_eq!(choices.max_body, 1 << 20);
    assert_eq!(config.route_lines, [2]);
}

#[test]
fn tables_instead_of_texts() {
    let config = good(
        "listen = [\"127.0.0.1:1\", \"[::1]:2\"]\n[origin]\nurl = \"http://a:1\"\nhost = \"origin\"\n[store]\n\
         url = \"redis://:secret@h:6379/2\"\nwhen_down = \"refuse\"\nprefix = \"shop:\"\n[unrouted]\ncache = false\n\
         [log]\nformat = \"json\"\nrequests = false\n[limits]\nrequest_body = \"10MiB\"\ncores = 3\n",
    );
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.cores, 3);
    assert!(config.proxy.rules.hosts.is_none() && config.proxy.rules.unrouted.is_none());
    assert_eq!(config.proxy.max_request_body, Some(10 << 20));
    assert_eq!((config.store.when_down, config.store.prefix.as_str()), (WhenDown::Refuse, "shop:"));
    assert!(matches!(config.store.url, StoreUrl::Redis(_)));
    assert!(!config.store.url.to_string().contains("secret"));
    assert_eq!((config.log.format, config.log.requests), (LogFormat::Json, false));
}

#[test]
fn every_choice_of_a_route() {
    let config = good(
        "origin = \"http://a\"\n[[route]]\npath = \"/a/{id}\"\nname = \"a\"\nquery = [\"lang\"]\n\
         vary = [\"Accept-Encoding\"]\nkey = \"a:{lang}:{id}\"\nttl = \"1h30m\"\noverride_origin = true\n\
         override_private = true\nstale_while_revalidate = \"5s\"\nstale_if_error = \"0s\"\nttl_jitter = \"10%\"\nsettle = \"2s\"\n\
         statuses = { 404 = \"10s\", 301 = \"ttl\" }\ncookies = \"ignore\"\nauthorization = \"key\"\n\
         max_body = \"2MiB\"\netag = false\ntags = [\"shop:{response:/shop}\"]\ninvalidated_by = []\n\
         annotate = { field = \"x\", hit = { a = [1] }, miss = \"no\" }\n",
    );
    let route = config.proxy.rules.routes.iter().next().unwrap();
    assert_eq!((&*route.name, route.key.as_str()), ("a", "a:{lang}:{id}"));
    assert_eq!(route.query, RouteQuery::Listed(vec!["lang".to_owned()]));
    assert_eq!(route.vary, ["accept-encoding"]);
    assert_eq!((route.cookies, route.authorization), (Credential::Ignore, Credential::Key));
    assert!((route.ttl_jitter - 0.1).abs() < 1e-9 && !route.etag);
    assert_eq!((route.tags.len(), route.settle), (1, Duration::from_secs(2)));
    assert_eq!(route.invalidated_by, InvalidatedBy::Listed(Vec::new()));
    let annotate = route.annotate.as_ref().unwrap();
    assert_eq!((&annotate.hit, &annotate.miss), (&json!({"a": [1]}), &json!("no")));
    let choices = &route.choices;
    assert_eq!(choices.ttl, Some(Duration::from_secs(5400)));
    assert!(choices.override_origin && choices.override_private);
    let mut statuses = choices.statuses.clone();
    statuses.sort_unstable();
    assert_eq!(statuses, [(200, None), (301, None), (404, Some(Duration::from_secs(10)))]);
}

#[test]
fn invalidations_in_both_forms() {
    let config = good(
        "origin = \"http://a\"\n[[route]]\npath = \"/orders/{order_id}\"\nttl = \"1h\"\ninvalidated_by = [\n  \"* /orders/{order_id}\",\n  \
         { request = \"POST /import\", when = { \"response.a.b\" = 1, \"body:/x\" = true }, \
         variables = { order_id = \"{body:/order/id}\" } },\n  { request = \"PUT /shops/{shop}\", tags = [\"shop:{shop}\"] },\n]\n",
    );
    let route = config.proxy.rules.routes.iter().next().unwrap();
    let rules = route.invalidated_by.rules();
    assert_eq!(rules.len(), 3);
    assert!(rules[0].request.method().is_none());
    assert_eq!(rules[1].when, [says(Subject::Request, "/x", json!(true)), says(Subject::Response, "/a/b", json!(1))]);
    assert!(
        matches!(&rules[1].variables[..], [(name, Source::Body(pointer))] if name == "order_id" && pointer.as_str() == "/order/id")
    );
    assert_eq!(rules[2].tags[0].as_str(), "shop:{shop}");
    assert!(config.remarks.iter().next().is_none());
}

#[test]
fn a_write_that_names_no_variable_of_the_key_is_noted() {
    let text = "origin = \"http://a\"\n[[route]]\npath = \"/fruit/{id}\"\ninvalidated_by = [\"PUT /fruit/{fruit_id}\"]\nttl = \"1h\"\n";
    let config = good(text);
    let (note, place) = config.remarks.iter().next().unwrap();
    assert_eq!(place.map(|place| (place.line, place.column)), Some((4, 19)));
    assert!(note.help().contains("variables = { id = \"{fruit_id}\" }"), "{}", note.help());
}

#[test]
fn the_oracle_seeds_write_policy() {
    let config = good(
        "origin = \"http://a\"\n[[route]]\npath = \"/orders/{order_id}\"\nkey = \"order:{order_id}\"\nttl = \"1h\"\n[route.write]\n\
         request = \"POST /orders\"\nselect = { query = \"target\", default = \"both\", both = \"through\", redis = \"cache\", \
         oracle = \"around\" }\ncache_by = \"anyone\"\nentry = '{\"order\": {body}, \"source\": \"Redis\"}'\n\
         reply = { status = 201, json = '{\"status\": \"success\", \"message\": \"Order written to {target}\"}' }\n",
    );
    let route = config.proxy.rules.routes.iter().next().unwrap();
    let policy = route.write.as_ref().unwrap();
    assert_eq!(policy.select.choose("target=redis").map(|(target, _)| target), Some(WriteTarget::Cache));
    assert_eq!(policy.select.choose("").map(|(target, _)| target), Some(WriteTarget::Through));
    assert!(matches!(&policy.select, Selection::ByQuery { targets, .. } if targets.len() == 3));
    assert!(policy.entry.is_some());
    assert_eq!(policy.reply.as_ref().unwrap().status, 201);
}

#[test]
fn a_route_without_a_lifetime_is_noted() {
    let notes = |lines: &str| {
        let config = good(&format!("origin = \"http://a\"\n[[route]]\npath = \"/a\"\n{lines}\n"));
        config.remarks.render(false).matches("only stored if the origin says how long it is fresh").count()
    };
    assert_eq!(notes(""), 1);
    assert_eq!(notes("statuses = { 404 = \"ttl\" }"), 1);
    assert_eq!(notes("ttl = \"1h\""), 0);
    assert_eq!(notes("statuses = { 404 = \"1m\" }"), 0);
}

#[test]
fn what_shapes_what_a_route_stores_is_in_its_fingerprint() {
    let fingerprint = |keys: &str| {
        let config = good(&format!("origin = \"http://a\"\n[[route]]\npath = \"/x\"\nttl = \"1m\"\n{keys}"));
        config.proxy.rules.routes.iter().next().unwrap().fingerprint
    };
    let plain = fingerprint("");
    for keys in ["set_cookie = \"strip\"\n", "close_delimited = true\n", "max_body = \"1KiB\"\n"] {
        assert_ne!(fingerprint(keys), plain, "{keys}");
    }
    for keys in ["set_cookie = \"refuse\"\n", "close_delimited = false\n", "stale_if_error = \"1h\"\n"] {
        assert_eq!(fingerprint(keys), plain, "{keys}");
    }
}

#[test]
fn a_route_may_strip_cookies_and_store_what_ends_with_the_connection() {
    let config = good(
        "origin = \"http://a\"\n[[route]]\npath = \"/x\"\nttl = \"1m\"\nset_cookie = \"strip\"\nclose_delimited = true\n\
         [[route]]\npath = \"/y\"\nttl = \"1m\"\n",
    );
    let choices: Vec<_> = config.proxy.rules.routes.iter().map(|route| &route.choices).collect();
    assert_eq!((choices[0].set_cookie, choices[0].close_delimited), (SetCookie::Strip, true));
    assert_eq!((choices[1].set_cookie, choices[1].close_delimited), (SetCookie::Refuse, false));
    assert!(config.remarks.render(false).contains("without the cookie that they set"));
}

#[test]
fn a_late_commit_is_waited_for_as_long_as_the_file_says() {
    let within = |keys: &str| good(&format!("[origin]\nurl = \"http://a\"\n{keys}")).store.commit_within;
    assert_eq!(within(""), Duration::from_secs(60));
    for (written, seconds) in [("0s", 0), ("5s", 5), ("1h", 3600)] {
        assert_eq!(within(&format!("commit_within = \"{written}\"\n")), Duration::from_secs(seconds));
    }
    // Of whichever store.
    let in_redis = good("store = \"redis://h\"\n[origin]\nurl = \"http://a\"\ncommit_within = \"5s\"\n");
    assert_eq!(in_redis.store.commit_within, Duration::from_secs(5));
}

#[test]
fn who_may_purge_where_a_trusted_proxy_may_be_is_told_that_its_word_decides() {
    for (purge_from, told) in
        [("10.1.0.0/16", true), ("10.0.0.1", true), ("0.0.0.0/1", true), ("192.168.7.0/24", false), ("::1", false)]
    {
        let file = format!(
            "origin = \"http://a\"\n[clients]\ntrusted_proxies = [\"10.0.0.0/8\"]\npurge_from = [\"{purge_from}\"]\n"
        );
        let remarks = good(&file).remarks.render(false);
        let warned = remarks.contains("`trusted_proxies` have addresses in common") && remarks.contains("purge_token");
        assert_eq!(warned, told, "{purge_from}: {remarks}");
    }
}

//! Bad files, table by table: each row has its fault at the `«`, and a part of the help.

use super::{assert_bad, read};

#[test]
fn what_is_not_toml() {
    for (text, help) in [
        ("origin = «http://a\n", "quotes"),
        ("origin = \"http://a\"\n«origin = \"http://b\"\n", "delete one of the two"),
        ("store = \"redis://a\"\n[«store]\nprefix = \"a\"\n", "write url = … below [store]"),
        ("origin = \"http://a\"\n[«origin]\nupgrade = true\n", "write url = … below [origin]"),
        ("origin = \"http://a\"\n«origin.host = \"client\"\n", "write url = … below [origin]"),
        ("[origin]\nurl = \"http://a\"\n[«origin]\n", "delete one of the two"),
        ("listen = [\"127.0.0.1:1\"«", "toml.io"),
        ("origin = \"http://a\"\n[[route]]\npath = \"/a\"\nttl = «1h\n", "ttl = \"10m\""),
        ("«= 1\n", ""),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn keys_that_nobody_knows() {
    for (text, help) in [
        ("«origins = \"http://a\"\n", "write `origin`"),
        ("«colour = 1\n", "its keys are `listen`, `origin`, `store`"),
        ("[limits]\n«conections = 1\n", "write `connections`"),
        ("[clients]\n«trusted_proxis = []\n", "write `trusted_proxies`"),
        ("[[route]]\n«tll = \"1h\"\n", "write `ttl`"),
        ("[[route]]\n«invalidated-by = []\n", "write `invalidated_by`"),
        ("[[route]]\nannotate = { «feild = \"x\" }\n", "write `field`"),
        ("[[route]]\nannotate = { «fields = \"x\" }\n", "write `field`"),
        ("[tls]\n«colour = 1\n", "its keys are `cert` and `key`"),
        ("[route_]\n".replace("[route_]", "[«route_]").as_str(), "write `route`"),
        ("[[route]]\n[[route.invalidated_by]]\n«requst = \"PUT /a\"\n", "write `request`"),
        ("[[route]]\n[route.write]\n«selct = {}\n", "write `select`"),
        ("[[route]]\n[route.write]\nreply = { «stauts = 201 }\n", "write `status`"),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn keys_in_the_wrong_table() {
    for (text, help) in [
        ("«ttl = \"1h\"\n", "`ttl` belongs in [[route]]"),
        ("[[route]]\n«origin = \"http://a\"\n", "at the top of the file, above the first [table]"),
        ("[[route]]\n«listen = \"127.0.0.1:1\"\n", "at the top of the file"),
        ("[[route]]\n«when = {}\n", "[[route.invalidated_by]]"),
        ("[[route]]\n«heuristics = true\n", "[unrouted]"),
        ("«memory = \"1MiB\"\n", "[store]"),
        ("[store]\n«waiters = 1\n", "[limits]"),
        ("[limits]\n«trusted_proxies = []\n", "[clients]"),
        ("[«route]\npath = \"/a\"\n".replace("[«route]", "«[route]").as_str(), "write [[route]]"),
        ("[[route]]\n«[route.invalidated_by]\nrequest = \"PUT /a\"\n", "[[route.invalidated_by]]"),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn keys_from_elsewhere() {
    for (text, help) in [
        ("«upstream = \"http://a\"\n", "origin = "),
        ("«backend = \"http://a\"\n", "origin = "),
        ("«redis = \"redis://a\"\n", "store = "),
        ("«timeout = \"1s\"\n", "`response_timeout`"),
        ("«real_ip = []\n", "trusted_proxies = "),
        ("«port = 8080\n", "listen = "),
        ("[[«routes]]\n", "[[route]]"),
        ("[[route]]\n«cache_ttl = \"1h\"\n", "ttl = \"10m\""),
        ("[[route]]\n«max_age = 60\n", "ttl = \"10m\""),
        ("[[route]]\n«expire = 60\n", "ttl = \"10m\""),
        ("[[route]]\n«purge = [\"PUT /a\"]\n", "invalidated_by = "),
        ("[[route]]\n«invalidates = [\"PUT /a\"]\n", "invalidated_by = "),
        ("[[route]]\n«url = \"/a\"\n", "path = "),
        ("[[route]]\n«auth = \"key\"\n", "authorization = "),
        ("[[route]]\n«headers = []\n", "vary = "),
        ("[store]\n«password = \"x\"\n", "part of the URL"),
        ("[limits]\n«workers = 2\n", "cores = 2"),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn an_admin_listener_that_cannot_be_meant() {
    for (text, help) in [
        ("[admin]\nlisten = «\"9900\"\n", "\"127.0.0.1:9900\""),
        ("[admin]\nlisten = «\"/run/a.sock\"\n", "write \"unix:/run/a.sock\""),
        ("[admin]\nlisten = «\"0.0.0.0:9900\"\n", "add token = "),
        ("[admin]\nlisten = «\"10.0.0.1:9900\"\n", "add token = "),
        ("[admin]\nlisten = «\"127.0.0.1:8080\"\n", "write another port"),
        ("[admin]\ntoken = «\"hunter2\"\n", "openssl rand -hex 16"),
        ("[admin]\n«password = \"hunter2\"\n", "write token = "),
        ("[admin]\n«port = 1\n", "write listen = "),
        ("«metrics = true\n", "in [admin]"),
    ] {
        assert_bad(&format!("origin = \"http://a\"\n{text}"), help);
    }
}

#[test]
fn what_this_version_does_not_have() {
    let not_yet = ["store = «\"redis+cluster://h\"\norigin = \"http://a\"\n"];
    for text in not_yet {
        assert_bad(text, "");
        let error = read(&text.replace('«', "")).unwrap_err();
        let (finding, _) = error.report().iter().next().unwrap();
        assert!(finding.message().contains("not supported by this version"), "{error}");
    }
}

#[test]
fn what_clients_may_speak() {
    assert_bad("origin = \"http://a\"\n[clients]\nhttp2 = «\"tsl\"", "write \"tls\"");
    assert_bad("origin = \"http://a\"\n[clients]\nhttp2 = «true", "write \"tls\", \"off\" or \"always\"");
    assert_bad("origin = \"http://a\"\n[clients]\n«h2c = true", "\"always\"");
    for (text, help) in [
        ("hosts = [«\"http://shop.example\"]", "write \"shop.example\""),
        ("hosts = [\"a\", «\"shop.example/api\"]", "write \"shop.example\""),
        ("hosts = [«\"*.example\"]", "each name in full"),
        ("hosts = [«\"a b\"]", "\"localhost:8080\""),
        ("hosts = [«\"\"]", "\"localhost:8080\""),
        ("hosts = [\"shop.example\", «\"Shop.Example\"]", "delete one"),
        ("hosts = [\"[::1]:80\", «\"[0::1]:080\"]", "delete one"),
        ("hosts = «[]", "delete the line"),
        ("hosts = «\"shop.example\"", "[\"shop.example\"]"),
        ("hosts = [«80]", "write"),
        ("«host = \"shop.example\"", "hosts"),
        ("«server_name = \"shop.example\"", "hosts = ["),
    ] {
        assert_bad(&format!("origin = \"http://a\"\n[clients]\n{text}"), help);
    }
    assert_bad("origin = \"http://a\"\n[tls]\n«cert_file = \"a\"\ncert = \"a\"\nkey = \"b\"", "cert = ");
    assert_bad("origin = \"http://a\"\n[limits]\nidle_timeout = «\"0s\"", "the default is \"1m\"");
    assert_bad("origin = \"http://a\"\n[limits]\n«keepalive_timeout = \"5s\"", "`idle_timeout`");
}

#[test]
fn addresses_and_urls() {
    for (text, help) in [
        ("listen = «\"localhost:8080\"\n", "\"127.0.0.1:8080\""),
        ("listen = «\":8080\"\n", "\"0.0.0.0:8080\""),
        ("listen = «[]\n", "listen = \"127.0.0.1:8080\""),
        ("listen = [\"127.0.0.1:1\", «\"127.0.0.1:1\"]\n", "delete one"),
        ("listen = «8080\n", "[\"…\", \"…\"]"),
        ("store = «\"memcached://h\"\n", "\"memory://\""),
        ("store = «\"redis\"\n", "\"redis://127.0.0.1:6379\""),
        ("store = «\"redis://h:port\"\n", "%40"),
        ("store = «\"redis://\"\n", "\"redis://:password@127.0.0.1:6379/0\""),
        ("store = «\"memory://64MiB\"\n", "`memory` in [store]"),
        ("store = «6379\n", "[store] table"),
    ] {
        assert_bad(&format!("origin = \"http://a\"\n{text}"), help);
    }
    for (text, help) in [
        ("origin = «\"127.0.0.1:5000\"\n", "\"http://127.0.0.1:5000\""),
        ("origin = «\"http://a/v1\"\n", "\"http://a\""),
        ("origin = «\"http://u:p@a\"\n", "before the `@`"),
        ("origin = «\"ftp://a\"\n", "http://127.0.0.1:5000"),
        ("origin = «5000\n", "[origin] table"),
        ("[origin]\nurl = \"http://a\"\nhost = «\"Client\"\n", "\"client\""),
        ("[origin]\nurl = \"http://a\"\nhost = «\"a b\"\n", "\"api.example.com\""),
    ] {
        assert_bad(text, help);
    }
}

#[test]
fn numbers_that_need_units_or_bounds() {
    for (text, help) in [
        ("[origin]\nurl = \"http://a\"\nconnect_timeout = «1\n", "\"1s\""),
        ("[origin]\nurl = \"http://a\"\nresponse_timeout = «\"30\"\n", "\"30s\""),
        ("[origin]\nurl = \"http://a\"\ncommit_within = «\"2h\"\n", "at most \"1h\"; the default is \"1m\""),
        ("[origin]\nurl = \"http://a\"\ncommit_within = «60\n", "\"60s\""),
        ("[origin]\nurl = \"http://a\"\nidle_timeout = «\"0s\"\n", "the default is \"1s\""),
        ("[origin]\nurl = \"http://a\"\nmax_connections = «0\n", "at least 1"),
        ("[origin]\nurl = \"http://a\"\nmax_fields = «0\n", "the default is 1024"),
        ("[origin]\nurl = \"http://a\"\nmax_fields = «4001\n", "at most 4000"),
        ("[origin]\nurl = \"http://a\"\nmax_header = «\"4KiB\"\n", "at least \"8KiB\""),
        ("[origin]\nurl = \"http://a\"\nmax_header = «\"1GiB\"\n", "at most \"4MiB\""),
        ("[origin]\nurl = \"http://a\"\nmax_connections = «\"10\"\n", "without quotes"),
        ("[origin]\nurl = \"http://a\"\nmax_connections = «-1\n", "whole number"),
    ] {
        assert_bad(text, help);
    }
    for (text, help) in [
        ("[store]\nmemory = «67108864\n", "\"67108864B\""),
        ("[store]\nmemory = «\"64mb\"\n", "\"64MB\""),
        ("[store]\nmemory = «\"1KiB\"\n", "at least \"1MiB\""),
        ("[store]\ntimeout = «\"50 ms\"\n", "\"50ms\""),
        ("[store]\nwhen_down = «\"refused\"\n", "\"refuse\""),
        ("[store]\nprefix = \"«{shop}\"\n", "\"shop:\""),
        ("[limits]\nheader = «\"1KiB\"\n", "at least \"8KiB\""),
        ("[limits]\ntarget = «\"64KiB\"\n", "larger `header`"),
        ("[limits]\ncores = «0\n", "at least 1"),
        ("[limits]\nfields = «1.5\n", "without quotes"),
        ("[limits]\nheader_timeout = «10.5\n", "\"10.5s\""),
        ("limits = «1\n", "[limits]"),
        ("[log]\nformat = «\"jsno\"\n", "\"json\""),
        ("[log]\nrequests = «\"yes\"\n", "without quotes"),
        ("[unrouted]\nrequest_directives = «\"honor\"\n", "\"honour\""),
        ("[unrouted]\ncache = «1\n", "true or false"),
    ] {
        assert_bad(&format!("origin = \"http://a\"\n{text}").replace("origin = \"http://a\"\nlimits", "limits"), help);
    }
}

#[test]
fn an_origin_is_needed() {
    let error = read("listen = \"127.0.0.1:8080\"\n").unwrap_err();
    let (finding, place) = error.report().iter().next().unwrap();
    assert!(place.is_none() && finding.help().contains("origin = \"http://127.0.0.1:5000\""), "{error}");
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    let text = "origin = \"ftp://a\"\nlisten = \"x\"\n[[route]]\nttl = \"1h\"\n[[route]]\npath = \"b\"\n";
    let lines = |text: &str| -> Vec<usize> {
        read(text).unwrap_err().report().iter().filter_map(|(_, place)| place).map(|place| place.line).collect()
    };
    assert_eq!(lines(text), [1, 2, 3, 6]);
    let forms = "colour = 1\norigin = 1\n[[route]]\npath = 2\nttl = 3\nquery = [4, 5]\n[limits]\ncores = \"6\"\n";
    assert_eq!(lines(forms), [1, 2, 4, 5, 6, 8]);
}

#[test]
fn secrets_are_not_shown() {
    for text in [
        "origin = \"http://a\"\nstore = \"redis://u:hunter2@h:port\"\n",
        "origin = \"http://u:hunter2@a\"\n",
        "origin = \"http://a\"\nstore = \"postgres://u:hunter2@h\"\n",
    ] {
        let error = read(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!error.report().to_json().to_string().contains("hunter2"), "{error}");
        assert!(!error.report().render(true).contains("hunter2"));
    }
}

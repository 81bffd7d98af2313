//! Hosts in keys.

use std::collections::HashMap;

use aside::config::Config;
use aside::rules::{KeyedHost, Read, place};
use aside::store::key_name;
use http::HeaderMap;
use http::uri::PathAndQuery;

const ROUTES: &str = r#"
origin = "http://127.0.0.1:1"
[[route]]
path = "/raw/{*rest}"
ttl = "1h"
[[route]]
path = "/listed/{id}"
query = ["x"]
key = "user@{id}:{x}"
ttl = "1h"
"#;

/// Whatever of a path, a query and a host: two reads that differ in one of them, or in the scheme, have two keys.
#[test]
fn no_text_of_a_clients_imitates_a_host() {
    let routes = Config::from_text("properties.toml", ROUTES, |_| None).unwrap().proxy.rules.routes.clone();
    let ends = ["", "a", "@", "@b", "@b@", "b@", "a@b", "@https://b", "@b:80", "@@"];
    let queries = ends.iter().map(|end| Some(format!("x={end}"))).chain([None]);
    let hosts = [KeyedHost::Known, KeyedHost::Other("b"), KeyedHost::Other("b:80"), KeyedHost::Other("a")];
    let mut known = HashMap::new();
    for query in queries {
        for (folder, end) in ["/", "/raw/", "/listed/"].into_iter().flat_map(|at| ends.map(|end| (at, end))) {
            for (host, secure) in hosts.iter().flat_map(|host| [(host, false), (host, true)]) {
                let path = format!("{folder}{end}");
                let fields = HeaderMap::new();
                let target = query.iter().fold(path.clone(), |path, query| format!("{path}?{query}"));
                let target: PathAndQuery = target.parse().unwrap();
                let read = Read { target: &target, fields: &fields, host: Some(*host), secure };
                let place = match routes.find(&path) {
                    Some((route, captures)) => place(route, &read, &captures),
                    None => routes.unrouted_place(&read),
                };
                let Ok(place) = place else { continue };
                let asked = format!("{path} {query:?} {host:?} {secure}");
                let name = key_name(&place.key);
                let other = known.insert((place.key.route, name.clone()), asked.clone());
                assert_eq!(other, None, "{asked} has the key {name}");
            }
        }
    }
    assert!(known.keys().any(|(_, name)| name == "user@a:a") && known.keys().any(|(_, name)| name == "/raw/a?x=a"));
    assert!(known.len() > 1000, "{}", known.len());
}
